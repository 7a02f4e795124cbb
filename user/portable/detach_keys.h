// The keys that leave a terminal attached to a guest: a prefix key and then the detach key. The
// prefix typed twice goes to the guest once; the prefix and anything else goes to the guest as
// typed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct detach_keys {
    uint8_t prefix, key;
    bool after_prefix;
};

// Copies what is for the guest from `in` to `out`, which holds at least length + 1 bytes, and
// returns how much that is. *is_detached when the keys were typed: what comes behind them is not
// looked at, and *used says where it starts.
size_t detach_keys_filter(struct detach_keys *keys, const uint8_t *in, size_t length, uint8_t *out,
                          bool *is_detached, size_t *used);
