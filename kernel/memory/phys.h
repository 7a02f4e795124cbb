// The allocator of physical pages: a buddy system over the machine's RAM.
//
// Blocks are 2^order pages and aligned to their size. All RAM is reachable through the architecture's linear map
// (arch_phys_to_virt). What was allocated is charged to a job by the caller (job_charge), not here.
#pragma once

#include "kernel/lib/types.h"

#define PAGE_SIZE       MX_PAGE_SIZE
#define PAGE_SHIFT      MX_PAGE_SHIFT
#define PHYS_ORDER_MAX  18 // 1 GiB
#define PHYS_ORDER_LARGE 9 // 2 MiB

// Who uses memory, for MX_INFO_MEMORY.
enum phys_use {
    PHYS_USE_HEAP,
    PHYS_USE_PAGE_TABLE,
    PHYS_USE_VMO,
    PHYS_USE_COUNT,
};

// Start-up: adds RAM that nobody uses. Ranges are page-aligned; called before any allocation from them.
void phys_add_range(paddr_t base, uint64_t size_bytes);

// Not zeroed. PADDR_NONE when there is none. Any context.
paddr_t phys_alloc(unsigned order, enum phys_use use);
paddr_t phys_alloc_zeroed(unsigned order, enum phys_use use);
// The same order and use as at allocation.
void phys_free(paddr_t base, unsigned order, enum phys_use use);

uint64_t phys_total_bytes(void);
uint64_t phys_free_bytes(void);
uint64_t phys_used_bytes(enum phys_use use);
