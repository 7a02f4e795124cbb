// The allocators of physical pages and of the kernel heap.
#include "tests/test.h"

#include <stdlib.h>

#include "kernel/arch/host/host.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/phys.h"

static void start_once(void)
{
    static bool is_started;
    if (!is_started)
        host_start(1);
    is_started = true;
}

TEST(phys_blocks_are_aligned_and_apart)
{
    paddr_t blocks[PHYS_ORDER_LARGE + 1];

    start_once();
    uint64_t free_before = phys_free_bytes(), used = phys_used_bytes(PHYS_USE_VMO), total = 0;
    for (unsigned order = 0; order <= PHYS_ORDER_LARGE; order++) {
        blocks[order] = phys_alloc_zeroed(order, PHYS_USE_VMO);
        ASSERT_TRUE(!paddr_is_none(blocks[order]));
        EXPECT_EQ(blocks[order].raw % (PAGE_SIZE << order), 0);
        char *bytes = arch_phys_to_virt(blocks[order]);
        EXPECT_EQ(bytes[(PAGE_SIZE << order) - 1], 0);
        memset(bytes, 0xaa, PAGE_SIZE << order);
        total += PAGE_SIZE << order;
        for (unsigned other = 0; other < order; other++)
            EXPECT_TRUE(blocks[other].raw + (PAGE_SIZE << other) <= blocks[order].raw ||
                        blocks[order].raw + (PAGE_SIZE << order) <= blocks[other].raw);
    }
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used + total);
    EXPECT_EQ(phys_free_bytes(), free_before - total);
    for (unsigned order = 0; order <= PHYS_ORDER_LARGE; order++)
        phys_free(blocks[order], order, PHYS_USE_VMO);
    EXPECT_EQ(phys_free_bytes(), free_before);
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used);
}

static unsigned take_all(unsigned order, paddr_t *blocks, unsigned capacity)
{
    unsigned count = 0;
    while (count < capacity && !paddr_is_none(blocks[count] = phys_alloc(order, PHYS_USE_VMO)))
        count++;
    return count;
}

TEST(phys_joins_single_pages_to_large_blocks_again)
{
    static paddr_t pages[HOST_RAM_BYTES / 4096], large[64];

    start_once();
    unsigned large_count = take_all(PHYS_ORDER_LARGE, large, 64);
    EXPECT_GE(large_count, 50);
    for (unsigned i = 0; i < large_count; i++)
        phys_free(large[i], PHYS_ORDER_LARGE, PHYS_USE_VMO);
    unsigned count = take_all(0, pages, ARRAY_COUNT(pages));
    EXPECT_LT(count, ARRAY_COUNT(pages));
    EXPECT_EQ(phys_free_bytes(), 0);
    EXPECT_TRUE(paddr_is_none(phys_alloc(0, PHYS_USE_VMO)));
    for (unsigned step = 0; step < 7; step++) { // in an order that is not the one of the addresses
        for (unsigned i = step; i < count; i += 7)
            phys_free(pages[i], 0, PHYS_USE_VMO);
    }
    EXPECT_EQ(take_all(PHYS_ORDER_LARGE, large, 64), large_count);
    for (unsigned i = 0; i < large_count; i++)
        phys_free(large[i], PHYS_ORDER_LARGE, PHYS_USE_VMO);
}

TEST(phys_gives_no_page_outside_of_its_ranges)
{
    static paddr_t pages[HOST_RAM_BYTES / 4096];

    start_once();
    unsigned count = take_all(0, pages, ARRAY_COUNT(pages));
    for (unsigned i = 0; i < count; i++) {
        uint64_t half = HOST_RAM_BYTES / 2;
        EXPECT_TRUE(pages[i].raw >= 1 << 20 && pages[i].raw < HOST_RAM_BYTES);
        EXPECT_TRUE(pages[i].raw < half - 3 * PAGE_SIZE || pages[i].raw >= half + 5 * PAGE_SIZE);
    }
    for (unsigned i = count; i-- > 0;)
        phys_free(pages[i], 0, PHYS_USE_VMO);
}

TEST(phys_refuses_orders_beyond_the_largest)
{
    start_once();
    EXPECT_TRUE(paddr_is_none(phys_alloc(PHYS_ORDER_MAX + 1, PHYS_USE_VMO)));
    EXPECT_TRUE(
        paddr_is_none(phys_alloc(PHYS_ORDER_MAX, PHYS_USE_VMO))); // 1 GiB, more than there is
}

// --- heap
// -----------------------------------------------------------------------------------------------

TEST(heap_blocks_are_zero_aligned_and_apart)
{
    static void *blocks[9000];

    start_once();
    for (size_t size = 1; size < 9000; size += size < 64 ? 1 : 37) {
        blocks[size] = heap_alloc(size);
        ASSERT_TRUE(blocks[size] != NULL);
        uintptr_t alignment =
            (size & (size - 1)) == 0 && size >= 16 && size <= PAGE_SIZE ? size : 16;
        EXPECT_EQ((uintptr_t)blocks[size] % alignment, 0);
        const unsigned char *bytes = blocks[size];
        for (size_t i = 0; i < size; i++)
            ASSERT_EQ(bytes[i], 0);
        memset(blocks[size], (int)size, size);
    }
    for (size_t size = 1; size < 9000; size++) {
        const unsigned char *bytes = blocks[size];
        for (size_t i = 0; bytes != NULL && i < size; i++)
            ASSERT_EQ(bytes[i], (unsigned char)size);
        heap_free(blocks[size], size);
        blocks[size] = NULL;
    }
}

TEST(heap_power_of_two_blocks_are_aligned_to_their_size)
{
    void *blocks[20];

    start_once();
    for (size_t size = 16; size <= PAGE_SIZE; size *= 2) {
        for (unsigned i = 0; i < 20; i++) {
            blocks[i] = heap_alloc(size);
            ASSERT_TRUE(blocks[i] != NULL);
            EXPECT_EQ((uintptr_t)blocks[i] % size, 0);
        }
        for (unsigned i = 0; i < 20; i++)
            heap_free(blocks[i], size);
    }
}

TEST(heap_gives_pages_back)
{
    static void *blocks[4000];

    start_once();
    uint64_t before = phys_used_bytes(PHYS_USE_HEAP);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 4000; i++)
            blocks[i] = heap_alloc(100);
        EXPECT_GE(phys_used_bytes(PHYS_USE_HEAP), before + 4000 * 100);
        for (unsigned i = 0; i < 4000; i++)
            heap_free(blocks[i * 7 % 4000], 100);
        EXPECT_LE(phys_used_bytes(PHYS_USE_HEAP), before + 2 * PAGE_SIZE);
    }
}

TEST(heap_says_when_there_is_no_memory)
{
    static void *blocks[HOST_RAM_BYTES / 4096];
    unsigned count = 0;

    start_once();
    EXPECT_TRUE(heap_alloc(HOST_RAM_BYTES) == NULL);
    EXPECT_TRUE(heap_alloc(SIZE_MAX / 2) == NULL);
    while ((blocks[count] = heap_alloc(4096)) != NULL)
        count++;
    for (unsigned i = 0; i < count; i++)
        heap_free(blocks[i], 4096);
    heap_free(NULL, 5);
}
