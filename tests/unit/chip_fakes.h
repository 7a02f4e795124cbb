// What chip tests and chip fuzz targets stand in for the machine with: an interrupt line that
// counts its edges, a timer whose clock the test moves.
#pragma once

#include "vmm/device.h"

struct fake_line {
    bool level;
    unsigned rising_count;
};

static inline void fake_line_set(void *context, unsigned input, bool level)
{
    struct fake_line *line = context;

    (void)input;
    if (level && !line->level)
        line->rising_count++;
    line->level = level;
}

static inline struct irq_line fake_line_connect(struct fake_line *line)
{
    return (struct irq_line){.set = fake_line_set, .context = line};
}

struct fake_timer {
    uint64_t now_ns, deadline_ns;
    bool is_armed;
};

static inline void fake_timer_arm(void *context, uint64_t deadline_ns)
{
    struct fake_timer *timer = context;

    timer->deadline_ns = deadline_ns;
    timer->is_armed = true;
}

static inline void fake_timer_disarm(void *context)
{
    ((struct fake_timer *)context)->is_armed = false;
}

static inline uint64_t fake_timer_now(void *context)
{
    return ((struct fake_timer *)context)->now_ns;
}

static inline struct device_timer fake_timer_connect(struct fake_timer *timer)
{
    return (struct device_timer){.arm = fake_timer_arm,
                                 .disarm = fake_timer_disarm,
                                 .now_ns = fake_timer_now,
                                 .context = timer};
}

// Moves the clock forward, expiring the timer on its way at the time it asked for. Returns how
// often it expired; stops at `limit` expiries, so that a timer that never comes to rest is seen,
// not suffered.
static inline unsigned fake_timer_advance(struct fake_timer *timer, uint64_t step_ns,
                                          void (*expired)(void *), void *chip, unsigned limit)
{
    uint64_t end_ns = timer->now_ns + step_ns;
    unsigned count = 0;

    while (timer->is_armed && timer->deadline_ns <= end_ns && count < limit) {
        if (timer->deadline_ns > timer->now_ns)
            timer->now_ns = timer->deadline_ns;
        timer->is_armed = false;
        count++;
        expired(chip);
    }
    timer->now_ns = end_ns;
    return count;
}
