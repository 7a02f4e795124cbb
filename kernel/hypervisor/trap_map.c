// A sorted array of ranges; see trap_map.h.
#include "kernel/hypervisor/trap_map.h"

#include "kernel/lib/string.h"

static bool contains(const struct trap *trap, uint64_t addr)
{
    return addr - trap->base < trap->size_bytes; // wraps to a large number below the base
}

// The index of the first trap whose base is above `addr`.
static uint32_t upper_bound(const struct trap_map *map, uint64_t addr)
{
    uint32_t low = 0, high = map->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (map->traps[middle]->base <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct trap *trap_map_find(struct trap_map *map, uint64_t addr)
{
    uint32_t index;

    if (map->last_hit && contains(map->last_hit, addr))
        return map->last_hit;
    index = upper_bound(map, addr);
    if (index == 0 || !contains(map->traps[index - 1], addr))
        return NULL;
    map->last_hit = map->traps[index - 1];
    return map->last_hit;
}

mx_status_t trap_map_insert(struct trap_map *map, struct trap *trap)
{
    uint32_t index = upper_bound(map, trap->base);

    if (index > 0 && contains(map->traps[index - 1], trap->base))
        return MX_ERR_ALREADY_EXISTS;
    if (index < map->count && contains(trap, map->traps[index]->base))
        return MX_ERR_ALREADY_EXISTS;
    if (map->count == TRAP_MAP_MAX)
        return MX_ERR_NO_RESOURCES;
    memmove(&map->traps[index + 1], &map->traps[index],
            (map->count - index) * sizeof(map->traps[0]));
    map->traps[index] = trap;
    map->count++;
    return MX_OK;
}

struct trap *trap_map_remove(struct trap_map *map, enum mx_trap_kind kind, uint64_t base)
{
    uint32_t index = upper_bound(map, base);
    struct trap *trap;

    if (index == 0)
        return NULL;
    trap = map->traps[--index];
    if (trap->base != base || trap->kind != kind)
        return NULL;
    map->count--;
    memmove(&map->traps[index], &map->traps[index + 1],
            (map->count - index) * sizeof(map->traps[0]));
    map->last_hit = NULL;
    return trap;
}
