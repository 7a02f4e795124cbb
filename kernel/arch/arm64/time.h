// The generic timer's counter, which is the machine's clock.
#pragma once

#include <stdint.h>

// Ticks per second.
uint64_t time_counter_hz(void);
uint64_t time_counter_read(void);
// The counter's value at a time of arch_time_now()'s clock, and the other way.
uint64_t time_counter_from_ns(int64_t time_ns);
int64_t time_counter_to_ns(uint64_t counter);

// Start-up: the clock counts from now on.
void time_init(void);
// Boot CPU, before interrupts_init_cpu: the timer's interrupt, and the machine's own clock.
void time_init_late(void);
// Each CPU.
void time_init_cpu(void);
// Busy wait.
void time_wait_us(uint32_t us);
