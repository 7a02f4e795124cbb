// Boundary-tag allocator with power-of-two bins; see allocator.h.

#include "user/portable/allocator.h"

#include <stdbool.h>
#include <string.h>

enum {
    HEADER_BYTES = 16,
    BLOCK_BYTES_MIN = 32, // a free block holds its header and two links
    BIN_SHIFT = 5,        // the first bin holds 32 to 63 bytes
    PROBES_MAX = 8, // blocks looked at in a bin that holds sizes above and below the wanted one

    FLAG_USED = 1,
    FLAG_LARGE = 2, // a region of its own
    FLAG_LAST = 4,  // nothing behind it in its region
    FLAGS_MASK = 15,
};
#define BLOCK_MAGIC UINT32_C(0x6d616c63)

struct allocator_block {
    uint64_t bytes_and_flags; // with this header, a multiple of 16
    uint32_t previous_bytes;  // block before it in the region, or 0; large: offset in the mapping
    uint32_t magic;
    struct allocator_block *next_free, *previous_free; // only while it is free
};
_Static_assert(offsetof(struct allocator_block, next_free) == HEADER_BYTES, "links in the payload");
_Static_assert(sizeof(struct allocator_block) == BLOCK_BYTES_MIN, "a free block fits");

static uint64_t block_bytes(const struct allocator_block *block)
{
    return block->bytes_and_flags & ~(uint64_t)FLAGS_MASK;
}

static bool block_has(const struct allocator_block *block, unsigned flag)
{
    return (block->bytes_and_flags & flag) != 0;
}

static struct allocator_block *block_at(void *base, uint64_t offset)
{
    return (struct allocator_block *)(void *)((char *)base + offset);
}

static void *block_payload(struct allocator_block *block)
{
    return (char *)block + HEADER_BYTES;
}

static struct allocator_block *block_of(const void *payload)
{
    return (struct allocator_block *)(void *)((uintptr_t)payload - HEADER_BYTES);
}

static struct allocator_block *block_next(struct allocator_block *block)
{
    return block_has(block, FLAG_LAST) ? NULL : block_at(block, block_bytes(block));
}

static struct allocator_block *block_previous(struct allocator_block *block)
{
    if (block->previous_bytes == 0)
        return NULL;
    return (struct allocator_block *)(void *)((char *)block - block->previous_bytes);
}

static void block_set(struct allocator_block *block, uint64_t bytes, unsigned flags,
                      uint32_t previous_bytes)
{
    block->bytes_and_flags = bytes | flags;
    block->previous_bytes = previous_bytes;
    block->magic = BLOCK_MAGIC;
}

static unsigned bin_of(uint64_t bytes)
{
    return 63 - (unsigned)__builtin_clzll(bytes) - BIN_SHIFT;
}

static void bin_add(struct allocator *allocator, struct allocator_block *block)
{
    struct allocator_block **bin = &allocator->bins[bin_of(block_bytes(block))];

    block->previous_free = NULL;
    block->next_free = *bin;
    if (*bin)
        (*bin)->previous_free = block;
    *bin = block;
}

static void bin_remove(struct allocator *allocator, struct allocator_block *block)
{
    if (block->next_free)
        block->next_free->previous_free = block->previous_free;
    if (block->previous_free)
        block->previous_free->next_free = block->next_free;
    else
        allocator->bins[bin_of(block_bytes(block))] = block->next_free;
}

// Makes [block, block + bytes) a block of its own and what is behind it another one. Neither is in
// a bin.
static struct allocator_block *block_split(struct allocator_block *block, uint64_t bytes)
{
    struct allocator_block *rest = block_at(block, bytes);
    unsigned is_last = (unsigned)(block->bytes_and_flags & FLAG_LAST);
    uint64_t rest_bytes = block_bytes(block) - bytes;

    block_set(block, bytes, 0, block->previous_bytes);
    block_set(rest, rest_bytes, is_last, (uint32_t)bytes);
    if (!is_last)
        block_next(rest)->previous_bytes = (uint32_t)rest_bytes;
    return rest;
}

// Joins `block` with the block behind it. Neither is in a bin.
static void block_join_next(struct allocator_block *block)
{
    struct allocator_block *next = block_next(block);
    uint64_t bytes = block_bytes(block) + block_bytes(next);

    block_set(block, bytes, (unsigned)(next->bytes_and_flags & FLAG_LAST), block->previous_bytes);
    next->magic = 0;
    if (!block_has(block, FLAG_LAST))
        block_next(block)->previous_bytes = (uint32_t)bytes;
}

static struct allocator_block *take_free(struct allocator *allocator, uint64_t bytes)
{
    unsigned bin = bin_of(bytes);
    struct allocator_block *block = allocator->bins[bin];

    for (unsigned i = 0; block && i < PROBES_MAX; i++, block = block->next_free) {
        if (block_bytes(block) >= bytes)
            goto found;
    }
    do {
        bin++;
    } while (bin < ALLOCATOR_BINS && allocator->bins[bin] == NULL);
    if (bin >= ALLOCATOR_BINS)
        return NULL;
    block = allocator->bins[bin];
found:
    bin_remove(allocator, block);
    return block;
}

static bool add_region(struct allocator *allocator)
{
    struct allocator_block *block = allocator->ops->pages_get(ALLOCATOR_REGION_BYTES);

    if (!block)
        return false;
    block_set(block, ALLOCATOR_REGION_BYTES, FLAG_LAST, 0);
    bin_add(allocator, block);
    allocator->region_count++;
    return true;
}

