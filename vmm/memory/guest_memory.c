// Guest-physical addresses to host pointers; the contract is in the header.
#include "vmm/memory/guest_memory.h"

#include <string.h>

static bool region_contains(const struct guest_memory_region *region, uint64_t guest_physical,
                            uint64_t size_bytes)
{
    if (guest_physical < region->guest_physical)
        return false;
    uint64_t offset = guest_physical - region->guest_physical;
    return offset <= region->size_bytes && size_bytes <= region->size_bytes - offset;
}

static bool regions_overlap(const struct guest_memory_region *region, uint64_t guest_physical,
                            uint64_t size_bytes)
{
    uint64_t last = guest_physical + (size_bytes - 1);
    uint64_t region_last = region->guest_physical + (region->size_bytes - 1);
    return guest_physical <= region_last && region->guest_physical <= last;
}

mx_status_t guest_memory_add_region(struct guest_memory *memory, uint64_t guest_physical,
                                    uint64_t size_bytes, void *host)
{
    if (!host || size_bytes == 0 || size_bytes - 1 > UINT64_MAX - guest_physical ||
        size_bytes > UINTPTR_MAX - (uintptr_t)host)
        return MX_ERR_INVALID_ARGS;
    for (size_t i = 0; i < memory->region_count; i++) {
        if (regions_overlap(&memory->regions[i], guest_physical, size_bytes))
            return MX_ERR_ALREADY_EXISTS;
    }
    if (memory->region_count == GUEST_MEMORY_REGION_MAX)
        return MX_ERR_NO_RESOURCES;
    memory->regions[memory->region_count++] = (struct guest_memory_region){
        .guest_physical = guest_physical, .size_bytes = size_bytes, .host = host};
    return MX_OK;
}

void *guest_memory_map(const struct guest_memory *memory, uint64_t guest_physical,
                       uint64_t size_bytes)
{
    for (size_t i = 0; i < memory->region_count; i++) {
        const struct guest_memory_region *region = &memory->regions[i];
        if (region_contains(region, guest_physical, size_bytes))
            return (uint8_t *)region->host + (guest_physical - region->guest_physical);
    }
    return NULL;
}

bool guest_memory_contains(const struct guest_memory *memory, uint64_t guest_physical,
                           uint64_t size_bytes)
{
    return guest_memory_map(memory, guest_physical, size_bytes) != NULL;
}

mx_status_t guest_memory_read(const struct guest_memory *memory, uint64_t guest_physical,
                              void *buffer, size_t size_bytes)
{
    const void *host = guest_memory_map(memory, guest_physical, size_bytes);
    if (!host)
        return MX_ERR_OUT_OF_RANGE;
    if (size_bytes > 0)
        memcpy(buffer, host, size_bytes);
    return MX_OK;
}

mx_status_t guest_memory_write(const struct guest_memory *memory, uint64_t guest_physical,
                               const void *buffer, size_t size_bytes)
{
    void *host = guest_memory_map(memory, guest_physical, size_bytes);
    if (!host)
        return MX_ERR_OUT_OF_RANGE;
    if (size_bytes > 0)
        memcpy(host, buffer, size_bytes);
    return MX_OK;
}

mx_status_t guest_memory_zero(const struct guest_memory *memory, uint64_t guest_physical,
                              uint64_t size_bytes)
{
    void *host = guest_memory_map(memory, guest_physical, size_bytes);
    if (!host)
        return MX_ERR_OUT_OF_RANGE;
    memset(host, 0, size_bytes);
    return MX_OK;
}
