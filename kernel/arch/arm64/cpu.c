// The running CPU: idle, interrupts to others, entropy, the end in a panic. See <arch/cpu.h>.
#include <arch/cpu.h>

#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/image.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/core/backtrace.h"
#include "kernel/core/cpu.h"
#include "kernel/core/thread.h"

#define RANDOM_TRIES 10

// An interrupt ends the wait also while it is masked.
void arch_cpu_idle(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
    arch_interrupts_enable();
}

void arch_cpu_send_reschedule(uint32_t cpu_index)
{
    gic->send_sgi(&arm64_cpus[cpu_index], SGI_RESCHEDULE);
}

void arch_cpu_send_call(uint32_t cpu_index)
{
    gic->send_sgi(&arm64_cpus[cpu_index], SGI_CALL);
}

// A CPU with interrupts disabled stops when it enables them.
void arch_cpu_send_stop(uint32_t cpu_index)
{
    gic->send_sgi(&arm64_cpus[cpu_index], SGI_STOP);
}

void arch_cpu_halt(void)
{
    arch_interrupts_disable();
    for (;;)
        __asm__ volatile("wfi" : : : "memory");
}

bool arch_cpu_random(uint64_t *value)
{
    for (unsigned i = 0; cpu_features.has_rndr && i < RANDOM_TRIES; i++) {
        uint32_t is_valid;

        __asm__ volatile("mrs %0, " SYSREG_TEXT(RNDR) "\n\tcset %w1, ne"
                         : "=r"(*value), "=r"(is_valid)
                         :
                         : "cc");
        if (is_valid)
            return true;
        arch_cpu_relax();
    }
    return false;
}

const char *arch_cpu_name(void)
{
    return cpu_features.name;
}

// --- panic
// ------------------------------------------------------------------------------------------------

static void print_registers(const struct arm64_frame *f)
{
    for (unsigned i = 0; i < 30; i += 3)
        backtrace_print("  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx\n", i, f->x[i], i + 1,
                        f->x[i + 1], i + 2, f->x[i + 2]);
    backtrace_print("  x30 %016lx  sp  %016lx\n", f->x[30], f->sp);
    backtrace_print("  pc  %016lx  spsr %08lx  esr %08lx  far %016lx\n", f->elr, f->spsr, f->esr,
                    sysreg_read(far_el1));
    backtrace_print("  ttbr0 %016lx  ttbr1 %016lx  sctlr %016lx\n", sysreg_read(ttbr0_el1),
                    sysreg_read(ttbr1_el1), sysreg_read(sctlr_el1));
}

// NULL while there is none.
static const struct thread *running_thread(void)
{
    struct thread *thread = arch_current_thread();

    return (void *)thread == &arm64_current_cpu()->boot_thread ? NULL : thread;
}

// The kernel stack of this CPU or its thread that the address is in; empty if in none.
static struct stack_range find_stack(uint64_t address)
{
    const struct thread *thread = running_thread();
    uint64_t base = thread ? (uint64_t)thread->kernel_stack : 0;
    const struct stack_range stacks[] = {
        {base, base ? base + KERNEL_STACK_SIZE : 0},
        {(uint64_t)boot_stack, (uint64_t)boot_stack_top},
        {(uint64_t)overflow_stack, (uint64_t)overflow_stack_top},
        {arm64_current_cpu()->start.stack_top - KERNEL_STACK_SIZE,
         arm64_current_cpu()->start.stack_top},
    };

    for (size_t i = 0; i < ARRAY_COUNT(stacks); i++) {
        if (stack_contains(stacks[i], address))
            return stacks[i];
    }
    return (struct stack_range){0, 0};
}

void arch_cpu_print_backtrace(void)
{
    const struct arm64_frame *frame = arm64_current_cpu()->fault_frame;
    const struct thread *thread = running_thread();

    backtrace_print("cpu %u, thread %s\n", arch_current_cpu()->index,
                    thread ? thread->name : "none");
    if (frame) {
        print_registers(frame);
        backtrace_print_address(frame->elr);
    }
    uint64_t frame_pointer = frame ? frame->x[29] : (uint64_t)__builtin_frame_address(0);
    backtrace_print_chain(frame_pointer, find_stack(frame_pointer), KERNEL_IMAGE_BASE);
}
