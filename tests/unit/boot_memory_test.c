// The range arithmetic of start-up. The source is included for its static lists; what it calls is faked below.
#include "kernel/memory/boot_memory.c"

#include "tests/test.h"

#define BOOT_MAPPED_BYTES ((uint64_t)1 << 30)

static struct memory_range handed_out[RANGE_MAX];
static size_t handed_out_count;
static uint8_t pretend_memory[2 * 4096];

void phys_add_range(paddr_t base, uint64_t size_bytes)
{
    handed_out[handed_out_count++] = (struct memory_range){base.raw, size_bytes};
}

void *arch_phys_to_virt(paddr_t address)
{
    return pretend_memory + address.raw % sizeof(pretend_memory);
}

static void start_over(void)
{
    ram.count = free_ram.count = firmware.count = handed_out_count = 0;
}

static void expect_range(struct memory_range range, uint64_t base, uint64_t end)
{
    EXPECT_EQ(range.base, base);
    EXPECT_EQ(range.base + range.size_bytes, end);
}

TEST(ram_is_rounded_inwards_and_sorted)
{
    const struct memory_range *ranges;

    start_over();
    boot_memory_add_ram(0x100000, 0x200000);
    boot_memory_add_ram(0x10, 0x9fbf0);
    boot_memory_add_ram(0x5000, 10);
    ASSERT_EQ(boot_memory_ram(&ranges), 2);
    expect_range(ranges[0], 0x1000, 0x9f000);
    expect_range(ranges[1], 0x100000, 0x300000);
}

TEST(ranges_that_touch_or_overlap_are_one)
{
    const struct memory_range *ranges;

    start_over();
    boot_memory_add_ram(0x1000, 0x1000);
    boot_memory_add_ram(0x3000, 0x1000);
    boot_memory_add_ram(0x2000, 0x1000);
    boot_memory_add_ram(0x2000, 0x5000);
    ASSERT_EQ(boot_memory_ram(&ranges), 1);
    expect_range(ranges[0], 0x1000, 0x7000);
}

TEST(what_lies_in_ram_is_told_from_what_does_not)
{
    start_over();
    boot_memory_add_ram(0x1000, 0x1000);
    boot_memory_add_ram(0x2000, 0x1000);
    boot_memory_add_ram(0x5000, 0x1000);
    boot_memory_reserve(0x2000, 0x1000);
    EXPECT_TRUE(boot_memory_is_ram(0x1000, 0x2000));
    EXPECT_TRUE(boot_memory_is_ram(0x2fff, 1));
    EXPECT_FALSE(boot_memory_is_ram(0x1000, 0x2001));
    EXPECT_FALSE(boot_memory_is_ram(0xfff, 2));
    EXPECT_FALSE(boot_memory_is_ram(0x2000, 0x4000));
    EXPECT_FALSE(boot_memory_is_ram(0x5000, UINT64_MAX));
    EXPECT_FALSE(boot_memory_is_ram(0x4000, 1));
}

TEST(memory_of_any_kind_is_told_from_devices)
{
    start_over();
    boot_memory_add_ram(0x100000, 0x300000);
    boot_memory_reserve(0x200000, 0x1000);
    boot_memory_remove_ram(0x280000, 0x1000);
    boot_memory_leave_to_firmware(0x300800, 0x1000);
    boot_memory_leave_to_firmware(0x800000, 0);
    EXPECT_FALSE(boot_memory_is_ram(0x300000, 1));
    EXPECT_TRUE(boot_memory_touches_memory(0x100000, 1));
    EXPECT_TRUE(boot_memory_touches_memory(0x200000, 0x1000));
    EXPECT_TRUE(boot_memory_touches_memory(0x300000, 0x1000));
    EXPECT_TRUE(boot_memory_touches_memory(0x301fff, 1));
    EXPECT_TRUE(boot_memory_touches_memory(0x3ff000, 0x10000));
    EXPECT_TRUE(boot_memory_touches_memory(0x1000, UINT64_MAX));
    EXPECT_FALSE(boot_memory_touches_memory(0x280000, 0x1000));
    EXPECT_FALSE(boot_memory_touches_memory(0xff000, 0x1000));
    EXPECT_FALSE(boot_memory_touches_memory(0x400000, UINT64_MAX));
    EXPECT_FALSE(boot_memory_touches_memory(0x100000, 0));
    EXPECT_FALSE(boot_memory_touches_memory(0x800000, 0x1000));
    EXPECT_FALSE(boot_memory_touches_memory(PHYSICAL_LIMIT, 0x1000));
}

TEST(reserving_splits_what_is_free_but_not_ram)
{
    const struct memory_range *ranges;

    start_over();
    boot_memory_add_ram(0x10000, 0x10000);
    boot_memory_reserve(0x14800, 0x100);
    boot_memory_finish();
    ASSERT_EQ(boot_memory_ram(&ranges), 1);
    ASSERT_EQ(handed_out_count, 2);
    expect_range(handed_out[0], 0x10000, 0x14000);
    expect_range(handed_out[1], 0x15000, 0x20000);
}

TEST(removing_takes_from_ram_and_free)
{
    const struct memory_range *ranges;

    start_over();
    boot_memory_add_ram(0, 0x10000);
    boot_memory_remove_ram(0xf001, 0x100000);
    boot_memory_finish();
    ASSERT_EQ(boot_memory_ram(&ranges), 1);
    expect_range(ranges[0], 0, 0xf000);
    ASSERT_EQ(handed_out_count, 1);
    expect_range(handed_out[0], 0, 0xf000);
}

TEST(ranges_beyond_the_linear_map_are_cut_and_never_wrap)
{
    const struct memory_range *ranges;

    start_over();
    boot_memory_add_ram(PHYSICAL_LIMIT - 0x1000, UINT64_MAX);
    boot_memory_add_ram(UINT64_MAX - 0x1000, 0x2000);
    ASSERT_EQ(boot_memory_ram(&ranges), 1);
    expect_range(ranges[0], PHYSICAL_LIMIT - 0x1000, PHYSICAL_LIMIT);
}

TEST(more_ranges_than_the_table_holds_are_left_out)
{
    const struct memory_range *ranges;

    start_over();
    for (uint64_t i = 0; i < RANGE_MAX + 20; i++)
        boot_memory_add_ram(i * 0x2000, 0x1000);
    boot_memory_reserve(0x400, 0x10);
    EXPECT_EQ(boot_memory_ram(&ranges), RANGE_MAX);
}

TEST(early_pages_come_from_below_the_mapped_limit_and_are_zero)
{
    start_over();
    boot_memory_add_ram(BOOT_MAPPED_BYTES - 0x2000, 0x10000);
    memset(pretend_memory, 0xff, sizeof(pretend_memory));
    EXPECT_EQ(boot_memory_alloc_page(BOOT_MAPPED_BYTES).raw, BOOT_MAPPED_BYTES - 0x1000);
    EXPECT_EQ(pretend_memory[4096], 0);
    EXPECT_EQ(boot_memory_alloc_page(BOOT_MAPPED_BYTES).raw, BOOT_MAPPED_BYTES - 0x2000);
    EXPECT_TRUE(paddr_is_none(boot_memory_alloc_page(BOOT_MAPPED_BYTES)));
    boot_memory_finish();
    ASSERT_EQ(handed_out_count, 1);
    expect_range(handed_out[0], BOOT_MAPPED_BYTES, BOOT_MAPPED_BYTES + 0xe000);
}
