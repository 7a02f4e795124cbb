// What tiny_guest.c and each architecture's part of it share.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tiny_work {
    const char *name; // NULL: behind the last
    void (*act)(uint32_t i);
};

// Of the architecture. Its entry calls tiny_main with a stack and the command line.
extern const struct tiny_work tiny_works[];
void tiny_print_char(char character);
void tiny_halt(void);

void tiny_main(const char *command);
