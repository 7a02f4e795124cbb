// A small Zircon boot image for loader tests: a kernel, an archive on a page of the file, and a
// command line.
#pragma once

#include <string.h>

#include "boot/zbi.h"
#include "tests/test.h"

#define ZIRCON_CODE_BYTES    1003 // behind the kernel's head; no multiple of 8
#define ZIRCON_RESERVE_BYTES UINT64_C(0x9000)
#define ZIRCON_ARCHIVE_BYTES 5000
#define ZIRCON_PAGE_BYTES    4096

static uint8_t zircon_file[32768];

static inline size_t zircon_make(uint32_t kernel_type, uint64_t entry)
{
    uint8_t payload[sizeof(struct zbi_kernel) + ZIRCON_CODE_BYTES];
    static uint8_t archive[ZIRCON_ARCHIVE_BYTES];
    const struct zbi_kernel head = {entry, ZIRCON_RESERVE_BYTES};

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + 1);
    memcpy(payload, &head, sizeof(head));
    memset(archive, 0xc3, sizeof(archive));
    EXPECT_OK(zbi_create(zircon_file, sizeof(zircon_file)));
    EXPECT_OK(zbi_append(zircon_file, sizeof(zircon_file), kernel_type, 0, payload, sizeof(payload),
                         true));
    EXPECT_OK(zbi_append_padding(zircon_file, sizeof(zircon_file), ZIRCON_PAGE_BYTES));
    EXPECT_OK(zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_BOOTFS, 3, archive,
                         sizeof(archive), true));
    EXPECT_OK(zbi_append(zircon_file, sizeof(zircon_file), ZBI_TYPE_CMDLINE, 0, "of.the=image", 13,
                         false));
    return zbi_size(zircon_file, sizeof(zircon_file));
}

static inline void zircon_put(size_t offset, uint64_t value, unsigned width_bytes)
{
    memcpy(zircon_file + offset, &value, width_bytes);
}

// The item of that type, KERNEL_DRIVER with that `extra`, in a data ZBI that must be whole; a
// pointer to its payload, or NULL.
static inline const void *zircon_find(const uint8_t *data, uint64_t size_bytes, uint32_t type,
                                      uint32_t extra, size_t payload_bytes)
{
    struct format_error error;
    struct zbi_iterator iterator = zbi_iterate(data, size_bytes);
    struct zbi_item item;

    EXPECT_OK(zbi_check(data, size_bytes, &error));
    while (zbi_next_of_type(&iterator, type, &item)) {
        if (item.extra != extra)
            continue;
        EXPECT_EQ(item.size_bytes, payload_bytes);
        return item.payload;
    }
    return NULL;
}

// The image's archive lies in the data ZBI as it was, on a page; both command lines follow.
static inline void zircon_check_items(const uint8_t *data, uint64_t size_bytes,
                                      const char *command_line)
{
    struct zbi_iterator iterator = zbi_iterate(data, size_bytes);
    struct zbi_item item;

    EXPECT_FALSE(zbi_find(data, size_bytes, ZBI_TYPE_KERNEL_X64, &item));
    EXPECT_FALSE(zbi_find(data, size_bytes, ZBI_TYPE_KERNEL_ARM64, &item));
    ASSERT_TRUE(zbi_find(data, size_bytes, ZBI_TYPE_BOOTFS, &item));
    EXPECT_EQ(item.offset % ZIRCON_PAGE_BYTES, 0u);
    EXPECT_EQ(item.extra, 3u);
    EXPECT_EQ(item.size_bytes, (uint32_t)ZIRCON_ARCHIVE_BYTES);
    EXPECT_EQ(item.payload[ZIRCON_ARCHIVE_BYTES - 1], 0xc3);
    ASSERT_TRUE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
    EXPECT_STR_EQ((const char *)item.payload, "of.the=image");
    ASSERT_TRUE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
    EXPECT_STR_EQ((const char *)item.payload, command_line);
    EXPECT_FALSE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
}