static void *get_small(struct allocator *allocator, uint64_t bytes, size_t alignment)
{
    uint64_t slack = alignment > ALLOCATOR_ALIGNMENT ? alignment + BLOCK_BYTES_MIN : 0;
    struct allocator_block *block = take_free(allocator, bytes + slack);

    if (!block) {
        if (!add_region(allocator))
            return NULL;
        block = take_free(allocator, bytes + slack);
    }
    uintptr_t payload = (uintptr_t)block_payload(block);
    if (payload & (alignment - 1)) {
        uintptr_t aligned =
            (payload + BLOCK_BYTES_MIN + alignment - 1) & ~(uintptr_t)(alignment - 1);
        struct allocator_block *head = block;
        block = block_split(head, aligned - payload);
        bin_add(allocator, head);
    }
    if (block_bytes(block) - bytes >= BLOCK_BYTES_MIN)
        bin_add(allocator, block_split(block, bytes));
    block->bytes_and_flags |= FLAG_USED;
    allocator->used_bytes += block_bytes(block);
    return block_payload(block);
}

static void *get_large(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    size_t head_bytes = alignment > HEADER_BYTES ? alignment : HEADER_BYTES;
    size_t overhead = head_bytes + ALLOCATOR_PAGE_BYTES - 1;

    if (size_bytes > SIZE_MAX / 2 - overhead)
        return NULL;
    size_t bytes = (size_bytes + overhead) & ~(size_t)(ALLOCATOR_PAGE_BYTES - 1);
    void *pages = allocator->ops->pages_get(bytes);
    if (!pages)
        return NULL;
    struct allocator_block *block = block_at(pages, head_bytes - HEADER_BYTES);
    block_set(block, bytes - (head_bytes - HEADER_BYTES), FLAG_USED | FLAG_LARGE | FLAG_LAST,
              (uint32_t)(head_bytes - HEADER_BYTES));
    allocator->used_bytes += block_bytes(block);
    return block_payload(block);
}

static void put_large(struct allocator *allocator, struct allocator_block *block)
{
    char *pages = (char *)block - block->previous_bytes;
    uint64_t bytes = block_bytes(block) + block->previous_bytes;

    if (((uintptr_t)pages | bytes) & (ALLOCATOR_PAGE_BYTES - 1)) {
        allocator->ops->corrupt();
        return;
    }
    allocator->used_bytes -= block_bytes(block);
    block->magic = 0;
    allocator->ops->pages_put(pages, bytes);
}

// Whether the header of a block within a region can be one.
static bool is_sound(const struct allocator_block *block)
{
    return block->magic == BLOCK_MAGIC && block_bytes(block) >= BLOCK_BYTES_MIN &&
           block_bytes(block) <= ALLOCATOR_REGION_BYTES &&
           block->previous_bytes <= ALLOCATOR_REGION_BYTES;
}

static bool is_consistent(struct allocator_block *block)
{
    struct allocator_block *next, *previous;

    if (block->magic != BLOCK_MAGIC || !block_has(block, FLAG_USED))
        return false;
    if (block_has(block, FLAG_LARGE))
        return true;
    if (!is_sound(block))
        return false;
    next = block_next(block);
    previous = block_previous(block);
    return (!next || (is_sound(next) && next->previous_bytes == block_bytes(block))) &&
           (!previous || (is_sound(previous) && block_bytes(previous) == block->previous_bytes));
}

static void put_small(struct allocator *allocator, struct allocator_block *block)
{
    struct allocator_block *next = block_next(block), *previous = block_previous(block);

    allocator->used_bytes -= block_bytes(block);
    block->bytes_and_flags &= ~(uint64_t)FLAG_USED;
    if (next && !block_has(next, FLAG_USED)) {
        bin_remove(allocator, next);
        block_join_next(block);
    }
    if (previous && !block_has(previous, FLAG_USED)) {
        bin_remove(allocator, previous);
        block_join_next(previous);
        block = previous;
    }
    if (block_bytes(block) == ALLOCATOR_REGION_BYTES && allocator->region_count > 1) {
        allocator->region_count--;
        allocator->ops->pages_put(block, ALLOCATOR_REGION_BYTES);
        return;
    }
    bin_add(allocator, block);
}

void allocator_init(struct allocator *allocator, const struct allocator_ops *ops)
{
    memset(allocator, 0, sizeof(*allocator));
    allocator->ops = ops;
}

void *allocator_get(struct allocator *allocator, size_t size_bytes, size_t alignment)
{
    if (size_bytes >= ALLOCATOR_LARGE_BYTES)
        return get_large(allocator, size_bytes, alignment);
    uint64_t bytes = (size_bytes + HEADER_BYTES + ALLOCATOR_ALIGNMENT - 1) &
                     ~(uint64_t)(ALLOCATOR_ALIGNMENT - 1);
    if (bytes < BLOCK_BYTES_MIN)
        bytes = BLOCK_BYTES_MIN;
    return get_small(allocator, bytes, alignment);
}

void allocator_put(struct allocator *allocator, void *payload)
{
    if (!payload)
        return;
    struct allocator_block *block = block_of(payload);
    if ((uintptr_t)payload % ALLOCATOR_ALIGNMENT != 0 || !is_consistent(block)) {
        allocator->ops->corrupt();
        return;
    }
    if (block_has(block, FLAG_LARGE))
        put_large(allocator, block);
    else
        put_small(allocator, block);
}

size_t allocator_block_bytes(const struct allocator *allocator, const void *payload)
{
    struct allocator_block *block = block_of(payload);

    if (block->magic != BLOCK_MAGIC)
        allocator->ops->corrupt();
    return block_bytes(block) - HEADER_BYTES;
}
