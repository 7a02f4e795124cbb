// What is done about exits. Called with interrupts enabled, PC still at the instruction.
#pragma once

#include <arch/hypervisor.h>

#include "kernel/arch/arm64/hypervisor/portable/pstate.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/hypervisor/vcpu.h"

enum vcpu_result {
    VCPU_RESUME, // back into the guest
    VCPU_LEAVE,  // out of mx_vcpu_enter: with arch->leave_status and, if that is MX_OK, the packet
};

// A synchronous exit: arch.esr, far and hpfar say why.
enum vcpu_result exit_handle(struct vcpu *vcpu, struct mx_vcpu_packet *packet);

// The guest is at its end: a packet with a text, and the log.
enum vcpu_result exit_shutdown(struct vcpu *vcpu, struct mx_vcpu_packet *packet, uint64_t info,
                               const char *text);
// Whether the guest may make the kernel log one more line.
bool guest_may_log(struct guest *guest);

// Goes on with the next instruction; arch.esr is of this one. 32-bit programs have some of 16 bits.
static inline void vcpu_skip(struct arch_vcpu *arch)
{
    arch->pc += arch->esr & ESR_IL ? 4 : 2;
    arch->pstate = pstate_after_instruction(arch->pstate);
}
// The exceptions that the CPU would have taken to EL1. Interrupts enabled.
void vcpu_inject_undefined(struct vcpu *vcpu);
void vcpu_inject_abort(struct vcpu *vcpu, bool is_fetch, uint64_t addr);

// In aborts.c: stage 2.
enum vcpu_result exit_data_abort(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
enum vcpu_result exit_fetch_abort(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
// What the VMM says to the last packet. BAD_STATE: the guest ended itself. INVALID_ARGS: not an
// answer to what was asked; nothing is taken then. LEAVE: the rest of the access needs another
// answer, the packet asks for it.
MX_MUST_CHECK mx_status_t abort_take_answer(struct vcpu *vcpu, struct mx_vcpu_packet *packet,
                                            enum vcpu_result *next);

// In sysregs.c.
enum vcpu_result exit_sysreg(struct vcpu *vcpu);
// In firmware.c: HVC and SMC.
enum vcpu_result exit_firmware(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
