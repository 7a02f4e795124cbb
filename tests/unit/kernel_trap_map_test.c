// Trap maps: look-up, order, overlap, bounds.
#include "kernel/hypervisor/trap_map.h"

#include <stdlib.h>

#include "tests/test.h"

static struct trap_map map;

static struct trap make(uint64_t base, uint64_t size_bytes)
{
    return (struct trap){.kind = MX_TRAP_MEM, .base = base, .size_bytes = size_bytes};
}

TEST(trap_map_finds_the_trap_an_address_lies_in)
{
    struct trap high = make(0x3000, 0x10), low = make(0x1000, 0x1000);

    memset(&map, 0, sizeof(map));
    ASSERT_OK(trap_map_insert(&map, &high));
    ASSERT_OK(trap_map_insert(&map, &low));
    EXPECT_TRUE(trap_map_find(&map, 0xfff) == NULL);
    EXPECT_TRUE(trap_map_find(&map, 0x1000) == &low);
    EXPECT_TRUE(trap_map_find(&map, 0x1fff) == &low);
    EXPECT_TRUE(trap_map_find(&map, 0x2000) == NULL);
    EXPECT_TRUE(trap_map_find(&map, 0x300f) == &high);
    EXPECT_TRUE(trap_map_find(&map, 0x3010) == NULL);
    EXPECT_TRUE(trap_map_find(&map, UINT64_MAX) == NULL);
}

TEST(trap_map_refuses_every_overlap)
{
    struct trap middle = make(0x1000, 0x1000);
    const uint64_t bad[][2] = {{0x1000, 0x1000}, {0xfff, 2},  {0x1fff, 1},
                               {0x0, 0x4000},    {0x1800, 8}, {0x800, 0x801}};

    memset(&map, 0, sizeof(map));
    ASSERT_OK(trap_map_insert(&map, &middle));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct trap other = make(bad[i][0], bad[i][1]);

        EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, trap_map_insert(&map, &other));
    }
    EXPECT_EQ(map.count, 1u);
}

TEST(trap_map_takes_neighbours_that_touch)
{
    struct trap a = make(0x1000, 0x1000), b = make(0x2000, 1), c = make(0xfff, 1);

    memset(&map, 0, sizeof(map));
    ASSERT_OK(trap_map_insert(&map, &a));
    EXPECT_OK(trap_map_insert(&map, &b));
    EXPECT_OK(trap_map_insert(&map, &c));
    EXPECT_TRUE(trap_map_find(&map, 0xfff) == &c);
}

TEST(trap_map_forgets_a_removed_trap_that_was_hit_last)
{
    struct trap a = make(0x1000, 0x1000);

    memset(&map, 0, sizeof(map));
    ASSERT_OK(trap_map_insert(&map, &a));
    EXPECT_TRUE(trap_map_find(&map, 0x1234) == &a);
    EXPECT_TRUE(trap_map_remove(&map, MX_TRAP_BELL, 0x1000) == NULL);
    EXPECT_TRUE(trap_map_remove(&map, MX_TRAP_MEM, 0x1001) == NULL);
    EXPECT_TRUE(trap_map_remove(&map, MX_TRAP_MEM, 0x1000) == &a);
    EXPECT_TRUE(trap_map_find(&map, 0x1234) == NULL);
    EXPECT_TRUE(trap_map_remove(&map, MX_TRAP_MEM, 0x1000) == NULL);
}

TEST(trap_map_holds_its_maximum_in_any_order_and_no_more)
{
    static struct trap traps[TRAP_MAP_MAX + 1];

    memset(&map, 0, sizeof(map));
    for (unsigned i = 0; i <= TRAP_MAP_MAX; i++)
        traps[i] = make((uint64_t)(i * 173 % (TRAP_MAP_MAX + 1)) * 16, 8);
    for (unsigned i = 0; i < TRAP_MAP_MAX; i++)
        ASSERT_OK(trap_map_insert(&map, &traps[i]));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, trap_map_insert(&map, &traps[TRAP_MAP_MAX]));
    for (unsigned i = 0; i < TRAP_MAP_MAX; i++) {
        EXPECT_TRUE(trap_map_find(&map, traps[i].base + 7) == &traps[i]);
        EXPECT_TRUE(trap_map_find(&map, traps[i].base + 8) == NULL);
    }
}
