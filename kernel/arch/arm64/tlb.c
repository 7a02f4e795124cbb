// TLB maintenance; see tlb.h.
#include "kernel/arch/arm64/tlb.h"

#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/regs/paging.h"

#define TLBI(operation, argument) \
    __asm__ volatile("tlbi " operation ", %0" : : "r"((uint64_t)(argument)) : "memory")

static uint64_t page_argument(uint32_t asid, uint64_t addr)
{
    return (uint64_t)asid << TTBR_ASID_SHIFT | (addr >> MX_PAGE_SHIFT & (((uint64_t)1 << 44) - 1));
}

static bool is_large(uint64_t size_bytes)
{
    return size_bytes > TLB_FLUSH_PAGES_MAX * MX_PAGE_SIZE;
}

static void finish(void)
{
    dsb_ish();
    isb();
}

static void invalidate_user(uint32_t asid, uint64_t addr, uint64_t size_bytes, bool has_tables)
{
    if (is_large(size_bytes)) {
        TLBI("aside1is", (uint64_t)asid << TTBR_ASID_SHIFT);
        return;
    }
    for (uint64_t offset = 0; offset < size_bytes; offset += MX_PAGE_SIZE) {
        if (has_tables)
            TLBI("vae1is", page_argument(asid, addr + offset));
        else
            TLBI("vale1is", page_argument(asid, addr + offset));
    }
}

void tlb_flush_user(uint32_t asid, uint64_t addr, uint64_t size_bytes, bool has_tables)
{
    dsb_ishst(); // the tables, before the walks that begin from now on
    invalidate_user(asid, addr, size_bytes, has_tables);
    if (cpu_has_erratum(ERRATUM_TLBI_TWICE)) {
        dsb_ish();
        invalidate_user(asid, addr, size_bytes, has_tables);
    }
    finish();
}

void tlb_flush_asid(uint32_t asid)
{
    tlb_flush_user(asid, 0, UINT64_MAX, true);
}

static void invalidate_kernel(uint64_t addr, uint64_t size_bytes)
{
    if (is_large(size_bytes)) {
        __asm__ volatile("tlbi vmalle1is" : : : "memory");
        return;
    }
    for (uint64_t offset = 0; offset < size_bytes; offset += MX_PAGE_SIZE)
        TLBI("vaae1is", page_argument(0, addr + offset));
}

void tlb_flush_kernel(uint64_t addr, uint64_t size_bytes)
{
    dsb_ishst();
    invalidate_kernel(addr, size_bytes);
    if (cpu_has_erratum(ERRATUM_TLBI_TWICE)) {
        dsb_ish();
        invalidate_kernel(addr, size_bytes);
    }
    finish();
}

void tlb_flush_asid_local(uint32_t asid)
{
    __asm__ volatile("dsb nshst" : : : "memory");
    TLBI("aside1", (uint64_t)asid << TTBR_ASID_SHIFT);
    __asm__ volatile("dsb nsh\n\tisb" : : : "memory");
}

void tlb_flush_all_local(void)
{
    __asm__ volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}
