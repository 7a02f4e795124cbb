// Descriptors of pages and blocks; see page_entry.h.
#include "kernel/arch/arm64/portable/page_entry.h"

#include <machina/objects.h>

#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/paging.h"

static uint64_t stage1_memory(enum memory_type memory, bool is_uncached)
{
    switch (memory) {
    case MEMORY_CACHED:
        return is_uncached ? PTE_UNCACHED : PTE_NORMAL;
    case MEMORY_DEVICE:
        return PTE_DEVICE;
    case MEMORY_COMBINED:
        return PTE_UNCACHED;
    }
    return PTE_DEVICE;
}

uint64_t stage1_entry_make(paddr_t page, uint32_t options, enum memory_type memory,
                           bool is_past_caches)
{
    uint64_t entry = page.raw | PTE_VALID | PTE_AF | PTE_SH_INNER | PTE_NG | PTE_AP_USER | PTE_PXN;

    entry |= options & MX_MAP_WRITE ? 0 : PTE_AP_READ_ONLY;
    entry |= options & MX_MAP_EXECUTE ? 0 : PTE_UXN;
    return entry | stage1_memory(memory, options & MX_MAP_COHERENT && is_past_caches);
}

static uint64_t stage2_memory(enum memory_type memory, bool is_coherent, bool has_fwb)
{
    switch (memory) {
    case MEMORY_CACHED:
        if (has_fwb)
            return S2_NORMAL_FWB;
        return is_coherent ? S2_UNCACHED : S2_NORMAL_WB;
    case MEMORY_DEVICE:
        return S2_DEVICE_NGNRE;
    case MEMORY_COMBINED:
        return S2_UNCACHED;
    }
    return S2_DEVICE_NGNRE;
}

uint64_t stage2_entry_make(paddr_t page, uint32_t options, enum memory_type memory, bool has_fwb)
{
    uint64_t entry = page.raw | PTE_VALID | PTE_AF | PTE_SH_INNER;

    entry |= options & MX_MAP_READ ? S2_READ : 0;
    entry |= options & MX_MAP_WRITE ? S2_WRITE : 0;
    // No fetches from where reading may do something.
    entry |= options & MX_MAP_EXECUTE && memory == MEMORY_CACHED ? 0 : S2_NO_EXECUTE;
    return entry | stage2_memory(memory, (options & MX_MAP_COHERENT) != 0, has_fwb);
}
