// Page-table entries of x86-64: what the CPU makes of them, by the page-attribute table that the
// kernel sets.
#include "kernel/arch/x86_64/portable/page_entry.h"

#include <machina/objects.h>

#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "tests/test.h"

#define RW (MX_MAP_READ | MX_MAP_WRITE)

// PWT and PCD are the lower bits of the index; bit 7 of a page's entry, and bit 12 of a large
// page's, the third.
static unsigned pat_type(uint64_t entry, unsigned level)
{
    unsigned index = (unsigned)(entry >> 3 & 3) | (unsigned)(entry >> (level == 1 ? 7 : 12) & 1)
                                                      << 2;

    return (unsigned)(PAT_VALUE >> 8 * index & 0xff);
}

TEST(memory_types_are_those_of_the_page_attribute_table)
{
    for (unsigned level = 1; level <= 3; level++) {
        uint64_t cached = page_entry_make(PADDR(0xc0000000), level, RW, MEMORY_CACHED, true),
                 device = page_entry_make(PADDR(0xc0000000), level, RW, MEMORY_DEVICE, true),
                 combined = page_entry_make(PADDR(0xc0000000), level, RW, MEMORY_COMBINED, true);

        EXPECT_EQ(pat_type(cached, level), PAT_TYPE_WRITEBACK);
        EXPECT_EQ(pat_type(device, level), PAT_TYPE_UNCACHED);
        EXPECT_EQ(pat_type(combined, level), PAT_TYPE_COMBINING);
        EXPECT_EQ(combined & PTE_ADDRESS, 0xc0000000u);
        EXPECT_EQ((combined & PTE_PS) != 0, level > 1);
    }
}

// What a CPU had mapped before it gets the table keeps its type.
TEST(the_page_attribute_table_differs_from_a_reset_in_one_place)
{
    EXPECT_EQ(PAT_VALUE ^ 0x0007040600070406u, 0x500u);
}

TEST(permissions_are_those_asked_for)
{
    EXPECT_EQ(page_entry_make(PADDR(0x1000), 1, MX_MAP_READ, MEMORY_CACHED, true),
              0x1000 | PTE_P | PTE_U | PTE_A | PTE_NX);
    EXPECT_EQ(page_entry_make(PADDR(0x1000), 1, RW, MEMORY_CACHED, false),
              0x1000 | PTE_P | PTE_U | PTE_A | PTE_W | PTE_D);
    EXPECT_EQ(
        page_entry_make(PADDR(0x200000), 2, MX_MAP_READ | MX_MAP_EXECUTE, MEMORY_CACHED, true),
        0x200000 | PTE_P | PTE_U | PTE_A | PTE_PS);
}
