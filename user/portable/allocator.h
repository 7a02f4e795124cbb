// The core of malloc: blocks out of regions of pages that a callback supplies. Not thread safe by
// itself.
//
// Every block has a header in front of it with its size and that of the block before it, so that
// free neighbours join at once. Free blocks hang in lists by powers of two of their size; a block
// is taken from the first list that surely fits, after a bounded look at the one that might. A
// region that becomes one free block is given back, except the last. Blocks of
// ALLOCATOR_LARGE_BYTES and more are regions of their own. A header that contradicts itself or its
// neighbours means that the program overwrote it or freed twice: the `corrupt` callback, which must
// not return.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    ALLOCATOR_ALIGNMENT = 16,
    ALLOCATOR_PAGE_BYTES = 4096,
    ALLOCATOR_REGION_BYTES = 256 * 1024,
    ALLOCATOR_LARGE_BYTES = 64 * 1024,
    ALLOCATOR_BINS = 16,
};

struct allocator_ops {
    // Whole zeroed pages, page-aligned; NULL without memory.
    void *(*pages_get)(size_t size_bytes);
    void (*pages_put)(void *pages, size_t size_bytes);
    void (*corrupt)(void); // must not return
};

struct allocator_block;

struct allocator {
    const struct allocator_ops *ops;
    struct allocator_block *bins[ALLOCATOR_BINS];
    size_t region_count; // regions of many blocks
    size_t used_bytes;   // in blocks given out, headers included
};

void allocator_init(struct allocator *allocator, const struct allocator_ops *ops);
// `alignment` is a power of two from ALLOCATOR_ALIGNMENT to ALLOCATOR_PAGE_BYTES. NULL: no memory.
// A block of 0 bytes is valid.
void *allocator_get(struct allocator *allocator, size_t size_bytes, size_t alignment);
// `block` may be NULL.
void allocator_put(struct allocator *allocator, void *block);
// Bytes that the block can hold, at least what was asked for.
size_t allocator_block_bytes(const struct allocator *allocator, const void *block);
