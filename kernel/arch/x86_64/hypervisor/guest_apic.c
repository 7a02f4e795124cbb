// Local APICs and their guest; see guest_apic.h.
#include "kernel/arch/x86_64/hypervisor/guest_apic.h"

#include <arch/time.h>

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"

static struct vcpu *vcpu_of(struct local_apic *apic)
{
    return CONTAINER_OF(apic, struct vcpu, arch.apic);
}

static mx_time_t apic_now(struct local_apic *apic)
{
    (void)apic;
    return arch_time_now();
}

static uint64_t apic_guest_tsc(struct local_apic *apic)
{
    return tsc_read() + vcpu_of(apic)->arch.tsc_offset;
}

static mx_time_t apic_time_of_tsc(struct local_apic *apic, uint64_t tsc)
{
    uint64_t ticks = tsc - apic_guest_tsc(apic);
    mx_time_t now = arch_time_now();
    uint64_t ns;

    if ((int64_t)ticks <= 0)
        return (int64_t)ticks < 0 && tsc > apic_guest_tsc(apic) ? MX_TIME_INFINITE : now;
    ns = pv_clock_ns_from_ticks(ticks, tsc_hz());
    return ns > (uint64_t)(MX_TIME_INFINITE - now) ? MX_TIME_INFINITE : now + (mx_time_t)ns;
}

static void apic_set_timer(struct local_apic *apic, mx_time_t deadline)
{
    struct timer *timer = &vcpu_of(apic)->arch.apic_timer;

    if (deadline == MX_TIME_INFINITE)
        timer_cancel(timer);
    else
        timer_set(timer, deadline);
}

static void apic_timer_expired(struct timer *timer)
{
    local_apic_post_timer(&CONTAINER_OF(timer, struct vcpu, arch.apic_timer)->arch.apic);
}

static void apic_notify(struct local_apic *apic)
{
    arch_vcpu_notify(vcpu_of(apic));
}

// A message to the bus holds the bus's lock, so that no target goes away meanwhile.
static void apic_send(struct local_apic *apic, const struct apic_message *message,
                      const struct local_apic *except)
{
    struct arch_guest *guest = &vcpu_of(apic)->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->bus_lock);

    apic_bus_send(&guest->bus, message, except);
    spin_unlock(&guest->bus_lock, state);
}

static const struct local_apic_ops apic_ops = {
    .now = apic_now,
    .guest_tsc = apic_guest_tsc,
    .time_of_tsc = apic_time_of_tsc,
    .set_timer = apic_set_timer,
    .notify = apic_notify,
    .send = apic_send,
};

void guest_apic_init(struct vcpu *vcpu)
{
    timer_init(&vcpu->arch.apic_timer, apic_timer_expired);
    local_apic_init(&vcpu->arch.apic, vcpu->id, &apic_ops);
}

void guest_apic_join(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->bus_lock);

    if (!guest->bus.apics[vcpu->id])
        guest->bus.apics[vcpu->id] = &vcpu->arch.apic;
    spin_unlock(&guest->bus_lock, state);
}

void guest_apic_leave(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->bus_lock);

    if (guest->bus.apics[vcpu->id] == &vcpu->arch.apic)
        guest->bus.apics[vcpu->id] = NULL;
    spin_unlock(&guest->bus_lock, state);
    timer_cancel(&vcpu->arch.apic_timer);
}

// --- from outside -------------------------------------------------------------------------------

mx_status_t arch_guest_send_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    struct apic_message message;
    arch_interrupt_state_t state;

    if (!apic_message_from_msi(addr, data, &message))
        return MX_ERR_INVALID_ARGS;
    state = spin_lock(&guest->arch.bus_lock);
    apic_bus_send(&guest->arch.bus, &message, NULL);
    spin_unlock(&guest->arch.bus_lock, state);
    return MX_OK;
}

bool arch_guest_accepts_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    struct apic_message message;

    (void)guest;
    return apic_message_from_msi(addr, data, &message);
}

mx_status_t arch_vcpu_interrupt(struct vcpu *vcpu, uint32_t vector)
{
    struct local_apic *apic = &vcpu->arch.apic;

    if (vector == MX_VCPU_INTERRUPT_NMI)
        local_apic_post_nmi(apic);
    else if (vector == MX_VCPU_INTERRUPT_EXTINT || vector == MX_VCPU_INTERRUPT_EXTINT_CLEAR)
        local_apic_post_extint(apic, vector == MX_VCPU_INTERRUPT_EXTINT);
    else if (vector >= 16 && vector <= 0xff)
        local_apic_post_vector(apic, (uint8_t)vector, false);
    else
        return MX_ERR_OUT_OF_RANGE;
    return MX_OK;
}

bool arch_guest_lower_line(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)guest; // messages have no level
    (void)addr;
    (void)data;
    return false;
}
