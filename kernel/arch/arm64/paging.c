// Page tables of the kernel, of user programs and of guests (Arm ARM DDI 0487J.a, chapter D8).
//
// The kernel's half (TTBR1_EL1) is the same for all; the user's half (TTBR0_EL1) is one address
// space's or empty. An entry that is replaced by one for another place or size is removed first and
// forgotten by all CPUs ("Using break-before-make when updating translation table entries",
// D8.14.1). Tables removed from a hierarchy are freed only after no CPU can walk them.
#include "kernel/arch/arm64/paging.h"

#include <arch/hypervisor_cpu.h>

#include <string.h>

#include "kernel/arch/arm64/asid.h"
#include "kernel/arch/arm64/cache.h"
#include "kernel/arch/arm64/image.h"
#include "kernel/arch/arm64/portable/page_entry.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/arch/arm64/start.h"
#include "kernel/arch/arm64/tlb.h"
#include "kernel/core/thread.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"
#include "kernel/object/process.h"

#define TOP_LEVEL              4
#define BLOCK_LEVEL_MAX        3
#define RESERVE_SIZE           pt_level_size(TOP_LEVEL)
#define PHYSICAL_ADDRESS_LIMIT (PTE_ADDRESS + PAGE_SIZE)

uint64_t kernel_root;

static struct spinlock kernel_lock; // tables and reserve of the kernel's half
static uint64_t reserve_next = RESERVE_BASE;
static bool is_early = true;
static char *pool_next = kernel_table_pool;

void *arch_phys_to_virt(paddr_t address)
{
    return (void *)(LINEAR_MAP_BASE + address.raw);
}

paddr_t arch_virt_to_phys(const void *pointer)
{
    return PADDR((uint64_t)pointer - LINEAR_MAP_BASE);
}

uint64_t arch_aspace_user_limit(void)
{
    return USER_LIMIT;
}

uint64_t arch_aspace_guest_limit(void)
{
    return hypervisor_aspace_limit();
}

// --- tables
// -----------------------------------------------------------------------------------------------

// Early tables are all in the image.
static uint64_t *table_at(uint64_t address)
{
    if (is_early)
        return (uint64_t *)(kernel_image_start + (address - kernel_image_physical));
    return arch_phys_to_virt(PADDR(address));
}

static uint64_t *entry_table(uint64_t entry)
{
    return table_at(entry & PTE_ADDRESS);
}

static bool entry_is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || !(entry & PTE_TABLE);
}

