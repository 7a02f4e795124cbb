// The virtual consoles: each a terminal whose program is at the other end of a stream, and the
// kernel's log.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include <machina_user/screen.h>

#include "user/portable/vt.h"

enum {
    CONSOLE_COUNT = SCREEN_SHELLS + 1, // the last one shows the log
    CONSOLE_LOG = SCREEN_SHELLS,
};

// Takes the streams and the log from the start-up message. Packets come on `port` with keys from
// `first_key` to first_key + 2 * CONSOLE_COUNT. NO_MEMORY.
mx_status_t consoles_init(size_t columns, size_t rows, mx_handle_t port, uint64_t first_key);
bool consoles_take_packet(uint64_t key);

// Takes what programs wrote, a bounded amount of it, and hands them what was typed. Returns whether
// there is more.
bool consoles_pump(void);

// Which console is shown; `index` beyond the last one is ignored.
void consoles_choose(size_t index);
size_t consoles_chosen(void);
// Its terminal, and how far back in its history the view is.
const struct vt *consoles_shown(size_t *back);
// Whether something in it changed since this was last asked.
bool consoles_take_change(void);

// What was typed, for the program of the console that is shown. What it does not read for long is
// lost.
void consoles_type(const char *bytes, size_t length);
// Moves the view by half a screen.
void consoles_look(bool is_back);

// Whether the first console shows the log as well, as it does at first.
void consoles_show_log(bool is_shown);
