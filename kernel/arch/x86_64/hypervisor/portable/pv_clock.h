// The KVM paravirtual clock: what the guest computes from its TSC, and how the kernel describes it
// in guest memory (Linux Documentation/virt/kvm/x86/msr.rst, cpuid.rst; the layout is the one that
// both sides' ABI fixes).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PV_CLOCK_TSC_STABLE (1u << 0)
#define PV_CLOCK_ENABLE     1u // bit 0 of the system-time MSR; the address is aligned to 4

struct pv_clock_time {
    uint32_t version; // odd while an update is under way
    uint32_t reserved;
    uint64_t tsc_timestamp;
    uint64_t system_time_ns; // at tsc_timestamp
    uint32_t tsc_to_system_multiplier;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t padding[2];
};
_Static_assert(sizeof(struct pv_clock_time) == 32, "KVM ABI");

struct pv_wall_clock {
    uint32_t version;
    uint32_t seconds;
    uint32_t nanoseconds;
};
_Static_assert(sizeof(struct pv_wall_clock) == 12, "KVM ABI");

// ns = (shift < 0 ? tsc >> -shift : tsc << shift) * multiplier >> 32
struct pv_clock_scale {
    uint32_t multiplier;
    int8_t shift;
};

// `tsc_hz` is not zero.
struct pv_clock_scale pv_clock_scale_from_hz(uint64_t tsc_hz);
static inline uint64_t pv_clock_scale_apply(struct pv_clock_scale scale, uint64_t tsc)
{
    if (scale.shift < 0)
        tsc >>= -scale.shift;
    else
        tsc <<= scale.shift;
    return (uint64_t)((unsigned __int128)tsc * scale.multiplier >> 32);
}
// Nanoseconds, rounded up; UINT64_MAX if they do not fit. Frequencies up to 16 GHz.
uint64_t pv_clock_ns_from_ticks(uint64_t ticks, uint64_t tsc_hz);
