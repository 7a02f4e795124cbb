// Guest-physical ranges: what lies inside one region is reachable, nothing else is.
#include "tests/test.h"
#include "vmm/memory/guest_memory.h"

static uint8_t low[0x1000];
static uint8_t high[0x1000];

#define HIGH_START UINT64_C(0x100000000)

static struct guest_memory two_regions(void)
{
    struct guest_memory memory = {0};
    EXPECT_OK(guest_memory_add_region(&memory, 0x1000, sizeof(low), low));
    EXPECT_OK(guest_memory_add_region(&memory, HIGH_START, sizeof(high), high));
    return memory;
}

TEST(a_range_inside_a_region_is_mapped)
{
    struct guest_memory memory = two_regions();
    EXPECT_EQ((uintptr_t)guest_memory_map(&memory, 0x1000, 0x1000), (uintptr_t)low);
    EXPECT_EQ((uintptr_t)guest_memory_map(&memory, 0x1fff, 1), (uintptr_t)low + 0xfff);
    EXPECT_EQ((uintptr_t)guest_memory_map(&memory, HIGH_START + 8, 8), (uintptr_t)high + 8);
}

TEST(a_range_that_leaves_its_region_is_not_mapped)
{
    struct guest_memory memory = two_regions();
    EXPECT_FALSE(guest_memory_contains(&memory, 0xfff, 1));
    EXPECT_FALSE(guest_memory_contains(&memory, 0xfff, 2));
    EXPECT_FALSE(guest_memory_contains(&memory, 0x1fff, 2));
    EXPECT_FALSE(guest_memory_contains(&memory, 0x1000, 0x1001));
    EXPECT_FALSE(guest_memory_contains(&memory, 0x2001, 0));
}

TEST(a_range_that_wraps_is_not_mapped)
{
    struct guest_memory memory = two_regions();
    EXPECT_FALSE(guest_memory_contains(&memory, 0x1800, UINT64_MAX));
    EXPECT_FALSE(guest_memory_contains(&memory, 0x1800, UINT64_MAX - 0x17ff));
    EXPECT_FALSE(guest_memory_contains(&memory, UINT64_MAX, 2));
}

TEST(a_range_over_two_adjacent_regions_is_not_mapped)
{
    struct guest_memory memory = {0};
    EXPECT_OK(guest_memory_add_region(&memory, 0, sizeof(low), low));
    EXPECT_OK(guest_memory_add_region(&memory, sizeof(low), sizeof(high), high));
    EXPECT_FALSE(guest_memory_contains(&memory, 0xffc, 8));
    EXPECT_EQ((uintptr_t)guest_memory_map(&memory, 0x1000, 4), (uintptr_t)high);
}

TEST(bad_regions_are_refused)
{
    struct guest_memory memory = two_regions();
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_memory_add_region(&memory, 0x9000, 0, low));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_memory_add_region(&memory, 0x9000, 8, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_memory_add_region(&memory, UINT64_MAX, 2, low));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, guest_memory_add_region(&memory, 0x1fff, 1, high));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, guest_memory_add_region(&memory, 0, 0x1001, high));
    EXPECT_EQ(memory.region_count, 2);
}

TEST(the_table_of_regions_is_bounded)
{
    struct guest_memory memory = {0};
    for (uint64_t i = 0; i < GUEST_MEMORY_REGION_MAX; i++)
        EXPECT_OK(guest_memory_add_region(&memory, i * 0x1000, 0x1000, low));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, guest_memory_add_region(&memory, 0x100000, 0x1000, low));
}

TEST(copies_are_whole_or_not_at_all)
{
    struct guest_memory memory = two_regions();
    uint8_t buffer[4] = {1, 2, 3, 4};
    EXPECT_OK(guest_memory_write(&memory, 0x1ffc, buffer, 4));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, guest_memory_write(&memory, 0x1ffd, buffer, 4));
    EXPECT_EQ(low[0xffd], 2);
    memset(buffer, 0, 4);
    EXPECT_OK(guest_memory_read(&memory, 0x1ffc, buffer, 4));
    EXPECT_EQ(buffer[3], 4);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, guest_memory_read(&memory, 0x2ffc, buffer, 4));
    EXPECT_OK(guest_memory_zero(&memory, 0x1ffd, 2));
    EXPECT_EQ(low[0xffd], 0);
    EXPECT_EQ(low[0xfff], 4);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, guest_memory_zero(&memory, 0x1ffd, 8));
    EXPECT_EQ(low[0xfff], 4);
}
