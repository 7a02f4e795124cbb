// The state of a vCPU after reset.
#pragma once

#include <arch/hypervisor.h>

// Everything but the GIC's private interrupts, which belong to the redistributor, and the power
// state. By the vCPU's thread, or before it runs. Interrupts enabled.
void vcpu_reset(struct vcpu *vcpu);
// As CPU_ON asks for it.
void vcpu_start_at(struct vcpu *vcpu, uint64_t pc, uint64_t context);
