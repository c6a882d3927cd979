/* A load of REGISTER requests over UDP for a registrar on this machine, from thousands of source ports.

   register_load 127.0.0.1:PORT AORS FIRST_NUMBER DOMAIN SECRET SOCKETS

   Says one line of JSON when it is ready, then obeys commands on standard input, one a line, until it ends, and answers
   each with one line of JSON:

     fill      every AoR registers once by a full challenge cycle
     refresh   one signed request each; the nonce is used again with a growing count, a stale one is replaced
     challenge full cycles: request, 401, signed request, 200
     rate      refresh at a fixed rate, whether replies come or not; latency from the time a request was due

   each followed by `seconds=` (at most 600), `window=` (operations at a time, at most 16384), `layouts=` (1 to 1024, or
   `unseen`: no layout comes twice) and, for `rate`, `rate=` (operations a second).

   AoRs come in scattered order, each has its own layout, Call-ID and source port. A reply counts only when it comes to
   the port that asked, with the Call-ID and CSeq asked for; a 200 must list the contact. What got no reply is sent again
   after 0.5, 1, 2 and 4 s (RFC 3261 timer E) and lost 8 s after that. Every operation ends in one of done, failed, lost.

   Each request leaves from another socket, so there is nothing to gather for sendmmsg. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "md5.h"
#include "message.h"
#include "reply.h"

enum {
    AOR_LIMIT = 2000000, SOCKET_LIMIT = 16384, SAMPLE_LIMIT = 8000000, EXPIRES_SECONDS = 3600, CHALLENGE_LIMIT = 3,
    BATCH = 8, EVENTS = 256, REPLY_LIMIT = 8192, ERROR_LIMIT = 160,
};
static const double FIRST_WAIT = 0.5, LAST_WAIT = 8, SCAN_EVERY = 0.05, SPIN = 0.0001;

struct aor {
    uint32_t cseq, nonce_count;
    int32_t slot; /* of the operation under way, -1: none */
    uint8_t nonce_size, has_ha1;
    char ha1[MD5_HEX], nonce[NONCE_LIMIT];
};

struct slot { /* one operation under way */
    double due, sent, wait;
    uint32_t aor;
    uint8_t active, has_credentials, challenges;
    size_t size;
    char data[MESSAGE_LIMIT];
};

struct result {
    uint64_t done, failed, lost, replies, rechallenged, sent_again, stray;
    double seconds;
    char error[ERROR_LIMIT];
};

static struct aor *aors;
static struct slot *slots;
static int *free_slots, free_count, *sockets, poller;
static uint16_t *ports;
static uint32_t aor_count, socket_count, salt;
static uint64_t first_number, branch, serial, random_state, position, stride;
static const char *domain, *secret;
static struct layout layouts[LAYOUT_LIMIT];
static uint32_t *samples; /* microseconds */
static struct command command;
static struct result result;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *zeroed(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("out of memory");
    return memory;
}

