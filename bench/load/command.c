#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

static const char *const MODE_NAMES[MODES] = {"fill", "refresh", "challenge", "rate"};

void die(const char *why) {
    fprintf(stderr, "register_load: %s\n", why);
    exit(2);
}

uint64_t number(const char *text, uint64_t least, uint64_t most, const char *name) {
    char *rest, why[80];
    errno = 0;
    uint64_t value = strtoull(text, &rest, 10);
    snprintf(why, sizeof why, "%s: %llu to %llu", name, (unsigned long long)least, (unsigned long long)most);
    if (*text < '0' || *text > '9' || *rest || errno || value < least || value > most) die(why);
    return value;
}

static void read_option(struct command *command, const char *option) {
    if (!strncmp(option, "seconds=", 8)) command->seconds = atof(option + 8);
    else if (!strncmp(option, "rate=", 5)) command->rate = atof(option + 5);
    else if (!strncmp(option, "window=", 7)) command->window = (unsigned)number(option + 7, 1, WINDOW_LIMIT, "window");
    else if (!strcmp(option, "layouts=unseen")) command->layouts = 0;
    else if (!strncmp(option, "layouts=", 8)) command->layouts = (unsigned)number(option + 8, 1, LAYOUT_LIMIT, "layouts");
    else die("unknown option in a command");
}

struct command read_command(char *line) {
    struct command command = {.mode = FILL, .seconds = 1, .rate = 0, .window = 64, .layouts = 60};
    char *word = strtok(line, " \n");
    while (word && command.mode < MODES && strcmp(word, MODE_NAMES[command.mode])) command.mode++;
    if (!word || command.mode == MODES) die("unknown command");
    while ((word = strtok(NULL, " \n"))) read_option(&command, word);
    if (!(command.seconds > 0 && command.seconds <= SECONDS_LIMIT)) die("seconds: more than 0, at most 600");
    if (command.mode == RATE && !(command.rate >= 1 && command.rate <= 1e6)) die("rate: 1 to 1000000");
    return command;
}
