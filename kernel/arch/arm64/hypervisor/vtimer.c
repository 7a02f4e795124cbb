// See vtimer.h. Arm ARM DDI 0487J.a, chapter D11.
#include "kernel/arch/arm64/hypervisor/vtimer.h"

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/timer.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"

static bool is_asserted(uint64_t ctl)
{
    return (ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) ==
           (CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
}

static bool is_on(uint64_t ctl)
{
    return (ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE;
}

// On the CPU where the timer fired.
static void handle_virtual_timer(void)
{
    struct vcpu *vcpu = resident_vcpu();

    if (!vcpu || !is_asserted(sysreg_read(CNTV_CTL_EL02)))
        return; // it was taken back meanwhile
    // First what the guest did with the last one, which the physical one was tied to.
    vgic_pull(vcpu);
    vgic_set_active(VTIMER_INTID, true);
    vcpu->arch.is_timer_held = true;
    vgic_set_private_line(vcpu, VTIMER_INTID, true);
}

const char *vtimer_init(void)
{
    if (boot_machine()->timer_intids[MACHINE_TIMER_VIRTUAL] != VTIMER_INTID)
        return "the virtual timer's interrupt is not 27";
    interrupts_set_private(VTIMER_INTID, handle_virtual_timer);
    return NULL;
}

// --- residence
// ------------------------------------------------------------------------------------

// Whether a timer that goes off at `value` of the guest's counter has. Without sign: Arm ARM,
// D11.2.4 "Operation of the CompareValue views of the timers".
static bool has_passed(const struct guest *guest, uint64_t value)
{
    return time_counter_read() - guest->arch.counter_offset >= value;
}

void vtimer_load(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    const struct irq *irq = &arch->irqs.private[VTIMER_INTID];

    // One that the guest has not ended must not come again from this CPU. Flags change under the
    // guest's lock, but these by the vCPU itself alone.
    arch->is_timer_held =
        __atomic_load_n(&irq->flags, __ATOMIC_RELAXED) & (IRQ_ACTIVE | IRQ_LISTED);
    // One that the timer raises at once would only bring the guest out again: it is taken for come.
    // The refresh that follows each load sees the line and lists it.
    if (is_on(arch->cntv_ctl) && has_passed(vcpu->guest, arch->cntv_cval))
        arch->is_timer_held = true;
    if (arch->is_timer_held)
        vgic_set_active(VTIMER_INTID, true);
    sysreg_write(CNTV_CVAL_EL02, arch->cntv_cval);
    isb();
    sysreg_write(CNTV_CTL_EL02, arch->cntv_ctl);
}

void vtimer_unload(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    arch->cntv_ctl = sysreg_read(CNTV_CTL_EL02);
    arch->cntv_cval = sysreg_read(CNTV_CVAL_EL02);
    sysreg_write(CNTV_CTL_EL02, 0);
    isb();
    if (arch->is_timer_held)
        vgic_set_active(VTIMER_INTID, false);
    arch->is_timer_held = false;
}

void vtimer_update_line(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    bool is_high = is_asserted(sysreg_read(CNTV_CTL_EL02));

    irq_set_private_line(&vcpu->guest->arch.irqs, &arch->irqs, VTIMER_INTID, is_high);
    if (is_high || !arch->is_timer_held || arch->irqs.private[VTIMER_INTID].flags & IRQ_ACTIVE)
        return;
    vgic_set_active(VTIMER_INTID, false);
    arch->is_timer_held = false;
}

bool vtimer_list_is_done(const struct irq_vcpu *irqs)
{
    for (uint32_t left = irqs->used_lists; left; left &= left - 1) {
        uint64_t list = irqs->lists[__builtin_ctz(left)];
        if ((uint32_t)list == VTIMER_INTID)
            return !(list & (IRQ_LIST_PENDING | IRQ_LIST_ACTIVE));
    }
    return false;
}

// --- blocked
// --------------------------------------------------------------------------------------

static void virtual_timer_expired(struct timer *timer)
{
    struct arch_vcpu *arch = CONTAINER_OF(timer, struct arch_vcpu, virtual_timer);

    vgic_set_private_line(CONTAINER_OF(arch, struct vcpu, arch), VTIMER_INTID, true);
}

// When the guest's counter will be at `value`.
static mx_time_t deadline_of(const struct guest *guest, uint64_t value)
{
    uint64_t now = time_counter_read() - guest->arch.counter_offset;

    if (now >= value)
        return 0;
    // The clock's arithmetic is good for some centuries only.
    if (value - now >= (uint64_t)1 << 56)
        return MX_TIME_INFINITE;
    return time_counter_to_ns(value + guest->arch.counter_offset);
}

void vtimer_start_wait(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    arch_interrupt_state_t state = arch_interrupts_save();
    bool is_resident = resident_is_here(vcpu);
    uint64_t ctl = is_resident ? sysreg_read(CNTV_CTL_EL02) : arch->cntv_ctl;
    uint64_t cval = is_resident ? sysreg_read(CNTV_CVAL_EL02) : arch->cntv_cval;

    arch_interrupts_restore(state);
    if (is_on(ctl))
        timer_set(&arch->virtual_timer, deadline_of(vcpu->guest, cval));
}

void vtimer_end_wait(struct vcpu *vcpu)
{
    timer_cancel(&vcpu->arch.virtual_timer);
}

// --- the physical timer
// ---------------------------------------------------------------------------

static uint64_t physical_counter(void)
{
    return time_counter_read();
}

static bool ptimer_is_due(const struct arch_vcpu *arch)
{
    return physical_counter() >= arch->cntp_cval;
}

static void physical_timer_expired(struct timer *timer)
{
    struct arch_vcpu *arch = CONTAINER_OF(timer, struct arch_vcpu, physical_timer);

    vgic_set_private_line(CONTAINER_OF(arch, struct vcpu, arch), PTIMER_INTID, true);
}

static void ptimer_update(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    bool can_fire = is_on(arch->cntp_ctl);
    uint64_t left = arch->cntp_cval - physical_counter();

    timer_cancel(&arch->physical_timer);
    vgic_set_private_line(vcpu, PTIMER_INTID, can_fire && ptimer_is_due(arch));
    if (can_fire && !ptimer_is_due(arch) && left < (uint64_t)1 << 56)
        timer_set(&arch->physical_timer, time_counter_to_ns(arch->cntp_cval));
}

uint64_t ptimer_read_ctl(const struct arch_vcpu *arch)
{
    bool is_due = arch->cntp_ctl & CNT_CTL_ENABLE && ptimer_is_due(arch);

    return arch->cntp_ctl | (is_due ? CNT_CTL_ISTATUS : 0);
}

void ptimer_write_ctl(struct vcpu *vcpu, uint64_t value)
{
    vcpu->arch.cntp_ctl = value & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
    ptimer_update(vcpu);
}

void ptimer_write_cval(struct vcpu *vcpu, uint64_t value)
{
    vcpu->arch.cntp_cval = value;
    ptimer_update(vcpu);
}

void ptimer_reset(struct vcpu *vcpu)
{
    vcpu->arch.cntp_ctl = vcpu->arch.cntp_cval = 0;
    ptimer_update(vcpu);
}

// --- vCPUs
// ----------------------------------------------------------------------------------------

void vtimer_vcpu_init(struct vcpu *vcpu)
{
    timer_init(&vcpu->arch.virtual_timer, virtual_timer_expired);
    timer_init(&vcpu->arch.physical_timer, physical_timer_expired);
}

void vtimer_vcpu_destroy(struct vcpu *vcpu)
{
    timer_cancel(&vcpu->arch.virtual_timer);
    timer_cancel(&vcpu->arch.physical_timer);
}
