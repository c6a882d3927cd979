#include "md5.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, LONGEST = 1024 };

static const uint32_t SINES[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t rotated(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

/* One step; the four words change places instead of being moved. */
#define STEP(mix, a, b, c, d, i, word, bits) (a) = (b) + rotated((a) + (mix) + SINES[i] + words[word], bits)
#define FOUR(MIX, i, w0, w1, w2, w3, s0, s1, s2, s3)          \
    STEP(MIX(b, c, d), a, b, c, d, (i) + 0, (w0) & 15, s0);   \
    STEP(MIX(a, b, c), d, a, b, c, (i) + 1, (w1) & 15, s1);   \
    STEP(MIX(d, a, b), c, d, a, b, (i) + 2, (w2) & 15, s2);   \
    STEP(MIX(c, d, a), b, c, d, a, (i) + 3, (w3) & 15, s3)
#define F(x, y, z) (((x) & (y)) | (~(x) & (z)))
#define G(x, y, z) (((x) & (z)) | ((y) & ~(z)))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))

static void add_block(uint32_t state[4], const unsigned char *block) {
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (int i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 | (uint32_t)block[4 * i + 2] << 16 |
                   (uint32_t)block[4 * i + 3] << 24;
    for (int i = 0; i < 16; i += 4) { FOUR(F, i, i, i + 1, i + 2, i + 3, 7, 12, 17, 22); }
    for (int i = 16, w = 1; i < 32; i += 4, w += 20) { FOUR(G, i, w, w + 5, w + 10, w + 15, 5, 9, 14, 20); }
    for (int i = 32, w = 5; i < 48; i += 4, w += 12) { FOUR(H, i, w, w + 3, w + 6, w + 9, 4, 11, 16, 23); }
    for (int i = 48, w = 0; i < 64; i += 4, w += 28) { FOUR(I, i, w, w + 7, w + 14, w + 21, 6, 10, 15, 21); }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

void md5_hex(const char *data, size_t size, char hex[MD5_HEX]) {
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char padded[LONGEST + 2 * BLOCK];
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    if (size > LONGEST) abort();
    size_t total = (size + 8) / BLOCK * BLOCK + BLOCK;
    memcpy(padded, data, size);
    memset(padded + size, 0, total - size);
    padded[size] = 0x80;
    for (size_t i = 0; i < 8; i++) padded[total - 8 + i] = (unsigned char)((uint64_t)size * 8 >> 8 * i);
    for (size_t at = 0; at < total; at += BLOCK) add_block(state, padded + at);
    for (int i = 0; i < 16; i++) {
        unsigned byte = state[i / 4] >> 8 * (i % 4) & 0xff;
        hex[2 * i] = DIGITS[byte >> 4];
        hex[2 * i + 1] = DIGITS[byte & 15];
    }
}
