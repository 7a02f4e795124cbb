// Spinlocks. Taking one disables interrupts on this CPU, so a holder is never preempted and never waits for an
// interrupt handler; keep what they protect short. The order in which they nest is in kernel/README.md.
#pragma once

#include <arch/cpu.h>

#include "kernel/lib/types.h"

struct spinlock {
    uint32_t is_held;
};

#define SPINLOCK_INIT {0}

static inline void spin_acquire(struct spinlock *lock)
{
    // Acquire pairs with the release in spin_release.
    while (__atomic_exchange_n(&lock->is_held, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&lock->is_held, __ATOMIC_RELAXED) != 0)
            arch_cpu_relax();
    }
}

static inline void spin_release(struct spinlock *lock)
{
    __atomic_store_n(&lock->is_held, 0, __ATOMIC_RELEASE);
}

// Returns the interrupt state to hand to spin_unlock.
static inline arch_interrupt_state_t spin_lock(struct spinlock *lock)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    spin_acquire(lock);
    return state;
}

static inline void spin_unlock(struct spinlock *lock, arch_interrupt_state_t state)
{
    spin_release(lock);
    arch_interrupts_restore(state);
}
