// What kernel/arch/arm64/hypervisor provides to the rest of the architecture.
#pragma once

// Prepares this CPU for guests. Called from arch_init_cpu on every CPU, interrupts disabled, heap
// usable. Does nothing if arch_hypervisor_init failed.
void hypervisor_init_cpu(void);
