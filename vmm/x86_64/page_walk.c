// The guest's page tables, walked in software; the contract is in the header.
//
// The five formats differ in the number of levels, the width of an entry and the bits of the index,
// so one table describes them and one loop walks them all.
#include "vmm/x86_64/page_walk.h"

#include <string.h>

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_WRITE    (UINT64_C(1) << 1)
#define PTE_USER     (UINT64_C(1) << 2)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_LARGE    (UINT64_C(1) << 7)
#define PTE_NX       (UINT64_C(1) << 63)

#define PTE_ADDRESS_MASK     UINT64_C(0x000ffffffffff000)
#define PTE32_ADDRESS_MASK   UINT64_C(0x00000000fffff000)
#define PDPTE_PAE_RESERVED   UINT64_C(0x7ff00000000001e6)
#define PTE_PAE_RESERVED     UINT64_C(0x7ff0000000000000)
#define PDE32_RESERVED_LARGE UINT64_C(0x0000000000200000)

// How often entries that change under the walk are read again before the guest has to run.
#define WALK_RETRY_MAX 4

#define LEVEL_MAX 5

struct paging_format {
    unsigned level_count;
    unsigned entry_bytes;
    unsigned index_bits;   // of every level but the top one
    uint64_t root_mask;    // of CR3
    unsigned large_levels; // bit n: an entry of level n (1 is the lowest) can map a page
    bool entries_have_nx;
};

static const struct paging_format FORMAT_32 = {2, 4, 10, PTE32_ADDRESS_MASK, 0, false};
static const struct paging_format FORMAT_32_PSE = {2, 4, 10, PTE32_ADDRESS_MASK, 1u << 2, false};
static const struct paging_format FORMAT_PAE = {3, 8, 9, UINT64_C(0xffffffe0), 1u << 2, true};
static const struct paging_format FORMAT_4_LEVEL = {4,   8, 9, PTE_ADDRESS_MASK, 1u << 2 | 1u << 3,
                                                    true};
static const struct paging_format FORMAT_5_LEVEL = {5,   8, 9, PTE_ADDRESS_MASK, 1u << 2 | 1u << 3,
                                                    true};

// One walk: the entries read on the way and what they allow together.
struct walk {
    const struct x86_vcpu_regs *regs;
    const struct x86_table_memory *tables;
    const struct paging_format *format;
    uint64_t linear;
    enum x86_access access;
    unsigned level; // of the entry read last
    uint64_t entry[LEVEL_MAX + 1];
    uint64_t entry_address[LEVEL_MAX + 1];
    uint64_t allowed; // PTE_WRITE and PTE_USER, if all levels have them
    bool no_execute;  // at any level
};

static const struct paging_format *paging_format_of(const struct x86_vcpu_regs *regs)
{
    if (regs->efer & X86_EFER_LMA)
        return regs->cr4 & X86_CR4_LA57 ? &FORMAT_5_LEVEL : &FORMAT_4_LEVEL;
    if (regs->cr4 & X86_CR4_PAE)
        return &FORMAT_PAE;
    return regs->cr4 & X86_CR4_PSE ? &FORMAT_32_PSE : &FORMAT_32;
}

bool x86_is_canonical(const struct x86_vcpu_regs *regs, uint64_t linear)
{
    unsigned unused_bits = regs->cr4 & X86_CR4_LA57 ? 7 : 16;
    return (uint64_t)((int64_t)(linear << unused_bits) >> unused_bits) == linear;
}

static unsigned walk_level_shift(const struct walk *walk, unsigned level)
{
    return 12 + (level - 1) * walk->format->index_bits;
}

static uint32_t walk_error_code(const struct walk *walk, uint32_t why)
{
    const struct x86_vcpu_regs *regs = walk->regs;
    bool has_nx = (regs->efer & X86_EFER_NXE) && walk->format->entries_have_nx;
    uint32_t code = why;
    if (walk->access == X86_ACCESS_WRITE)
        code |= X86_PF_WRITE;
    if (regs->cpl == 3)
        code |= X86_PF_USER;
    if (walk->access == X86_ACCESS_FETCH && (has_nx || (regs->cr4 & X86_CR4_SMEP)))
        code |= X86_PF_FETCH;
    return code;
}

static bool walk_entry_maps_page(const struct walk *walk)
{
    return walk->level == 1 || ((walk->entry[walk->level] & PTE_LARGE) &&
                                (walk->format->large_levels >> walk->level & 1));
}

// Bits that must be zero in the entry read last.
static uint64_t walk_reserved_bits(const struct walk *walk)
{
    const struct paging_format *format = walk->format;
    unsigned level = walk->level;
    bool is_large = level > 1 && walk_entry_maps_page(walk);
    if (format->entry_bytes == 4)
        return is_large ? PDE32_RESERVED_LARGE : 0;

    uint64_t reserved = walk->regs->efer & X86_EFER_NXE ? 0 : PTE_NX;
    if (format == &FORMAT_PAE)
        reserved |= level == 3 ? PDPTE_PAE_RESERVED | PTE_NX : PTE_PAE_RESERVED;
    else if (level > 3)
        reserved |= PTE_LARGE;
    if (is_large) // between the PAT bit and the page's address
        reserved |= (UINT64_C(1) << walk_level_shift(walk, level)) - (UINT64_C(1) << 13);
    return reserved;
}

