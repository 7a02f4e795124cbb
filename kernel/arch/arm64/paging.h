// Page tables, as the rest of the architecture sees them; the contract is <arch/mmu.h>.
#pragma once

#include <arch/aspace_state.h>
#include <arch/mmu.h>
#include <arch/percpu.h>

#include "kernel/arch/arm64/asid.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/arch/arm64/regs/sysreg.h"

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

// Shows whole pages at their own addresses to the kernel alone, for all accesses, in a hierarchy
// for TTBR0_EL1. *root 0: it is made. False: no memory for tables, an address that has no place
// there, or one that is shown already.
MX_MUST_CHECK bool paging_map_identity(uint64_t *root, uint64_t base, uint64_t size_bytes,
                                       bool is_device);
// Puts such a hierarchy into TTBR0_EL1, or with root 0 this CPU's address space back. Interrupts
// disabled.
void paging_load_identity(uint64_t root);

// Puts the address space (NULL: none) into TTBR0_EL1. Interrupts disabled.
void paging_load_aspace(struct arch_aspace *aspace);
// The same of an address space that needs no more than the register; false, and nothing done, if it
// does.
static inline bool paging_try_load_aspace(struct arm64_cpu *cpu, struct arch_aspace *aspace)
{
    if (cpu->loaded_aspace == aspace)
        return true;
    if (aspace->id == ASID_SHARED)
        return false;
    sysreg_write(ttbr0_el1, aspace->root | (uint64_t)aspace->id << TTBR_ASID_SHIFT);
    isb();
    cpu->loaded_aspace = aspace;
    return true;
}
