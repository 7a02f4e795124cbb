// The keyboards that drivers have connected: their streams, what is held on each, and repetition.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/types.h>

#include "user/portable/keyboard_layout.h"

enum {
    KEYBOARDS_MAX = 8,
    KEYBOARD_CHANNELS_MAX = 16,
    KEYBOARD_KEYS = KEYBOARDS_MAX + KEYBOARD_CHANNELS_MAX, // of packets
};

struct keyboards_ops {
    // A key, or one that repeats, led to something.
    void (*key)(const struct key_result *result);
    // enum key_mode of the console that is shown.
    unsigned (*modes)(void);
};

// Consumes init's channel, which may be MX_HANDLE_INVALID. Packets come on `port` with
// KEYBOARD_KEYS keys from `first_key` on.
void keyboards_init(const struct keyboards_ops *ops, mx_handle_t service, mx_handle_t port,
                    uint64_t first_key);
// Whether it is one of those keys; the packet is noted.
bool keyboards_take_packet(uint64_t key);
// Reads what has come and repeats what is due.
void keyboards_pump(void);
// When keyboards_pump is to be called again though no packet comes.
mx_time_t keyboards_deadline(void);