// Reads the entry of `walk->level` in `table` and folds its permissions in. ACCESS_DENIED sets
// *why.
static mx_status_t walk_read_entry(struct walk *walk, uint64_t table, uint32_t *why)
{
    const struct paging_format *format = walk->format;
    unsigned level = walk->level;
    unsigned top_bits = format == &FORMAT_PAE && level == 3 ? 2 : format->index_bits;
    uint64_t index =
        walk->linear >> walk_level_shift(walk, level) & ((UINT64_C(1) << top_bits) - 1);
    uint64_t address = table + index * format->entry_bytes;
    uint64_t entry = 0;
    uint32_t entry32 = 0;
    bool is_ram = format->entry_bytes == 4
                      ? walk->tables->read(walk->tables->context, address, &entry32, 4)
                      : walk->tables->read(walk->tables->context, address, &entry, 8);
    if (!is_ram)
        return MX_ERR_OUT_OF_RANGE;
    entry |= entry32;

    walk->entry[level] = entry;
    walk->entry_address[level] = address;
    *why = 0;
    if (!(entry & PTE_PRESENT))
        return MX_ERR_ACCESS_DENIED;
    *why = X86_PF_PRESENT | X86_PF_RESERVED;
    if (entry & walk_reserved_bits(walk))
        return MX_ERR_ACCESS_DENIED;
    if (format == &FORMAT_PAE && level == 3)
        return MX_OK; // a PAE page-directory-pointer entry restricts nothing
    walk->allowed &= entry;
    walk->no_execute |= (entry & PTE_NX) != 0;
    return MX_OK;
}

static bool walk_access_is_allowed(const struct walk *walk)
{
    const struct x86_vcpu_regs *regs = walk->regs;
    bool user_page = walk->allowed & PTE_USER;
    if (walk->access == X86_ACCESS_FETCH && walk->no_execute)
        return false;
    if (regs->cpl == 3)
        return user_page && (walk->access != X86_ACCESS_WRITE || (walk->allowed & PTE_WRITE));
    if (user_page && walk->access == X86_ACCESS_FETCH)
        return !(regs->cr4 & X86_CR4_SMEP);
    if (user_page && (regs->cr4 & X86_CR4_SMAP) && !(regs->rflags & X86_RFLAGS_AC))
        return false;
    return walk->access != X86_ACCESS_WRITE || (walk->allowed & PTE_WRITE) ||
           !(regs->cr0 & X86_CR0_WP);
}

// Sets accessed bits on the way and the dirty bit of the page. SHOULD_WAIT: an entry has changed.
static mx_status_t walk_mark_accessed(const struct walk *walk)
{
    if (!walk->tables->compare_exchange)
        return MX_OK;
    for (unsigned level = walk->format->level_count; level >= walk->level; level--) {
        if (walk->format == &FORMAT_PAE && level == 3)
            continue; // has no accessed bit
        uint64_t marked = walk->entry[level] | PTE_ACCESSED;
        if (level == walk->level && walk->access == X86_ACCESS_WRITE)
            marked |= PTE_DIRTY;
        if (marked == walk->entry[level])
            continue;
        mx_status_t status =
            walk->tables->compare_exchange(walk->tables->context, walk->entry_address[level],
                                           walk->format->entry_bytes, walk->entry[level], marked);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static uint64_t walk_page_address(const struct walk *walk)
{
    uint64_t offset_mask = (UINT64_C(1) << walk_level_shift(walk, walk->level)) - 1;
    uint64_t entry = walk->entry[walk->level];
    uint64_t page = entry & PTE_ADDRESS_MASK & ~offset_mask;
    if (walk->format->entry_bytes == 4 && walk->level == 2)
        page |= (entry >> 13 & 0xff) << 32; // 4 MiB pages reach 40 bits of address
    return page | (walk->linear & offset_mask);
}

static mx_status_t walk_once(struct walk *walk, struct x86_translation *out)
{
    uint64_t table = walk->regs->cr3 & walk->format->root_mask;
    walk->allowed = PTE_WRITE | PTE_USER;
    walk->no_execute = false;
    for (walk->level = walk->format->level_count;; walk->level--) {
        uint32_t why;
        mx_status_t status = walk_read_entry(walk, table, &why);
        if (status == MX_ERR_ACCESS_DENIED)
            out->error_code = walk_error_code(walk, why);
        if (status != MX_OK)
            return status;
        if (walk_entry_maps_page(walk))
            break;
        table = walk->entry[walk->level] & PTE_ADDRESS_MASK;
    }
    if (!walk_access_is_allowed(walk)) {
        out->error_code = walk_error_code(walk, X86_PF_PRESENT);
        return MX_ERR_ACCESS_DENIED;
    }
    out->guest_physical = walk_page_address(walk);
    return walk_mark_accessed(walk);
}

mx_status_t x86_page_walk(const struct x86_vcpu_regs *regs, const struct x86_table_memory *tables,
                          uint64_t linear, enum x86_access access, struct x86_translation *out)
{
    *out = (struct x86_translation){0};
    if (!(regs->efer & X86_EFER_LMA))
        linear &= UINT32_MAX;
    else if (!x86_is_canonical(regs, linear))
        return MX_ERR_INVALID_ARGS;
    if (!(regs->cr0 & X86_CR0_PG)) {
        out->guest_physical = linear;
        return MX_OK;
    }
    struct walk walk = {.regs = regs,
                        .tables = tables,
                        .format = paging_format_of(regs),
                        .linear = linear,
                        .access = access};
    mx_status_t status = MX_ERR_SHOULD_WAIT;
    for (unsigned i = 0; i < WALK_RETRY_MAX && status == MX_ERR_SHOULD_WAIT; i++)
        status = walk_once(&walk, out);
    return status;
}
