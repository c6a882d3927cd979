#include "message.h"

#include <string.h>

#include "md5.h"

enum header {
    VIA, MAX_FORWARDS, FROM, TO, CALL_ID, CSEQ, CONTACT, AUTHORIZATION, CONTENT_LENGTH,
    EXPIRES, USER_AGENT, SUPPORTED, ALLOW, ALLOW_EVENTS, /* from here on a layout may do without */
};
enum parameter { USERNAME, REALM, NONCE, URI, RESPONSE, ALGORITHM, CNONCE, QOP, COUNT };
enum { SPELLINGS = 3 };

static const char CALL_ID_HOST[] = "@127.0.0.1";
static const char *const NAMES[HEADERS][SPELLINGS] = {
    [VIA] = {"Via: ", "v: ", "via: "},
    [MAX_FORWARDS] = {"Max-Forwards: ", "Max-Forwards: ", "max-forwards: "},
    [FROM] = {"From: ", "f: ", "from: "},
    [TO] = {"To: ", "t: ", "to: "},
    [CALL_ID] = {"Call-ID: ", "i: ", "call-id: "},
    [CSEQ] = {"CSeq: ", "CSeq: ", "cseq: "},
    [CONTACT] = {"Contact: ", "m: ", "contact: "},
    [AUTHORIZATION] = {"Authorization: ", "Authorization: ", "authorization: "},
    [CONTENT_LENGTH] = {"Content-Length: ", "l: ", "content-length: "},
    [EXPIRES] = {"Expires: ", "Expires: ", "expires: "},
    [USER_AGENT] = {"User-Agent: ", "User-Agent: ", "user-agent: "},
    [SUPPORTED] = {"Supported: ", "k: ", "supported: "},
    [ALLOW] = {"Allow: ", "Allow: ", "allow: "},
    [ALLOW_EVENTS] = {"Allow-Events: ", "u: ", "allow-events: "},
};

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dULL >> 33;
}

static void shuffle(uint8_t *items, unsigned count, uint64_t *random) {
    for (unsigned left = count; left > 1; left--) {
        unsigned other = (unsigned)(next_random(random) % left);
        uint8_t moved = items[left - 1];
        items[left - 1] = items[other];
        items[other] = moved;
    }
}

static void draw(struct layout *layout, uint64_t *random) {
    memset(layout, 0, sizeof *layout);
    layout->spelling = (uint8_t)(next_random(random) % SPELLINGS);
    layout->rport_first = next_random(random) & 1;
    layout->display_name = next_random(random) & 1;
    layout->expires_in_contact = 1;
    for (uint8_t header = 0; header < HEADERS; header++) {
        if (header >= EXPIRES && next_random(random) % 4 == 0) continue;
        if (header == EXPIRES) layout->expires_in_contact = 0;
        layout->order[layout->count++] = header;
    }
    shuffle(layout->order + 1, layout->count - 1u, random); /* Via stays on top (RFC 3261 §7.3.1) */
    for (uint8_t i = 0; i < DIGEST_PARAMETERS; i++) layout->digest_order[i] = i;
    shuffle(layout->digest_order, DIGEST_PARAMETERS, random);
}

void draw_layouts(struct layout *layouts, unsigned count) {
    uint64_t random = 0x9e3779b97f4a7c15ULL;
    for (unsigned made = 0; made < count;) {
        draw(&layouts[made], &random);
        unsigned same = 0;
        while (same < made && memcmp(layouts[same].order, layouts[made].order, HEADERS)) same++;
        made += same == made;
    }
}

void unseen_layout(struct layout *layout, uint64_t serial) {
    static const uint64_t PERMUTATIONS = 6227020800ULL; /* 13! */
    static const uint64_t PRIME = 4000000007ULL;        /* spreads the serials, and meets no number twice */
    uint64_t code = (uint64_t)((unsigned __int128)serial * PRIME % PERMUTATIONS), random = serial + 1;
    uint8_t left[HEADERS - 1];
    memset(layout, 0, sizeof *layout);
    layout->count = HEADERS;
    layout->spelling = (uint8_t)(serial % SPELLINGS);
    for (uint8_t i = 0; i < HEADERS - 1; i++) left[i] = (uint8_t)(i + 1);
    for (unsigned i = 1, rest = HEADERS - 1; rest; i++, rest--) { /* factorial number system */
        unsigned chosen = (unsigned)(code % rest);
        code /= rest;
        layout->order[i] = left[chosen];
        memmove(left + chosen, left + chosen + 1, rest - chosen - 1);
    }
    for (uint8_t i = 0; i < DIGEST_PARAMETERS; i++) layout->digest_order[i] = i;
    shuffle(layout->digest_order, DIGEST_PARAMETERS, &random);
}

static char *text(char *out, const char *from, size_t size) {
    memcpy(out, from, size);
    return out + size;
}

#define WORD(out, literal) text(out, literal, sizeof(literal) - 1)

static char *words(char *out, const char *from) { return text(out, from, strlen(from)); }

static char *decimal(char *out, uint64_t number) {
    char digits[20];
    int size = 0;
    do digits[size++] = (char)('0' + number % 10);
    while (number /= 10);
    while (size) *out++ = digits[--size];
    return out;
}

static char *hex(char *out, uint64_t number, int size) {
    for (int i = size - 1; i >= 0; i--) *out++ = "0123456789abcdef"[number >> 4 * i & 15];
    return out;
}