// In one access, as CPUs walk the table.
static void entry_set(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

static paddr_t table_alloc_early(void)
{
    char *table = pool_next;

    if (table == kernel_image_end)
        return PADDR_NONE;
    pool_next += PAGE_SIZE;
    memset(table, 0, PAGE_SIZE);
    return PADDR(image_physical(table));
}

static paddr_t tables_alloc(struct job *job, unsigned order)
{
    paddr_t pages;

    if (is_early)
        return table_alloc_early();
    if (job_charge(job, PAGE_SIZE << order) != MX_OK)
        return PADDR_NONE;
    pages = phys_alloc_zeroed(order, PHYS_USE_PAGE_TABLE);
    if (paddr_is_none(pages))
        job_uncharge(job, PAGE_SIZE << order);
    return pages;
}

// Tables taken out of a hierarchy, linked through their first entries: an address without the valid
// bit, harmless to a CPU that still walks the table.
struct table_list {
    uint64_t first;
};

static void table_list_add(struct table_list *list, uint64_t entry)
{
    entry_set(entry_table(entry), list->first);
    list->first = entry & PTE_ADDRESS;
}

static void table_list_free(struct table_list *list, struct job *job)
{
    while (list->first) {
        paddr_t table = PADDR(list->first);
        list->first = *table_at(table.raw);
        phys_free(table, 0, PHYS_USE_PAGE_TABLE);
        job_uncharge(job, PAGE_SIZE);
    }
}

// The table that `entry` of `level` points to, and all below it.
static void collect_tables(uint64_t entry, unsigned level, struct table_list *list)
{
    uint64_t *table = entry_table(entry);

    for (unsigned i = 0; level > 2 && i < PT_ENTRIES; i++) {
        if ((table[i] & PTE_VALID) && !entry_is_leaf(table[i], level - 1))
            collect_tables(table[i], level - 1, list);
    }
    table_list_add(list, entry);
}

// --- the kernel's half
// ------------------------------------------------------------------------------------

// The slot of `level` for `addr`; tables on the way are made. NULL: no memory, or a block is in the
// way.
static uint64_t *walk_own(uint64_t root, uint64_t addr, unsigned level)
{
    uint64_t *table = table_at(root);

    for (unsigned at = TOP_LEVEL; at > level; at--) {
        uint64_t *slot = &table[pt_index(addr, at)];

        if (!(*slot & PTE_VALID)) {
            paddr_t page = tables_alloc(NULL, 0);
            if (paddr_is_none(page))
                return NULL;
            entry_set(slot, page.raw | PTE_VALID | PTE_TABLE);
        } else if (entry_is_leaf(*slot, at)) {
            return NULL;
        }
        table = entry_table(*slot);
    }
    return &table[pt_index(addr, level)];
}

// Where nothing is mapped yet, so no CPU remembers anything.
static bool map_leaf(uint64_t root, uint64_t addr, uint64_t phys, unsigned level, uint64_t flags)
{
    uint64_t *slot = walk_own(root, addr, level);

    if (!slot)
        return false;
    entry_set(slot,
              phys | flags | PTE_VALID | PTE_AF | PTE_SH_INNER | (level == 1 ? PTE_TABLE : 0));
    return true;
}

// With the largest blocks that fit, up to `level_max`.
static bool map_range(uint64_t root, uint64_t addr, uint64_t phys, uint64_t size_bytes,
                      unsigned level_max, uint64_t flags)
{
    while (size_bytes > 0) {
        unsigned level = level_max;

        while (level > 1 && (!is_aligned(addr | phys, pt_level_size(level)) ||
                             size_bytes < pt_level_size(level)))
            level--;
        if (!map_leaf(root, addr, phys, level, flags))
            return false;
        addr += pt_level_size(level);
        phys += pt_level_size(level);
        size_bytes -= pt_level_size(level);
    }
    return true;
}

static bool kernel_map_range(uint64_t addr, uint64_t phys, uint64_t size_bytes, unsigned level_max,
                             uint64_t flags)
{
    return map_range(kernel_root, addr, phys, size_bytes, level_max, flags);
}

// New entries are seen by this CPU's walks from now on.
static void finish_kernel_map(void)
{
    dsb_ishst();
    isb();
}

static bool map_image(const char *start, const char *end, uint64_t flags)
{
    uint64_t size = align_up((uint64_t)end, PAGE_SIZE) - (uint64_t)start;

    return kernel_map_range((uint64_t)start, image_physical(start), size, 1, flags);
}

bool paging_init(void)
{
    paddr_t root = table_alloc_early();

    kernel_root = root.raw;
    if (!map_image(kernel_image_start, kernel_text_end, PTE_AP_READ_ONLY | PTE_UXN) ||
        !map_image(kernel_rodata_start, kernel_data_start, PTE_AP_READ_ONLY | PTE_UXN | PTE_PXN) ||
        !map_image(kernel_data_start, boot_stack_guard, PTE_UXN | PTE_PXN) ||
        !map_image(boot_stack, kernel_image_end, PTE_UXN | PTE_PXN))
        return false;
    dsb_ishst();
    arm64_load_kernel_tables(kernel_root, kernel_image_physical);
    paging_load_aspace(NULL);
    tlb_flush_all_local();
    return true;
}

static bool map_linear(uint64_t base, uint64_t end, uint64_t flags)
{
    return base >= end || kernel_map_range(LINEAR_MAP_BASE + base, base, end - base,
                                           BLOCK_LEVEL_MAX, flags | PTE_UXN | PTE_PXN);
}

// Writable but for the kernel's text and constants.
static bool map_ram(uint64_t base, uint64_t end)
{
    uint64_t constant = image_physical(kernel_image_start),
             constant_end = image_physical(kernel_data_start);

    if (constant < base || constant_end > end)
        return map_linear(base, end, 0);
    return map_linear(base, constant, 0) && map_linear(constant, constant_end, PTE_AP_READ_ONLY) &&
           map_linear(constant_end, end, 0);
}

bool paging_map_ram(void)
{
    const struct memory_range *ranges;
    size_t count = boot_memory_ram(&ranges);

    for (size_t i = 0; i < count; i++) {
        if (!map_ram(ranges[i].base, ranges[i].base + ranges[i].size_bytes))
            return false;
    }
    finish_kernel_map();
    return true;
}

paddr_t paging_finish_early(void)
{
    is_early = false;
    return PADDR(image_physical(pool_next));
}

// Aligned to the power of two that is not smaller, since the entry code knows a stack's place by
// its address.
void *arch_kernel_reserve(size_t size_bytes)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    uint64_t alignment = PAGE_SIZE, base;
    void *reserved = NULL;

    while (alignment < size_bytes && alignment < pt_level_size(2))
        alignment *= 2;
    base = align_up(reserve_next, alignment);
    if (size_bytes <= RESERVE_SIZE &&
        range_is_within(base - RESERVE_BASE, align_up(size_bytes, PAGE_SIZE), RESERVE_SIZE)) {
        reserved = (void *)base;
        reserve_next = base + align_up(size_bytes, PAGE_SIZE);
    }
    spin_unlock(&kernel_lock, state);
    return reserved;
}

