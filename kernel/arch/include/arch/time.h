// Contract: the clock and this CPU's timer.
#pragma once

#include <machina/types.h>

// Nanoseconds since power-on or start-up; the same on every CPU, never backwards.
mx_time_t arch_time_now(void);
// This CPU gets a timer interrupt (timer_interrupt()) at `deadline`, or at once if that has passed;
// MX_TIME_INFINITE: none. Replaces the one set before. Interrupts disabled.
void arch_time_set_timer(mx_time_t deadline);
// UTC in seconds from the machine's own clock; 0 if it has none.
int64_t arch_time_utc_seconds(void);
