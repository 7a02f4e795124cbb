// Page tables of the kernel, of user programs and of guests (AMD64 Architecture Programmer's Manual
// Volume 2, "Page Translation and Protection"; "Nested Paging": the same format, with U set
// everywhere).
//
// The kernel's half is the same in every top table: all of its entries exist from start-up on, so
// they are copied when an address space is made and never change. Tables removed from a hierarchy
// are freed only after no CPU can walk them.
#include "kernel/arch/x86_64/paging.h"

#include <string.h>

#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/image.h"
#include "kernel/arch/x86_64/portable/page_entry.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/core/spinlock.h"
#include "kernel/core/thread.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"
#include "kernel/object/process.h"

#define TOP_LEVEL              4
#define KERNEL_HALF_INDEX      256
#define RESERVE_SIZE           pt_level_size(TOP_LEVEL)
#define PHYSICAL_ADDRESS_LIMIT (PTE_ADDRESS + PAGE_SIZE)
#define GUEST_ADDRESS_BITS_MAX 48

uint64_t kernel_root;

static struct spinlock kernel_lock; // tables and reserve of the kernel's half
static uint64_t reserve_next = RESERVE_BASE;
static bool is_early = true;

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
    uint32_t bits = cpuid_physical_address_bits();

    return (uint64_t)1 << (bits < GUEST_ADDRESS_BITS_MAX ? bits : GUEST_ADDRESS_BITS_MAX);
}

// --- tables
// -----------------------------------------------------------------------------------------

static uint64_t *entry_table(uint64_t entry)
{
    return arch_phys_to_virt(PADDR(entry & PTE_ADDRESS));
}

static bool entry_is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & PTE_PS);
}

// In one access, as other CPUs walk the table.
static void entry_set(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

static paddr_t table_alloc(struct job *job)
{
    paddr_t page;

    if (is_early)
        return boot_memory_alloc_page(BOOT_MAPPED_BYTES);
    if (job_charge(job, PAGE_SIZE) != MX_OK)
        return PADDR_NONE;
    page = phys_alloc_zeroed(0, PHYS_USE_PAGE_TABLE);
    if (paddr_is_none(page))
        job_uncharge(job, PAGE_SIZE);
    return page;
}

// Tables taken out of a hierarchy, linked through their first entries: an address without the P
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
        list->first = *(uint64_t *)arch_phys_to_virt(table);
        phys_free(table, 0, PHYS_USE_PAGE_TABLE);
        job_uncharge(job, PAGE_SIZE);
    }
}

// The table that `entry` of `level` points to, and all below it.
static void collect_tables(uint64_t entry, unsigned level, struct table_list *list)
{
    uint64_t *table = entry_table(entry);

    for (unsigned i = 0; level > 2 && i < PT_ENTRIES; i++) {
        if ((table[i] & PTE_P) && !entry_is_leaf(table[i], level - 1))
            collect_tables(table[i], level - 1, list);
    }
    table_list_add(list, entry);
}

// The slot of `level` for `addr`; tables on the way are made. A large page in the way is removed,
// and *removed_leaf set. NULL: no memory.
static uint64_t *walk(uint64_t root, uint64_t addr, unsigned level, uint64_t table_flags,
                      struct job *job, bool *removed_leaf)
{
    uint64_t *table = arch_phys_to_virt(PADDR(root));

    for (unsigned at = TOP_LEVEL; at > level; at--) {
        uint64_t *slot = &table[pt_index(addr, at)];

        if (!(*slot & PTE_P) || entry_is_leaf(*slot, at)) {
            paddr_t page = table_alloc(job);
            if (paddr_is_none(page))
                return NULL;
            *removed_leaf |= (*slot & PTE_P) != 0;
            entry_set(slot, page.raw | table_flags);
        }
        table = entry_table(*slot);
    }
    return &table[pt_index(addr, level)];
}

// The leaf or empty slot that translates `addr`, which may be of a higher level than 1.
static uint64_t *find(uint64_t root, uint64_t addr)
{
    uint64_t *table = arch_phys_to_virt(PADDR(root));

    for (unsigned level = TOP_LEVEL;; level--) {
        uint64_t *slot = &table[pt_index(addr, level)];
        if (!(*slot & PTE_P) || entry_is_leaf(*slot, level))
            return slot;
        table = entry_table(*slot);
    }
}

// --- the kernel's half
// --------------------------------------------------------------------------------

static uint64_t no_execute(void)
{
    return cpu_features.has_nx ? PTE_NX : 0;
}

