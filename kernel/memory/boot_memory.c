// Range arithmetic for start-up; see boot_memory.h. Three lists: RAM, RAM that is free, and memory
// that stays firmware's. Removing from a list may split a range.
#include "kernel/memory/boot_memory.h"

#include <string.h>

#include <arch/mmu.h>

#include "kernel/memory/phys.h"

#define RANGE_MAX 128

struct range_list {
    struct memory_range ranges[RANGE_MAX];
    size_t count;
};

static struct range_list ram, free_ram, firmware;

static void list_insert(struct range_list *list, size_t at, uint64_t base, uint64_t size_bytes)
{
    if (list->count == RANGE_MAX || size_bytes == 0)
        return;
    memmove(&list->ranges[at + 1], &list->ranges[at], (list->count - at) * sizeof(list->ranges[0]));
    list->ranges[at] = (struct memory_range){base, size_bytes};
    list->count++;
}

static void list_delete(struct range_list *list, size_t at)
{
    list->count--;
    memmove(&list->ranges[at], &list->ranges[at + 1], (list->count - at) * sizeof(list->ranges[0]));
}

static void list_remove_range(struct range_list *list, uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < list->count;) {
        struct memory_range *range = &list->ranges[i];
        uint64_t range_end = range->base + range->size_bytes;

        if (range_end <= base || range->base >= end) {
            i++;
            continue;
        }
        if (range_end > end)
            list_insert(list, i + 1, end, range_end - end);
        if (range->base < base) {
            range->size_bytes = base - range->base;
            i++;
        } else {
            list_delete(list, i);
        }
    }
}

// Adds a range, sorted; what it overlaps is replaced, what it touches joined.
static void list_add_range(struct range_list *list, uint64_t base, uint64_t end)
{
    size_t at = 0;

    list_remove_range(list, base, end);
    while (at < list->count && list->ranges[at].base < base)
        at++;
    if (at > 0 && list->ranges[at - 1].base + list->ranges[at - 1].size_bytes == base) {
        base = list->ranges[at - 1].base;
        list_delete(list, --at);
    }
    if (at < list->count && list->ranges[at].base == end) {
        end += list->ranges[at].size_bytes;
        list_delete(list, at);
    }
    list_insert(list, at, base, end - base);
}

#define PHYSICAL_LIMIT ((uint64_t)1 << 46) // what every architecture's linear map has room for

static bool clip(uint64_t *base, uint64_t *end, uint64_t size_bytes)
{
    if (*base >= PHYSICAL_LIMIT)
        return false;
    *end = size_bytes > PHYSICAL_LIMIT - *base ? PHYSICAL_LIMIT : *base + size_bytes;
    return true;
}

void boot_memory_add_ram(uint64_t base, uint64_t size_bytes)
{
    uint64_t end;

    if (!clip(&base, &end, size_bytes))
        return;
    base = align_up(base, PAGE_SIZE);
    end = align_down(end, PAGE_SIZE);
    if (base < end) {
        list_add_range(&ram, base, end);
        list_add_range(&free_ram, base, end);
    }
}

void boot_memory_remove_ram(uint64_t base, uint64_t size_bytes)
{
    uint64_t end;

    if (!clip(&base, &end, size_bytes))
        return;
    list_remove_range(&ram, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE));
    list_remove_range(&free_ram, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE));
}

void boot_memory_leave_to_firmware(uint64_t base, uint64_t size_bytes)
{
    uint64_t end;

    boot_memory_remove_ram(base, size_bytes);
    if (clip(&base, &end, size_bytes) && base < end)
        list_add_range(&firmware, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE));
}

void boot_memory_reserve(uint64_t base, uint64_t size_bytes)
{
    uint64_t end;

    if (clip(&base, &end, size_bytes))
        list_remove_range(&free_ram, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE));
}

// Ranges that touch are joined, so one of them has all of it.
bool boot_memory_is_ram(uint64_t base, uint64_t size_bytes)
{
    for (size_t i = 0; i < ram.count; i++) {
        const struct memory_range *range = &ram.ranges[i];
        if (base >= range->base && range_is_within(base - range->base, size_bytes, range->size_bytes))
            return true;
    }
    return size_bytes == 0;
}

static bool list_touches(const struct range_list *list, uint64_t base, uint64_t end)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct memory_range *range = &list->ranges[i];
        if (range->base < end && base < range->base + range->size_bytes)
            return true;
    }
    return false;
}

bool boot_memory_touches_memory(uint64_t base, uint64_t size_bytes)
{
    uint64_t end;

    return clip(&base, &end, size_bytes) && size_bytes != 0 &&
           (list_touches(&ram, base, end) || list_touches(&firmware, base, end));
}

size_t boot_memory_ram(const struct memory_range **ranges)
{
    *ranges = ram.ranges;
    return ram.count;
}

paddr_t boot_memory_alloc_page(uint64_t limit)
{
    for (size_t i = free_ram.count; i-- > 0;) {
        struct memory_range *range = &free_ram.ranges[i];
        uint64_t end = range->base + range->size_bytes;
        uint64_t page = (end < limit ? end : limit) - PAGE_SIZE;

        if (range->base >= limit)
            continue;
        list_remove_range(&free_ram, page, page + PAGE_SIZE);
        memset(arch_phys_to_virt(PADDR(page)), 0, PAGE_SIZE);
        return PADDR(page);
    }
    return PADDR_NONE;
}

void boot_memory_finish(void)
{
    for (size_t i = 0; i < free_ram.count; i++)
        phys_add_range(PADDR(free_ram.ranges[i].base), free_ram.ranges[i].size_bytes);
}
