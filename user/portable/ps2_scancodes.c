// Scan codes into keys; see ps2_scancodes.h.

#include "user/portable/ps2_scancodes.h"

#include <stddef.h>

#define EXTENDED 0x100 // the code comes behind 0xe0

enum {
    PREFIX_EXTENDED = 0xe0,
    PREFIX_PAUSE = 0xe1,
    PREFIX_RELEASE = 0xf0,
    RELEASE_BIT = 0x80, // in set 1
    SELF_TEST_PASSED = 0xaa,
    OVERRUN_SET_2 = 0x00,
    OVERRUN_SET_1 = 0xff,
    PAUSE_CODES = 2, // behind each of its prefixes
};

static const struct {
    uint16_t usage, set_1, set_2;
} keys[] = {
    {0x04, 0x1e, 0x1c},                       // A
    {0x05, 0x30, 0x32},                       // B
    {0x06, 0x2e, 0x21},                       // C
    {0x07, 0x20, 0x23},                       // D
    {0x08, 0x12, 0x24},                       // E
    {0x09, 0x21, 0x2b},                       // F
    {0x0a, 0x22, 0x34},                       // G
    {0x0b, 0x23, 0x33},                       // H
    {0x0c, 0x17, 0x43},                       // I
    {0x0d, 0x24, 0x3b},                       // J
    {0x0e, 0x25, 0x42},                       // K
    {0x0f, 0x26, 0x4b},                       // L
    {0x10, 0x32, 0x3a},                       // M
    {0x11, 0x31, 0x31},                       // N
    {0x12, 0x18, 0x44},                       // O
    {0x13, 0x19, 0x4d},                       // P
    {0x14, 0x10, 0x15},                       // Q
    {0x15, 0x13, 0x2d},                       // R
    {0x16, 0x1f, 0x1b},                       // S
    {0x17, 0x14, 0x2c},                       // T
    {0x18, 0x16, 0x3c},                       // U
    {0x19, 0x2f, 0x2a},                       // V
    {0x1a, 0x11, 0x1d},                       // W
    {0x1b, 0x2d, 0x22},                       // X
    {0x1c, 0x15, 0x35},                       // Y
    {0x1d, 0x2c, 0x1a},                       // Z
    {0x1e, 0x02, 0x16},                       // 1
    {0x1f, 0x03, 0x1e},                       // 2
    {0x20, 0x04, 0x26},                       // 3
    {0x21, 0x05, 0x25},                       // 4
    {0x22, 0x06, 0x2e},                       // 5
    {0x23, 0x07, 0x36},                       // 6
    {0x24, 0x08, 0x3d},                       // 7
    {0x25, 0x09, 0x3e},                       // 8
    {0x26, 0x0a, 0x46},                       // 9
    {0x27, 0x0b, 0x45},                       // 0
    {0x28, 0x1c, 0x5a},                       // Enter
    {0x29, 0x01, 0x76},                       // Escape
    {0x2a, 0x0e, 0x66},                       // Backspace
    {0x2b, 0x0f, 0x0d},                       // Tab
    {0x2c, 0x39, 0x29},                       // Space
    {0x2d, 0x0c, 0x4e},                       // -
    {0x2e, 0x0d, 0x55},                       // =
    {0x2f, 0x1a, 0x54},                       // [
    {0x30, 0x1b, 0x5b},                       // ]
    {0x31, 0x2b, 0x5d},                       // \ key
    {0x33, 0x27, 0x4c},                       // ;
    {0x34, 0x28, 0x52},                       // '
    {0x35, 0x29, 0x0e},                       // `
    {0x36, 0x33, 0x41},                       // ,
    {0x37, 0x34, 0x49},                       // .
    {0x38, 0x35, 0x4a},                       // /
    {0x39, 0x3a, 0x58},                       // Caps Lock
    {0x3a, 0x3b, 0x05},                       // F1
    {0x3b, 0x3c, 0x06},                       // F2
    {0x3c, 0x3d, 0x04},                       // F3
    {0x3d, 0x3e, 0x0c},                       // F4
    {0x3e, 0x3f, 0x03},                       // F5
    {0x3f, 0x40, 0x0b},                       // F6
    {0x40, 0x41, 0x83},                       // F7
    {0x41, 0x42, 0x0a},                       // F8
    {0x42, 0x43, 0x01},                       // F9
    {0x43, 0x44, 0x09},                       // F10
    {0x44, 0x57, 0x78},                       // F11
    {0x45, 0x58, 0x07},                       // F12
    {0x46, EXTENDED | 0x37, EXTENDED | 0x7c}, // Print Screen
    {0x46, 0x54, 0x84},                       // Print Screen with Alt
    {0x47, 0x46, 0x7e},                       // Scroll Lock
    {0x49, EXTENDED | 0x52, EXTENDED | 0x70}, // Insert
    {0x4a, EXTENDED | 0x47, EXTENDED | 0x6c}, // Home
    {0x4b, EXTENDED | 0x49, EXTENDED | 0x7d}, // Page Up
    {0x4c, EXTENDED | 0x53, EXTENDED | 0x71}, // Delete
    {0x4d, EXTENDED | 0x4f, EXTENDED | 0x69}, // End
    {0x4e, EXTENDED | 0x51, EXTENDED | 0x7a}, // Page Down
    {0x4f, EXTENDED | 0x4d, EXTENDED | 0x74}, // Right
    {0x50, EXTENDED | 0x4b, EXTENDED | 0x6b}, // Left
    {0x51, EXTENDED | 0x50, EXTENDED | 0x72}, // Down
    {0x52, EXTENDED | 0x48, EXTENDED | 0x75}, // Up
    {0x53, 0x45, 0x77},                       // Num Lock
    {0x54, EXTENDED | 0x35, EXTENDED | 0x4a}, // keypad /
    {0x55, 0x37, 0x7c},                       // keypad *
    {0x56, 0x4a, 0x7b},                       // keypad -
    {0x57, 0x4e, 0x79},                       // keypad +
    {0x58, EXTENDED | 0x1c, EXTENDED | 0x5a}, // keypad Enter
    {0x59, 0x4f, 0x69},                       // keypad 1
    {0x5a, 0x50, 0x72},                       // keypad 2
    {0x5b, 0x51, 0x7a},                       // keypad 3
    {0x5c, 0x4b, 0x6b},                       // keypad 4
    {0x5d, 0x4c, 0x73},                       // keypad 5
    {0x5e, 0x4d, 0x74},                       // keypad 6
    {0x5f, 0x47, 0x6c},                       // keypad 7
    {0x60, 0x48, 0x75},                       // keypad 8
    {0x61, 0x49, 0x7d},                       // keypad 9
    {0x62, 0x52, 0x70},                       // keypad 0
    {0x63, 0x53, 0x71},                       // keypad .
    {0x64, 0x56, 0x61},                       // beside left Shift
    {0x65, EXTENDED | 0x5d, EXTENDED | 0x2f}, // Menu
    {0xe0, 0x1d, 0x14},                       // left Ctrl
    {0xe1, 0x2a, 0x12},                       // left Shift
    {0xe2, 0x38, 0x11},                       // left Alt
    {0xe3, EXTENDED | 0x5b, EXTENDED | 0x1f}, // left GUI
    {0xe4, EXTENDED | 0x1d, EXTENDED | 0x14}, // right Ctrl
    {0xe5, 0x36, 0x59},                       // right Shift
    {0xe6, EXTENDED | 0x38, EXTENDED | 0x11}, // right Alt
    {0xe7, EXTENDED | 0x5c, EXTENDED | 0x27}, // right GUI
};

