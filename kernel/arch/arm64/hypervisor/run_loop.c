// mx_vcpu_enter: the answer to the last packet, then the guest, exit after exit, until the VMM is
// needed.
//
// Everything that decides what the guest sees next (posted interrupts, kicks, kills, reschedules)
// is looked at with interrupts disabled right before the world switch; a change after that comes
// with an interrupt, which ends the guest's turn.
#include <arch/fpu.h>
#include <arch/hypervisor.h>

#include "kernel/arch/arm64/hypervisor/exits.h"
#include "kernel/arch/arm64/hypervisor/portable/exit_reason.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/vcpu_state.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/hypervisor/world_switch.h"
#include "kernel/arch/arm64/regs/exception.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/hypervisor/guest.h"

enum next_step {
    STEP_RUN,
    STEP_AGAIN,
    STEP_LEAVE,
};

static enum vcpu_power power_of(const struct arch_vcpu *arch)
{
    return (enum vcpu_power)__atomic_load_n(&arch->power, __ATOMIC_ACQUIRE);
}

static bool must_run(struct vcpu *vcpu)
{
    const struct arch_vcpu *arch = &vcpu->arch;

    return __atomic_load_n(&vcpu->is_kicked, __ATOMIC_SEQ_CST) ||
           thread_is_killed(thread_current()) || power_of(arch) == VCPU_STARTING ||
           (power_of(arch) == VCPU_ON && irq_vcpu_has_posted(&arch->irqs));
}

// Announces where this vCPU runs, before the last look at what was posted.
static void announce_cpu(struct vcpu *vcpu, uint32_t cpu_index)
{
    if (__atomic_load_n(&vcpu->guest_cpu, __ATOMIC_RELAXED) != cpu_index)
        __atomic_exchange_n(&vcpu->guest_cpu, cpu_index, __ATOMIC_SEQ_CST);
}

// Interrupts are enabled on return.
static void block(struct vcpu *vcpu, bool has_timer)
{
    __atomic_store_n(&vcpu->guest_cpu, VCPU_NO_CPU, __ATOMIC_RELAXED);
    arch_interrupts_enable();
    if (has_timer)
        vtimer_start_wait(vcpu);
    vcpu_block(vcpu, must_run);
    if (has_timer)
        vtimer_end_wait(vcpu);
}

// A vCPU that is off, or waits for an interrupt. Interrupts disabled.
static enum next_step wait_to_run(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    switch (power_of(arch)) {
    case VCPU_OFF:
        block(vcpu, false);
        return STEP_AGAIN;
    case VCPU_STARTING:
        arch_interrupts_enable();
        vcpu_start_at(vcpu, arch->start_pc, arch->start_context);
        __atomic_store_n(&arch->power, VCPU_ON, __ATOMIC_RELEASE);
        return STEP_AGAIN;
    case VCPU_ON:
        break;
    }
    if (!vgic_has_deliverable(vcpu)) {
        block(vcpu, true);
        return STEP_AGAIN;
    }
    arch->is_idle = false;
    return STEP_RUN;
}

// Interrupts disabled; with RUN they stay so.
static enum next_step prepare(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct cpu *cpu = arch_current_cpu();

    announce_cpu(vcpu, cpu->index);
    if (__atomic_load_n(&cpu->needs_reschedule, __ATOMIC_RELAXED)) {
        thread_preempt();
        arch_interrupts_enable();
        return STEP_AGAIN;
    }
    if (thread_is_killed(thread_current()) || vcpu_take_kick(vcpu)) {
        arch->leave_status = MX_ERR_CANCELED;
        return STEP_LEAVE;
    }
    if (arch->is_idle || power_of(arch) != VCPU_ON) {
        enum next_step step = wait_to_run(vcpu);
        if (step != STEP_RUN)
            return step;
    }
    resident_load(vcpu);
    if (vgic_needs_refresh(arch))
        vgic_refresh(vcpu);
    return STEP_RUN;
}

// Interrupts disabled before, enabled after.
static enum vcpu_result run(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t exit, start;

    fpu_acquire(arch->fpu);
    vcpu_count_entry(vcpu);
    start = sysreg_read(cntvct_el0);
    exit = world_switch(arch);
    vcpu->run_time_ns +=
        (uint64_t)(time_counter_to_ns(sysreg_read(cntvct_el0)) - time_counter_to_ns(start));
    if (exit != WORLD_EXIT_SYNC) {
        vcpu_count_exit(vcpu,
                        exit == WORLD_EXIT_IRQ ? MX_GUEST_EXIT_INTERRUPT : MX_GUEST_EXIT_OTHER);
        arch_interrupts_enable();
        return exit == WORLD_EXIT_IRQ
                   ? VCPU_RESUME
                   : exit_shutdown(vcpu, packet, 0, "the machine reports an error");
    }
    arch->esr = sysreg_read(esr_el2);
    if (ESR_EC(arch->esr) == ESR_EC_DATA_LOWER || ESR_EC(arch->esr) == ESR_EC_FETCH_LOWER) {
        arch->far = sysreg_read(far_el2);
        arch->hpfar = sysreg_read(hpfar_el2);
    }
    vcpu_count_exit(vcpu, exit_reason(arch->esr));
    arch_interrupts_enable();
    return exit_handle(vcpu, packet);
}

static void run_until_vmm_is_needed(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    for (;;) {
        enum next_step step;

        arch_interrupts_disable();
        step = prepare(vcpu);
        if (step == STEP_LEAVE || (step == STEP_RUN && run(vcpu, packet) == VCPU_LEAVE))
            return;
    }
}

mx_status_t arch_vcpu_enter(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    enum vcpu_result next;
    mx_status_t status = abort_take_answer(vcpu, packet, &next);

    if (status != MX_OK || next == VCPU_LEAVE)
        return status;
    // Alone, a vCPU that waits for an event keeps no other from anything.
    if (vcpu->guest->vcpu_count > 1)
        arch->hcr |= HCR_TWE;
    arch->leave_status = MX_OK;
    run_until_vmm_is_needed(vcpu, packet);
    __atomic_store_n(&vcpu->guest_cpu, VCPU_NO_CPU, __ATOMIC_RELAXED);
    arch_interrupts_disable();
    resident_leave_loop(vcpu);
    arch_interrupts_enable();
    return arch->leave_status;
}

void arch_vcpu_notify(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    uint32_t target = __atomic_load_n(&vcpu->guest_cpu, __ATOMIC_SEQ_CST);

    // On its own CPU the vCPU is not in the guest, and looks again before it enters.
    if (target != VCPU_NO_CPU && target != arch_current_cpu()->index)
        arch_cpu_send_reschedule(target);
    arch_interrupts_restore(state);
    vcpu_wake(vcpu);
}
