// The guest's timers.
//
// The virtual timer is the CPU's own while the vCPU is resident. When it fires, the physical
// interrupt is made active at the controller, which keeps it quiet, and the virtual one goes into a
// list register together with the physical number; so the guest's deactivation of the one is that
// of the other, and no exit is needed. `is_timer_held` says that the physical one is active on this
// vCPU's account. A vCPU that is blocked has a timer of the kernel's instead.
//
// The physical timer is emulated: its registers trap, and a timer of the kernel's raises its
// interrupt.
#pragma once

#include <arch/hypervisor.h>

#define VTIMER_INTID \
    27u // of the guest, and of the machine: Arm Base System Architecture, "PPI assignments"
#define PTIMER_INTID 30u

struct vcpu;

// NULL, or why not.
const char *vtimer_init(void);
void vtimer_vcpu_init(struct vcpu *vcpu);
void vtimer_vcpu_destroy(struct vcpu *vcpu);
// Residence; interrupts disabled, no lock.
void vtimer_load(struct vcpu *vcpu);
void vtimer_unload(struct vcpu *vcpu);
// The line as the timer has it now. Resident, the guest's irq_lock held, nothing listed.
void vtimer_update_line(struct vcpu *vcpu);
// Whether the lists say that the guest has ended the timer's interrupt.
bool vtimer_list_is_done(const struct irq_vcpu *irqs);
// Around blocking: wakes the vCPU when the virtual timer fires. Interrupts enabled.
void vtimer_start_wait(struct vcpu *vcpu);
void vtimer_end_wait(struct vcpu *vcpu);

// The physical timer's registers.
uint64_t ptimer_read_ctl(const struct arch_vcpu *arch);
void ptimer_write_ctl(struct vcpu *vcpu, uint64_t value);
void ptimer_write_cval(struct vcpu *vcpu, uint64_t value);
// Off, its line low. Interrupts enabled.
void ptimer_reset(struct vcpu *vcpu);
