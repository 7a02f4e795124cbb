// HVC and SMC: the power states of vCPUs and of the machine. See portable/psci.h for what is
// understood.
#include "kernel/arch/arm64/hypervisor/exits.h"

#include <arch/mmu.h>

#include "kernel/arch/arm64/hypervisor/portable/psci.h"
#include "kernel/arch/arm64/regs/exception.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

static int64_t start_vcpu_locked(struct arch_vcpu *target, const struct psci_call *call)
{
    switch ((enum vcpu_power)__atomic_load_n(&target->power, __ATOMIC_ACQUIRE)) {
    case VCPU_ON:
        return PSCI_ALREADY_ON;
    case VCPU_STARTING:
        return PSCI_ON_PENDING;
    case VCPU_OFF:
        break;
    }
    target->start_pc = call->entry;
    target->start_context = call->context_id;
    // Release: who sees the power sees where to start.
    __atomic_store_n(&target->power, VCPU_STARTING, __ATOMIC_SEQ_CST);
    return PSCI_SUCCESS;
}

// vcpus_lock keeps the target alive, and callers apart.
static int64_t cpu_on(struct guest *guest, const struct psci_call *call)
{
    int64_t result = PSCI_INVALID_PARAMETERS;
    arch_interrupt_state_t state = spin_lock(&guest->vcpus_lock);
    struct vcpu *target = guest->vcpus[call->vcpu_id];

    if (target)
        result = start_vcpu_locked(&target->arch, call);
    if (result == PSCI_SUCCESS)
        arch_vcpu_notify(target);
    spin_unlock(&guest->vcpus_lock, state);
    return result;
}

static int64_t affinity_info(struct guest *guest, uint32_t vcpu_id)
{
    int64_t result = PSCI_INVALID_PARAMETERS;
    arch_interrupt_state_t state = spin_lock(&guest->vcpus_lock);
    const struct vcpu *target = guest->vcpus[vcpu_id];

    if (target) {
        uint32_t power = __atomic_load_n(&target->arch.power, __ATOMIC_ACQUIRE);
        result = power == VCPU_ON    ? PSCI_AFFINITY_ON
                 : power == VCPU_OFF ? PSCI_AFFINITY_OFF
                                     : PSCI_AFFINITY_PENDING;
    }
    spin_unlock(&guest->vcpus_lock, state);
    return result;
}

static enum vcpu_result power_packet(struct mx_vcpu_packet *packet, uint32_t reason)
{
    memset(packet, 0, sizeof(*packet));
    packet->type = MX_VCPU_PACKET_POWER;
    packet->power.reason = reason;
    return VCPU_LEAVE;
}

enum vcpu_result exit_firmware(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct psci_call call =
        psci_decode(arch->x, (uint16_t)arch->esr, MX_GUEST_MAX_VCPUS, arch_aspace_guest_limit());

    // SMC traps before it is executed, HVC after.
    if (ESR_EC(arch->esr) == ESR_EC_SMC64)
        vcpu_skip(arch);
    switch (call.action) {
    case PSCI_RETURN:
        break;
    case PSCI_CPU_ON:
        call.result = cpu_on(vcpu->guest, &call);
        break;
    case PSCI_AFFINITY_INFO:
        call.result = affinity_info(vcpu->guest, call.vcpu_id);
        break;
    case PSCI_SUSPEND:
        arch->is_idle = true;
        break;
    case PSCI_CPU_OFF:
        __atomic_store_n(&arch->power, VCPU_OFF, __ATOMIC_SEQ_CST);
        return VCPU_RESUME;
    case PSCI_SYSTEM_OFF:
        return power_packet(packet, MX_POWER_OFF);
    case PSCI_SYSTEM_RESET:
        return power_packet(packet, MX_POWER_REBOOT);
    }
    arch->x[0] = (uint64_t)call.result;
    return VCPU_RESUME;
}
