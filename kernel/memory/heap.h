// The kernel's heap: slabs of a few sizes, whole pages above. Frees take the size, so blocks carry no header.
#pragma once

#include "kernel/lib/types.h"

// Zeroed memory, aligned to 16 bytes (to its size, if a power of two from 16 to a page). NULL: no memory.
void *heap_alloc(size_t size_bytes);
// NULL is ignored. The same size as at allocation.
void heap_free(void *block, size_t size_bytes);

// Up to this size blocks come from slabs; above it they are powers of two of pages.
#define HEAP_SLAB_MAX_BYTES ((size_t)1344)

// What a block of that size is charged as.
static inline uint64_t heap_block_bytes(uint64_t size_bytes)
{
    uint64_t block_bytes = MX_PAGE_SIZE;

    if (size_bytes <= HEAP_SLAB_MAX_BYTES)
        return size_bytes;
    while (block_bytes < size_bytes)
        block_bytes *= 2;
    return block_bytes;
}
