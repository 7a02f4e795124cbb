// What every device model in the VMM is written against: register access, interrupt lines, timers.
//
// A device model is portable C: it never reads a clock, allocates or calls the system by itself. The machine
// that owns it (one per architecture) gives it an interrupt line and a timer, and calls it under the
// machine's lock, so a model needs no locking of its own. Everything a guest passes in (offset, width,
// value) is hostile; a model answers any of it without failing: what a real chip ignores is ignored.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// A register access as the machine dispatches it. `offset` is relative to the device's range and
// offset + width_bytes lies within it; width_bytes is 1, 2, 4 or 8. Values are zero-extended; a read of a
// register that does not exist returns all ones on port I/O chips, zero on memory-mapped ones.
struct device_ops {
    uint64_t (*read)(void *device, uint64_t offset, unsigned width_bytes);
    void (*write)(void *device, uint64_t offset, unsigned width_bytes, uint64_t value);
    void (*reset)(void *device); // to the state after power-on
};

// An interrupt line as its device sees it: a level. Edge-triggered inputs act on the rising edge.
struct irq_line {
    void (*set)(void *context, unsigned input, bool level);
    void *context;
    unsigned input;
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->context, line->input, level);
}

// A one-shot timer that the machine provides. Times are nanoseconds of the host's monotonic clock; arming
// again replaces the deadline. On expiry the machine calls the device's own expiry function.
struct device_timer {
    void (*arm)(void *context, uint64_t deadline_ns);
    void (*disarm)(void *context);
    uint64_t (*now_ns)(void *context);
    void *context;
};
