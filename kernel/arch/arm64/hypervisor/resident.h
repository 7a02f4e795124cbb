// Which vCPU's state is in this CPU's registers.
//
// Three layers, each longer in the CPU than the one before:
//   - general registers: while the guest runs (world_switch.S);
//   - TPIDR_EL0, TPIDRRO_EL0, SP_EL0 and MDSCR_EL1, which tell on the host's programs too: while
//   the thread is in the run loop;
//   - registers of EL1, list registers and CPU interface, virtual timer: from the first entry until
//   the thread is switched out.
//     The registers of EL1 are saved then, and loaded again only if another vCPU was resident
//     meanwhile.
#pragma once

#include <stdbool.h>

struct thread;
struct vcpu;

// Start-up, each CPU.
void resident_init_cpu(void);
// Makes the vCPU of the current thread resident on this CPU, its user registers too. Interrupts
// disabled.
void resident_load(struct vcpu *vcpu);
// Puts its user registers away, the host's back; it may stay resident. Interrupts disabled.
void resident_leave_loop(struct vcpu *vcpu);
// Ends its residence on this CPU, if it is resident here: what was in registers is in struct
// arch_vcpu. Interrupts disabled; takes no lock.
void resident_unload(struct vcpu *vcpu);
// The vCPU that is resident on this CPU, or NULL. Interrupts disabled.
struct vcpu *resident_vcpu(void);
// Whether this CPU has the state of the vCPU.
static inline bool resident_is_here(const struct vcpu *vcpu)
{
    return resident_vcpu() == vcpu;
}
// For the end of a vCPU: no CPU knows it any more. Interrupts enabled.
void resident_forget(struct vcpu *vcpu);
