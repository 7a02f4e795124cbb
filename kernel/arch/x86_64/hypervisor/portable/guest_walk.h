// Walks a guest's own page tables: guest-linear to guest-physical, for fetching the instruction
// that caused an exit.
//
// Permissions are not checked: the CPU has just executed the instruction. All paging modes (AMD64
// APM Volume 2, "Page Translation and Protection"). The tables are the guest's and may hold
// anything; a walk reads at most five entries.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct guest_walk {
    uint64_t cr0, cr3, cr4, efer;
    // Reads `width_bytes` (4 or 8), naturally aligned, of guest-physical memory. False: there is
    // none.
    bool (*read)(void *context, uint64_t guest_physical, unsigned width_bytes, uint64_t *value);
    void *context;
};

// False if `linear` is not mapped.
bool guest_walk_translate(const struct guest_walk *walk, uint64_t linear, uint64_t *guest_physical);
