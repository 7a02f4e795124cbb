// UEFI firmware's run-time services, of which the kernel uses one: ResetSystem (UEFI Specification
// 2.10, 8.5.1), for machines that tell no other way to restart or to switch off.
#pragma once

#include <arch/boot.h>

enum efi_reset_type {
    EFI_RESET_COLD = 0,
    EFI_RESET_WARM = 1,
    EFI_RESET_SHUTDOWN = 2,
};

// Start-up, once memory can be allocated: looks whether there are any, and prepares calls.
void efi_runtime_init(const struct boot_info *info);
// Whether the command line says kernel.reset=efi: before all other ways.
bool efi_runtime_comes_first(void);
// Returns if there are none, or they did not; in the second case the log says so.
void efi_runtime_reset(enum efi_reset_type type);
