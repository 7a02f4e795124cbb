// See stage2.h. Arm ARM DDI 0487J.a, D8.2.3 "Stage 2 translation", D8.5.5 "Stage 2 memory
// attributes", D8.14 "TLB maintenance".
#include "kernel/arch/arm64/hypervisor/stage2.h"

#include <arch/hypervisor_cpu.h>

#include <machina/objects.h>

#include "kernel/arch/arm64/cache.h"
#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/hypervisor/hypervisor_features.h"
#include "kernel/arch/arm64/portable/page_entry.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "kernel/core/thread.h"

#define VMID_COUNT          65536u
#define ROOT_LEVEL          3u
#define FLUSH_PAGES_MAX     32
#define TLB_MAINTENANCE_HCR (HCR_E2H | HCR_RW | HCR_VM)

static struct spinlock vmid_lock;                  // the two below
static uint64_t vmids_used[VMID_COUNT / 64] = {1}; // 0 is nobody's
static uint32_t vmid_next = 1;

// --- identifiers
// ----------------------------------------------------------------------------------

static uint32_t vmid_limit(void)
{
    return hypervisor_features.has_vmid16 ? VMID_COUNT : 256;
}

// 0: all are used.
static uint32_t vmid_alloc(void)
{
    arch_interrupt_state_t state = spin_lock(&vmid_lock);
    uint32_t limit = vmid_limit(), found = 0;

    for (uint32_t i = 0; i < limit && !found; i++) {
        uint32_t vmid = (vmid_next + i) % limit;
        if (!(vmids_used[vmid / 64] >> vmid % 64 & 1))
            found = vmid;
    }
    if (found) {
        vmids_used[found / 64] |= (uint64_t)1 << found % 64;
        vmid_next = found + 1;
    }
    spin_unlock(&vmid_lock, state);
    return found;
}

static void vmid_free(uint32_t vmid)
{
    arch_interrupt_state_t state = spin_lock(&vmid_lock);

    vmids_used[vmid / 64] &= ~((uint64_t)1 << vmid % 64);
    spin_unlock(&vmid_lock, state);
}

// --- registers
// ------------------------------------------------------------------------------------

uint64_t stage2_vtcr(void)
{
    uint64_t vtcr = VTCR_RES1 | VTCR_SL0_LEVEL1 | VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_INNER;

    vtcr |= VTCR_T0SZ(hypervisor_features.address_bits);
    vtcr |= (uint64_t)hypervisor_features.host_range << VTCR_PS_SHIFT;
    return hypervisor_features.has_vmid16 ? vtcr | VTCR_VS_16 : vtcr;
}

uint64_t stage2_vttbr(const struct arch_aspace *aspace)
{
    return aspace->root | (uint64_t)aspace->id << VTTBR_VMID_SHIFT;
}

// TLB maintenance of EL1 means the guest in VTTBR_EL2 only without TGE.
struct guest_view {
    arch_interrupt_state_t interrupts;
    uint64_t hcr, vttbr;
    uint64_t sctlr, tcr; // ERRATUM_SPECULATIVE_AT
};

// The registers of EL1 may be those of another guest: no walk may begin from them.
static void stop_walks(struct guest_view *view)
{
    view->sctlr = sysreg_read(SCTLR_EL12);
    view->tcr = sysreg_read(TCR_EL12);
    sysreg_write(TCR_EL12, view->tcr | TCR_EPD0 | TCR_EPD1);
    isb(); // before translation may be turned on by the next
    sysreg_write(SCTLR_EL12, view->sctlr | SCTLR_M);
    isb(); // before HCR_EL2.TGE is cleared
}

static void allow_walks(const struct guest_view *view)
{
    sysreg_write(SCTLR_EL12, view->sctlr);
    isb();
    sysreg_write(TCR_EL12, view->tcr);
}

static struct guest_view guest_view_enter(uint64_t vttbr)
{
    struct guest_view view = {.interrupts = arch_interrupts_save(),
                              .hcr = sysreg_read(hcr_el2),
                              .vttbr = sysreg_read(vttbr_el2)};

    if (cpu_has_erratum(ERRATUM_SPECULATIVE_AT))
        stop_walks(&view);
    sysreg_write(vttbr_el2, vttbr);
    sysreg_write(hcr_el2, TLB_MAINTENANCE_HCR);
    isb();
    return view;
}

static void guest_view_leave(struct guest_view view)
{
    sysreg_write(hcr_el2, view.hcr);
    isb(); // before the registers of EL1 and the tables of the guest no longer go together
    sysreg_write(vttbr_el2, view.vttbr);
    if (cpu_has_erratum(ERRATUM_SPECULATIVE_AT))
        allow_walks(&view);
    isb();
    arch_interrupts_restore(view.interrupts);
}

void stage2_flush_local(void)
{
    struct guest_view view = guest_view_enter(sysreg_read(vttbr_el2));

    __asm__ volatile("tlbi vmalle1\n\tic iallu\n\tdsb nsh" : : : "memory");
    guest_view_leave(view);
}

static void invalidate_pages(uint64_t addr, uint64_t size_bytes)
{
    for (uint64_t offset = 0; offset < size_bytes; offset += MX_PAGE_SIZE)
        __asm__ volatile("tlbi ipas2e1is, %0" : : "r"((addr + offset) >> MX_PAGE_SHIFT) : "memory");
    // What the TLBs know of both stages together is by virtual address.
    __asm__ volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish" : : : "memory");
}

