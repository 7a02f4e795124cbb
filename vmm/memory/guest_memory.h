// Guest RAM as the VMM and its device processes see it: the one place that turns a guest-physical
// address into a pointer.
//
// Guest RAM is a few regions, each mapped contiguously into this process. Any range that a guest
// names is judged here and nowhere else: a range is usable only if it lies wholly inside one
// region, and no arithmetic on it can wrap. The guest writes the same bytes at any time, so what is
// read through a mapped pointer must be copied once, checked, then used.
//
// Invariants: regions are non-empty, do not overlap, and do not wrap in the guest or in the host.
// The table is filled at start-up by one thread and is constant afterwards, so readers need no
// lock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#define GUEST_MEMORY_REGION_MAX 8

struct guest_memory_region {
    uint64_t guest_physical;
    uint64_t size_bytes;
    void *host;
};

// Zero-initialised, it is a memory of no regions.
struct guest_memory {
    struct guest_memory_region regions[GUEST_MEMORY_REGION_MAX];
    size_t region_count;
};

// Adds RAM of `size_bytes` at `guest_physical`, mapped at `host`, which must outlive `memory`.
// INVALID_ARGS: empty, no host pointer, or wraps; ALREADY_EXISTS: overlaps a region; NO_RESOURCES:
// the table is full.
mx_status_t guest_memory_add_region(struct guest_memory *memory, uint64_t guest_physical,
                                    uint64_t size_bytes, void *host) MX_MUST_CHECK;

// Whether the whole range lies inside one region. An empty range does if its address lies in a
// region or just behind one.
bool guest_memory_contains(const struct guest_memory *memory, uint64_t guest_physical,
                           uint64_t size_bytes);

// The host pointer to `size_bytes` at `guest_physical`, or NULL unless the whole range lies inside
// one region. No alignment is promised.
void *guest_memory_map(const struct guest_memory *memory, uint64_t guest_physical,
                       uint64_t size_bytes);

// Copy between guest RAM and the caller's buffer, or clear guest RAM. OUT_OF_RANGE, and nothing is
// touched, unless the whole range lies inside one region.
mx_status_t guest_memory_read(const struct guest_memory *memory, uint64_t guest_physical,
                              void *buffer, size_t size_bytes) MX_MUST_CHECK;
mx_status_t guest_memory_write(const struct guest_memory *memory, uint64_t guest_physical,
                               const void *buffer, size_t size_bytes) MX_MUST_CHECK;
mx_status_t guest_memory_zero(const struct guest_memory *memory, uint64_t guest_physical,
                              uint64_t size_bytes) MX_MUST_CHECK;
