// The time-stamp counter, which is the machine's clock.
#pragma once

#include <stdint.h>

// Ticks per second; known before kernel_main.
uint64_t tsc_hz(void);
// The counter's value at a time of arch_time_now()'s clock, which may be in the past; and the other
// way.
uint64_t tsc_from_ns(int64_t time_ns);
int64_t tsc_to_ns(uint64_t tsc);

// Start-up: finds the frequencies of the counter and the local APIC's timer, from the CPU or
// against `hpet_address` (0: none) or the 8254. Takes about 10 ms. apic_init_cpu was called.
void time_init(uint64_t hpet_address);
// On each CPU, after apic_init_cpu.
void time_init_cpu(void);
// Busy wait.
void time_wait_us(uint32_t us);