static uint64_t kernel_leaf_flags(void)
{
    return PTE_P | PTE_A | PTE_D | (cpu_features.has_pge ? PTE_G : 0);
}

static bool map_leaf(uint64_t root, uint64_t addr, paddr_t page, unsigned level, uint64_t flags)
{
    bool removed_leaf = false;
    uint64_t *slot = walk(root, addr, level, PTE_P | PTE_W, NULL, &removed_leaf);

    if (!slot)
        return false;
    entry_set(slot, page.raw | flags | (level > 1 ? PTE_PS : 0));
    return true;
}

static bool kernel_map(uint64_t addr, paddr_t page, unsigned level, uint64_t flags)
{
    return map_leaf(kernel_root, addr, page, level, flags | kernel_leaf_flags());
}

// With the largest pages that fit.
static bool map_range(uint64_t root, uint64_t addr, uint64_t phys, uint64_t size_bytes,
                      uint64_t flags)
{
    unsigned level_max = cpu_features.has_page_1gb ? 3 : 2;

    while (size_bytes > 0) {
        unsigned level = level_max;

        while (level > 1 && (!is_aligned(addr | phys, pt_level_size(level)) ||
                             size_bytes < pt_level_size(level)))
            level--;
        if (!map_leaf(root, addr, PADDR(phys), level, flags))
            return false;
        addr += pt_level_size(level);
        phys += pt_level_size(level);
        size_bytes -= pt_level_size(level);
    }
    return true;
}

static bool kernel_map_range(uint64_t addr, uint64_t phys, uint64_t size_bytes, uint64_t flags)
{
    return map_range(kernel_root, addr, phys, size_bytes, flags | kernel_leaf_flags());
}

static bool map_linear(uint64_t base, uint64_t end, uint64_t flags)
{
    return base >= end ||
           kernel_map_range(LINEAR_MAP_BASE + base, base, end - base, flags | no_execute());
}

// All RAM, writable but for the kernel's text and constants.
static bool map_ram(uint64_t base, uint64_t end)
{
    uint64_t constant = (uint64_t)kernel_image_start - KERNEL_IMAGE_BASE;
    uint64_t constant_end = (uint64_t)kernel_data_start - KERNEL_IMAGE_BASE;

    if (constant < base || constant_end > end)
        return map_linear(base, end, PTE_W);
    return map_linear(base, constant, PTE_W) && map_linear(constant, constant_end, 0) &&
           map_linear(constant_end, end, PTE_W);
}

static bool map_image(const char *start, const char *end, uint64_t flags)
{
    uint64_t addr = (uint64_t)start;
    uint64_t size = align_up((uint64_t)end, PAGE_SIZE) - addr;

    return kernel_map_range(addr, addr - KERNEL_IMAGE_BASE, size, flags);
}

// Every top entry of the kernel's half that will ever be used gets its table now.
static bool fill_top_table(void)
{
    bool removed_leaf = false;

    return walk(kernel_root, RESERVE_BASE, TOP_LEVEL - 1, PTE_P | PTE_W, NULL, &removed_leaf) !=
           NULL;
}

bool paging_init(void)
{
    const struct memory_range *ranges;
    size_t count;
    paddr_t root = boot_memory_alloc_page(BOOT_MAPPED_BYTES);

    if (paddr_is_none(root))
        return false;
    kernel_root = root.raw;
    if (!fill_top_table() || !map_image(kernel_image_start, kernel_text_end, 0) ||
        !map_image(kernel_rodata_start, kernel_data_start, no_execute()) ||
        !map_image(kernel_data_start, kernel_image_end, PTE_W | no_execute()))
        return false;
    count = boot_memory_ram(&ranges);
    for (size_t i = 0; i < count; i++) {
        if (!map_ram(ranges[i].base, ranges[i].base + ranges[i].size_bytes))
            return false;
    }
    cr3_write(kernel_root);
    return true;
}

void paging_finish_early(void)
{
    is_early = false;
}

void *arch_kernel_reserve(size_t size_bytes)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    void *reserved = NULL;

    if (size_bytes <= RESERVE_SIZE &&
        range_is_within(reserve_next - RESERVE_BASE, align_up(size_bytes, PAGE_SIZE),
                        RESERVE_SIZE)) {
        reserved = (void *)reserve_next;
        reserve_next += align_up(size_bytes, PAGE_SIZE);
    }
    spin_unlock(&kernel_lock, state);
    return reserved;
}

