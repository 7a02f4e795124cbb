// Kernel timers: call-backs at a time, on the CPU that set them.
#pragma once

#include "kernel/lib/types.h"

struct cpu;

struct timer {
    // In the heap of its CPU: see timer.c.
    struct timer *parent, *left, *right;
    uint32_t rank;
    bool is_queued;
    mx_time_t deadline;
    // Runs in interrupt context, with interrupts disabled and no lock held; it may set the timer again.
    void (*expire)(struct timer *timer);
    struct cpu *cpu; // whose heap it is in, or was in last
    bool is_running; // the call-back is being run
};

void timer_init(struct timer *timer, void (*expire)(struct timer *timer));
// (Re)starts the timer on this CPU. A deadline that has passed expires at once, from interrupt context.
void timer_set(struct timer *timer, mx_time_t deadline);
// After it returns the call-back is not running and will not run, unless it is the caller itself.
void timer_cancel(struct timer *timer);
// For the architecture's timer interrupt: runs what is due, or the first of it if it is much, and sets the hardware again.
void timer_interrupt(void);
// Sets the hardware for the earliest of timers and end of the time slice. Interrupts disabled.
void timer_program(struct cpu *cpu);