void ps2_scancodes_init(struct ps2_scancodes *codes, bool is_set_1)
{
    *codes = (struct ps2_scancodes){.is_set_1 = is_set_1};
}

// The usage of a code; 0 for an unknown one, such as the shifts that keyboards put around some
// keys.
static uint16_t find_usage(bool is_set_1, uint16_t code)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if ((is_set_1 ? keys[i].set_1 : keys[i].set_2) == code)
            return keys[i].usage;
    }
    return 0;
}

// Whether a key goes down or up: none that is held, let go without a press, or unknown.
static bool note_change(struct ps2_scancodes *codes, const struct keyboard_event *event)
{
    uint8_t *bits = &codes->is_down[event->usage / 8];
    uint8_t bit = (uint8_t)(1u << event->usage % 8);
    bool was_down = (*bits & bit) != 0;

    if (event->usage == 0 || was_down == (event->is_pressed != 0))
        return false;
    *bits ^= bit;
    return true;
}

static enum ps2_result end_code(struct ps2_scancodes *codes, uint8_t byte,
                                struct keyboard_event *event)
{
    bool is_release = codes->is_release;
    uint16_t code = byte | (codes->is_extended ? EXTENDED : 0);

    if (codes->is_set_1) {
        is_release = (byte & RELEASE_BIT) != 0;
        code &= (uint16_t)~RELEASE_BIT;
    }
    codes->is_extended = codes->is_release = false;
    *event = (struct keyboard_event){.usage = find_usage(codes->is_set_1, code),
                                     .is_pressed = !is_release};
    return note_change(codes, event) ? PS2_KEY : PS2_NOTHING;
}

enum ps2_result ps2_scancodes_feed(struct ps2_scancodes *codes, uint8_t byte,
                                   struct keyboard_event *event)
{
    if (byte == (codes->is_set_1 ? OVERRUN_SET_1 : OVERRUN_SET_2)) {
        ps2_scancodes_init(codes, codes->is_set_1);
        return PS2_OVERRUN;
    }
    if (byte == PREFIX_EXTENDED) {
        codes->is_extended = true;
        return PS2_NOTHING;
    }
    if (byte == PREFIX_PAUSE) {
        codes->skip_count = PAUSE_CODES;
        return PS2_NOTHING;
    }
    if (byte == PREFIX_RELEASE && !codes->is_set_1) {
        codes->is_release = true;
        return PS2_NOTHING;
    }
    if (codes->skip_count > 0) {
        codes->skip_count--;
        codes->is_release = false;
        return PS2_NOTHING;
    }
    if (byte == SELF_TEST_PASSED && !codes->is_set_1 && !codes->is_release) {
        ps2_scancodes_init(codes, false);
        return PS2_RESTARTED;
    }
    return end_code(codes, byte, event);
}
