// The core of malloc: what it gives out never overlaps, is aligned, comes back, and misuse is
// noticed.

#include "tests/test.h"
#include "user/portable/allocator.h"

#include <setjmp.h>
#include <stdlib.h>

static size_t pages_bytes; // given to the allocator now
static size_t pages_limit;
static jmp_buf corrupt_jump;

static void *pages_get(size_t size_bytes)
{
    if (size_bytes > pages_limit - pages_bytes)
        return NULL;
    void *pages = aligned_alloc(ALLOCATOR_PAGE_BYTES, size_bytes);
    memset(pages, 0, size_bytes);
    pages_bytes += size_bytes;
    return pages;
}

static void pages_put(void *pages, size_t size_bytes)
{
    pages_bytes -= size_bytes;
    free(pages);
}

static void corrupt(void)
{
    longjmp(corrupt_jump, 1);
}

static const struct allocator_ops ops = {pages_get, pages_put, corrupt};
static struct allocator allocator;

static void start(void)
{
    pages_bytes = 0;
    pages_limit = SIZE_MAX;
    allocator_init(&allocator, &ops);
}

// Gives the last region back, which the allocator keeps.
static void finish(void)
{
    for (unsigned i = 0; i < ALLOCATOR_BINS; i++) {
        if (allocator.bins[i])
            pages_put(allocator.bins[i], ALLOCATOR_REGION_BYTES);
    }
}

static uint32_t random_state = 1;

static uint32_t random_next(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

TEST(blocks_are_aligned_and_hold_what_was_asked)
{
    start();
    for (size_t size = 0; size < 3000; size += 7) {
        void *block = allocator_get(&allocator, size, 16);
        EXPECT_EQ((uintptr_t)block % 16, 0);
        EXPECT_GE(allocator_block_bytes(&allocator, block), size);
        memset(block, 0xaa, allocator_block_bytes(&allocator, block));
        allocator_put(&allocator, block);
    }
    EXPECT_EQ(allocator.used_bytes, 0);
    EXPECT_EQ(pages_bytes, ALLOCATOR_REGION_BYTES);
    finish();
}

TEST(large_alignments_are_kept)
{
    start();
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        for (size_t size = 1; size < 200000; size = size * 3 + 1) {
            void *block = allocator_get(&allocator, size, alignment);
            EXPECT_EQ((uintptr_t)block % alignment, 0);
            memset(block, 0x55, size);
            allocator_put(&allocator, block);
        }
    }
    EXPECT_EQ(allocator.used_bytes, 0);
    EXPECT_EQ(pages_bytes, ALLOCATOR_REGION_BYTES);
    finish();
}

#define SLOTS 200
TEST(random_use_keeps_contents_and_gives_everything_back)
{
    static struct {
        uint8_t *block;
        size_t size;
        uint8_t fill;
    } slots[SLOTS];
    unsigned wrong = 0;

    start();
    for (unsigned i = 0; i < 40000; i++) {
        unsigned slot = random_next() % SLOTS;
        if (slots[slot].block) {
            for (size_t at = 0; at < slots[slot].size; at++)
                wrong += slots[slot].block[at] != slots[slot].fill;
            allocator_put(&allocator, slots[slot].block);
            slots[slot].block = NULL;
            continue;
        }
        slots[slot].size = random_next() % (random_next() % 16 == 0 ? 100000 : 600);
        slots[slot].fill = (uint8_t)i;
        slots[slot].block =
            allocator_get(&allocator, slots[slot].size, (size_t)16 << random_next() % 4);
        memset(slots[slot].block, slots[slot].fill, slots[slot].size);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        allocator_put(&allocator, slots[i].block);
        slots[i].block = NULL;
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(allocator.used_bytes, 0);
    EXPECT_EQ(allocator.region_count, 1);
    EXPECT_EQ(pages_bytes, ALLOCATOR_REGION_BYTES);
    finish();
}

TEST(large_blocks_have_their_own_pages_and_give_them_back)
{
    start();
    void *block = allocator_get(&allocator, 1 << 20, 16);
    EXPECT_GE(pages_bytes, (size_t)1 << 20);
    allocator_put(&allocator, block);
    EXPECT_EQ(pages_bytes, 0);
}

TEST(without_pages_there_is_no_block)
{
    start();
    pages_limit = 0;
    EXPECT_TRUE(allocator_get(&allocator, 10, 16) == NULL);
    EXPECT_TRUE(allocator_get(&allocator, 1 << 20, 16) == NULL);
    pages_limit = SIZE_MAX;
    EXPECT_TRUE(allocator_get(&allocator, SIZE_MAX - 20, 16) == NULL);
    EXPECT_TRUE(allocator_get(&allocator, SIZE_MAX / 2, 4096) == NULL);
    EXPECT_EQ(allocator.used_bytes, 0);
}

static bool is_refused(void *block)
{
    if (setjmp(corrupt_jump))
        return true;
    allocator_put(&allocator, block);
    return false;
}

TEST(freeing_twice_is_noticed)
{
    start();
    void *block = allocator_get(&allocator, 100, 16);
    void *other = allocator_get(&allocator, 100, 16);
    EXPECT_FALSE(is_refused(block));
    EXPECT_TRUE(is_refused(block));
    EXPECT_FALSE(is_refused(other));
    EXPECT_TRUE(is_refused(other));
    finish();
}

TEST(writing_past_a_block_is_noticed)
{
    start();
    char *block = allocator_get(&allocator, 32, 16);
    char *behind = allocator_get(&allocator, 32, 16);
    memset(block, 'x', 40);
    EXPECT_TRUE(is_refused(behind));
    EXPECT_TRUE(is_refused(block));
    EXPECT_TRUE(is_refused(block + 16));
    EXPECT_TRUE(is_refused(block + 1));
    pages_put((char *)block - 16, ALLOCATOR_REGION_BYTES);
}

TEST(nothing_is_a_block_too)
{
    start();
    EXPECT_FALSE(is_refused(NULL));
}
