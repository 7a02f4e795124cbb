// The guest's clocks; see guest_clock.h.
#include "kernel/arch/x86_64/hypervisor/guest_clock.h"

#include <arch/time.h>

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/hypervisor/guest.h"

#define NS_PER_S 1000000000

static void write_time_page(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t addr = arch->pv_time_msr & ~(uint64_t)PV_CLOCK_ENABLE;
    struct pv_clock_scale scale = pv_clock_scale_from_hz(tsc_hz());
    struct pv_clock_time page = {
        .version = arch->pv_time_version + 1,
        // What the vCPU's TSC showed, or would have shown, when the guest was created.
        .tsc_timestamp = arch->tsc_offset - vcpu->guest->arch.tsc_offset,
        .tsc_to_system_multiplier = scale.multiplier,
        .tsc_shift = scale.shift,
        .flags = PV_CLOCK_TSC_STABLE,
    };

    if (!(arch->pv_time_msr & PV_CLOCK_ENABLE))
        return;
    // Other vCPUs may be reading: odd while it changes. Each write goes through a lock, so they are
    // in order.
    if (!guest_write_memory(vcpu->guest, addr, &page, sizeof(page)))
        return;
    arch->pv_time_version += 2;
    (void)guest_write_memory(vcpu->guest, addr, &arch->pv_time_version,
                             sizeof(arch->pv_time_version));
}

void guest_clock_set_time_page(struct vcpu *vcpu, uint64_t msr_value)
{
    vcpu->arch.pv_time_msr = msr_value;
    write_time_page(vcpu);
}

void guest_clock_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
    vcpu->arch.tsc_offset = offset;
    hypervisor_backend->tsc_offset_changed(vcpu);
    write_time_page(vcpu);
    local_apic_post_timer(
        &vcpu->arch.apic); // a deadline in ticks may be due now, or later than it was
}

void guest_clock_write_wall_clock(struct vcpu *vcpu, uint64_t addr)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t ticks = tsc_read() + vcpu->guest->arch.tsc_offset;
    uint64_t since_zero_ns = pv_clock_scale_apply(pv_clock_scale_from_hz(tsc_hz()), ticks);
    int64_t zero_ns = arch_time_utc_seconds() * NS_PER_S - (int64_t)since_zero_ns;
    struct pv_wall_clock page = {.version = arch->pv_wall_version + 1};

    arch->pv_wall_msr = addr;
    if (zero_ns > 0) {
        page.seconds = (uint32_t)(zero_ns / NS_PER_S);
        page.nanoseconds = (uint32_t)(zero_ns % NS_PER_S);
    }
    if (!guest_write_memory(vcpu->guest, addr, &page, sizeof(page)))
        return;
    arch->pv_wall_version += 2;
    (void)guest_write_memory(vcpu->guest, addr, &arch->pv_wall_version,
                             sizeof(arch->pv_wall_version));
}
