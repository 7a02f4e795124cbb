// mx_vcpu_enter: the answer to the last packet, then the guest, exit after exit, until the VMM is
// needed.
//
// Everything that decides what the guest sees next (posted interrupts, kicks, kills, reschedules,
// flushes) is looked at with interrupts disabled right before the world switch; a change after that
// comes with an interrupt, which ends the guest's turn.
#include <arch/fpu.h>
#include <arch/hypervisor.h>

#include "kernel/arch/x86_64/hypervisor/answers.h"
#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/exits.h"
#include "kernel/arch/x86_64/hypervisor/guest_apic.h"
#include "kernel/arch/x86_64/hypervisor/pv_eoi.h"
#include "kernel/arch/x86_64/hypervisor/reset.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"

enum next_step {
    STEP_RUN,
    STEP_AGAIN,
    STEP_LEAVE,
};

static bool can_take_interrupt(const struct arch_vcpu *arch)
{
    return arch->rflags & RFLAGS_IF && !arch->has_interrupt_shadow && !arch->event;
}

// Whether a halted vCPU has something to wake up for.
static bool has_wake_event(const struct arch_vcpu *arch)
{
    int vector;

    if (arch->event || (arch->nmi_count && !arch->is_nmi_blocked))
        return true;
    if (!(arch->rflags & RFLAGS_IF))
        return false;
    vector = local_apic_pending_vector(&arch->apic);
    return (vector >= 0 && (uint32_t)vector >> 4 > local_apic_task_class(&arch->apic)) ||
           local_apic_has_extint(&arch->apic);
}

static bool must_run(struct vcpu *vcpu)
{
    return local_apic_has_posted(&vcpu->arch.apic) ||
           __atomic_load_n(&vcpu->is_kicked, __ATOMIC_SEQ_CST) ||
           thread_is_killed(thread_current());
}

// NMI, INIT and start-up messages; interrupts disabled.
static void take_posted(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint32_t posted = local_apic_take_posted(&arch->apic);

    if (posted & APIC_POSTED_NMI && arch->nmi_count < 2)
        arch->nmi_count++;
    if (posted & APIC_POSTED_INIT) {
        vcpu_reset(vcpu);
        arch->run_state = VCPU_WAIT_STARTUP;
    }
    if (posted & APIC_POSTED_STARTUP && arch->run_state == VCPU_WAIT_STARTUP) {
        hypervisor_backend->set_startup(
            vcpu, (uint8_t)__atomic_load_n(&arch->apic.posted_startup_vector, __ATOMIC_RELAXED));
        arch->run_state = VCPU_RUNNING;
    }
}

// Announces where this vCPU runs, before the last look at what was posted.
static void announce_cpu(struct vcpu *vcpu, uint32_t cpu_index)
{
    if (__atomic_load_n(&vcpu->guest_cpu, __ATOMIC_RELAXED) != cpu_index)
        __atomic_exchange_n(&vcpu->guest_cpu, cpu_index, __ATOMIC_SEQ_CST);
}

static void block(struct vcpu *vcpu)
{
    // The guest's translations on this CPU need no more interrupts while it is idle.
    __atomic_store_n(&vcpu->guest_cpu, VCPU_NO_CPU, __ATOMIC_RELAXED);
    arch_interrupts_enable();
    vcpu_block(vcpu, must_run);
}

// Chooses the events of this entry. LEAVE: the VMM has to acknowledge an external interrupt.
static enum next_step prepare_events(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    bool wants_window = false;
    int vector = local_apic_has_requests(&arch->apic) ? local_apic_pending_vector(&arch->apic) : -1;

    if (arch->nmi_count && !arch->is_nmi_blocked && !arch->event && !arch->has_interrupt_shadow) {
        arch->nmi_count--;
        arch->is_nmi_blocked = true;
        arch->event = VCPU_EVENT_VALID | VCPU_EVENT_NMI | 2;
    }
    if (__atomic_load_n(&arch->apic.extint_level, __ATOMIC_RELAXED) &&
        local_apic_has_extint(&arch->apic)) {
        if (can_take_interrupt(arch)) {
            packet->type = MX_VCPU_PACKET_INTACK;
            packet->key = 0;
            arch->reply = VCPU_REPLY_INTACK;
            return STEP_LEAVE;
        }
        wants_window = true;
    }
    hypervisor_backend->prepare(vcpu, vector, wants_window);
    return STEP_RUN;
}

// Interrupts disabled; with RUN they stay so.
static enum next_step prepare(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
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
    if (local_apic_has_posted(&arch->apic))
        take_posted(vcpu);
    if (arch->run_state != VCPU_RUNNING) {
        if (arch->run_state == VCPU_WAIT_STARTUP || !has_wake_event(arch)) {
            block(vcpu);
            return STEP_AGAIN;
        }
        arch->run_state = VCPU_RUNNING;
    }
    return prepare_events(vcpu, packet);
}

mx_status_t arch_vcpu_enter(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    mx_status_t status = answer_apply(vcpu, packet);

    if (status != MX_OK)
        return status;
    if (vcpu->guest->vcpu_count > 1)
        arch->has_pause_exits = true;
    arch->leave_status = MX_OK;
    for (;;) {
        enum next_step step;

        pv_eoi_find_word(vcpu);
        arch_interrupts_disable();
        step = prepare(vcpu, packet);
        if (step == STEP_AGAIN)
            continue;
        if (step == STEP_LEAVE)
            break;
        fpu_acquire(arch->fpu);
        vcpu_count_entry(vcpu);
        pv_eoi_offer(vcpu);
        hypervisor_backend->run(vcpu);
        pv_eoi_collect(vcpu);
        arch_interrupts_enable();
        if (hypervisor_backend->handle_exit(vcpu, packet) == VCPU_LEAVE)
            break;
    }
    __atomic_store_n(&vcpu->guest_cpu, VCPU_NO_CPU, __ATOMIC_RELAXED);
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
