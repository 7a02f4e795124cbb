// Page-table entries; see page_entry.h.
#include "kernel/arch/x86_64/portable/page_entry.h"

#include <machina/objects.h>

#include "kernel/arch/x86_64/regs/paging.h"

static uint64_t memory_bits(enum memory_type memory)
{
    switch (memory) {
    case MEMORY_CACHED:
        return PTE_CACHED;
    case MEMORY_DEVICE:
        return PTE_UNCACHED;
    case MEMORY_COMBINED:
        return PTE_COMBINED;
    }
    return PTE_UNCACHED;
}

uint64_t page_entry_make(paddr_t page, unsigned level, uint32_t options, enum memory_type memory,
                         bool has_nx)
{
    uint64_t entry = page.raw | PTE_P | PTE_U | PTE_A | memory_bits(memory);

    entry |= options & MX_MAP_WRITE ? PTE_W | PTE_D : 0;
    entry |= options & MX_MAP_EXECUTE || !has_nx ? 0 : PTE_NX;
    entry |= level > 1 ? PTE_PS : 0;
    return entry;
}
