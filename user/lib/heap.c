// malloc and friends: the portable allocator under a mutex, with pages from memory objects.

#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/mutex.h>
#include <machina_user/startup.h>

#include "user/portable/allocator.h"

static void *pages_get(size_t size_bytes)
{
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
    mx_handle_t vmo;
    uint64_t address = 0;

    if (aspace == MX_HANDLE_INVALID || mx_vmo_create(size_bytes, &vmo) != MX_OK)
        return NULL;
    mx_status_t status =
        mx_aspace_map(aspace, MX_MAP_READ | MX_MAP_WRITE, vmo, 0, size_bytes, &address);
    if (mx_handle_close(vmo) != MX_OK || status != MX_OK)
        return NULL;
    return (void *)(uintptr_t)address;
}

static void pages_put(void *pages, size_t size_bytes)
{
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);

    if (mx_aspace_unmap(aspace, (uintptr_t)pages, size_bytes) != MX_OK)
        abort();
}

static const struct allocator_ops heap_ops = {
    .pages_get = pages_get,
    .pages_put = pages_put,
    .corrupt = abort,
};

static struct mutex heap_mutex;
static struct allocator heap = {.ops = &heap_ops};

static void *heap_get(size_t size, size_t alignment)
{
    mutex_lock(&heap_mutex);
    void *block = allocator_get(&heap, size, alignment);
    mutex_unlock(&heap_mutex);
    return block;
}

void *malloc(size_t size)
{
    return heap_get(size, ALLOCATOR_ALIGNMENT);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (alignment > ALLOCATOR_PAGE_BYTES || (alignment & (alignment - 1)) != 0)
        return NULL;
    return heap_get(size, alignment > ALLOCATOR_ALIGNMENT ? alignment : ALLOCATOR_ALIGNMENT);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *block = malloc(bytes);
    // Blocks of this size are fresh pages, which are zero already.
    if (block && bytes < ALLOCATOR_LARGE_BYTES)
        memset(block, 0, bytes);
    return block;
}

void free(void *block)
{
    mutex_lock(&heap_mutex);
    allocator_put(&heap, block);
    mutex_unlock(&heap_mutex);
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    size_t old_size = allocator_block_bytes(&heap, block);
    if (size <= old_size && size >= old_size / 2)
        return block;
    void *moved = malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, block, size < old_size ? size : old_size);
    free(block);
    return moved;
}
