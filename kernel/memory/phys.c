// The buddy allocator of physical pages; see phys.h.
//
// A free block's list node lies in the block itself. Each zone (one added range) has, per order, a bit per block that is
// set while the block is free at that order, which is all that joining buddies needs. The bits come from the zone's own
// first pages. One lock protects everything.

#include "kernel/memory/phys.h"

#include <arch/mmu.h>

#include "kernel/core/spinlock.h"
#include "kernel/core/log.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"

#define ZONE_MAX    64
#define ORDER_COUNT (PHYS_ORDER_MAX + 1)

struct zone {
    uint64_t first_page, end_page;
    uint64_t *is_free[ORDER_COUNT]; // bit number: (page >> order) - (first_page >> order)
};

static struct spinlock phys_lock = SPINLOCK_INIT;
static struct zone zones[ZONE_MAX];
static unsigned zone_count;
static struct list_node free_lists[ORDER_COUNT];
static uint64_t total_pages, free_pages;
static uint64_t used_pages[PHYS_USE_COUNT];

static uint64_t order_bytes(unsigned order)
{
    return PAGE_SIZE << order;
}

static struct list_node *node_of_page(uint64_t page)
{
    return arch_phys_to_virt(PADDR(page << PAGE_SHIFT));
}

static uint64_t page_of_node(const struct list_node *node)
{
    return arch_virt_to_phys(node).raw >> PAGE_SHIFT;
}

static uint64_t *free_word(const struct zone *zone, uint64_t page, unsigned order, uint64_t *mask)
{
    uint64_t bit = (page >> order) - (zone->first_page >> order);
    *mask = UINT64_C(1) << (bit % 64);
    return &zone->is_free[order][bit / 64];
}

static void insert_block(const struct zone *zone, uint64_t page, unsigned order)
{
    uint64_t mask;
    uint64_t *word = free_word(zone, page, order, &mask);

    *word |= mask;
    list_add_head(&free_lists[order], node_of_page(page));
}

static void remove_block(const struct zone *zone, uint64_t page, unsigned order)
{
    uint64_t mask;
    uint64_t *word = free_word(zone, page, order, &mask);

    *word &= ~mask;
    list_remove(node_of_page(page));
}

static bool is_block_free(const struct zone *zone, uint64_t page, unsigned order)
{
    uint64_t mask;

    if (page < zone->first_page || page + (UINT64_C(1) << order) > zone->end_page)
        return false;
    return (*free_word(zone, page, order, &mask) & mask) != 0;
}

static const struct zone *find_zone(uint64_t page)
{
    for (unsigned i = 0; i < zone_count; i++) {
        if (page >= zones[i].first_page && page < zones[i].end_page)
            return &zones[i];
    }
    return NULL;
}

static void free_block(const struct zone *zone, uint64_t page, unsigned order)
{
    free_pages += UINT64_C(1) << order;
    for (; order < PHYS_ORDER_MAX; order++) {
        uint64_t buddy = page ^ (UINT64_C(1) << order);
        if (!is_block_free(zone, buddy, order))
            break;
        remove_block(zone, buddy, order);
        page &= ~(UINT64_C(1) << order);
    }
    insert_block(zone, page, order);
}

static uint64_t bitmap_bytes(uint64_t first_page, uint64_t end_page, unsigned order)
{
    uint64_t bits = ((end_page - 1) >> order) - (first_page >> order) + 1;
    return align_up(bits, 64) / 8;
}

static void init_free_lists(void)
{
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        list_init(&free_lists[order]);
}

// Puts the bitmaps at the start of the zone; returns the first page behind them.
static uint64_t place_bitmaps(struct zone *zone)
{
    uint64_t bytes = 0;
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        bytes += bitmap_bytes(zone->first_page, zone->end_page, order);
    uint64_t pages = align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
    if (pages >= zone->end_page - zone->first_page)
        return zone->end_page;

    char *at = arch_phys_to_virt(PADDR(zone->first_page << PAGE_SHIFT));
    memset(at, 0, bytes);
    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        zone->is_free[order] = (uint64_t *)(void *)at;
        at += bitmap_bytes(zone->first_page, zone->end_page, order);
    }
    return zone->first_page + pages;
}

void phys_add_range(paddr_t base, uint64_t size_bytes)
{
    if (zone_count == 0)
        init_free_lists();
    if (zone_count == ZONE_MAX || size_bytes < 2 * PAGE_SIZE)
        return;

    struct zone *zone = &zones[zone_count++];
    zone->first_page = base.raw >> PAGE_SHIFT;
    zone->end_page = zone->first_page + (size_bytes >> PAGE_SHIFT);
    total_pages += zone->end_page - zone->first_page;

    uint64_t page = place_bitmaps(zone);
    while (page < zone->end_page) {
        unsigned order = 0;
        while (order < PHYS_ORDER_MAX && is_aligned(page, UINT64_C(2) << order) &&
               page + (UINT64_C(2) << order) <= zone->end_page)
            order++;
        free_block(zone, page, order);
        page += UINT64_C(1) << order;
    }
}

static uint64_t take_block_locked(unsigned order)
{
    unsigned from = order;

    while (from <= PHYS_ORDER_MAX && list_is_empty(&free_lists[from]))
        from++;
    if (from > PHYS_ORDER_MAX)
        return UINT64_MAX;
    uint64_t page = page_of_node(free_lists[from].next);
    const struct zone *zone = find_zone(page);
    remove_block(zone, page, from);
    while (from > order) {
        from--;
        insert_block(zone, page + (UINT64_C(1) << from), from);
    }
    free_pages -= UINT64_C(1) << order;
    return page;
}

paddr_t phys_alloc(unsigned order, enum phys_use use)
{
    if (order > PHYS_ORDER_MAX)
        return PADDR_NONE;
    arch_interrupt_state_t state = spin_lock(&phys_lock);
    uint64_t page = take_block_locked(order);
    if (page != UINT64_MAX)
        used_pages[use] += UINT64_C(1) << order;
    spin_unlock(&phys_lock, state);
    return page == UINT64_MAX ? PADDR_NONE : PADDR(page << PAGE_SHIFT);
}

paddr_t phys_alloc_zeroed(unsigned order, enum phys_use use)
{
    paddr_t block = phys_alloc(order, use);
    if (!paddr_is_none(block))
        memset(arch_phys_to_virt(block), 0, order_bytes(order));
    return block;
}

void phys_free(paddr_t base, unsigned order, enum phys_use use)
{
    uint64_t page = base.raw >> PAGE_SHIFT;

    arch_interrupt_state_t state = spin_lock(&phys_lock);
    const struct zone *zone = find_zone(page);
    ASSERT(zone != NULL && order <= PHYS_ORDER_MAX && !is_block_free(zone, page, order));
    free_block(zone, page, order);
    used_pages[use] -= UINT64_C(1) << order;
    spin_unlock(&phys_lock, state);
}

uint64_t phys_total_bytes(void)
{
    return total_pages << PAGE_SHIFT;
}

uint64_t phys_free_bytes(void)
{
    return __atomic_load_n(&free_pages, __ATOMIC_RELAXED) << PAGE_SHIFT;
}

uint64_t phys_used_bytes(enum phys_use use)
{
    return __atomic_load_n(&used_pages[use], __ATOMIC_RELAXED) << PAGE_SHIFT;
}
