// Loads a Zircon boot image on x86-64.
//
// The kernel goes to 1 MiB, where it is linked, and is entered at the physical address that its
// head names, in long mode with the low 4 GiB mapped at their own addresses and the data ZBI's
// address in RSI (Zircon, kernel/arch/x86/start.S and system/public/zircon/boot/image.h). The data
// ZBI gets the items CMDLINE, E820_TABLE, ACPI_RSDP, DEBUG_UART and, which later kernels read
// instead of the last, KERNEL_DRIVER for an 8250.
#pragma once

#include "vmm/loader/x86_64/x86_boot.h"

// Fills guest memory and *state. The reason in the request tells what is wrong with the boot image
// (IO_DATA_INTEGRITY, NOT_SUPPORTED), the configuration (INVALID_ARGS) or the guest's memory
// (NO_MEMORY, NO_SPACE, OUT_OF_RANGE, INVALID_ARGS).
MX_MUST_CHECK mx_status_t zircon_x86_load(const struct boot_request *request,
                                          const struct x86_boot_map *map,
                                          struct x86_boot_state *state);