// What is large gets blocks where it has room for them, and an address for that.
static void *map_reserved(paddr_t address, uint64_t size_bytes, uint64_t flags)
{
    uint64_t base = align_down(address.raw, PAGE_SIZE), size, shift;
    arch_interrupt_state_t state;
    bool is_mapped;
    char *at;

    if (!range_is_within(address.raw, size_bytes, PHYSICAL_ADDRESS_LIMIT) ||
        size_bytes > RESERVE_SIZE)
        return NULL;
    size = align_up(address.raw - base + size_bytes, PAGE_SIZE);
    shift = size < pt_level_size(2) ? 0 : base % pt_level_size(2);
    at = arch_kernel_reserve(size + shift);
    if (!at)
        return NULL;
    at += shift;
    state = spin_lock(&kernel_lock);
    is_mapped = kernel_map_range((uint64_t)at, base, size, 2, flags | PTE_UXN | PTE_PXN);
    finish_kernel_map();
    spin_unlock(&kernel_lock, state);
    return is_mapped ? at + (address.raw - base) : NULL;
}

volatile void *arch_map_device(paddr_t address, uint64_t size_bytes)
{
    return map_reserved(address, size_bytes, PTE_DEVICE);
}

bool paging_map_identity(uint64_t *root, uint64_t base, uint64_t size_bytes, bool is_device)
{
    bool is_mapped;

    if (!range_is_within(base, size_bytes, USER_LIMIT))
        return false;
    if (*root == 0) {
        paddr_t table = tables_alloc(NULL, 0);
        if (paddr_is_none(table))
            return false;
        *root = table.raw;
    }
    is_mapped = map_range(*root, base, base, size_bytes, 2,
                          PTE_NG | PTE_UXN | (is_device ? PTE_DEVICE | PTE_PXN : PTE_NORMAL));
    finish_kernel_map();
    return is_mapped;
}

void paging_load_identity(uint64_t root)
{
    sysreg_write(ttbr0_el1, image_physical(boot_empty_table));
    isb();
    tlb_flush_asid_local(ASID_SHARED);
    if (root != 0) {
        sysreg_write(ttbr0_el1, root | (uint64_t)ASID_SHARED << TTBR_ASID_SHIFT);
        isb();
    } else {
        paging_load_aspace(arm64_current_cpu()->loaded_aspace);
    }
}

const void *paging_map_firmware(paddr_t address, uint64_t size_bytes)
{
    return map_reserved(address, size_bytes, PTE_NORMAL | PTE_AP_READ_ONLY);
}

bool arch_kernel_map_page(void *at, paddr_t page)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    bool is_mapped =
        map_leaf(kernel_root, (uint64_t)at, page.raw, 1, PTE_NORMAL | PTE_UXN | PTE_PXN);

    finish_kernel_map();
    spin_unlock(&kernel_lock, state);
    return is_mapped;
}

paddr_t arch_kernel_unmap_page(void *at)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    uint64_t *slot = walk_own(kernel_root, (uint64_t)at, 1);
    paddr_t page = PADDR(*slot & PTE_ADDRESS);

    entry_set(slot, 0);
    spin_unlock(&kernel_lock, state);
    tlb_flush_kernel((uint64_t)at, PAGE_SIZE);
    return page;
}

// --- address spaces
// -----------------------------------------------------------------------------------------