static void note_error(const char *why, struct span what) {
    if (result.error[0]) return;
    snprintf(result.error, sizeof result.error, "%s %.*s", why, (int)what.size, what.at ? what.at : "");
    for (char *at = result.error; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') *at = '?';
}

static uint64_t next_random(void) {
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return random_state;
}

static uint32_t socket_of(uint32_t aor) { return aor % socket_count; }

/* -- sending */

static void transmit(struct slot *slot, double at) {
    slot->sent = at;
    if (send(sockets[socket_of(slot->aor)], slot->data, slot->size, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
        note_error("nobody listens on the port", (struct span){NULL, 0});
}

static void fill_credentials(struct credentials *credentials, struct aor *aor, uint32_t index) {
    static const char DIGITS[] = "0123456789abcdef";
    uint64_t random = next_random();
    if (!aor->has_ha1) {
        char plain[512];
        int size = snprintf(plain, sizeof plain, "%llu:%s:%s", (unsigned long long)(first_number + index), domain, secret);
        md5_hex(plain, (size_t)size, aor->ha1);
        aor->has_ha1 = 1;
    }
    credentials->nonce = aor->nonce;
    credentials->nonce_size = aor->nonce_size;
    credentials->count = ++aor->nonce_count;
    for (size_t i = 0; i < sizeof credentials->cnonce; i++) credentials->cnonce[i] = DIGITS[random >> 4 * i & 15];
    sign(credentials, aor->ha1, domain);
}

static void ask(struct slot *slot, int with_credentials, double at) {
    struct aor *aor = &aors[slot->aor];
    struct credentials credentials;
    struct layout unseen;
    const struct layout *layout = &unseen;
    if (command.layouts) layout = &layouts[slot->aor % command.layouts];
    else unseen_layout(&unseen, serial++);
    if (with_credentials) fill_credentials(&credentials, aor, slot->aor);
    struct message message = {
        domain, first_number + slot->aor, branch++ * 0x9e3779b97f4a7c15ULL, slot->aor, salt, ++aor->cseq,
        EXPIRES_SECONDS, ports[socket_of(slot->aor)], with_credentials ? &credentials : NULL,
    };
    slot->size = write_message(slot->data, &message, layout);
    slot->has_credentials = (uint8_t)with_credentials;
    slot->wait = FIRST_WAIT;
    transmit(slot, at);
}

/* Begins an operation on the next AoR that has none under way; 0 when there is none. */
static int begin(double due, double at) {
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t index = (uint32_t)position;
        position = (position + stride) % aor_count;
        struct aor *aor = &aors[index];
        if (aor->slot >= 0) continue;
        aor->slot = free_slots[--free_count];
        struct slot *slot = &slots[aor->slot];
        slot->due = due, slot->aor = index, slot->active = 1, slot->challenges = 0;
        ask(slot, aor->nonce_size && (command.mode == REFRESH || command.mode == RATE), at);
        return 1;
    }
    return 0;
}

static void end(struct slot *slot, uint64_t *outcome) {
    ++*outcome;
    slot->active = 0;
    free_slots[free_count++] = aors[slot->aor].slot;
    aors[slot->aor].slot = -1;
}

/* -- receiving */

static void on_challenge(struct slot *slot, const struct reply *reply, double at) {
    struct aor *aor = &aors[slot->aor];
    int usable = reply->nonce.at && reply->nonce.size && reply->nonce.size <= NONCE_LIMIT;
    int ours = reply->realm.size == strlen(domain) && span_holds(reply->realm, domain, reply->realm.size);
    if (!usable || !ours || ++slot->challenges > CHALLENGE_LIMIT) {
        note_error(usable && ours ? "challenged again and again:" : "unusable challenge:", reply->first_line);
        end(slot, &result.failed);
        return;
    }
    result.rechallenged += slot->has_credentials || command.mode == REFRESH || command.mode == RATE;
    memcpy(aor->nonce, reply->nonce.at, reply->nonce.size);
    aor->nonce_size = (uint8_t)reply->nonce.size;
    aor->nonce_count = 0;
    ask(slot, 1, at);
}

static void on_ok(struct slot *slot, const struct reply *reply, double at) {
    char contact[64];
    int size = snprintf(contact, sizeof contact, "sip:%llu@127.0.0.1:%u", (unsigned long long)(first_number + slot->aor),
                        ports[socket_of(slot->aor)]);
    if (!slot->has_credentials || !span_holds(reply->contacts, contact, (size_t)size)) {
        note_error(slot->has_credentials ? "contact is not listed:" : "accepted without credentials:", reply->first_line);
        end(slot, &result.failed);
        return;
    }
    if (command.mode == RATE && result.done < SAMPLE_LIMIT) samples[result.done] = (uint32_t)((at - slot->due) * 1e6);
    end(slot, &result.done);
}

/* The operation that `reply`, arrived on `socket`, answers; NULL when there is none. */
static struct slot *asked(const struct reply *reply, uint32_t socket) {
    uint32_t index, its_salt;
    if (!read_call_id(reply->call_id.at, reply->call_id.size, &index, &its_salt)) return NULL;
    if (its_salt != salt || index >= aor_count) return NULL;
    struct aor *aor = &aors[index];
    return aor->slot >= 0 && reply->cseq == aor->cseq && socket_of(index) == socket ? &slots[aor->slot] : NULL;
}

static void on_datagram(const char *data, size_t size, uint32_t socket, double at) {
    struct reply reply;
    struct slot *slot = read_reply(data, size, &reply) ? asked(&reply, socket) : NULL;
    if (!slot) {
        result.stray++;
        return;
    }
    if (reply.status < 200) return;
    result.replies++;
    if (reply.status == 401) {
        on_challenge(slot, &reply, at);
    } else if (reply.status == 200) {
        on_ok(slot, &reply, at);
    } else {
        note_error("refused:", reply.first_line);
        end(slot, &result.failed);
    }
}

static void receive(uint32_t socket) {
    static char buffers[BATCH][REPLY_LIMIT];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){buffers[i], REPLY_LIMIT - 1};
        messages[i].msg_hdr.msg_iov = &vectors[i], messages[i].msg_hdr.msg_iovlen = 1;
    }
    int count = recvmmsg(sockets[socket], messages, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0 && errno == ECONNREFUSED) note_error("nobody listens on the port", (struct span){NULL, 0});
    double at = now();
    for (int i = 0; i < count; i++) {
        buffers[i][messages[i].msg_len] = 0;
        on_datagram(buffers[i], messages[i].msg_len, socket, at);
    }
}

