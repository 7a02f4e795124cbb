// Power off and reset by firmware (Arm DEN 0022F.b, 5.9 SYSTEM_OFF, 5.10 SYSTEM_RESET).
#include <arch/power.h>

#include "kernel/arch/arm64/psci.h"
#include "kernel/arch/arm64/regs/psci.h"

void arch_power_off(void)
{
    (void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void arch_reboot(void)
{
    (void)psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

// There is no other that all such machines have.
void arch_reboot_by_force(void)
{
}
