// struct arch_thread on x86-64.
//
// While a thread runs, in the kernel too, its user FS base is in the FS register and its user GS
// base in the KernelGSBase MSR; they are stored here only while it is switched out. Whoever loads
// other values (the world switch) puts these back before the thread can be switched out or returns
// to user mode.
#pragma once

// Size of struct arch_thread, so that the entry code finds thread->pending, which follows it.
#define ARCH_THREAD_SIZE 40

#ifndef __ASSEMBLER__

#include <stdint.h>

struct fpu_state;

struct arch_thread {
    uint64_t kernel_sp;        // while switched out
    uint64_t kernel_stack_top; // where system calls and interrupts from user mode begin
    struct fpu_state *fpu;     // user mode's floating-point state; NULL until first used
    uint64_t user_fs_base, user_gs_base;
};
_Static_assert(sizeof(struct arch_thread) == ARCH_THREAD_SIZE, "entry code");

#endif
