// Connects each vCPU's local APIC (portable/local_apic.c) with the kernel's timers, the vCPU's
// thread and the guest's other APICs.
#pragma once

#include <arch/hypervisor.h>

void guest_apic_init(struct vcpu *vcpu);
// Puts the APIC on the guest's bus, where others find it.
void guest_apic_join(struct vcpu *vcpu);
// Off the bus, timer stopped. Harmless if it never joined.
void guest_apic_leave(struct vcpu *vcpu);
