// Contract: page tables. struct arch_aspace comes from <arch/aspace_state.h>.
#pragma once

#include <arch/aspace_state.h>
#include <arch/memory_type.h>

#include "kernel/lib/types.h"

struct job;

// The range of addresses that user programs can have; guests have [0, arch_aspace_guest_limit()).
#define ARCH_USER_BASE  ((uint64_t)0x10000)
uint64_t arch_aspace_user_limit(void);
uint64_t arch_aspace_guest_limit(void);

// All RAM, writable and not executable, is mapped at a fixed offset.
void *arch_phys_to_virt(paddr_t address);
paddr_t arch_virt_to_phys(const void *pointer); // of the linear map only
// Maps device registers into the kernel for good. NULL: no room.
volatile void *arch_map_device(paddr_t address, uint64_t size_bytes);
// Maps one freshly allocated page of RAM at a kernel address reserved with arch_kernel_reserve (stacks). False: no
// memory for tables.
bool arch_kernel_map_page(void *at, paddr_t page);
paddr_t arch_kernel_unmap_page(void *at); // on all CPUs; returns what was there
// Reserves kernel address space, which is never given back. NULL: none left. Kernel stacks take KERNEL_STACK_SIZE and the page
// below, which stays unmapped.
void *arch_kernel_reserve(size_t size_bytes);

// A user program's tables, or a guest's second stage if is_guest. Tables are charged to `job` (aspace->job, which outlives
// it). NO_MEMORY; NO_RESOURCES: no more guests; NOT_SUPPORTED: no second stage on this CPU.
MX_MUST_CHECK mx_status_t arch_aspace_init(struct arch_aspace *aspace, bool is_guest, struct job *job);
// Frees the tables. Not active on any CPU.
void arch_aspace_destroy(struct arch_aspace *aspace);

// Shows 2^order pages at `addr`, both naturally aligned, with MX_MAP_READ/WRITE/EXECUTE/COHERENT of
// `options` (COHERENT: of cached memory); replaces what is there (and then makes sure that no CPU
// uses the old entry). NO_MEMORY for tables. Orders: 0, 9 and 18. Any of the following: interrupts
// enabled, no spinlock held.
MX_MUST_CHECK mx_status_t arch_aspace_map(struct arch_aspace *aspace, uint64_t addr, paddr_t page,
                                          unsigned order, uint32_t options,
                                          enum memory_type memory);
// Removes a page-aligned range; where a large page reaches beyond it, the whole large page goes (it faults in again). On
// return no CPU uses the old entries, guests included.
void arch_aspace_unmap(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes);
