// Descriptors of the last level and of blocks that show memory to a user program, by stage 1, or to
// a guest, by stage 2 (Arm ARM DDI 0487J.a, D8.3 "Translation table descriptor formats", D8.5
// "Memory region attributes"). Portable, and tested on the host.
//
// PTE_TABLE, which the last level alone needs, is not in them.
#pragma once

#include <stdbool.h>

#include <arch/memory_type.h>

#include "kernel/lib/types.h"

// Shows what is at `page` with MX_MAP_* of `options`. `is_past_caches`: guests may look past the
// caches, and so must those who map with MX_MAP_COHERENT.
uint64_t stage1_entry_make(paddr_t page, uint32_t options, enum memory_type memory,
                           bool is_past_caches);
// `has_fwb`: HCR_EL2.FWB is set.
uint64_t stage2_entry_make(paddr_t page, uint32_t options, enum memory_type memory, bool has_fwb);
