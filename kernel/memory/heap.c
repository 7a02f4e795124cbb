// The kernel's heap; see heap.h.
//
// A slab is one page cut into blocks of one size, with its header at the end of the page, so that the slab of a block is
// found by rounding its address and blocks of power-of-two sizes are aligned to their size.

#include "kernel/memory/heap.h"

#include <arch/mmu.h>

#include "kernel/core/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"

struct slab {
    struct list_node node; // in its class's list of slabs with free blocks
    void *first_free;      // each free block starts with the pointer to the next
    uint32_t used_count;
};

struct slab_class {
    uint32_t block_size;
    struct spinlock lock;
    struct list_node slabs;
};

#define SLAB_HEADER_OFFSET (PAGE_SIZE - sizeof(struct slab))
#define CLASS_COUNT        12

static struct slab_class classes[CLASS_COUNT] = {
    {.block_size = 16},  {.block_size = 32},  {.block_size = 64},  {.block_size = 96},
    {.block_size = 128}, {.block_size = 192}, {.block_size = 256}, {.block_size = 400},
    {.block_size = 512}, {.block_size = 800}, {.block_size = 1024}, {.block_size = HEAP_SLAB_MAX_BYTES},
};

static struct slab_class *find_class(size_t size_bytes)
{
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        if (size_bytes <= classes[i].block_size)
            return &classes[i];
    }
    return NULL;
}

static unsigned order_of_size(size_t size_bytes)
{
    unsigned order = 0;
    while (order <= PHYS_ORDER_MAX && (PAGE_SIZE << order) < size_bytes)
        order++;
    return order;
}

static struct slab *slab_of_block(void *block)
{
    return (void *)(align_down((uintptr_t)block, PAGE_SIZE) + SLAB_HEADER_OFFSET);
}

static struct slab *slab_create(uint32_t block_size)
{
    paddr_t page = phys_alloc(0, PHYS_USE_HEAP);
    if (paddr_is_none(page))
        return NULL;
    char *base = arch_phys_to_virt(page);
    struct slab *slab = slab_of_block(base);
    *slab = (struct slab){.first_free = NULL};
    for (size_t at = SLAB_HEADER_OFFSET / block_size * block_size; at >= block_size;) {
        at -= block_size;
        *(void **)(void *)(base + at) = slab->first_free;
        slab->first_free = base + at;
    }
    return slab;
}

static void *slab_class_alloc(struct slab_class *class)
{
    arch_interrupt_state_t state = spin_lock(&class->lock);
    if (class->slabs.next == NULL)
        list_init(&class->slabs);
    struct slab *slab = LIST_FIRST(&class->slabs, struct slab, node);
    if (slab == NULL) {
        slab = slab_create(class->block_size);
        if (slab == NULL) {
            spin_unlock(&class->lock, state);
            return NULL;
        }
        list_add_head(&class->slabs, &slab->node);
    }
    void *block = slab->first_free;
    slab->first_free = *(void **)block;
    slab->used_count++;
    if (slab->first_free == NULL)
        list_remove(&slab->node);
    spin_unlock(&class->lock, state);
    return block;
}

static void slab_class_free(struct slab_class *class, void *block)
{
    struct slab *slab = slab_of_block(block);

    arch_interrupt_state_t state = spin_lock(&class->lock);
    if (slab->first_free == NULL)
        list_add_head(&class->slabs, &slab->node);
    *(void **)block = slab->first_free;
    slab->first_free = block;
    slab->used_count--;
    // One empty slab of each class stays, so that a lone block does not cost a page each time.
    bool is_surplus = slab->used_count == 0 && class->slabs.next->next != &class->slabs;
    if (is_surplus)
        list_remove(&slab->node);
    spin_unlock(&class->lock, state);
    if (is_surplus)
        phys_free(PADDR(align_down(arch_virt_to_phys(block).raw, PAGE_SIZE)), 0, PHYS_USE_HEAP);
}

void *heap_alloc(size_t size_bytes)
{
    struct slab_class *class = find_class(size_bytes);

    if (class == NULL) {
        paddr_t block = phys_alloc_zeroed(order_of_size(size_bytes), PHYS_USE_HEAP);
        return paddr_is_none(block) ? NULL : arch_phys_to_virt(block);
    }
    void *block = slab_class_alloc(class);
    if (block != NULL)
        memset(block, 0, size_bytes);
    return block;
}

void heap_free(void *block, size_t size_bytes)
{
    struct slab_class *class = find_class(size_bytes);

    if (block == NULL)
        return;
    if (class == NULL)
        phys_free(arch_virt_to_phys(block), order_of_size(size_bytes), PHYS_USE_HEAP);
    else
        slab_class_free(class, block);
}
