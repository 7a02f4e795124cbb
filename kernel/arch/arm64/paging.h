// Page tables, as the rest of the architecture sees them; the contract is <arch/mmu.h>.
#pragma once

#include <arch/mmu.h>

// Physical address of the kernel's own top table.
extern uint64_t kernel_root;

// Start-up of the boot CPU, on the tables of start.S: builds the kernel's tables with the image and
// its permissions, and switches to them. Devices and firmware tables can be mapped from then on.
// False: no memory for tables.
MX_MUST_CHECK bool paging_init(void);
// Adds the linear map of all RAM of boot_memory.h. False: no memory for tables.
MX_MUST_CHECK bool paging_map_ram(void);
// From now on tables come from the page allocator, and are reached through the linear map. Returns
// the start of what is left of the pool in the image.
paddr_t paging_finish_early(void);

// The device tree, or what else firmware left in memory that is not mapped yet: cached, read-only,
// for good. NULL: no room.
const void *paging_map_firmware(paddr_t address, uint64_t size_bytes);

// Puts the address space (NULL: none) into TTBR0_EL1. Interrupts disabled.
void paging_load_aspace(struct arch_aspace *aspace);
