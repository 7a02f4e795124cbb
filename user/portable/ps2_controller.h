// A PC's keyboard controller and the PS/2 keyboard at it, as their driver sees them: Intel 8042 and
// its successors (IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and
// Auxiliary Device Controller").
//
// Every wait is bounded, so that a machine without the controller, or with one that does not
// answer, loses the keyboard and nothing else. What is typed while the keyboard's answer is awaited
// is kept, in order.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS2_TYPED_MAX 64

// The ports, and time.
struct ps2_controller_ops {
    uint8_t (*read_status)(void);
    uint8_t (*read_data)(void);
    bool (*write_data)(uint8_t value);
    bool (*write_command)(uint8_t value);
    int64_t (*now_ns)(void);
    void (*pause)(void); // for much less than a millisecond
};

struct ps2_controller {
    const struct ps2_controller_ops *ops;
    bool is_translated; // scan codes of set 2 come as set 1
    uint8_t config;     // as it was set up
    uint8_t typed[PS2_TYPED_MAX];
    size_t typed_first, typed_count;
};

// Sets the controller up, its keyboard on and interrupts off. NULL, or what is wrong with it.
const char *ps2_controller_start(struct ps2_controller *controller,
                                 const struct ps2_controller_ops *ops);
// NULL, or what is wrong.
const char *ps2_controller_enable_interrupt(struct ps2_controller *controller);
// False: no keyboard answers, or not in this way.
bool ps2_keyboard_reset(struct ps2_controller *controller);
bool ps2_keyboard_start(struct ps2_controller *controller);
// Lights what is in `indicators` (enum keyboard_indicator), if the keyboard does.
void ps2_keyboard_show(struct ps2_controller *controller, uint8_t indicators);
// Takes what the keyboard sent next, for ps2_scancodes_feed. False: nothing more. If more was typed
// than can be kept, its overrun code is the last that is.
bool ps2_controller_take(struct ps2_controller *controller, uint8_t *byte);
