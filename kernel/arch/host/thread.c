// Threads as coroutines; see <arch/thread.h> and host.h.

#include "kernel/arch/host/host_cpu.h"

#include <arch/thread.h>

#include <stdlib.h>
#include <sanitizer/common_interface_defs.h>

#include "kernel/core/log.h"
#include "kernel/object/process.h"

#define STACK_BYTES ((size_t)256 << 10)

static void begin(void)
{
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    thread_start_first();
}

void arch_thread_init(struct thread *thread, void *stack_top)
{
    struct arch_thread *arch = &thread->arch;

    (void)stack_top; // too small with sanitizers
    *arch = (struct arch_thread){
        .stack = malloc(STACK_BYTES), .stack_bytes = STACK_BYTES, .owns_stack = true};
    getcontext(&arch->context);
    arch->context.uc_stack.ss_sp = arch->stack;
    arch->context.uc_stack.ss_size = arch->stack_bytes;
    makecontext(&arch->context, begin, 0);
}

void arch_thread_destroy(struct thread *thread)
{
    ASSERT(thread != arch_current_thread());
    if (thread->arch.owns_stack)
        free(thread->arch.stack);
    thread->arch.stack = NULL;
}

void arch_thread_switch(struct thread *from, struct thread *to)
{
    ASSERT(!arch_interrupts_are_enabled() && sched_lock.is_held && to == host_this->current);
    if (to->aspace != NULL)
        host_this->loaded_aspace = &to->aspace->arch;
    // A thread that has ended never comes back: its fake stack goes.
    void **fake_stack = from->state == THREAD_DEAD ? NULL : &from->arch.fake_stack;
    __sanitizer_start_switch_fiber(fake_stack, to->arch.stack, to->arch.stack_bytes);
    swapcontext(&from->arch.context, &to->arch.context);
    __sanitizer_finish_switch_fiber(from->arch.fake_stack, NULL, NULL);
}

// --- user mode
// --------------------------------------------------------------------------------------

_Noreturn void arch_thread_enter_user(uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2)
{
    void (*program)(uint64_t, uint64_t) = (void (*)(uint64_t, uint64_t))(uintptr_t)entry;

    arch_current_thread()->arch.user_stack = stack;
    arch_interrupts_enable();
    host_return_to_user();
    program(arg1, arg2);
    // A user program that returned has nowhere to go.
    host_enter_kernel();
    user_thread_exit_current();
}

void host_enter_kernel(void)
{
    struct thread *thread = arch_current_thread();

    ASSERT(thread->arch.is_in_user_mode && arch_interrupts_are_enabled());
    thread->arch.is_in_user_mode = false;
}

void host_return_to_user(void)
{
    struct thread *thread = arch_current_thread();

    ASSERT(arch_interrupts_are_enabled());
    host_maybe_pause();
    host_take_interrupts();
    arch_interrupts_disable();
    // Once, as the ports for real machines do: it is not left while there is more.
    if (thread->pending != 0 || thread_must_reschedule())
        thread_handle_pending();
    arch_interrupts_enable();
    thread->arch.is_in_user_mode = true;
}

uint64_t host_user_stack(void)
{
    return arch_current_thread()->arch.user_stack;
}
