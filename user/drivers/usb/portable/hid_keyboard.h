// Reports of a keyboard in the boot protocol as key changes.
//
// A report says which keys are down; what changed is the difference to the report before. Releases
// come before presses and modifiers before other keys, so that a character typed with a modifier
// within one report gets it.
//
// Device Class Definition for Human Interface Devices 1.11: B.1 "Protocol 1 (Keyboard)", C
// "Keyboard Implementation" (roll-over: a report whose keys are all ErrorRollOver says nothing
// about keys, but its modifiers are valid).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "user/drivers/input/portable/key_queue.h"

#define HID_KEYBOARD_REPORT_BYTES 8
// One report can release what the one before held, and press as much.
#define HID_KEYBOARD_CHANGES_MAX (2 * (8 + 6))

struct hid_keyboard {
    struct key_state keys;
};

// Queues what a report changes; bytes behind the eighth are ignored. IO_DATA_INTEGRITY: too short
// to be one. NO_RESOURCES: the queue may be too short for it (it needs room for
// HID_KEYBOARD_CHANGES_MAX); nothing was queued in either case.
MX_MUST_CHECK mx_status_t hid_keyboard_report(struct hid_keyboard *keyboard, const uint8_t *report,
                                              size_t size_bytes, struct key_queue *queue);
