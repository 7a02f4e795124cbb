// Cache maintenance; see cache.h.
#include "kernel/arch/arm64/cache.h"

#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/regs/sysreg.h"
#include "kernel/lib/types.h"

static uint64_t line_size(uint64_t ctr, unsigned shift)
{
    return (uint64_t)4 << (ctr >> shift & 0xf);
}

void cache_sync_instructions(const void *at, size_t size_bytes)
{
    uint64_t ctr = sysreg_read(ctr_el0), start = (uint64_t)at, end = start + size_bytes;
    uint64_t line = line_size(ctr, CTR_DMINLINE_SHIFT);

    for (uint64_t a = align_down(start, line); !(ctr >> CTR_IDC_SHIFT & 1) && a < end; a += line)
        __asm__ volatile("dc cvau, %0" : : "r"(a) : "memory");
    dsb_ish();
    line = line_size(ctr, CTR_IMINLINE_SHIFT);
    if (!(ctr >> CTR_DIC_SHIFT & 1) || cpu_has_erratum(ERRATUM_INSTRUCTION_CACHES)) {
        for (uint64_t a = align_down(start, line); a < end; a += line)
            __asm__ volatile("ic ivau, %0" : : "r"(a) : "memory");
        dsb_ish();
    }
    isb();
}

void cache_clean(const void *at, size_t size_bytes)
{
    uint64_t line = line_size(sysreg_read(ctr_el0), CTR_DMINLINE_SHIFT),
             end = (uint64_t)at + size_bytes;

    for (uint64_t a = align_down((uint64_t)at, line); a < end; a += line)
        __asm__ volatile("dc cvac, %0" : : "r"(a) : "memory");
    dsb_sy();
}

void cache_clean_and_invalidate(const void *at, size_t size_bytes)
{
    uint64_t line = line_size(sysreg_read(ctr_el0), CTR_DMINLINE_SHIFT),
             end = (uint64_t)at + size_bytes;

    for (uint64_t a = align_down((uint64_t)at, line); a < end; a += line)
        __asm__ volatile("dc civac, %0" : : "r"(a) : "memory");
    dsb_sy();
}

void cache_forget_instructions(void)
{
    if (!(sysreg_read(ctr_el0) >> CTR_DIC_SHIFT & 1) || cpu_has_erratum(ERRATUM_INSTRUCTION_CACHES))
        __asm__ volatile("ic ialluis" : : : "memory");
    dsb_ish();
    isb();
}