static void invalidate_all(void)
{
    __asm__ volatile("tlbi vmalls12e1is\n\tdsb ish" : : : "memory");
}

static void guest_flush(const struct arch_aspace *aspace, uint64_t addr, uint64_t size_bytes,
                        bool has_tables)
{
    struct guest_view view;
    bool is_large = has_tables || size_bytes > FLUSH_PAGES_MAX * MX_PAGE_SIZE;

    dsb_ishst(); // the tables, before the walks that begin from now on
    view = guest_view_enter(stage2_vttbr(aspace));
    for (unsigned i = 0; i < (cpu_has_erratum(ERRATUM_TLBI_TWICE) ? 2 : 1); i++) {
        if (is_large)
            invalidate_all();
        else
            invalidate_pages(addr, size_bytes);
    }
    guest_view_leave(view);
}

// --- entries
// --------------------------------------------------------------------------------------

static uint64_t guest_leaf(paddr_t page, uint32_t options, enum memory_type memory)
{
    return stage2_entry_make(page, options, memory, hypervisor_features.has_fwb);
}

// Before the guest sees it: what others wrote is in memory and known to instruction fetches.
static void guest_prepare(paddr_t page, uint64_t size_bytes, uint32_t options,
                          enum memory_type memory)
{
    if (memory != MEMORY_CACHED)
        return;
    if (!hypervisor_features.has_fwb)
        cache_clean_and_invalidate(arch_phys_to_virt(page), size_bytes);
    if (options & MX_MAP_EXECUTE)
        cache_forget_instructions();
}

static const struct arm64_table_format guest_format = {
    .leaf = guest_leaf, .flush = guest_flush, .prepare = guest_prepare};

mx_status_t hypervisor_aspace_init(struct arch_aspace *aspace)
{
    unsigned root_bits = hypervisor_features.address_bits - pt_level_shift(ROOT_LEVEL);

    if (!hypervisor_features.is_usable)
        return MX_ERR_NOT_SUPPORTED;
    aspace->format = &guest_format;
    aspace->is_guest = true;
    aspace->top_level = ROOT_LEVEL;
    aspace->root_order = root_bits > PT_ENTRY_SHIFT ? root_bits - PT_ENTRY_SHIFT : 0;
    aspace->id = vmid_alloc();
    return aspace->id ? MX_OK : MX_ERR_NO_RESOURCES;
}

void hypervisor_aspace_destroy(struct arch_aspace *aspace)
{
    if (aspace->root) // it came to have translations
        guest_flush(aspace, 0, UINT64_MAX, true);
    vmid_free(aspace->id);
}

uint64_t hypervisor_aspace_limit(void)
{
    return (uint64_t)1 << (hypervisor_features.is_usable ? hypervisor_features.address_bits
                                                         : STAGE2_ADDRESS_BITS_MAX);
}

bool hypervisor_bypasses_caches(void)
{
    return hypervisor_features.is_usable && !hypervisor_features.has_fwb;
}

// --- set and way
// ----------------------------------------------------------------------------------

static void clean_table(const uint64_t *table, unsigned count, unsigned level)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t entry = table[i];
        bool is_leaf = level == 1 || !(entry & PTE_TABLE);
        if (!(entry & PTE_VALID))
            continue;
        if (!is_leaf)
            clean_table(arch_phys_to_virt(PADDR(entry & PTE_ADDRESS)), PT_ENTRIES, level - 1);
        else if ((entry & S2_NORMAL_WB) == S2_NORMAL_WB)
            cache_clean_and_invalidate(arch_phys_to_virt(PADDR(entry & PTE_ADDRESS)),
                                       pt_level_size(level));
    }
}

// At most 2 MiB, since interrupts are disabled meanwhile.
static void clean_large_page(struct arch_aspace *aspace, uint64_t addr)
{
    arch_interrupt_state_t state = spin_lock(&aspace->lock);
    const uint64_t *root = arch_phys_to_virt(PADDR(aspace->root));
    uint64_t entry = root[addr >> pt_level_shift(ROOT_LEVEL)], page = entry & PTE_ADDRESS;

    if ((entry & PTE_VALID) && (entry & PTE_TABLE))
        clean_table((const uint64_t *)arch_phys_to_virt(PADDR(page)) + pt_index(addr, 2), 1, 2);
    else if (entry & PTE_VALID)
        cache_clean_and_invalidate(arch_phys_to_virt(PADDR(page + addr % pt_level_size(3))),
                                   pt_level_size(2));
    spin_unlock(&aspace->lock, state);
}

void stage2_clean(struct arch_aspace *aspace)
{
    const uint64_t *root = arch_phys_to_virt(PADDR(aspace->root));
    uint64_t step;

    if (hypervisor_features.has_fwb)
        return;
    for (uint64_t addr = 0; addr < hypervisor_aspace_limit(); addr += step) {
        bool is_empty = !(root[addr >> pt_level_shift(ROOT_LEVEL)] & PTE_VALID);

        step = pt_level_size(is_empty ? 3 : 2);
        if (thread_is_killed(thread_current()))
            return;
        if (!is_empty)
            clean_large_page(aspace, addr);
    }
}
