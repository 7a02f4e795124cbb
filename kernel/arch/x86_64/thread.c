// Threads as the CPU sees them; see <arch/thread.h>.
#include <arch/thread.h>

#include <arch/fpu.h>
#include <arch/percpu.h>

#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/process.h"

_Static_assert(offsetof(struct thread, pending) == ARCH_THREAD_SIZE, "entry.S");
_Static_assert(offsetof(struct cpu, needs_reschedule) == 16, "entry.S");
_Static_assert(offsetof(struct cpu, stats.syscalls) == 112, "entry.S");

// thread_start_first() is called by the first switch to a thread, with nothing to return to.
void thread_start_first(void);
void x86_switch_stacks(uint64_t *save_sp, uint64_t load_sp);
_Noreturn void x86_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2);

#define SWITCH_SAVED_REGISTERS 6

void arch_thread_init(struct thread *thread, void *stack_top)
{
    uint64_t *sp = stack_top;

    *--sp = 0; // the end of the chain of callers
    *--sp = (uint64_t)thread_start_first;
    for (unsigned i = 0; i < SWITCH_SAVED_REGISTERS; i++)
        *--sp = 0;
    thread->arch.kernel_sp = (uint64_t)sp;
    thread->arch.kernel_stack_top = (uint64_t)stack_top;
}

void arch_thread_destroy(struct thread *thread)
{
    fpu_state_free(thread->arch.fpu);
    thread->arch.fpu = NULL;
}

static void save_segment_bases(struct arch_thread *thread)
{
    __asm__ volatile("rdfsbase %0" : "=r"(thread->user_fs_base));
    __asm__ volatile("swapgs\n\trdgsbase %0\n\tswapgs" : "=r"(thread->user_gs_base));
}

static void load_segment_bases(const struct arch_thread *thread)
{
    __asm__ volatile("wrfsbase %0" : : "r"(thread->user_fs_base));
    __asm__ volatile("swapgs\n\twrgsbase %0\n\tswapgs" : : "r"(thread->user_gs_base));
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
    struct x86_cpu *cpu = x86_current_cpu();

    if (cpu->fpu_live)
        fpu_release_current_thread();
    // Without FSGSBASE user mode cannot change the bases, and they stay zero.
    if (cpu_features.has_fsgsbase && from->aspace)
        save_segment_bases(&from->arch);
    if (to->aspace) {
        if (cpu_features.has_fsgsbase)
            load_segment_bases(&to->arch);
        cpu->tss.rsp[0] = to->arch.kernel_stack_top;
        if (cpu->loaded_aspace != &to->aspace->arch)
            paging_load_aspace(&to->aspace->arch);
    }
    cpu->current_thread = to;
    x86_switch_stacks(&from->arch.kernel_sp, to->arch.kernel_sp);
}

void arch_thread_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2)
{
    // IRET to an address that is not canonical would fault in the kernel.
    if (entry >= arch_aspace_user_limit())
        process_fault("entry point outside user memory", entry, entry);
    arch_interrupts_disable();
    x86_enter_user(entry, stack, arg1, arg2);
}
