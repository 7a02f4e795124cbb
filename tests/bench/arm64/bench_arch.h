// What differs between architectures in how is measured: this is of arm64. Shared with assembly.
//
// The counter that guests read advances once in 16 instructions, so what takes few of them is
// repeated between two stamps. Programs of the host read no counter; a system call gives them the
// time, which counts nanoseconds, an instruction each.
#pragma once

// How often an operation is repeated between two time stamps.
#define BENCH_REPETITIONS 64

// Of each tick of CNTVCT_EL0.
#define BENCH_INSTRUCTIONS_PER_TICK 16

#define BENCH_LINUX_CONSOLE "ttyAMA0"

#ifndef __ASSEMBLER__
#include <stdint.h>

#include <machina/syscalls.h>

// Executed instructions, of some beginning, where QEMU counts them.
static inline uint64_t time_stamp(void)
{
    return (uint64_t)mx_clock_get_monotonic();
}
#endif
