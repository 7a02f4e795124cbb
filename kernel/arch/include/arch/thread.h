// Contract: what a thread is to the CPU. struct arch_thread comes from <arch/thread_state.h>.
#pragma once

#include <stdint.h>

#include <arch/thread_state.h>

#include <machina/status.h>

struct thread;

// Prepares the thread so that the first switch to it calls thread_start_first() on a stack that ends at
// `stack_top`, with interrupts disabled.
void arch_thread_init(struct thread *thread, void *stack_top);
// Frees what the architecture hung on the thread.
void arch_thread_destroy(struct thread *thread);

// Leaves `from` and goes on in `to`; returns when somebody switches back. Interrupts disabled, sched_lock held. Also
// switches the address space if `to` has another one (kernel threads keep what is there), and floating-point state, in
// whatever way is cheapest.
void arch_thread_switch(struct thread *from, struct thread *to);

// Goes to user mode for the first time: entry(arg1, arg2), all other registers zero, interrupts enabled.
_Noreturn void arch_thread_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2);