static void *map_reserved(paddr_t address, uint64_t size_bytes, uint64_t flags)
{
    uint64_t base = align_down(address.raw, PAGE_SIZE);
    uint64_t size = align_up(address.raw - base + size_bytes, PAGE_SIZE);
    arch_interrupt_state_t state;
    bool is_mapped = true;
    char *at;

    if (!range_is_within(address.raw, size_bytes, PHYSICAL_ADDRESS_LIMIT) ||
        size_bytes > RESERVE_SIZE)
        return NULL;
    at = arch_kernel_reserve(size);
    if (!at)
        return NULL;
    state = spin_lock(&kernel_lock);
    for (uint64_t offset = 0; offset < size && is_mapped; offset += PAGE_SIZE)
        is_mapped =
            kernel_map((uint64_t)at + offset, PADDR(base + offset), 1, flags | no_execute());
    spin_unlock(&kernel_lock, state);
    return is_mapped ? at + (address.raw - base) : NULL;
}

volatile void *arch_map_device(paddr_t address, uint64_t size_bytes)
{
    return map_reserved(address, size_bytes, PTE_W | PTE_UNCACHED);
}

bool paging_map_identity(uint64_t *root, uint64_t base, uint64_t size_bytes, bool is_device)
{
    size_t half = KERNEL_HALF_INDEX * sizeof(uint64_t);
    paddr_t table;

    if (!range_is_within(base, size_bytes, USER_LIMIT))
        return false;
    if (*root == 0) {
        table = table_alloc(NULL);
        if (paddr_is_none(table))
            return false;
        memcpy((char *)arch_phys_to_virt(table) + half,
               (char *)arch_phys_to_virt(PADDR(kernel_root)) + half, half);
        *root = table.raw;
    }
    return map_range(*root, base, base, size_bytes,
                     PTE_P | PTE_W | PTE_A | PTE_D | (is_device ? PTE_UNCACHED : PTE_CACHED));
}

const void *paging_map_firmware(paddr_t address, uint64_t size_bytes)
{
    return map_reserved(address, size_bytes, 0);
}

bool arch_kernel_map_page(void *at, paddr_t page)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    bool is_mapped = kernel_map((uint64_t)at, page, 1, PTE_W | no_execute());

    spin_unlock(&kernel_lock, state);
    return is_mapped;
}

paddr_t arch_kernel_unmap_page(void *at)
{
    arch_interrupt_state_t state = spin_lock(&kernel_lock);
    uint64_t *slot = find(kernel_root, (uint64_t)at);
    paddr_t page = PADDR(*slot & PTE_ADDRESS);

    entry_set(slot, 0);
    spin_unlock(&kernel_lock, state);
    tlb_flush_kernel((uint64_t)at, PAGE_SIZE);
    return page;
}

// --- address spaces
// -----------------------------------------------------------------------------------

static bool second_stage_is_available(void)
{
    return cpuid_has(CPUID_SVM) && cpuid_has(CPUID_SVM_NPT);
}

mx_status_t arch_aspace_init(struct arch_aspace *aspace, bool is_guest, struct job *job)
{
    paddr_t root;

    if (is_guest && !second_stage_is_available())
        return MX_ERR_NOT_SUPPORTED;
    root = table_alloc(job);
    if (paddr_is_none(root))
        return MX_ERR_NO_MEMORY;
    *aspace = (struct arch_aspace){.is_guest = is_guest, .root = root.raw, .job = job};
    if (!is_guest) {
        size_t half = KERNEL_HALF_INDEX * sizeof(uint64_t);
        memcpy((char *)arch_phys_to_virt(root) + half,
               (char *)arch_phys_to_virt(PADDR(kernel_root)) + half, half);
    }
    return MX_OK;
}

void arch_aspace_destroy(struct arch_aspace *aspace)
{
    unsigned count = aspace->is_guest ? PT_ENTRIES : KERNEL_HALF_INDEX;
    uint64_t *root = arch_phys_to_virt(PADDR(aspace->root));
    struct table_list tables = {0};

    if (!aspace->is_guest)
        tlb_leave_aspace(aspace);
    for (unsigned i = 0; i < count; i++) {
        if (root[i] & PTE_P)
            collect_tables(root[i], TOP_LEVEL, &tables);
    }
    table_list_add(&tables, aspace->root);
    table_list_free(&tables, aspace->job);
}

