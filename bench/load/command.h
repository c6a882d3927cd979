/* What a load generator is told to do: see register_load.c. */
#pragma once
#include <stdint.h>

enum { WINDOW_LIMIT = 16384, SECONDS_LIMIT = 600 };
enum mode { FILL, REFRESH, CHALLENGE, RATE, MODES };

struct command {
    enum mode mode;
    double seconds, rate;
    unsigned window, layouts; /* layouts 0: unseen */
};

/* Tells why on standard error and ends the program. */
_Noreturn void die(const char *why);

/* The number that `text` is; dies unless it is one from `least` to `most`. */
uint64_t number(const char *text, uint64_t least, uint64_t most, const char *name);

/* `MODE [name=value ...]`; dies when it is anything else. Takes `line` apart. */
struct command read_command(char *line);
