// Reads the instruction that caused an exit from the guest's memory, for CPUs that tell neither its
// length nor its bytes.
#pragma once

#include <arch/hypervisor.h>

#define INSN_BYTES_MAX 15

// Forgets what is known of the guest's code, for a vCPU that is given another state.
void insn_forget(struct arch_vcpu *arch);
// Up to INSN_BYTES_MAX bytes at the guest's RIP; how many there are, which is fewer only if the
// next page is not there. Interrupts enabled.
size_t insn_fetch(struct vcpu *vcpu, uint8_t *bytes);
// Where the instruction after the one at RIP begins, if that one is `opcode_bytes` long without
// prefixes. `opcode` is its first byte after them. Interrupts enabled.
uint64_t insn_next_rip(struct vcpu *vcpu, uint8_t opcode, unsigned opcode_bytes);
