// Page walks; see guest_walk.h.
#include "kernel/arch/x86_64/hypervisor/portable/guest_walk.h"

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"

#define PSE_LARGE_SHIFT 22

// Tables with 64-bit entries, `levels` of them: 3 (PAE), 4 or 5.
static bool walk_long(const struct guest_walk *walk, uint64_t linear, unsigned levels,
                      uint64_t *out)
{
    uint64_t table = levels == 3 ? walk->cr3 & 0xffffffe0 : walk->cr3 & PTE_ADDRESS;

    for (unsigned level = levels; level > 0; level--) {
        uint64_t offset_mask = pt_level_size(level) - 1;
        uint64_t entry;

        if (!walk->read(walk->context, table + 8 * pt_index(linear, level), 8, &entry) ||
            !(entry & PTE_P))
            return false;
        table = entry & PTE_ADDRESS;
        // A PAE directory pointer has no size bit; nor have levels 4 and 5.
        bool is_large = entry & PTE_PS && (level == 2 || (level == 3 && levels > 3));
        if (level == 1 || is_large) {
            *out = (table & ~offset_mask) | (linear & offset_mask);
            return true;
        }
    }
    return false;
}

static bool walk_legacy(const struct guest_walk *walk, uint64_t linear, uint64_t *out)
{
    uint64_t entry;

    if (!walk->read(walk->context, (walk->cr3 & 0xfffff000) + 4 * (linear >> PSE_LARGE_SHIFT), 4,
                    &entry) ||
        !(entry & PTE_P))
        return false;
    if (entry & PTE_PS && walk->cr4 & CR4_PSE) {
        *out = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & 0x3fffff);
        return true;
    }
    if (!walk->read(walk->context, (entry & 0xfffff000) + 4 * (linear >> 12 & 0x3ff), 4, &entry) ||
        !(entry & PTE_P))
        return false;
    *out = (entry & 0xfffff000) | (linear & 0xfff);
    return true;
}

bool guest_walk_translate(const struct guest_walk *walk, uint64_t linear, uint64_t *guest_physical)
{
    if (walk->efer & EFER_LMA)
        return walk_long(walk, linear, walk->cr4 & CR4_LA57 ? 5 : 4, guest_physical);
    linear &= 0xffffffff;
    if (!(walk->cr0 & CR0_PG)) {
        *guest_physical = linear;
        return true;
    }
    if (walk->cr4 & CR4_PAE)
        return walk_long(walk, linear, 3, guest_physical);
    return walk_legacy(walk, linear, guest_physical);
}
