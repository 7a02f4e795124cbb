// The running CPU: idle, interrupts to others, entropy, the end in a panic. See <arch/cpu.h>.
#include <arch/cpu.h>

#include <arch/console.h>

#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/frame.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/image.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/core/cpu.h"
#include "kernel/core/symbols.h"
#include "kernel/core/thread.h"
#include "kernel/lib/print.h"

#define RANDOM_TRIES         10
#define BACKTRACE_FRAMES_MAX 32

// An interrupt ends the wait also while it is masked.
void arch_cpu_idle(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
    arch_interrupts_enable();
}

static void send_to_others(uint32_t sgi)
{
    uint32_t own = arch_current_cpu()->index;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (i != own && cpus[i].is_online)
            gic->send_sgi(&arm64_cpus[i], sgi);
    }
}

void arch_cpu_send_reschedule(uint32_t cpu_index)
{
    gic->send_sgi(&arm64_cpus[cpu_index], SGI_RESCHEDULE);
}

void arch_cpu_send_call_others(void)
{
    send_to_others(SGI_CALL);
}

// A CPU with interrupts disabled stops when it enables them.
void arch_cpu_stop_others(void)
{
    if (gic)
        send_to_others(SGI_STOP);
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

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
    char line[160];
    va_list args;
    int size;

    va_start(args, format);
    size = print_format_args(line, sizeof(line), format, args);
    va_end(args);
    if (size > 0)
        arch_console_write(line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

static void print_registers(const struct arm64_frame *f)
{
    for (unsigned i = 0; i < 30; i += 3)
        print("  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx\n", i, f->x[i], i + 1, f->x[i + 1], i + 2,
              f->x[i + 2]);
    print("  x30 %016lx  sp  %016lx\n", f->x[30], f->sp);
    print("  pc  %016lx  spsr %08lx  esr %08lx  far %016lx\n", f->elr, f->spsr, f->esr,
          sysreg_read(far_el1));
    print("  ttbr0 %016lx  ttbr1 %016lx  sctlr %016lx\n", sysreg_read(ttbr0_el1),
          sysreg_read(ttbr1_el1), sysreg_read(sctlr_el1));
}

static void print_address(uint64_t address)
{
    uint64_t offset = 0;
    const char *name = symbol_find(address, &offset);

    if (name)
        print("  %016lx %s+0x%lx\n", address, name, offset);
    else
        print("  %016lx\n", address);
}

struct stack_range {
    uint64_t base, end;
};

static bool stack_contains(struct stack_range stack, uint64_t address)
{
    return address >= stack.base && address < stack.end;
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

// Frames are followed upwards within one kernel stack only, so a broken chain ends the walk and
// faults at nothing.
static void print_chain(uint64_t frame_pointer)
{
    struct stack_range stack = find_stack(frame_pointer);

    for (unsigned i = 0; i < BACKTRACE_FRAMES_MAX; i++) {
        const uint64_t *frame = (const uint64_t *)frame_pointer;

        if (!stack_contains(stack, frame_pointer + 8) || frame_pointer < stack.base ||
            frame_pointer % 8 != 0 || frame[1] < KERNEL_IMAGE_BASE)
            return;
        print_address(frame[1]);
        stack.base = frame_pointer + 16;
        frame_pointer = frame[0];
    }
}

void arch_cpu_print_backtrace(void)
{
    const struct arm64_frame *frame = arm64_current_cpu()->fault_frame;
    const struct thread *thread = running_thread();

    print("cpu %u, thread %s\n", arch_current_cpu()->index, thread ? thread->name : "none");
    if (frame) {
        print_registers(frame);
        print_address(frame->elr);
        print_chain(frame->x[29]);
    } else {
        print_chain((uint64_t)__builtin_frame_address(0));
    }
}