static uint64_t user_leaf(paddr_t page, uint32_t options, enum memory_type memory)
{
    return stage1_entry_make(page, options, memory, hypervisor_bypasses_caches());
}

static void user_flush(const struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes,
                       bool has_tables)
{
    tlb_flush_user(aspace->id, addr, size_bytes, has_tables);
}

static void user_prepare(paddr_t page, uint64_t size_bytes, uint32_t options,
                         enum memory_type memory)
{
    if (memory != MEMORY_CACHED)
        return;
    if (options & MX_MAP_COHERENT && hypervisor_bypasses_caches())
        cache_clean_and_invalidate(arch_phys_to_virt(page), size_bytes);
    if (options & MX_MAP_EXECUTE)
        cache_sync_instructions(arch_phys_to_virt(page), size_bytes);
}

static const struct arm64_table_format user_format = {
    .leaf = user_leaf, .prepare = user_prepare, .flush = user_flush};

// The entries of the top table, or tables, of a hierarchy.
static unsigned root_entries(const struct arch_aspace *aspace)
{
    return (unsigned)PT_ENTRIES << aspace->root_order;
}

static unsigned entry_index(const struct arch_aspace *aspace, uint64_t addr, unsigned level)
{
    return level == aspace->top_level ? (unsigned)(addr >> pt_level_shift(level))
                                      : pt_index(addr, level);
}

// No CPU knows a translation of it any more on return.
static void free_identifier(struct arch_aspace *aspace)
{
    if (aspace->is_guest) {
        hypervisor_aspace_destroy(aspace);
        return;
    }
    tlb_flush_asid(aspace->id);
    asid_free(aspace->id);
}

mx_status_t arch_aspace_init(struct arch_aspace *aspace, bool is_guest, struct job *job)
{
    paddr_t root;

    *aspace = (struct arch_aspace){.format = &user_format, .top_level = TOP_LEVEL, .job = job};
    if (is_guest) {
        mx_status_t status = hypervisor_aspace_init(aspace);
        if (status != MX_OK)
            return status;
    } else {
        aspace->id = asid_alloc();
    }
    root = tables_alloc(job, aspace->root_order);
    if (paddr_is_none(root)) {
        free_identifier(aspace);
        return MX_ERR_NO_MEMORY;
    }
    aspace->root = root.raw;
    return MX_OK;
}

void arch_aspace_destroy(struct arch_aspace *aspace)
{
    uint64_t *root = table_at(aspace->root);
    struct table_list tables = {0};

    free_identifier(aspace);
    for (unsigned i = 0; i < root_entries(aspace); i++) {
        if ((root[i] & PTE_VALID) && !entry_is_leaf(root[i], aspace->top_level))
            collect_tables(root[i], aspace->top_level, &tables);
    }
    table_list_free(&tables, aspace->job);
    phys_free(PADDR(aspace->root), aspace->root_order, PHYS_USE_PAGE_TABLE);
    job_uncharge(aspace->job, PAGE_SIZE << aspace->root_order);
}

// Takes a valid entry out so that another can take its place; on return no CPU uses it.
static void break_entry(struct arch_aspace *aspace, uint64_t *slot, uint64_t addr, unsigned level,
                        struct table_list *tables)
{
    uint64_t old = *slot;
    bool is_leaf = entry_is_leaf(old, level);

    entry_set(slot, 0);
    aspace->format->flush(aspace, align_down(addr, pt_level_size(level)),
                          is_leaf ? PAGE_SIZE : pt_level_size(level), !is_leaf);
    if (!is_leaf)
        collect_tables(old, level, tables);
}

// The slot of `level` for `addr`; tables on the way are made, a block in the way is removed. NULL:
// no memory.
static uint64_t *walk(struct arch_aspace *aspace, uint64_t addr, unsigned level,
                      struct table_list *tables)
{
    uint64_t *table = table_at(aspace->root);

    for (unsigned at = aspace->top_level; at > level; at--) {
        uint64_t *slot = &table[entry_index(aspace, addr, at)];

        if (!(*slot & PTE_VALID) || entry_is_leaf(*slot, at)) {
            paddr_t page = tables_alloc(aspace->job, 0);
            if (paddr_is_none(page))
                return NULL;
            if (*slot & PTE_VALID)
                break_entry(aspace, slot, addr, at, tables);
            entry_set(slot, page.raw | PTE_VALID | PTE_TABLE);
        }
        table = entry_table(*slot);
    }
    return &table[entry_index(aspace, addr, level)];
}

