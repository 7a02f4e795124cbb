// The traps of one address space of a guest: ranges, sorted, that never overlap.
//
// The caller serialises all calls (guest->trap_lock). The map owns nothing: the traps are the
// guest's.
#pragma once

#include <machina/hypervisor.h>

#include "kernel/lib/types.h"
#include "kernel/object/port.h"

#define TRAP_MAP_MAX 512

struct trap {
    enum mx_trap_kind kind;
    uint64_t base, size_bytes;
    uint64_t key;
    struct port *port; // of a bell, referenced; NULL otherwise
    struct port_source source;
};

struct trap_map {
    struct trap *last_hit; // or NULL
    uint32_t count;
    struct trap *traps[TRAP_MAP_MAX]; // by base
};

// The trap that `addr` lies in, or NULL.
struct trap *trap_map_find(struct trap_map *map, uint64_t addr);
// ALREADY_EXISTS: overlaps another. NO_RESOURCES: the map is full. The range is not empty and does
// not wrap.
MUST_CHECK mx_status_t trap_map_insert(struct trap_map *map, struct trap *trap);
// Takes out the trap of this kind that begins at `base` and returns it; NULL if there is none.
struct trap *trap_map_remove(struct trap_map *map, enum mx_trap_kind kind, uint64_t base);
