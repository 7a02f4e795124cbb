// The inline part of <arch/cpu.h> on arm64.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>
#include <arch/thread_state.h>

#define ARM64_DAIF_I ((uint64_t)1 << 7)

typedef uint64_t arch_interrupt_state_t;

// An instruction that names TPIDR_EL2 and is made to name TPIDR_EL1 where the kernel runs at EL1
// (boot.c).
#define ARM64_TPIDR_SITE(instruction) \
    "661:\t" instruction "\n\t.pushsection .tpidr_sites, \"a\"\n\t.quad 661b\n\t.popsection"

static inline arch_interrupt_state_t arch_interrupts_save(void)
{
    uint64_t daif;

    __asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(daif) : : "memory");
    return daif;
}

static inline void arch_interrupts_enable(void)
{
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void arch_interrupts_disable(void)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

static inline void arch_interrupts_restore(arch_interrupt_state_t state)
{
    if (!(state & ARM64_DAIF_I))
        arch_interrupts_enable();
}

static inline bool arch_interrupts_are_enabled(void)
{
    uint64_t daif;

    __asm__ volatile("mrs %0, daif" : "=r"(daif) : : "memory");
    return !(daif & ARM64_DAIF_I);
}

static inline void arch_cpu_relax(void)
{
    __asm__ volatile("yield" : : : "memory");
}

static inline struct thread *arch_current_thread(void)
{
    struct thread *thread;

    __asm__ volatile(ARM64_TPIDR_SITE("mrs %0, tpidr_el2") : "=r"(thread));
    return thread;
}

// struct arch_thread is the first member of struct thread.
static inline const volatile struct arch_thread *arm64_current_arch_thread(void)
{
    return (const volatile struct arch_thread *)arch_current_thread();
}

static inline struct cpu *arch_current_cpu(void)
{
    return arm64_current_arch_thread()->cpu;
}

// Interrupts disabled, or the answer may be stale.
static inline struct arm64_cpu *arm64_current_cpu(void)
{
    return arm64_current_arch_thread()->arch_cpu;
}

static inline void arch_set_current_thread(struct thread *thread)
{
    const volatile struct arch_thread *from = arm64_current_arch_thread();
    struct arch_thread *to = (struct arch_thread *)thread;

    to->cpu = from->cpu;
    to->arch_cpu = from->arch_cpu;
    __asm__ volatile(ARM64_TPIDR_SITE("msr tpidr_el2, %0") : : "r"(thread) : "memory");
}
