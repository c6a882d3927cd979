/* What a load generator must know of a response. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *at;
    size_t size; /* at NULL: not there */
};

struct reply {
    int status;
    uint32_t cseq;
    int is_register; /* the method in CSeq */
    struct span first_line, call_id, contacts, nonce, realm;
};

/* 0 when `data` is no SIP response with Call-ID and CSeq. `nonce` and `realm` are those of the first Digest challenge
   with MD5 and qop; `contacts` begins at the first Contact and runs to the end of the message. */
int read_reply(const char *data, size_t size, struct reply *reply);

int span_holds(struct span span, const char *text, size_t size);
