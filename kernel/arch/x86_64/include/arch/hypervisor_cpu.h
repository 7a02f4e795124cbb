// What kernel/arch/x86_64/hypervisor provides to the rest of the architecture.
#pragma once

// Turns hypervisor mode on for this CPU (EFER.SVME, host save area ...). Called from arch_init_cpu
// on every CPU, interrupts disabled, heap usable. Does nothing if arch_hypervisor_init failed.
void hypervisor_init_cpu(void);
