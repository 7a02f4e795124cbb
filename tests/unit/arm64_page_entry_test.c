// Descriptors of arm64's pages: memory types as MAIR_EL1 and stage 2 have them.
#include "kernel/arch/arm64/portable/page_entry.h"

#include <machina/objects.h>

#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/paging.h"
#include "tests/test.h"

#define RW            (MX_MAP_READ | MX_MAP_WRITE)
#define MAIR_CACHED   0xffu // write-back, allocating
#define MAIR_NGNRE    0x04u
#define MAIR_UNCACHED 0x44u // normal memory, non-cacheable

static unsigned mair_type(uint32_t options, enum memory_type memory, bool is_past_caches)
{
    uint64_t entry = stage1_entry_make(PADDR(0x1000), options, memory, is_past_caches);
    uint64_t mair = MAIR_LOW | MAIR_HIGH << 16;

    return (unsigned)(mair >> 8 * (entry >> PTE_ATTRIBUTE_SHIFT & 7) & 0xff);
}

TEST(stage_1_memory_types_are_those_of_mair)
{
    EXPECT_EQ(mair_type(RW, MEMORY_CACHED, false), MAIR_CACHED);
    EXPECT_EQ(mair_type(RW, MEMORY_CACHED, true), MAIR_CACHED);
    EXPECT_EQ(mair_type(RW, MEMORY_DEVICE, false), MAIR_NGNRE);
    EXPECT_EQ(mair_type(RW, MEMORY_COMBINED, false), MAIR_UNCACHED);
}

TEST(coherent_mappings_go_past_the_caches_where_guests_may)
{
    EXPECT_EQ(mair_type(RW | MX_MAP_COHERENT, MEMORY_CACHED, false), MAIR_CACHED);
    EXPECT_EQ(mair_type(RW | MX_MAP_COHERENT, MEMORY_CACHED, true), MAIR_UNCACHED);
    EXPECT_EQ(mair_type(RW | MX_MAP_COHERENT, MEMORY_DEVICE, true), MAIR_NGNRE);
}

TEST(stage_1_permissions_are_those_asked_for)
{
    const uint64_t always = PTE_VALID | PTE_AF | PTE_SH_INNER | PTE_NG | PTE_AP_USER | PTE_PXN;

    EXPECT_EQ(stage1_entry_make(PADDR(0x5000), MX_MAP_READ, MEMORY_CACHED, false),
              0x5000 | always | PTE_NORMAL | PTE_AP_READ_ONLY | PTE_UXN);
    EXPECT_EQ(stage1_entry_make(PADDR(0x5000), RW, MEMORY_DEVICE, false),
              0x5000 | always | PTE_DEVICE | PTE_UXN);
    EXPECT_EQ(stage1_entry_make(PADDR(0x5000), MX_MAP_READ | MX_MAP_EXECUTE, MEMORY_CACHED, false),
              0x5000 | always | PTE_NORMAL | PTE_AP_READ_ONLY);
}

static uint64_t stage2_type(uint32_t options, enum memory_type memory, bool has_fwb)
{
    return stage2_entry_make(PADDR(0x1000), options, memory, has_fwb) & (uint64_t)0xf << 2;
}

TEST(stage_2_memory_types_are_as_wide_as_the_memory_allows)
{
    EXPECT_EQ(stage2_type(RW, MEMORY_CACHED, false), S2_NORMAL_WB);
    EXPECT_EQ(stage2_type(RW, MEMORY_CACHED, true), S2_NORMAL_FWB);
    EXPECT_EQ(stage2_type(RW | MX_MAP_COHERENT, MEMORY_CACHED, false), S2_UNCACHED);
    EXPECT_EQ(stage2_type(RW | MX_MAP_COHERENT, MEMORY_CACHED, true), S2_NORMAL_FWB);
    for (int has_fwb = 0; has_fwb < 2; has_fwb++) {
        EXPECT_EQ(stage2_type(RW, MEMORY_DEVICE, has_fwb), S2_DEVICE_NGNRE);
        EXPECT_EQ(stage2_type(RW, MEMORY_COMBINED, has_fwb), S2_UNCACHED);
    }
}

TEST(guests_fetch_from_ram_only)
{
    const uint32_t all = RW | MX_MAP_EXECUTE;

    EXPECT_EQ(stage2_entry_make(PADDR(0x1000), all, MEMORY_CACHED, true) & S2_NO_EXECUTE, 0u);
    EXPECT_EQ(stage2_entry_make(PADDR(0x1000), all, MEMORY_DEVICE, true) & S2_NO_EXECUTE,
              S2_NO_EXECUTE);
    EXPECT_EQ(stage2_entry_make(PADDR(0x1000), all, MEMORY_COMBINED, true) & S2_NO_EXECUTE,
              S2_NO_EXECUTE);
}