static char *credential(char *out, const struct message *m, enum parameter parameter) {
    const struct credentials *c = m->credentials;
    switch (parameter) {
    case USERNAME: return WORD(decimal(WORD(out, "username=\""), m->number), "\"");
    case REALM: return WORD(words(WORD(out, "realm=\""), m->domain), "\"");
    case NONCE: return WORD(text(WORD(out, "nonce=\""), c->nonce, c->nonce_size), "\"");
    case URI: return WORD(words(WORD(out, "uri=\"sip:"), m->domain), "\"");
    case RESPONSE: return WORD(text(WORD(out, "response=\""), c->response, sizeof c->response), "\"");
    case ALGORITHM: return WORD(out, "algorithm=MD5");
    case CNONCE: return WORD(text(WORD(out, "cnonce=\""), c->cnonce, sizeof c->cnonce), "\"");
    case QOP: return WORD(out, "qop=auth");
    case COUNT: return hex(WORD(out, "nc="), c->count, 8);
    }
    return out;
}

static char *credentials(char *out, const struct message *m, const struct layout *layout) {
    out = WORD(out, "Digest ");
    for (int i = 0; i < DIGEST_PARAMETERS; i++) {
        if (i) out = WORD(out, ", ");
        out = credential(out, m, layout->digest_order[i]);
    }
    return out;
}

static char *via(char *out, const struct message *m, const struct layout *layout) {
    out = decimal(WORD(out, "SIP/2.0/UDP 127.0.0.1:"), m->port);
    if (layout->rport_first) out = WORD(out, ";rport");
    out = hex(WORD(out, ";branch=z9hG4bK"), m->branch, 16);
    return layout->rport_first ? out : WORD(out, ";rport");
}

static char *address(char *out, const struct message *m, const struct layout *layout) {
    if (layout->display_name) out = WORD(out, "\"Door station\" ");
    return WORD(words(WORD(decimal(WORD(out, "<sip:"), m->number), "@"), m->domain), ">");
}

static char *contact(char *out, const struct message *m, const struct layout *layout) {
    out = decimal(WORD(decimal(WORD(out, "<sip:"), m->number), "@127.0.0.1:"), m->port);
    out = WORD(out, ">");
    return layout->expires_in_contact ? decimal(WORD(out, ";expires="), m->expires_seconds) : out;
}

static char *value(char *out, const struct message *m, const struct layout *layout, enum header header) {
    switch (header) {
    case VIA: return via(out, m, layout);
    case MAX_FORWARDS: return WORD(out, "70");
    case FROM: return hex(WORD(address(out, m, layout), ";tag="), m->index, 8);
    case TO: return address(out, m, layout);
    case CALL_ID: return words(hex(hex(out, m->index, 8), m->salt, 8), CALL_ID_HOST);
    case CSEQ: return WORD(decimal(out, m->cseq), " REGISTER");
    case CONTACT: return contact(out, m, layout);
    case AUTHORIZATION: return credentials(out, m, layout);
    case CONTENT_LENGTH: return WORD(out, "0");
    case EXPIRES: return decimal(out, m->expires_seconds);
    case USER_AGENT: return WORD(out, "DoorStation/2.1 (bench)");
    case SUPPORTED: return WORD(out, "replaces, timer");
    case ALLOW: return WORD(out, "INVITE, ACK, CANCEL, OPTIONS, BYE, INFO, NOTIFY, UPDATE");
    case ALLOW_EVENTS: return WORD(out, "check-sync, refer");
    }
    return out;
}

size_t write_message(char *out, const struct message *m, const struct layout *layout) {
    char *at = WORD(words(WORD(out, "REGISTER sip:"), m->domain), " SIP/2.0\r\n");
    for (int i = 0; i < layout->count; i++) {
        enum header header = layout->order[i];
        if (header == AUTHORIZATION && !m->credentials) continue;
        at = words(at, NAMES[header][layout->spelling]);
        at = WORD(value(at, m, layout, header), "\r\n");
    }
    return (size_t)(WORD(at, "\r\n") - out);
}

static int read_hex(const char *at, uint32_t *number) {
    static const char DIGITS[] = "0123456789abcdef";
    *number = 0;
    for (int i = 0; i < 8; i++) {
        const char *digit = memchr(DIGITS, at[i], 16);
        if (!digit) return 0;
        *number = *number << 4 | (uint32_t)(digit - DIGITS);
    }
    return 1;
}

int read_call_id(const char *id, size_t size, uint32_t *index, uint32_t *salt) {
    return size == 16 + sizeof CALL_ID_HOST - 1 && !memcmp(id + 16, CALL_ID_HOST, sizeof CALL_ID_HOST - 1) &&
           read_hex(id, index) && read_hex(id + 8, salt);
}

void sign(struct credentials *c, const char ha1[32], const char *domain) {
    char plain[512], ha2[MD5_HEX];
    md5_hex(plain, (size_t)(words(WORD(plain, "REGISTER:sip:"), domain) - plain), ha2);
    char *at = WORD(text(plain, ha1, MD5_HEX), ":");
    at = hex(WORD(text(at, c->nonce, c->nonce_size), ":"), c->count, 8);
    at = text(WORD(text(WORD(at, ":"), c->cnonce, sizeof c->cnonce), ":auth:"), ha2, MD5_HEX);
    md5_hex(plain, (size_t)(at - plain), c->response);
}
