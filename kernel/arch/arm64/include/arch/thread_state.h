// struct arch_thread on arm64.
//
// TPIDR_EL2 (TPIDR_EL1 if the kernel runs at EL1) points to the running thread and changes only
// when the thread does. So what is found through it is right at any time, also if an interrupt
// moves the thread to another CPU between two instructions.
//
// While a thread with an address space runs, in the kernel too, its TPIDR_EL0 is in the register;
// it is stored here only while the thread is switched out. Whoever loads another value (the world
// switch) puts this one back before the thread can be switched out or returns to user mode.
#pragma once

// Offsets for the entry code; thread->pending follows the structure.
#define ARCH_THREAD_CPU  16
#define ARCH_THREAD_SIZE 48

#ifndef __ASSEMBLER__

#include <stdint.h>

struct arm64_cpu;
struct cpu;
struct fpu_state;

struct arch_thread {
    uint64_t kernel_sp;         // while switched out
    uint64_t kernel_stack_top;  // where system calls and interrupts from user mode begin
    struct cpu *cpu;            // that it runs on, while it runs
    struct arm64_cpu *arch_cpu; // the same
    struct fpu_state *fpu;      // user mode's floating-point state; NULL until first used
    uint64_t user_tpidr;
};
_Static_assert(sizeof(struct arch_thread) == ARCH_THREAD_SIZE, "entry code");
_Static_assert(__builtin_offsetof(struct arch_thread, cpu) == ARCH_THREAD_CPU, "entry code");

#endif
