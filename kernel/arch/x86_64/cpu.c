// The running CPU: idle, interrupts to others, entropy, the end in a panic. See <arch/cpu.h>.
#include <arch/cpu.h>

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/descriptors.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/image.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/regs/segments.h"
#include "kernel/core/backtrace.h"
#include "kernel/core/cpu.h"
#include "kernel/core/thread.h"

// Intel SDM Volume 1, "RDRAND": more tries than a working generator ever needs.
#define RANDOM_TRIES 10

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

void arch_cpu_send_call(uint32_t cpu_index)
{
    send(cpu_index, VECTOR_CALL);
}

void arch_cpu_send_stop(uint32_t cpu_index)
{
    __atomic_store_n(&interrupts_nmi_stops, true, __ATOMIC_RELEASE);
    apic_send_nmi(x86_cpus[cpu_index].apic_id);
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

static void print_registers(const struct x86_frame *f)
{
    backtrace_print("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", f->rax, f->rbx, f->rcx,
                    f->rdx);
    backtrace_print("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx\n", f->rsi, f->rdi, f->rbp,
                    f->rsp);
    backtrace_print("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", f->r8, f->r9, f->r10,
                    f->r11);
    backtrace_print("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", f->r12, f->r13, f->r14,
                    f->r15);
    backtrace_print("  rip %016lx  rflags %08lx  cs %02lx  ss %02lx  error %lx\n", f->rip,
                    f->rflags, f->cs, f->ss, f->error_code);
    backtrace_print("  cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", cr0_read(), cr2_read(),
                    cr3_read(), cr4_read());
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

void arch_cpu_print_backtrace(void)
{
    const struct x86_frame *frame = x86_current_cpu()->fault_frame;
    struct thread *thread = arch_current_thread();

    backtrace_print("cpu %u, thread %s\n", x86_current_cpu()->cpu->index,
                    thread ? thread->name : "none");
    if (frame) {
        print_registers(frame);
        backtrace_print_address(frame->rip);
    }
    uint64_t frame_pointer = frame ? frame->rbp : (uint64_t)__builtin_frame_address(0);
    backtrace_print_chain(frame_pointer, find_stack(frame_pointer), KERNEL_IMAGE_BASE);
}
