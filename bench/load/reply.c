#define _GNU_SOURCE
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int span_holds(struct span span, const char *text, size_t size) {
    return span.at && memmem(span.at, span.size, text, size) != NULL;
}

static int is_name(struct span name, const char *full, char compact) {
    return (name.size == strlen(full) && !strncasecmp(name.at, full, name.size)) ||
           (compact && name.size == 1 && (name.at[0] | 32) == compact);
}

/* The quoted value of a parameter of a challenge; at NULL when it is not there. */
static struct span quoted(struct span in, const char *name) {
    struct span value = {NULL, 0};
    const char *at = memmem(in.at, in.size, name, strlen(name));
    if (!at) return value;
    at += strlen(name);
    const char *end = memchr(at, '"', (size_t)(in.at + in.size - at));
    if (end) value.at = at, value.size = (size_t)(end - at);
    return value;
}

static void read_challenge(struct span value, struct reply *reply) {
    static const char SCHEME[] = "Digest ", ALGORITHM[] = "algorithm=";
    if (reply->nonce.at || value.size < sizeof SCHEME || strncasecmp(value.at, SCHEME, sizeof SCHEME - 1)) return;
    const char *algorithm = memmem(value.at, value.size, ALGORITHM, sizeof ALGORITHM - 1);
    if (algorithm && !memmem(algorithm, (size_t)(value.at + value.size - algorithm), "MD5", 3)) return;
    if (!memmem(value.at, value.size, "qop=", 4)) return;
    reply->realm = quoted(value, "realm=\"");
    reply->nonce = quoted(value, "nonce=\"");
}

static void read_header(struct span name, struct span value, const char *end, struct reply *reply) {
    if (is_name(name, "Call-ID", 'i')) {
        reply->call_id = value;
    } else if (is_name(name, "CSeq", 0)) {
        reply->cseq = (uint32_t)strtoul(value.at, NULL, 10); /* a line end follows */
        reply->is_register = value.size > 9 && !memcmp(value.at + value.size - 9, " REGISTER", 9);
    } else if (is_name(name, "Contact", 'm')) {
        if (!reply->contacts.at) reply->contacts = (struct span){value.at, (size_t)(end - value.at)};
    } else if (is_name(name, "WWW-Authenticate", 0)) {
        read_challenge(value, reply);
    }
}

int read_reply(const char *data, size_t size, struct reply *reply) {
    static const char VERSION[] = "SIP/2.0 ";
    const char *end = data + size;
    memset(reply, 0, sizeof *reply);
    if (size < 16 || memcmp(data, VERSION, 8)) return 0;
    reply->status = (int)strtol(data + 8, NULL, 10);
    for (const char *line = data; line < end;) {
        const char *line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!line_end || line_end == line) break;
        if (line == data) {
            reply->first_line = (struct span){line, (size_t)(line_end - line)};
        } else {
            const char *colon = memchr(line, ':', (size_t)(line_end - line));
            if (!colon) return 0;
            const char *value = colon + 1;
            while (value < line_end && (*value == ' ' || *value == '\t')) value++;
            struct span name = {line, (size_t)(colon - line)};
            while (name.size && name.at[name.size - 1] == ' ') name.size--;
            read_header(name, (struct span){value, (size_t)(line_end - value)}, end, reply);
        }
        line = line_end + 2;
    }
    return reply->call_id.at && reply->cseq && reply->is_register;
}
