// GUID partition tables; see gpt.h.
#include "user/portable/gpt.h"

#include <string.h>

#include "boot/zbi.h"

#define HEADER_BYTES_MIN     92u
#define HEADER_SIZE          12
#define HEADER_CRC           16
#define HEADER_THIS_BLOCK    24
#define HEADER_FIRST_USABLE  40
#define HEADER_LAST_USABLE   48
#define HEADER_ENTRIES_BLOCK 72
#define HEADER_ENTRY_COUNT   80
#define HEADER_ENTRY_BYTES   84
#define HEADER_ENTRIES_CRC   88
#define ENTRY_FIRST          32
#define ENTRY_LAST           40
#define ENTRY_BYTES_MIN      128u

const struct gpt_guid gpt_package_type = {{0x61, 0x2c, 0x3d, 0x8a, 0x0e, 0x5b, 0x47, 0x4f, 0x9c,
                                           0x1e, 0x7d, 0x6b, 0x1f, 0x2a, 0x90, 0xe4}};

struct header {
    uint64_t first_usable, last_usable, entries_block;
    uint32_t entry_count, entry_bytes, entries_crc;
};

static uint64_t number(const uint8_t *at, uint32_t size_bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < size_bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

bool gpt_guid_is_same(const struct gpt_guid *a, const struct gpt_guid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

// NULL if all is well. *is_table: the signature is there.
static const char *read_header(const struct gpt_disk *disk, uint64_t place, struct header *header,
                               bool *is_table)
{
    static const uint8_t zero_crc[4];
    uint8_t bytes[GPT_BLOCK_BYTES_MAX];

    *is_table = false;
    if (disk->read(disk->context, place, 1, bytes) != MX_OK)
        return "the header cannot be read";
    *is_table = memcmp(bytes, "EFI PART", 8) == 0;
    if (!*is_table)
        return "there is no partition table";
    uint32_t size = (uint32_t)number(bytes + HEADER_SIZE, 4),
             crc = (uint32_t)number(bytes + HEADER_CRC, 4);
    if (size < HEADER_BYTES_MIN || size > disk->block_bytes)
        return "the header has a size that makes no sense";
    memcpy(bytes + HEADER_CRC, zero_crc, sizeof(zero_crc));
    if (zbi_crc32(0, bytes, size) != crc)
        return "the header's checksum is wrong";
    if (number(bytes + HEADER_THIS_BLOCK, 8) != place)
        return "the header says that it is elsewhere";
    *header = (struct header){
        .first_usable = number(bytes + HEADER_FIRST_USABLE, 8),
        .last_usable = number(bytes + HEADER_LAST_USABLE, 8),
        .entries_block = number(bytes + HEADER_ENTRIES_BLOCK, 8),
        .entry_count = (uint32_t)number(bytes + HEADER_ENTRY_COUNT, 4),
        .entry_bytes = (uint32_t)number(bytes + HEADER_ENTRY_BYTES, 4),
        .entries_crc = (uint32_t)number(bytes + HEADER_ENTRIES_CRC, 4),
    };
    if (header->first_usable > header->last_usable || header->last_usable >= disk->block_count)
        return "the usable blocks reach beyond the disk";
    return NULL;
}

static const char *read_entries(const struct gpt_disk *disk, const struct header *header,
                                struct gpt_table *table)
{
    uint32_t size = header->entry_bytes;

    if (size < ENTRY_BYTES_MIN || size > GPT_ENTRY_BYTES_MAX || (size & (size - 1)) != 0)
        return "the entries have a size that makes no sense";
    if (header->entry_count == 0 || header->entry_count > GPT_ENTRIES_BYTES_MAX / size)
        return "there are no entries, or more than fit";
    uint32_t bytes = header->entry_count * size;
    uint32_t blocks = (bytes + disk->block_bytes - 1) / disk->block_bytes;
    if (header->entries_block >= disk->block_count ||
        blocks > disk->block_count - header->entries_block)
        return "the entries reach beyond the disk";
    if (blocks * disk->block_bytes > sizeof(table->entries))
        return "there are no entries, or more than fit";
    if (disk->read(disk->context, header->entries_block, blocks, table->entries) != MX_OK)
        return "the entries cannot be read";
    if (zbi_crc32(0, table->entries, bytes) != header->entries_crc)
        return "the entries' checksum is wrong";
    return NULL;
}

static bool overlaps(const struct gpt_table *table, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct gpt_partition *other = &table->partitions[i];
        if (first < other->first_block + other->block_count && other->first_block <= last)
            return true;
    }
    return false;
}

static const char *read_partitions(const struct header *header, struct gpt_table *table)
{
    static const struct gpt_guid unused;

    for (uint32_t i = 0; i < header->entry_count; i++) {
        const uint8_t *entry = table->entries + (size_t)i * header->entry_bytes;
        uint64_t first = number(entry + ENTRY_FIRST, 8), last = number(entry + ENTRY_LAST, 8);

        if (memcmp(entry, unused.bytes, sizeof(unused.bytes)) == 0)
            continue;
        if (first < header->first_usable || last > header->last_usable || first > last)
            return "a partition lies outside the usable blocks";
        if (overlaps(table, first, last))
            return "partitions overlap";
        if (table->count == GPT_PARTITIONS_MAX)
            return "there are too many partitions";
        struct gpt_partition *partition = &table->partitions[table->count++];
        memcpy(partition->type.bytes, entry, sizeof(partition->type.bytes));
        partition->first_block = first;
        partition->block_count = last - first + 1;
    }
    return NULL;
}

static const char *read_at(const struct gpt_disk *disk, uint64_t place, struct gpt_table *table,
                           bool *is_table)
{
    struct header header;
    const char *reason = read_header(disk, place, &header, is_table);

    table->count = 0;
    if (!reason)
        reason = read_entries(disk, &header, table);
    return reason ? reason : read_partitions(&header, table);
}

mx_status_t gpt_read(const struct gpt_disk *disk, struct gpt_table *table, const char **reason)
{
    bool is_primary, is_backup;

    table->is_backup = false;
    table->primary_reason = NULL;
    table->count = 0;
    *reason = "the disk is too small, or has blocks of a size that is not supported";
    if (disk->block_bytes < 512 || disk->block_bytes > GPT_BLOCK_BYTES_MAX || disk->block_count < 6)
        return MX_ERR_NOT_FOUND;
    *reason = read_at(disk, 1, table, &is_primary);
    if (!*reason)
        return MX_OK;
    if (!read_at(disk, disk->block_count - 1, table, &is_backup)) {
        table->is_backup = true;
        table->primary_reason = *reason;
        *reason = NULL;
        return MX_OK;
    }
    table->count = 0;
    return is_primary || is_backup ? MX_ERR_IO_DATA_INTEGRITY : MX_ERR_NOT_FOUND;
}
