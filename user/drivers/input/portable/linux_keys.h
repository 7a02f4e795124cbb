// Key codes of Linux's input events, which virtio-input uses, as USB HID usages.
//
// Virtio 1.2, 5.8 "Input Device" (codes as in Linux's include/uapi/linux/input-event-codes.h); HID
// Usage Tables 1.12, 10 "Keyboard/Keypad Page".
#pragma once

#include <stdint.h>

// 0 for codes that are no key of a keyboard.
uint16_t linux_key_usage(uint16_t code);
