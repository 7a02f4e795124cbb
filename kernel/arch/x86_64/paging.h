// Page tables, as the rest of the architecture sees them; the contract is <arch/mmu.h>.
#pragma once

#include <arch/mmu.h>

// The end of user memory; the last page of the lower half stays empty, so that SYSRET never meets an address that is not
// canonical.
#define USER_LIMIT ((uint64_t)0x00007ffffffff000)

// As far as the tables of start.S reach.
#define BOOT_MAPPED_BYTES ((uint64_t)4 << 30)

// The kernel's own top table: no user half.
extern uint64_t kernel_root;

// Start-up of the boot CPU, on the tables of start.S: builds the kernel's tables (all RAM of
// boot_memory.h, the image with its permissions) and switches to them. False: no memory for them.
MX_MUST_CHECK bool paging_init(void);
// From now on tables come from the page allocator.
void paging_finish_early(void);

// Memory that is not RAM in the memory map but not a device either: firmware tables. Cached,
// read-only, for good. NULL: no room.
const void *paging_map_firmware(paddr_t address, uint64_t size_bytes);

// Shows whole pages at their own addresses to the kernel alone, for all accesses, in a hierarchy
// that has the kernel's half, too. *root 0: it is made. False: no memory for tables, or an address
// in the kernel's half.
MX_MUST_CHECK bool paging_map_identity(uint64_t *root, uint64_t base, uint64_t size_bytes,
                                       bool is_device);

// Puts the address space (NULL: the kernel's own) into CR3. Interrupts disabled.
void paging_load_aspace(struct arch_aspace *aspace);
