// Keys that detach a terminal; see detach_keys.h.

#include "user/portable/detach_keys.h"

size_t detach_keys_filter(struct detach_keys *keys, const uint8_t *in, size_t length, uint8_t *out,
                          bool *is_detached, size_t *used)
{
    size_t count = 0;

    *is_detached = false;
    for (size_t i = 0; i < length; i++) {
        bool was_prefix = keys->after_prefix;
        keys->after_prefix = !was_prefix && in[i] == keys->prefix;
        if (keys->after_prefix)
            continue;
        if (was_prefix && in[i] == keys->key) {
            *is_detached = true;
            *used = i + 1;
            return count;
        }
        if (was_prefix && in[i] != keys->prefix)
            out[count++] = keys->prefix;
        out[count++] = in[i];
    }
    *used = length;
    return count;
}