static void scan(double at) {
    for (unsigned i = 0; i < WINDOW_LIMIT; i++) {
        struct slot *slot = &slots[i];
        if (!slot->active || at - slot->sent < slot->wait) continue;
        if (slot->wait >= LAST_WAIT) {
            note_error("no reply", (struct span){NULL, 0});
            end(slot, &result.lost);
            continue;
        }
        slot->wait *= 2;
        result.sent_again++;
        transmit(slot, at);
    }
}

/* Waits at most `seconds` for replies, and reads them. Only a fixed rate needs more than milliseconds. */
static void wait_for_replies(double seconds) {
    struct epoll_event events[EVENTS];
    int timeout = (int)(seconds * 1000);
    if (command.mode == RATE) {
        struct pollfd ready = {poller, POLLIN, 0};
        struct timespec time = {0, seconds > SPIN ? (long)((seconds - SPIN) * 1e9) : 0};
        if (seconds > SPIN) ppoll(&ready, 1, &time, NULL);
        timeout = 0;
    }
    int count = epoll_wait(poller, events, EVENTS, timeout);
    for (int i = 0; i < count; i++) receive(events[i].data.u32);
}

/* -- one command */

static void run(void) {
    double began = now(), until = began + command.seconds, scanned = began, at = began;
    uint64_t started = 0, most = command.mode == FILL ? aor_count : UINT64_MAX;
    memset(&result, 0, sizeof result);
    for (;;) {
        int open = at < until && !result.lost;
        double wait = SCAN_EVERY;
        while (open && started < most && free_count > (int)(WINDOW_LIMIT - command.window)) {
            double due = command.mode == RATE ? began + (double)started / command.rate : at;
            if (due > at) {
                wait = due - at;
                break;
            }
            if (!begin(due, at)) break;
            started++;
        }
        if ((!open || started == most) && free_count == WINDOW_LIMIT) break;
        wait_for_replies(wait < SCAN_EVERY ? wait : SCAN_EVERY);
        at = now();
        if (at - scanned > SCAN_EVERY) scan(scanned = at);
    }
    result.seconds = at - began;
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double milliseconds(uint64_t count, double share) {
    uint64_t at = (uint64_t)((double)count * share);
    return count ? samples[at < count ? at : count - 1] / 1e3 : 0;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(double cpu) {
    uint64_t count = command.mode != RATE ? 0 : result.done < SAMPLE_LIMIT ? result.done : SAMPLE_LIMIT;
    qsort(samples, count, sizeof *samples, ascending);
    printf("{\"done\": %llu, \"failed\": %llu, \"lost\": %llu, \"replies\": %llu, \"rechallenged\": %llu, "
           "\"sent_again\": %llu, \"stray\": %llu, \"seconds\": %.6f, \"generator_cpu\": %.3f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"error\": \"%s\"}\n",
           (unsigned long long)result.done, (unsigned long long)result.failed, (unsigned long long)result.lost,
           (unsigned long long)result.replies, (unsigned long long)result.rechallenged,
           (unsigned long long)result.sent_again, (unsigned long long)result.stray, result.seconds, cpu / result.seconds, milliseconds(count, 0.5), milliseconds(count, 0.99),
           milliseconds(count, 1), result.error);
    fflush(stdout);
}

/* -- set-up */

static void open_sockets(struct sockaddr_in server) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    for (uint32_t i = 0; i < socket_count; i++) {
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        socklen_t size = sizeof own;
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&own, size) ||
            connect(sockets[i], (struct sockaddr *)&server, sizeof server) ||
            getsockname(sockets[i], (struct sockaddr *)&own, &size) ||
            epoll_ctl(poller, EPOLL_CTL_ADD, sockets[i], &event))
            die("can't open so many sockets");
        ports[i] = ntohs(own.sin_port);
    }
}

