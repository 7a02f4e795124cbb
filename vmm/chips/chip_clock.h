// Conversion between nanoseconds and the ticks of a chip's own clock, without overflow or drift.
//
// A counter that is computed from the time needs no work per count. Both directions agree: at the
// time chip_clock_ns(t) the clock reads t or more, so a timer armed for tick t never comes too
// early.
#pragma once

#include <stdint.h>

#define CHIP_CLOCK_NS_PER_SECOND 1000000000ULL

// The ticks completed after `ns`; hz is below 2^32 and at most 1 GHz.
static inline uint64_t chip_clock_ticks(uint64_t ns, uint32_t hz)
{
    return ns / CHIP_CLOCK_NS_PER_SECOND * hz +
           ns % CHIP_CLOCK_NS_PER_SECOND * hz / CHIP_CLOCK_NS_PER_SECOND;
}

// The first nanosecond at which `ticks` are completed.
static inline uint64_t chip_clock_ns(uint64_t ticks, uint32_t hz)
{
    return ticks / hz * CHIP_CLOCK_NS_PER_SECOND +
           (ticks % hz * CHIP_CLOCK_NS_PER_SECOND + hz - 1) / hz;
}
