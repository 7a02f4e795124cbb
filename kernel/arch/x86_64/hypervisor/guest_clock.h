// A vCPU's time-stamp counter and the paravirtual clock that is derived from it
// (portable/pv_clock.h).
//
// The clock counts nanoseconds since the guest was created. It is a function of the TSC alone, the
// same on all vCPUs, so the page is written when the guest asks for it and when it changes its TSC,
// and never again.
#pragma once

#include <arch/hypervisor.h>

void guest_clock_set_tsc_offset(struct vcpu *vcpu, uint64_t offset);
// The system-time MSR: where the guest wants the clock. An address without memory is ignored.
void guest_clock_set_time_page(struct vcpu *vcpu, uint64_t msr_value);
// The wall-clock MSR: the time of day at the clock's zero is written once, to this address.
void guest_clock_write_wall_clock(struct vcpu *vcpu, uint64_t addr);
