// A disk with a GUID partition table in memory.
#pragma once

#include <string.h>

#include "boot/zbi.h"
#include "user/portable/gpt.h"

#define FAKE_BLOCK_BYTES  512u
#define FAKE_BLOCK_COUNT  256u
#define FAKE_ENTRY_COUNT  128u
#define FAKE_ENTRY_BYTES  128u
#define FAKE_ENTRY_BLOCKS (FAKE_ENTRY_COUNT * FAKE_ENTRY_BYTES / FAKE_BLOCK_BYTES)
#define FAKE_LAST_BLOCK   (FAKE_BLOCK_COUNT - 1)

static uint8_t fake_disk[FAKE_BLOCK_COUNT * FAKE_BLOCK_BYTES];
static uint64_t fake_bad_block = UINT64_MAX;

static inline mx_status_t fake_disk_read(void *context, uint64_t block, uint32_t count, void *bytes)
{
    (void)context;
    if (block >= FAKE_BLOCK_COUNT || count > FAKE_BLOCK_COUNT - block)
        return MX_ERR_OUT_OF_RANGE;
    if (fake_bad_block >= block && fake_bad_block < block + count)
        return MX_ERR_IO;
    memcpy(bytes, fake_disk + block * FAKE_BLOCK_BYTES, (size_t)count * FAKE_BLOCK_BYTES);
    return MX_OK;
}

static const struct gpt_disk fake_gpt_disk = {FAKE_BLOCK_COUNT, FAKE_BLOCK_BYTES, fake_disk_read,
                                              NULL};

static inline void put(uint64_t block, uint32_t offset, uint64_t value, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++)
        fake_disk[block * FAKE_BLOCK_BYTES + offset + i] = (uint8_t)(value >> 8 * i);
}

// Both checksums of the table with its header at `place` and its entries at `entries`.
static inline void fake_seal(uint64_t place, uint64_t entries)
{
    put(place, 88,
        zbi_crc32(0, fake_disk + entries * FAKE_BLOCK_BYTES, FAKE_ENTRY_COUNT * FAKE_ENTRY_BYTES),
        4);
    put(place, 16, 0, 4);
    put(place, 16, zbi_crc32(0, fake_disk + place * FAKE_BLOCK_BYTES, 92), 4);
}

static inline void fake_header(uint64_t place, uint64_t entries)
{
    memcpy(fake_disk + place * FAKE_BLOCK_BYTES, "EFI PART", 8);
    put(place, 8, 0x10000, 4);
    put(place, 12, 92, 4);
    put(place, 24, place, 8);
    put(place, 40, 2 + FAKE_ENTRY_BLOCKS, 8);
    put(place, 48, FAKE_LAST_BLOCK - FAKE_ENTRY_BLOCKS - 1, 8);
    put(place, 72, entries, 8);
    put(place, 80, FAKE_ENTRY_COUNT, 4);
    put(place, 84, FAKE_ENTRY_BYTES, 4);
}

static inline void fake_partition(uint32_t index, const struct gpt_guid *type, uint64_t first,
                                  uint64_t last)
{
    const uint64_t places[] = {2, FAKE_LAST_BLOCK - FAKE_ENTRY_BLOCKS};

    for (uint32_t i = 0; i < 2; i++) {
        uint64_t block = places[i] + index * FAKE_ENTRY_BYTES / FAKE_BLOCK_BYTES;
        uint32_t offset = index * FAKE_ENTRY_BYTES % FAKE_BLOCK_BYTES;

        memcpy(fake_disk + block * FAKE_BLOCK_BYTES + offset, type->bytes, sizeof(type->bytes));
        put(block, offset + 32, first, 8);
        put(block, offset + 40, last, 8);
    }
}

static inline void fake_seal_both(void)
{
    fake_seal(1, 2);
    fake_seal(FAKE_LAST_BLOCK, FAKE_LAST_BLOCK - FAKE_ENTRY_BLOCKS);
}

// Two partitions, the second for packages.
static inline void fake_table(void)
{
    static const struct gpt_guid other = {{1, 2, 3}};

    memset(fake_disk, 0, sizeof(fake_disk));
    fake_bad_block = UINT64_MAX;
    fake_header(1, 2);
    fake_header(FAKE_LAST_BLOCK, FAKE_LAST_BLOCK - FAKE_ENTRY_BLOCKS);
    fake_partition(0, &other, 40, 49);
    fake_partition(5, &gpt_package_type, 50, 99);
    fake_seal_both();
}
