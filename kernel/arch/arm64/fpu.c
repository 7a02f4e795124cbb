// Lazy switching of floating-point state; the rules are in <arch/fpu.h>. Arm ARM DDI 0487J.a, A1.5,
// CPACR_EL1 in D19.2.32.
#include <arch/fpu.h>

#include <string.h>

#include "kernel/arch/arm64/regs/control.h"
#include "kernel/core/thread.h"
#include "kernel/object/process.h"

// In fpu_registers.S.
void fpu_registers_save(struct fpu_state *state);
void fpu_registers_load(const struct fpu_state *state);
_Static_assert(offsetof(struct fpu_state, fpsr) == 512, "fpu_registers.S");

// The register has all else that user programs and guests are kept from.
static void set_user_access(bool is_open)
{
    sysreg_write(cpacr_el1,
                 CPACR_TTA | CPTR_TAM | (is_open ? CPACR_FPEN_ALL : CPACR_FPEN_EL1_ONLY));
    isb();
}

void fpu_init_cpu(void)
{
    set_user_access(false);
}

struct fpu_state *fpu_state_alloc(struct job *job)
{
    struct fpu_state *state = object_alloc(job, sizeof(*state));

    if (!state)
        return NULL;
    state->job = job;
    if (job)
        object_reference(&job->object);
    fpu_state_reset(state);
    return state;
}

void fpu_state_reset(struct fpu_state *state)
{
    memset(state->v, 0, sizeof(state->v));
    state->fpsr = state->fpcr = 0;
    state->cpu_index = UINT32_MAX;
}

void fpu_state_free(struct fpu_state *state)
{
    arch_interrupt_state_t interrupts;
    struct job *job;

    if (!state)
        return;
    interrupts = arch_interrupts_save();
    if (arm64_current_cpu()->fpu_live == state) {
        arm64_current_cpu()->fpu_live = NULL;
        set_user_access(false);
    }
    arch_interrupts_restore(interrupts);
    job = state->job;
    object_free(job, state, sizeof(*state));
    if (job)
        object_release(&job->object);
}

void fpu_acquire_slow(struct fpu_state *state)
{
    struct arm64_cpu *cpu = arm64_current_cpu();
    uint32_t index = cpu->cpu->index;

    if (cpu->fpu_live)
        fpu_registers_save(cpu->fpu_live);
    if (cpu->fpu_cached != state || state->cpu_index != index)
        fpu_registers_load(state);
    cpu->fpu_live = cpu->fpu_cached = state;
    state->cpu_index = index;
    set_user_access(thread_current()->arch.fpu == state);
}

void fpu_release_current_thread(void)
{
    struct arm64_cpu *cpu = arm64_current_cpu();

    if (!cpu->fpu_live)
        return;
    fpu_registers_save(cpu->fpu_live);
    cpu->fpu_live = NULL;
    set_user_access(false);
}

mx_status_t fpu_handle_not_available(void)
{
    struct thread *thread = thread_current();
    arch_interrupt_state_t interrupts;

    if (!thread->arch.fpu)
        thread->arch.fpu = fpu_state_alloc(thread->process->job);
    if (!thread->arch.fpu)
        return MX_ERR_NO_MEMORY;
    interrupts = arch_interrupts_save();
    fpu_acquire(thread->arch.fpu);
    set_user_access(true);
    arch_interrupts_restore(interrupts);
    return MX_OK;
}
