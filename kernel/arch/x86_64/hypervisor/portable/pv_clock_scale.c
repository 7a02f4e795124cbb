// Scales of the paravirtual clock; see pv_clock.h.
#include "kernel/arch/x86_64/hypervisor/portable/pv_clock.h"

#define NS_PER_S 1000000000u

struct pv_clock_scale pv_clock_scale_from_hz(uint64_t tsc_hz)
{
    struct pv_clock_scale scale = {.shift = 0};
    uint64_t hz = tsc_hz;

    // The multiplier is 2^32 * 10^9 / hz and must be in [2^31, 2^32): shift the frequency to within
    // a factor of two.
    while (hz > 2 * (uint64_t)NS_PER_S) {
        hz >>= 1;
        scale.shift--;
    }
    while (hz <= NS_PER_S) {
        hz <<= 1;
        scale.shift++;
    }
    scale.multiplier = (uint32_t)(((uint64_t)NS_PER_S << 32) / hz);
    return scale;
}

uint64_t pv_clock_ns_from_ticks(uint64_t ticks, uint64_t tsc_hz)
{
    uint64_t seconds = ticks / tsc_hz, rest = ticks % tsc_hz;

    if (seconds >= UINT64_MAX / NS_PER_S)
        return UINT64_MAX;
    return seconds * NS_PER_S + (rest * NS_PER_S + tsc_hz - 1) / tsc_hz;
}
