// What the chip fuzz targets share: the input as a sequence of accesses, time steps and events of
// the chip's own.
#pragma once

#include "tests/unit/chip_fakes.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct chip_fuzz {
    const struct device_ops *const *ranges;
    size_t range_count;
    uint64_t range_size; // offsets are below it
    void *chip;
    void (*event)(void *chip, uint8_t kind, uint64_t value);
    void (*expired)(void *chip); // NULL for a chip without a timer
    struct fake_timer *timer;
};

struct chip_fuzz_step {
    uint8_t kind, range, width_shift, offset;
    uint64_t value;
};

// No chip may need more wake-ups than one per 50 us; a late timer must come to rest in a few.
static inline void chip_fuzz_pass_time(const struct chip_fuzz *fuzz,
                                       const struct chip_fuzz_step *step)
{
    uint64_t ns = step->value % 20000000;

    if (!fuzz->expired)
        return;
    if (step->width_shift & 1) {
        fuzz->timer->now_ns += step->value % 4000000000000; // the machine slept
        ns = 0;
    }
    if (fake_timer_advance(fuzz->timer, ns, fuzz->expired, fuzz->chip, 100000) > ns / 50000 + 4)
        __builtin_trap();
}

static inline void chip_fuzz_run(const struct chip_fuzz *fuzz, const uint8_t *data, size_t size)
{
    struct chip_fuzz_step step;

    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        const struct device_ops *ops;
        memcpy(&step, data, sizeof(step));
        unsigned width = 1u << (step.width_shift & 3);
        uint64_t offset = step.offset % fuzz->range_size;
        ops = fuzz->ranges[step.range % fuzz->range_count];
        switch (step.kind & 7) {
        case 0:
        case 1:
            (void)ops->read(fuzz->chip, offset, width);
            break;
        case 2:
        case 3:
        case 4:
            ops->write(fuzz->chip, offset, width, step.value);
            break;
        case 5:
            chip_fuzz_pass_time(fuzz, &step);
            break;
        case 6:
            if (fuzz->event)
                fuzz->event(fuzz->chip, step.offset, step.value);
            break;
        default:
            if (step.offset == 0x77)
                ops->reset(fuzz->chip);
            break;
        }
    }
}