static uint64_t common_divisor(uint64_t a, uint64_t b) { return b ? common_divisor(b, a % b) : a; }

static void set_up(char **arguments) {
    static const char HOST[] = "127.0.0.1:";
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timespec time;
    if (strncmp(arguments[1], HOST, sizeof HOST - 1)) die("the target must be 127.0.0.1:PORT");
    server.sin_port = htons((uint16_t)number(arguments[1] + sizeof HOST - 1, 1, 65535, "port"));
    aor_count = (uint32_t)number(arguments[2], 1, AOR_LIMIT, "AoRs");
    first_number = number(arguments[3], 1, 999999999999999ULL, "first number");
    domain = arguments[4], secret = arguments[5];
    if (strlen(domain) > 100 || strlen(secret) > 100) die("domain and secret: at most 100 characters");
    socket_count = (uint32_t)number(arguments[6], 1, SOCKET_LIMIT, "sockets");
    aors = zeroed(aor_count, sizeof *aors);
    slots = zeroed(WINDOW_LIMIT, sizeof *slots);
    free_slots = zeroed(WINDOW_LIMIT, sizeof *free_slots);
    sockets = zeroed(socket_count, sizeof *sockets);
    ports = zeroed(socket_count, sizeof *ports);
    samples = zeroed(SAMPLE_LIMIT, sizeof *samples);
    for (uint32_t i = 0; i < aor_count; i++) aors[i].slot = -1;
    for (int i = WINDOW_LIMIT - 1; i >= 0; i--) free_slots[free_count++] = i;
    for (stride = (uint64_t)(aor_count * 0.6180339887) | 1; common_divisor(stride, aor_count) != 1;) stride++;
    clock_gettime(CLOCK_REALTIME, &time); /* another salt, another set of Call-IDs */
    random_state = ((uint64_t)time.tv_sec * 1000000007ULL + (uint64_t)time.tv_nsec) ^ (uint64_t)getpid() << 40;
    salt = (uint32_t)(next_random() >> 20), branch = next_random();
    draw_layouts(layouts, LAYOUT_LIMIT);
    open_sockets(server);
}

int main(int count, char **arguments) {
    char line[256];
    if (count != 7) die("usage: register_load 127.0.0.1:PORT AORS FIRST_NUMBER DOMAIN SECRET SOCKETS");
    set_up(arguments);
    printf("{\"aors\": %u, \"sockets\": %u}\n", aor_count, socket_count);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        command = read_command(line);
        double cpu = cpu_seconds();
        run();
        report(cpu_seconds() - cpu);
    }
    return 0;
}
