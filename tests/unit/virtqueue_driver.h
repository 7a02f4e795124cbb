// A driver in software for tests of devices: guest RAM, and one split queue with a cursor for
// buffers.
//
// It is as careless as a test wants: any descriptor may hold anything. Everything lies in one
// region of RAM, at a guest-physical address that is no host address.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/memory/guest_memory.h"
#include "vmm/virtio/virtqueue.h"

#define DRIVER_RAM_BASE UINT64_C(0x40000000)
#ifndef DRIVER_RAM_BYTES // fuzz targets choose less, to start faster
#define DRIVER_RAM_BYTES 0x80000u
#endif
#define DRIVER_QUEUE_BYTES    0x3000u // room for the rings of a queue of at most 256 entries
#define DRIVER_BUFFERS_OFFSET 0x10000u
#define DRIVER_NEXT           1u
#define DRIVER_WRITE          2u
#define DRIVER_INDIRECT       4u

struct driver_descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};

struct virtqueue_driver {
    struct guest_memory memory;
    uint8_t *ram;
    struct virtqueue_layout layout;
    uint16_t available_index;
    uint16_t used_index;      // the next used entry to take
    uint16_t free_descriptor; // the next of the table to use, never given back
    uint32_t buffer_offset;   // the next free byte of RAM
};

// `queue_offset` tells queues of the same RAM apart; `share` is NULL or the driver whose RAM it is.
static inline void driver_init(struct virtqueue_driver *driver, uint16_t size,
                               const struct virtqueue_driver *share, uint32_t queue_offset)
{
    memset(driver, 0, sizeof(*driver));
    driver->ram = share ? share->ram : aligned_alloc(4096, DRIVER_RAM_BYTES);
    if (!share)
        memset(driver->ram, 0, DRIVER_RAM_BYTES);
    if (guest_memory_add_region(&driver->memory, DRIVER_RAM_BASE, DRIVER_RAM_BYTES, driver->ram))
        abort();
    driver->layout = (struct virtqueue_layout){
        .size = size,
        .descriptors = DRIVER_RAM_BASE + queue_offset,
        .available = DRIVER_RAM_BASE + queue_offset + 0x1000,
        .used = DRIVER_RAM_BASE + queue_offset + 0x2000,
    };
    driver->buffer_offset = DRIVER_BUFFERS_OFFSET;
}

static inline void driver_destroy(struct virtqueue_driver *driver)
{
    free(driver->ram);
}

static inline void *driver_at(const struct virtqueue_driver *driver, uint64_t address)
{
    return driver->ram + (address - DRIVER_RAM_BASE);
}

// Guest RAM for a buffer, filled with 0xee.
static inline uint64_t driver_allocate(struct virtqueue_driver *driver, uint32_t size_bytes)
{
    const uint32_t offset = driver->buffer_offset;
    if (size_bytes > DRIVER_RAM_BYTES - offset)
        abort();
    driver->buffer_offset += (size_bytes + 15) & ~15u;
    memset(driver->ram + offset, 0xee, size_bytes);
    return DRIVER_RAM_BASE + offset;
}

static inline uint64_t driver_place(struct virtqueue_driver *driver, const void *bytes,
                                    uint32_t size_bytes)
{
    const uint64_t address = driver_allocate(driver, size_bytes);
    memcpy(driver_at(driver, address), bytes, size_bytes);
    return address;
}

static inline void driver_set(struct virtqueue_driver *driver, uint16_t index, uint64_t address,
                              uint32_t size_bytes, uint16_t flags, uint16_t next)
{
    const struct driver_descriptor descriptor = {address, size_bytes, flags, next};
    memcpy((uint8_t *)driver_at(driver, driver->layout.descriptors) + 16u * index, &descriptor, 16);
}

static inline void driver_store_u16(struct virtqueue_driver *driver, uint64_t address,
                                    uint16_t value)
{
    memcpy(driver_at(driver, address), &value, 2);
}

static inline uint16_t driver_load_u16(const struct virtqueue_driver *driver, uint64_t address)
{
    uint16_t value;
    memcpy(&value, driver_at(driver, address), 2);
    return value;
}

// Makes a chain available.
static inline void driver_offer(struct virtqueue_driver *driver, uint16_t head)
{
    const uint64_t ring = driver->layout.available + 4;
    driver_store_u16(driver, ring + 2u * (driver->available_index & (driver->layout.size - 1u)),
                     head);
    driver_store_u16(driver, driver->layout.available + 2, ++driver->available_index);
}

// Adds a descriptor behind the previous one of the chain under construction; the last has no
// DRIVER_NEXT.
static inline uint16_t driver_add(struct virtqueue_driver *driver, uint64_t address,
                                  uint32_t size_bytes, uint16_t flags)
{
    const uint16_t index = driver->free_descriptor++ % driver->layout.size;
    const uint16_t next = (uint16_t)((index + 1) % driver->layout.size);
    driver_set(driver, index, address, size_bytes, flags, next);
    return index;
}

// Takes the next used entry. False: there is none.
static inline bool driver_take_used(struct virtqueue_driver *driver, uint32_t *head,
                                    uint32_t *written_bytes)
{
    uint32_t entry[2];
    if (driver_load_u16(driver, driver->layout.used + 2) == driver->used_index)
        return false;
    const uint32_t slot = driver->used_index++ & (driver->layout.size - 1u);
    memcpy(entry, driver_at(driver, driver->layout.used + 4 + 8 * slot), 8);
    *head = entry[0];
    *written_bytes = entry[1];
    return true;
}

static inline void driver_set_used_event(struct virtqueue_driver *driver, uint16_t event)
{
    driver_store_u16(driver, driver->layout.available + 4 + 2u * driver->layout.size, event);
}

static inline uint16_t driver_available_event(const struct virtqueue_driver *driver)
{
    return driver_load_u16(driver, driver->layout.used + 4 + 8u * driver->layout.size);
}
