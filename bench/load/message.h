/* REGISTER requests in many layouts: the same content, in other orders and spellings. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_LIMIT = 2048, LAYOUT_LIMIT = 1024, NONCE_LIMIT = 128, HEADERS = 14, DIGEST_PARAMETERS = 9 };

/* How one make of device writes: which headers, in which order and spelling (long, compact, lower case), in which order
   the parameters of its credentials. */
struct layout {
    uint8_t count, order[HEADERS];
    uint8_t spelling, expires_in_contact, rport_first, display_name;
    uint8_t digest_order[DIGEST_PARAMETERS];
};

struct credentials {
    const char *nonce;
    uint32_t nonce_size, count;
    char cnonce[16], response[32];
};

struct message {
    const char *domain;
    uint64_t number, branch;
    uint32_t index, salt, cseq, expires_seconds; /* index and salt make the Call-ID */
    uint16_t port;
    const struct credentials *credentials; /* NULL: none */
};

/* Fills `layouts` with `count` (at most LAYOUT_LIMIT) layouts that differ from each other, always the same ones. */
void draw_layouts(struct layout *layouts, unsigned count);

/* A layout of all 14 headers that no other `serial` below 13! gives. */
void unseen_layout(struct layout *layout, uint64_t serial);

/* Writes the request and returns its size. `out` has MESSAGE_LIMIT bytes. */
size_t write_message(char *out, const struct message *message, const struct layout *layout);

/* Index and salt of a Call-ID that `write_message` wrote; 0 when it is another one. */
int read_call_id(const char *id, size_t size, uint32_t *index, uint32_t *salt);

/* The digest's response (RFC 7616 §3.4.1, qop=auth, MD5) for credentials whose other fields are filled in. */
void sign(struct credentials *credentials, const char ha1[32], const char *domain);
