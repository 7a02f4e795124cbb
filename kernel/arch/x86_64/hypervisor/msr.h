// The model-specific registers that a guest sees and that are not its own in hardware.
#pragma once

#include "kernel/hypervisor/vcpu.h"

enum guest_msr_result {
    GUEST_MSR_OK,
    GUEST_MSR_FAULT, // #GP
    GUEST_MSR_EOI,   // *eoi_vector: see local_apic.h
};

// False: #GP.
bool guest_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
enum guest_msr_result guest_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value,
                                      uint8_t *eoi_vector);
// Whether the eight memory types are ones that exist.
bool guest_pat_is_legal(uint64_t value);
// Whether TSC_AUX of this CPU, which may have none, can have the value.
bool guest_tsc_aux_is_legal(uint64_t value);
