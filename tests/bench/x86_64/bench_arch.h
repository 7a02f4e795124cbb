// What differs between architectures in how is measured: this is of x86-64.
#pragma once

#include <stdint.h>

// How often an operation is repeated between two time stamps.
#define BENCH_REPETITIONS 1

#define BENCH_LINUX_CONSOLE "ttyS0"

// Executed instructions, of some beginning, where QEMU counts them: the time stamp counter.
static inline uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
