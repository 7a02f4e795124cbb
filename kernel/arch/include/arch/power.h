// Contract: power. Both return only if the machine cannot.
#pragma once

void arch_power_off(void);
void arch_reboot(void);
