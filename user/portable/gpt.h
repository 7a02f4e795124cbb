// Reads a GUID partition table (UEFI Specification 2.10, section 5.3 "GUID Partition Table (GPT)
// Disk Layout").
//
// A disk may hold anything: checksums, places and sizes are checked, partitions that overlap or
// reach out of the usable range are refused with the whole table. The backup at the disk's end
// serves when the first table is not good.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/status.h>

#define GPT_PARTITIONS_MAX    128u
#define GPT_ENTRY_BYTES_MAX   4096u
#define GPT_BLOCK_BYTES_MAX   4096u
#define GPT_ENTRIES_BYTES_MAX 65536u // of the whole array

struct gpt_guid {
    uint8_t bytes[16]; // as on the disk
};

struct gpt_partition {
    struct gpt_guid type;
    uint64_t first_block, block_count;
};

struct gpt_table {
    struct gpt_partition partitions[GPT_PARTITIONS_MAX]; // that are in use, in the table's order
    uint32_t count;
    bool is_backup;
    const char *primary_reason;             // why the first table is not good, if it is the backup
    uint8_t entries[GPT_ENTRIES_BYTES_MAX]; // room to work in
};

struct gpt_disk {
    uint64_t block_count;
    uint32_t block_bytes; // 512 to GPT_BLOCK_BYTES_MAX
    // Reads whole blocks; any error ends the reading of that table.
    mx_status_t (*read)(void *context, uint64_t block, uint32_t count, void *bytes);
    void *context;
};

// NOT_FOUND: neither place has a table's signature. IO_DATA_INTEGRITY: there is one, but not a good
// one. *reason says what is wrong with the first.
MX_MUST_CHECK mx_status_t gpt_read(const struct gpt_disk *disk, struct gpt_table *table,
                                   const char **reason);

// Machina's partitions of guest packages: 8a3d2c61-5b0e-4f47-9c1e-7d6b1f2a90e4.
extern const struct gpt_guid gpt_package_type;
bool gpt_guid_is_same(const struct gpt_guid *a, const struct gpt_guid *b);
