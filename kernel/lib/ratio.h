// Conversion between units that count at different rates, by a 32.32 fixed-point factor.
#pragma once

#include <stdint.h>

#define RATIO_SHIFT 32

static inline uint64_t ratio_scale(uint64_t value, uint64_t ratio)
{
    return (uint64_t)((unsigned __int128)value * ratio >> RATIO_SHIFT);
}

// a / b, for a < 2^40: split so that no 128-bit division is needed.
static inline uint64_t ratio_make(uint64_t a, uint64_t b)
{
    return ((a / b) << RATIO_SHIFT) + (((a % b) << 20) / b << (RATIO_SHIFT - 20)) +
           ((((a % b) << 20) % b << (RATIO_SHIFT - 20)) / b);
}
