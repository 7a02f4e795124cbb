// Guests: not yet. What is missing is told precisely; see <arch/hypervisor.h>.
#include <arch/hypervisor.h>

#include <arch/hypervisor_cpu.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/start.h"

static const char *const descriptions[] = {
    [BOOT_MODE_EL2] = "none: Machina cannot run guests on this architecture yet",
    [BOOT_MODE_NO_VHE] = "none: the CPU has no Virtualization Host Extensions (FEAT_VHE, Armv8.1)",
    [BOOT_MODE_ENTERED_EL1] = "none: entered at EL1; guests need Machina to be started at EL2",
};

mx_status_t arch_hypervisor_init(void)
{
    return MX_ERR_NOT_SUPPORTED;
}

const char *arch_hypervisor_description(void)
{
    return descriptions[boot_mode];
}

bool arch_hypervisor_spares_cpu(uint32_t cpu_index)
{
    (void)cpu_index;
    return false;
}

void hypervisor_init_cpu(void) {}

mx_status_t arch_guest_init(struct guest *guest)
{
    (void)guest;
    return MX_ERR_NOT_SUPPORTED;
}

void arch_guest_destroy(struct guest *guest)
{
    (void)guest;
}

uint64_t arch_guest_trap_limit(uint32_t kind)
{
    return kind == MX_TRAP_IO || kind == MX_TRAP_IO_BELL ? 0 : arch_aspace_guest_limit();
}

bool arch_guest_accepts_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)guest, (void)addr, (void)data;
    return false;
}

mx_status_t arch_guest_send_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)guest, (void)addr, (void)data;
    return MX_ERR_INVALID_ARGS;
}

mx_status_t arch_vcpu_init(struct vcpu *vcpu)
{
    (void)vcpu;
    return MX_ERR_NOT_SUPPORTED;
}

void arch_vcpu_destroy(struct vcpu *vcpu)
{
    (void)vcpu;
}

mx_status_t arch_vcpu_enter(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    (void)vcpu, (void)packet;
    return MX_ERR_NOT_SUPPORTED;
}

void arch_vcpu_notify(struct vcpu *vcpu)
{
    (void)vcpu;
}

mx_status_t arch_vcpu_interrupt(struct vcpu *vcpu, uint32_t vector)
{
    (void)vcpu, (void)vector;
    return MX_ERR_NOT_SUPPORTED;
}

mx_status_t arch_vcpu_read_state(struct vcpu *vcpu, struct mx_vcpu_state *state)
{
    (void)vcpu, (void)state;
    return MX_ERR_NOT_SUPPORTED;
}

mx_status_t arch_vcpu_write_state(struct vcpu *vcpu, const struct mx_vcpu_state *state)
{
    (void)vcpu, (void)state;
    return MX_ERR_NOT_SUPPORTED;
}
