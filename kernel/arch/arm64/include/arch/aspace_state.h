// struct arch_aspace on arm64: the tables of a user program (stage 1, TTBR0_EL1) or of a guest
// (stage 2, VTTBR_EL2).
//
// What depends on the stage is in a const table of functions (format). TLB
// maintenance is broadcast by the hardware to the inner shareable domain, and complete when its DSB
// is.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/memory_type.h>

#include "kernel/core/spinlock.h"
#include "kernel/lib/types.h"

struct arch_aspace;
struct job;

struct arm64_table_format {
    // What an entry of the level (1: a page) says for memory at `page` with MX_MAP_* of `options`;
    // PTE_TABLE is not in it.
    uint64_t (*leaf)(paddr_t page, uint32_t options, enum memory_type memory);
    // Before memory is shown: caches.
    void (*prepare)(paddr_t page, uint64_t size_bytes, uint32_t options, enum memory_type memory);
    // Makes all CPUs forget what they know of the range; with `has_tables`, also of the tables that
    // led there. The change of the tables is visible to walks (DSB) already. Waits until it is so.
    void (*flush)(const struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes,
                  bool has_tables);
};

struct arch_aspace {
    struct spinlock lock; // the tables
    bool is_guest;
    const struct arm64_table_format *format;
    unsigned top_level;  // of the top table, which may be several concatenated ones
    unsigned root_order; // of pages: how many
    uint64_t root;       // physical address of the top table
    struct job *job;
    uint32_t id; // ASID, VMID
};