// Whether both say the same but for permissions.
static bool differ_in_access_only(uint64_t old, uint64_t new)
{
    const uint64_t same = PTE_ADDRESS | PTE_VALID | PTE_TABLE | (7 << PTE_ATTRIBUTE_SHIFT);

    return !((old ^ new) & same);
}

static void put_leaf(struct arch_aspace *aspace, uint64_t *slot, uint64_t addr, unsigned level,
                     uint64_t new, struct table_list *tables)
{
    uint64_t old = *slot;

    if ((old & PTE_VALID) && !differ_in_access_only(old, new))
        break_entry(aspace, slot, addr, level, tables);
    entry_set(slot, new);
    // Also if permissions were gained: unlike an absent entry, one that forbids is remembered.
    if ((old & PTE_VALID) && differ_in_access_only(old, new))
        aspace->format->flush(aspace, addr, PAGE_SIZE, false);
    else
        finish_kernel_map();
}

mx_status_t arch_aspace_map(struct arch_aspace *aspace, uint64_t addr, paddr_t page, unsigned order,
                            uint32_t options, enum memory_type memory)
{
    unsigned level = 1 + order / PT_ENTRY_SHIFT;
    struct table_list tables = {0};
    arch_interrupt_state_t state;
    uint64_t *slot, entry;

    aspace->format->prepare(page, PAGE_SIZE << order, options, memory);
    entry = aspace->format->leaf(page, options, memory) | (level == 1 ? PTE_TABLE : 0);
    state = spin_lock(&aspace->lock);
    slot = walk(aspace, addr, level, &tables);
    if (slot)
        put_leaf(aspace, slot, addr, level, entry, &tables);
    spin_unlock(&aspace->lock, state);
    table_list_free(&tables, aspace->job);
    return slot ? MX_OK : MX_ERR_NO_MEMORY;
}

// What an unmapping found.
struct unmapped {
    bool has_leaves, has_tables;
    struct table_list tables;
};

// Clears [start, end) in the table that covers addresses from `base`.
static void unmap_in_table(uint64_t *table, unsigned entry_count, unsigned level, uint64_t base,
                           uint64_t start, uint64_t end, struct unmapped *unmapped)
{
    uint64_t size = pt_level_size(level);

    for (uint64_t i = start > base ? (start - base) / size : 0;
         i < entry_count && base + i * size < end; i++) {
        uint64_t entry = table[i], entry_base = base + i * size;

        if (!(entry & PTE_VALID))
            continue;
        if (entry_is_leaf(entry, level)) {
            entry_set(&table[i], 0);
            unmapped->has_leaves = true;
        } else if (start <= entry_base && end - entry_base >= size) {
            entry_set(&table[i], 0);
            collect_tables(entry, level, &unmapped->tables);
            unmapped->has_tables = true;
        } else {
            unmap_in_table(entry_table(entry), PT_ENTRIES, level - 1, entry_base, start, end,
                           unmapped);
        }
    }
}

// In steps, since interrupts are disabled during each.
void arch_aspace_unmap(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    uint64_t step = pt_level_size(3), end = addr + size_bytes;
    struct unmapped unmapped = {0};

    for (uint64_t at = addr, next; at < end; at = next) {
        next = align_down(at, step) + step;
        if (next > end)
            next = end;
        arch_interrupt_state_t state = spin_lock(&aspace->lock);
        unmap_in_table(table_at(aspace->root), root_entries(aspace), aspace->top_level, 0, at, next,
                       &unmapped);
        spin_unlock(&aspace->lock, state);
    }
    if (unmapped.has_leaves || unmapped.has_tables)
        aspace->format->flush(aspace, addr, size_bytes, unmapped.has_tables);
    table_list_free(&unmapped.tables, aspace->job);
}

void paging_load_aspace(struct arch_aspace *aspace)
{
    uint64_t empty = image_physical(boot_empty_table);

    if (aspace && aspace->id == ASID_SHARED) {
        sysreg_write(ttbr0_el1, empty);
        isb();
        tlb_flush_asid_local(ASID_SHARED);
    }
    sysreg_write(ttbr0_el1,
                 aspace ? aspace->root | (uint64_t)aspace->id << TTBR_ASID_SHIFT : empty);
    isb();
    arm64_current_cpu()->loaded_aspace = aspace;
}
