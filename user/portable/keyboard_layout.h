// Keys into what a program reads: the layout of US keyboards, and the sequences of Linux's console
// for all other keys.
//
// It keeps what is held down, the locks, and which key repeats. Keys go by usages of USB's keyboard
// page (machina_user/keyboard.h). Alt puts ESC in front, Ctrl makes control characters; Ctrl, Alt
// and Shift with arrows and the like send xterm's form (CSI 1 ; M). The right Alt is as the left
// one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYBOARD_USAGES = 256, // larger usages are no keys
    KEY_BYTES_MAX = 8,
    KEY_REPEAT_DELAY_MS = 400,
    KEY_REPEAT_PERIOD_MS = 33,
};

enum key_modifier {
    KEY_CTRL = 1 << 0,
    KEY_SHIFT = 1 << 1,
    KEY_ALT = 1 << 2,
    KEY_GUI = 1 << 3,
};

// What the terminal's program asked for (modes of vt.h).
enum key_mode {
    KEY_MODE_CURSOR_KEYS = 1 << 0, // arrows by ESC O
    KEY_MODE_NEW_LINE = 1 << 1,    // Enter sends a line feed as well
};

enum key_action {
    KEY_NOTHING,
    KEY_BYTES,           // bytes for the program
    KEY_SWITCH,          // Alt-F1 ...: to console `number`, from 0
    KEY_SWITCH_PREVIOUS, // Alt-Left
    KEY_SWITCH_NEXT,     // Alt-Right
    KEY_LOOK_BACK,       // Shift-PageUp
    KEY_LOOK_FORWARD,    // Shift-PageDown
};

struct key_result {
    enum key_action action;
    unsigned number;
    size_t length;
    char bytes[KEY_BYTES_MAX];
};

// One for each keyboard.
struct keyboard_layout {
    uint8_t is_down[KEYBOARD_USAGES / 8];
    unsigned indicators; // enum keyboard_indicator
    uint16_t repeating;  // usage, 0: none
};

void keyboard_layout_init(struct keyboard_layout *keyboard);

// A key went down or up, as far as that is news.
struct key_result keyboard_layout_event(struct keyboard_layout *keyboard, uint16_t usage,
                                        bool is_pressed, unsigned modes);
// What the key that is held gives once more; nothing when none is (`repeating` tells).
struct key_result keyboard_layout_repeat(const struct keyboard_layout *keyboard, unsigned modes);
