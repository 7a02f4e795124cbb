// The PrimeCell real time clock PL031: seconds since 1970 in 32 bits and a match interrupt.
//
// The clock starts from the host's UTC time and runs by the machine's monotonic clock; what a guest
// sets changes only its own clock. It is computed when somebody looks, so an idle clock costs
// nothing; the timer runs only while the match interrupt is unmasked and not raised. It runs from
// the start, as firmware would have left it, and cannot be stopped.
//
// Spec: Arm DDI 0224, chapter 3 "Programmer's Model".
#pragma once

#include "vmm/device.h"

#define PL031_SIZE_BYTES 0x1000u

struct pl031 {
    struct irq_line irq;
    struct device_timer timer;
    uint64_t loaded_ns;       // when the counter was `load`
    uint64_t counted_seconds; // since then, up to which matches are accounted for
    uint32_t load, match;
    bool is_unmasked, is_raised;
    bool irq_level;
};

extern const struct device_ops pl031_ops; // memory-mapped

// It is utc_seconds (since 1970) now, as timer->now_ns says it.
void pl031_init(struct pl031 *rtc, struct irq_line irq, const struct device_timer *timer,
                uint64_t utc_seconds);

// The timer's deadline has passed.
void pl031_timer_expired(struct pl031 *rtc);
