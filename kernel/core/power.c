// The order of the ways; see power.h. What firmware's tables say comes first, then its run-time
// services, which the command line can put before them, then what machines have had for long. What
// is told meanwhile goes to the console, whoever drives that.
#include "kernel/core/power.h"

#include <arch/power.h>

#include "kernel/core/efi_runtime.h"
#include "kernel/core/log.h"

void power_off(void)
{
    log_insist_on_console(true);
    if (efi_runtime_comes_first())
        efi_runtime_reset(EFI_RESET_SHUTDOWN);
    arch_power_off();
    if (!efi_runtime_comes_first())
        efi_runtime_reset(EFI_RESET_SHUTDOWN);
    log_insist_on_console(false);
}

void power_reboot(void)
{
    log_insist_on_console(true);
    if (efi_runtime_comes_first())
        efi_runtime_reset(EFI_RESET_COLD);
    arch_reboot();
    if (!efi_runtime_comes_first())
        efi_runtime_reset(EFI_RESET_COLD);
    arch_reboot_by_force();
    log_insist_on_console(false);
}
