// Contract: power. All return only if the machine cannot.
#pragma once

// As firmware's tables say.
void arch_power_off(void);
void arch_reboot(void);
// In any other way that such machines have.
void arch_reboot_by_force(void);
