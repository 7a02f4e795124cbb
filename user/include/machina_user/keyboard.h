// Keyboards: how their drivers tell the screen what is pressed.
//
// A driver has a channel to the screen's process as MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS. For
// each keyboard it connects a stream of its own, over which it sends events: one for each key that
// goes down or up, in order, nothing for a key that is held. The screen makes characters of them
// (layout, repetition, modifiers), and lets all keys of a keyboard go when its stream is closed: a
// driver closes it when the keyboard is unplugged. Back come the indicators that shall be lit, one
// byte for each change (enum keyboard_indicator); a driver whose keyboard has none may leave them
// unread.
//
// Keys are named as USB does: by usages of the keyboard page (HID Usage Tables 1.12, section 10,
// "Keyboard/Keypad Page (0x07)"), which say where a key is, not what is printed on it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

struct keyboard_event {
    uint16_t usage;     // 0x04 is the key that says A on a US keyboard, 0xe0 the left Ctrl
    uint8_t is_pressed; // 0 or 1
    uint8_t padding[5]; // zero
};
_Static_assert(sizeof(struct keyboard_event) == 8, "protocol");

// As in the output report of a boot keyboard (Device Class Definition for HID 1.11, appendix B.1).
enum keyboard_indicator {
    KEYBOARD_NUM_LOCK = 1 << 0,
    KEYBOARD_CAPS_LOCK = 1 << 1,
    KEYBOARD_SCROLL_LOCK = 1 << 2,
};

// A message on the service's channel; with it comes one handle. There is no reply. A message that
// is not one of these, or that the sender may not send, is dropped.
enum keyboard_operation {
    // The screen's end of a keyboard's stream. A channel may have four connected at a time.
    KEYBOARD_CONNECT = 1,
    // From init or the device manager: the screen's end of a channel in which a driver connects its
    // keyboards.
    KEYBOARD_ADD_DRIVER = 2,
    // From init: that of a channel which may add drivers, too.
    KEYBOARD_ADD_MANAGER = 3,
};

struct keyboard_connect {
    uint32_t operation; // enum keyboard_operation
    uint32_t reserved;  // zero
};
_Static_assert(sizeof(struct keyboard_connect) == 8, "protocol");

// For drivers. Connects a keyboard; *stream is the driver's end, to be closed. BAD_STATE: the
// driver was given no service. PEER_CLOSED: there is no screen (any more).
MX_MUST_CHECK mx_status_t keyboard_connect(mx_handle_t *stream);
// For who starts drivers and has a channel to the screen, `service`: a channel of its own for a
// driver. PEER_CLOSED.
MX_MUST_CHECK mx_status_t keyboard_add_driver(mx_handle_t service, mx_handle_t *channel);
// For init: the same for the device manager.
MX_MUST_CHECK mx_status_t keyboard_add_manager(mx_handle_t service, mx_handle_t *channel);
// Sends events, waiting for room. PEER_CLOSED.
MX_MUST_CHECK mx_status_t keyboard_send(mx_handle_t stream, const struct keyboard_event *events,
                                        size_t count);
