// The running CPU: idle, interrupts to others, entropy, the end in a panic. See <arch/cpu.h>.
#include <arch/cpu.h>

#include <arch/console.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/descriptors.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/image.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/core/cpu.h"
#include "kernel/core/symbols.h"
#include "kernel/core/thread.h"
#include "kernel/lib/print.h"

// Intel SDM Volume 1, "RDRAND": more tries than a working generator ever needs.
#define RANDOM_TRIES 10

#define BACKTRACE_FRAMES_MAX 32

void arch_cpu_idle(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

static void send(uint32_t cpu_index, uint8_t vector)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    apic_send_ipi(x86_cpus[cpu_index].apic_id, vector);
    arch_interrupts_restore(state);
}

void arch_cpu_send_reschedule(uint32_t cpu_index)
{
    send(cpu_index, VECTOR_RESCHEDULE);
}

void arch_cpu_send_call_others(void)
{
    uint32_t own = arch_current_cpu()->index;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (i != own && cpus[i].is_online)
            send(i, VECTOR_CALL);
    }
}

void arch_cpu_stop_others(void)
{
    uint32_t own = arch_current_cpu()->index;

    __atomic_store_n(&interrupts_nmi_stops, true, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (i != own && cpus[i].is_online)
            apic_send_nmi(x86_cpus[i].apic_id);
    }
}

void arch_cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" : : : "memory");
}

static bool random_step(uint64_t *value)
{
    bool is_valid;

    if (cpu_features.has_rdseed)
        __asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(is_valid));
    else
        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(is_valid));
    return is_valid;
}

bool arch_cpu_random(uint64_t *value)
{
    if (!cpu_features.has_rdseed && !cpu_features.has_rdrand)
        return false;
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        if (random_step(value))
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
// --------------------------------------------------------------------------------------------

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

static void print_registers(const struct x86_frame *f)
{
    print("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    print("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
    print("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
    print("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
    print("  rip %016lx  rflags %08lx  cs %02lx  ss %02lx  error %lx\n", f->rip, f->rflags, f->cs,
          f->ss, f->error_code);
    print("  cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", cr0_read(), cr2_read(), cr3_read(),
          cr4_read());
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

// The kernel stack of this CPU or its thread that the address is in; empty if in none.
static struct stack_range find_stack(uint64_t address)
{
    const struct x86_cpu *cpu = x86_current_cpu();
    const struct thread *thread = arch_current_thread();
    uint64_t base = thread ? (uint64_t)thread->kernel_stack : 0;
    struct stack_range stack = {base, base + KERNEL_STACK_SIZE};

    if (base && stack_contains(stack, address))
        return stack;
    stack = (struct stack_range){(uint64_t)boot_stack, (uint64_t)boot_stack_top};
    if (stack_contains(stack, address))
        return stack;
    for (unsigned i = 0; i < IST_COUNT; i++) {
        stack = (struct stack_range){cpu->tss.ist[i] - IST_STACK_SIZE, cpu->tss.ist[i]};
        if (stack_contains(stack, address))
            return stack;
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
    const struct x86_frame *frame = x86_current_cpu()->fault_frame;
    struct thread *thread = arch_current_thread();

    print("cpu %u, thread %s\n", x86_current_cpu()->cpu->index, thread ? thread->name : "none");
    if (frame) {
        print_registers(frame);
        print_address(frame->rip);
        print_chain(frame->rbp);
    } else {
        print_chain((uint64_t)__builtin_frame_address(0));
    }
}
