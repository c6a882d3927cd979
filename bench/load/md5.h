/* MD5 (RFC 1321), as digest access authentication uses it. */
#pragma once
#include <stddef.h>

enum { MD5_HEX = 32 };

/* Lower-case hex of the MD5 of `size` bytes (at most 1024), without a final NUL. */
void md5_hex(const char *data, size_t size, char hex[MD5_HEX]);
