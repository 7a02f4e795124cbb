// The inline part of <arch/cpu.h> on x86-64.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/percpu.h>

#define X86_RFLAGS_IF ((uint64_t)1 << 9)

typedef uint64_t arch_interrupt_state_t;

static inline arch_interrupt_state_t arch_interrupts_save(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void arch_interrupts_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void arch_interrupts_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void arch_interrupts_restore(arch_interrupt_state_t state)
{
    if (state & X86_RFLAGS_IF)
        arch_interrupts_enable();
}

static inline bool arch_interrupts_are_enabled(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return flags & X86_RFLAGS_IF;
}

static inline void arch_cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline struct cpu *arch_current_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(PERCPU_CPU));
    return cpu;
}

static inline struct thread *arch_current_thread(void)
{
    struct thread *thread;

    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(PERCPU_CURRENT_THREAD));
    return thread;
}

static inline void arch_set_current_thread(struct thread *thread)
{
    __asm__ volatile("movq %0, %%gs:%c1" : : "r"(thread), "i"(PERCPU_CURRENT_THREAD) : "memory");
}