// Whether a CPU that remembers the old entry must forget it. One that only gained permissions
// faults once more at worst.
static bool is_stale(uint64_t old, uint64_t new)
{
    const uint64_t same = PTE_ADDRESS | PTE_UNCACHED | PTE_PS | PTE_U;

    if (!(old & PTE_P))
        return false;
    return ((old ^ new) & same) || (old & ~new &PTE_W) || (new & ~old &PTE_NX);
}

mx_status_t arch_aspace_map(struct arch_aspace *aspace, uint64_t addr, paddr_t page, unsigned order,
                            uint32_t options, enum memory_type memory)
{
    unsigned level = 1 + order / PT_ENTRY_SHIFT;
    struct table_list tables = {0};
    arch_interrupt_state_t state;
    bool is_split = false, must_flush = false;
    uint64_t *slot;

    if (level == 3 && !cpu_features.has_page_1gb)
        return MX_ERR_NOT_SUPPORTED;
    state = spin_lock(&aspace->lock);
    slot = walk(aspace->root, addr, level, PTE_P | PTE_W | PTE_U, aspace->job, &is_split);
    if (slot) {
        uint64_t old = *slot,
                 new = page_entry_make(page, level, options, memory, cpu_features.has_nx);

        entry_set(slot, new);
        must_flush = is_stale(old, new);
        if ((old & PTE_P) && !entry_is_leaf(old, level))
            collect_tables(old, level, &tables);
    }
    spin_unlock(&aspace->lock, state);
    if (is_split) // what stood beside the page is gone too
        tlb_flush_aspace(aspace, align_down(addr, pt_level_size(3)), pt_level_size(3));
    else if (must_flush)
        tlb_flush_aspace(aspace, addr, pt_level_size(level));
    table_list_free(&tables, aspace->job);
    return slot ? MX_OK : MX_ERR_NO_MEMORY;
}

// Clears [start, end) in the table that covers addresses from `base`; returns whether anything was
// there.
static bool unmap_in_table(uint64_t *table, unsigned level, uint64_t base, uint64_t start,
                           uint64_t end, struct table_list *tables)
{
    uint64_t size = pt_level_size(level);
    bool was_mapped = false;

    for (uint64_t i = start > base ? (start - base) / size : 0;
         i < PT_ENTRIES && base + i * size < end; i++) {
        uint64_t entry = table[i], entry_base = base + i * size;

        if (!(entry & PTE_P))
            continue;
        if (entry_is_leaf(entry, level)) {
            entry_set(&table[i], 0);
            was_mapped = true;
        } else if (start <= entry_base && end - entry_base >= size) {
            entry_set(&table[i], 0);
            collect_tables(entry, level, tables);
            was_mapped = true;
        } else {
            was_mapped |=
                unmap_in_table(entry_table(entry), level - 1, entry_base, start, end, tables);
        }
    }
    return was_mapped;
}

// In steps, since interrupts are disabled during each.
void arch_aspace_unmap(struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes)
{
    uint64_t *root = arch_phys_to_virt(PADDR(aspace->root));
    uint64_t step = pt_level_size(3), end = addr + size_bytes;
    struct table_list tables = {0};
    bool was_mapped = false;

    for (uint64_t at = addr, next; at < end; at = next) {
        next = align_down(at, step) + step;
        if (next > end)
            next = end;
        arch_interrupt_state_t state = spin_lock(&aspace->lock);
        was_mapped |= unmap_in_table(root, TOP_LEVEL, 0, at, next, &tables);
        spin_unlock(&aspace->lock, state);
    }
    // Of guests the kernel remembers pages that the tables do not show (insn_fetch.c).
    if (was_mapped || aspace->is_guest)
        tlb_flush_aspace(aspace, addr, size_bytes);
    table_list_free(&tables, aspace->job);
}

void paging_load_aspace(struct arch_aspace *aspace)
{
    struct x86_cpu *cpu = x86_current_cpu();
    struct arch_aspace *old = cpu->loaded_aspace;
    uint64_t bit = (uint64_t)1 << cpu->cpu->index;

    // Before the tables are used: pairs with request_flush, which reads the set after it has
    // changed them.
    if (aspace)
        __atomic_or_fetch(&aspace->active_cpus, bit, __ATOMIC_SEQ_CST);
    cr3_write(aspace ? aspace->root : kernel_root);
    cpu->loaded_aspace = aspace;
    if (old)
        __atomic_and_fetch(&old->active_cpus, ~bit, __ATOMIC_SEQ_CST);
}
