// Scan codes of PS/2 keyboards into keys: set 2, which keyboards send, and set 1, which a
// controller makes of it when it translates (IBM Personal System/2 Hardware Interface Technical
// Reference, "Keyboard", "Scan Code Set 1" and "2").
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "user/include/machina_user/keyboard.h"

enum { PS2_USAGES = 0x100 };

struct ps2_scancodes {
    bool is_set_1;
    bool is_extended;                // behind 0xe0
    bool is_release;                 // behind 0xf0, in set 2
    uint8_t skip_count;              // bytes of the Pause key still to come
    uint8_t is_down[PS2_USAGES / 8]; // a bit for each usage
};

enum ps2_result {
    PS2_NOTHING,
    PS2_KEY,       // *event is one
    PS2_OVERRUN,   // the keyboard lost codes
    PS2_RESTARTED, // set 2: a keyboard was plugged in, or reset itself
};

void ps2_scancodes_init(struct ps2_scancodes *codes, bool is_set_1);
// Takes a byte. A keyboard sends the code of a key that is held again and again: only the first one
// gives an event. The Pause key, which tells no release, and unknown keys give nothing.
enum ps2_result ps2_scancodes_feed(struct ps2_scancodes *codes, uint8_t byte,
                                   struct keyboard_event *event);
