// Threads as the CPU sees them; see <arch/thread.h>.
#include <arch/thread.h>

#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>

#include "kernel/arch/arm64/paging.h"
#include "kernel/arch/arm64/regs/sysreg.h"
#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/process.h"

_Static_assert(offsetof(struct thread, pending) == ARCH_THREAD_SIZE, "entry.S");
_Static_assert(offsetof(struct cpu, needs_reschedule) == 16, "entry.S");
_Static_assert(offsetof(struct cpu, stats.syscalls) == 112, "entry.S");

void arm64_switch_stacks(uint64_t *save_sp, uint64_t load_sp);
_Noreturn void arm64_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2,
                                uint64_t kernel_stack_top);

// x19 to x30, as arm64_switch_stacks has them.
#define SWITCH_SAVED_REGISTERS 12
#define SWITCH_RETURN_ADDRESS  11

void arch_thread_init(struct thread *thread, void *stack_top)
{
    uint64_t *sp = (uint64_t *)stack_top - SWITCH_SAVED_REGISTERS;

    for (unsigned i = 0; i < SWITCH_SAVED_REGISTERS; i++)
        sp[i] = 0;
    sp[SWITCH_RETURN_ADDRESS] = (uint64_t)thread_start_first;
    thread->arch.kernel_sp = (uint64_t)sp;
    thread->arch.kernel_stack_top = (uint64_t)stack_top;
}

void arch_thread_destroy(struct thread *thread)
{
    fpu_state_free(thread->arch.fpu);
    thread->arch.fpu = NULL;
}

static struct arch_aspace *aspace_of(struct thread *thread)
{
    return thread->aspace ? &thread->aspace->arch : NULL;
}

// All that a switch may have to do besides what it always does. Out of line, as few do.
static NOINLINE void switch_with_care(struct thread *from, struct thread *to, struct arm64_cpu *cpu)
{
    struct arch_aspace *aspace = aspace_of(to);

    if (cpu->resident_vcpu)
        hypervisor_thread_leaves(from);
    if (cpu->fpu_live)
        fpu_release_current_thread();
    if (from->aspace)
        from->arch.user_tpidr = sysreg_read(tpidr_el0);
    if (aspace)
        sysreg_write(tpidr_el0, to->arch.user_tpidr);
    // Kernel threads get no address space: none is in use when it is destroyed.
    if (cpu->loaded_aspace != aspace)
        paging_load_aspace(aspace);
    arm64_switch_stacks(&from->arch.kernel_sp, to->arch.kernel_sp);
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
    struct arm64_cpu *cpu = arm64_current_cpu();
    struct arch_aspace *aspace = aspace_of(to);

    if (cpu->resident_vcpu || cpu->fpu_live || !from->aspace || !aspace ||
        !paging_try_load_aspace(cpu, aspace)) {
        switch_with_care(from, to, cpu);
        return;
    }
    from->arch.user_tpidr = sysreg_read(tpidr_el0);
    sysreg_write(tpidr_el0, to->arch.user_tpidr);
    arm64_switch_stacks(&from->arch.kernel_sp, to->arch.kernel_sp);
}

void arch_thread_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2)
{
    arch_interrupts_disable();
    arm64_enter_user(entry, stack, arg1, arg2, thread_current()->arch.kernel_stack_top);
}
