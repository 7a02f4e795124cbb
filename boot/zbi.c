// ZBI containers: checking, walking and appending; see zbi.h.

#include "boot/zbi.h"

#include <string.h>

static struct zbi_header header_read(const uint8_t *at)
{
    struct zbi_header header;
    memcpy(&header, at, sizeof header);
    return header;
}

static size_t align_item(size_t size_bytes)
{
    return (size_bytes + ZBI_ALIGNMENT_BYTES - 1) & ~(size_t)(ZBI_ALIGNMENT_BYTES - 1);
}

uint32_t zbi_crc32(uint32_t crc, const void *data, size_t size_bytes)
{
    static const uint32_t by_nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *bytes = data;

    crc = ~crc;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ by_nibble[crc & 15];
        crc = (crc >> 4) ^ by_nibble[crc & 15];
    }
    return ~crc;
}

static uint32_t item_crc(struct zbi_header header, const void *payload)
{
    header.crc32 = 0;
    return zbi_crc32(zbi_crc32(0, &header, sizeof header), payload, header.length);
}

static mx_status_t refuse(struct format_error *error, size_t offset, const char *reason)
{
    error->offset = offset;
    error->reason = reason;
    return MX_ERR_IO_DATA_INTEGRITY;
}

#define FIELD(name) offsetof(struct zbi_header, name)

static mx_status_t check_container(const uint8_t *data, size_t size_bytes,
                                   struct format_error *error)
{
    if (size_bytes < ZBI_HEADER_BYTES)
        return refuse(error, size_bytes, "the data ends within the container's 32-byte header");
    struct zbi_header header = header_read(data);
    if (header.type != ZBI_TYPE_CONTAINER)
        return refuse(error, FIELD(type), "not a ZBI container: its type is not BOOT");
    if (header.extra != ZBI_CONTAINER_MAGIC)
        return refuse(error, FIELD(extra), "the container's extra field is not 0x868cf7e6");
    if (header.magic != ZBI_ITEM_MAGIC)
        return refuse(error, FIELD(magic), "the container's magic is not 0xb5781729");
    if (!(header.flags & ZBI_FLAG_VERSION))
        return refuse(error, FIELD(flags), "the container lacks the version flag 0x00010000");
    if (header.length % ZBI_ALIGNMENT_BYTES)
        return refuse(error, FIELD(length), "the container's length is not a multiple of 8");
    if (header.length > size_bytes - ZBI_HEADER_BYTES)
        return refuse(error, FIELD(length), "the container is longer than the data");
    return MX_OK;
}

static mx_status_t check_container_crc(const uint8_t *data, struct format_error *error)
{
    struct zbi_header header = header_read(data);

    if (!(header.flags & ZBI_FLAG_CRC32)) {
        if (header.crc32 != ZBI_NO_CRC32)
            return refuse(error, FIELD(crc32),
                          "the container has no CRC but not 0x4a87e8d6 either");
    } else if (header.crc32 != item_crc(header, data + ZBI_HEADER_BYTES)) {
        return refuse(error, FIELD(crc32), "the container's CRC does not match its contents");
    }
    return MX_OK;
}

// Checks the item at `at`, which lies before `end`; its header and payload stay within end.
static mx_status_t check_item(const uint8_t *data, size_t at, size_t end,
                              struct format_error *error)
{
    if (end - at < ZBI_HEADER_BYTES)
        return refuse(error, at, "the container ends within an item's header");
    struct zbi_header header = header_read(data + at);
    size_t room_bytes = end - at - ZBI_HEADER_BYTES;
    if (header.magic != ZBI_ITEM_MAGIC)
        return refuse(error, at + FIELD(magic), "the item's magic is not 0xb5781729");
    if (!(header.flags & ZBI_FLAG_VERSION))
        return refuse(error, at + FIELD(flags), "the item lacks the version flag 0x00010000");
    if (header.type == ZBI_TYPE_CONTAINER)
        return refuse(error, at + FIELD(type), "a container within a container");
    if (header.length > room_bytes)
        return refuse(error, at + FIELD(length), "the item is longer than the container");
    return MX_OK;
}

static mx_status_t check_item_crc(const uint8_t *data, size_t at, struct format_error *error)
{
    struct zbi_header header = header_read(data + at);
    size_t field = at + FIELD(crc32);

    if (!(header.flags & ZBI_FLAG_CRC32)) {
        if (header.crc32 != ZBI_NO_CRC32)
            return refuse(error, field, "the item has no CRC but not 0x4a87e8d6 either");
        return MX_OK;
    }
    if (header.crc32 != item_crc(header, data + at + ZBI_HEADER_BYTES))
        return refuse(error, field, "the item's CRC does not match its contents");
    return MX_OK;
}

static mx_status_t check(const uint8_t *bytes, size_t size_bytes, bool with_crc,
                         struct format_error *error)
{
    mx_status_t status = check_container(bytes, size_bytes, error);
    if (status == MX_OK && with_crc)
        status = check_container_crc(bytes, error);
    if (status != MX_OK)
        return status;

    size_t end = ZBI_HEADER_BYTES + (size_t)header_read(bytes).length;
    for (size_t at = ZBI_HEADER_BYTES; at < end;) {
        status = check_item(bytes, at, end, error);
        if (status == MX_OK && with_crc)
            status = check_item_crc(bytes, at, error);
        if (status != MX_OK)
            return status;
        // `end - at` is a multiple of 8, so that padding never leads beyond it.
        at += ZBI_HEADER_BYTES + align_item(header_read(bytes + at).length);
    }
    return MX_OK;
}

mx_status_t zbi_check(const void *data, size_t size_bytes, struct format_error *error)
{
    return check(data, size_bytes, true, error);
}

mx_status_t zbi_check_layout(const void *data, size_t size_bytes, struct format_error *error)
{
    return check(data, size_bytes, false, error);
}

size_t zbi_size(const void *data, size_t size_bytes)
{
    if (size_bytes < ZBI_HEADER_BYTES)
        return 0;
    struct zbi_header header = header_read(data);
    if (header.type != ZBI_TYPE_CONTAINER || header.extra != ZBI_CONTAINER_MAGIC ||
        header.magic != ZBI_ITEM_MAGIC || header.length % ZBI_ALIGNMENT_BYTES ||
        header.length > size_bytes - ZBI_HEADER_BYTES)
        return 0;
    return ZBI_HEADER_BYTES + (size_t)header.length;
}

struct zbi_iterator zbi_iterate(const void *data, size_t size_bytes)
{
    size_t end = zbi_size(data, size_bytes);
    return (struct zbi_iterator){data, end ? ZBI_HEADER_BYTES : 0, end};
}

bool zbi_next(struct zbi_iterator *iterator, struct zbi_item *item)
{
    struct format_error error;
    size_t at = iterator->next;

    if (at >= iterator->end || check_item(iterator->image, at, iterator->end, &error) != MX_OK) {
        iterator->next = iterator->end;
        return false;
    }
    struct zbi_header header = header_read(iterator->image + at);
    size_t offset = at + ZBI_HEADER_BYTES;
    *item = (struct zbi_item){header.type,   header.extra, header.flags,
                              header.length, offset,       iterator->image + offset};
    iterator->next = offset + align_item(header.length);
    return true;
}

bool zbi_next_of_type(struct zbi_iterator *iterator, uint32_t type, struct zbi_item *item)
{
    while (zbi_next(iterator, item)) {
        if (item->type == type)
            return true;
    }
    return false;
}

bool zbi_find(const void *data, size_t size_bytes, uint32_t type, struct zbi_item *item)
{
    struct zbi_iterator iterator = zbi_iterate(data, size_bytes);
    return zbi_next_of_type(&iterator, type, item);
}

mx_status_t zbi_create(void *buffer, size_t capacity_bytes)
{
    const struct zbi_header header = {
        .type = ZBI_TYPE_CONTAINER,
        .extra = ZBI_CONTAINER_MAGIC,
        .flags = ZBI_FLAG_VERSION,
        .magic = ZBI_ITEM_MAGIC,
        .crc32 = ZBI_NO_CRC32,
    };

    if (capacity_bytes < ZBI_HEADER_BYTES)
        return MX_ERR_BUFFER_TOO_SMALL;
    memcpy(buffer, &header, sizeof header);
    return MX_OK;
}

// The container's own CRC, if it has one, would no longer hold: it is dropped with the new length.
static void container_set_length(uint8_t *image, size_t length)
{
    struct zbi_header header = header_read(image);
    header.length = (uint32_t)length;
    header.flags &= ~ZBI_FLAG_CRC32;
    header.crc32 = ZBI_NO_CRC32;
    memcpy(image, &header, sizeof header);
}

// How many bytes may follow the container: the buffer's end, or what its length field can count.
static size_t container_room(size_t capacity_bytes, size_t at)
{
    const size_t limit = ZBI_HEADER_BYTES + (size_t)(UINT32_MAX & ~UINT32_C(7));

    return (capacity_bytes < limit ? capacity_bytes : limit) - at;
}

mx_status_t zbi_append_space(void *buffer, size_t capacity_bytes, uint32_t type, uint32_t extra,
                             size_t size_bytes, void **payload)
{
    uint8_t *image = buffer;
    size_t at = zbi_size(image, capacity_bytes);
    if (at == 0)
        return MX_ERR_IO_DATA_INTEGRITY;

    const size_t room_bytes = container_room(capacity_bytes, at);
    if (room_bytes < ZBI_HEADER_BYTES || size_bytes > room_bytes - ZBI_HEADER_BYTES ||
        align_item(size_bytes) > room_bytes - ZBI_HEADER_BYTES)
        return MX_ERR_BUFFER_TOO_SMALL;

    const struct zbi_header header = {
        .type = type,
        .length = (uint32_t)size_bytes,
        .extra = extra,
        .flags = ZBI_FLAG_VERSION,
        .magic = ZBI_ITEM_MAGIC,
        .crc32 = ZBI_NO_CRC32,
    };
    memcpy(image + at, &header, sizeof header);
    memset(image + at + ZBI_HEADER_BYTES, 0, align_item(size_bytes));
    container_set_length(image, at + align_item(size_bytes));
    *payload = image + at + ZBI_HEADER_BYTES;
    return MX_OK;
}

mx_status_t zbi_append_items(void *buffer, size_t capacity_bytes, const void *items,
                             size_t size_bytes)
{
    uint8_t *image = buffer;
    const size_t at = zbi_size(image, capacity_bytes);

    if (at == 0)
        return MX_ERR_IO_DATA_INTEGRITY;
    if (size_bytes % ZBI_ALIGNMENT_BYTES)
        return MX_ERR_INVALID_ARGS;
    if (size_bytes > container_room(capacity_bytes, at))
        return MX_ERR_BUFFER_TOO_SMALL;
    if (size_bytes > 0)
        memcpy(image + at, items, size_bytes);
    container_set_length(image, at - ZBI_HEADER_BYTES + size_bytes);
    return MX_OK;
}

mx_status_t zbi_append(void *buffer, size_t capacity_bytes, uint32_t type, uint32_t extra,
                       const void *payload, size_t size_bytes, bool with_crc)
{
    void *space;
    mx_status_t status = zbi_append_space(buffer, capacity_bytes, type, extra, size_bytes, &space);
    if (status != MX_OK)
        return status;
    if (size_bytes)
        memcpy(space, payload, size_bytes);
    if (with_crc) {
        uint8_t *at = (uint8_t *)space - ZBI_HEADER_BYTES;
        struct zbi_header header = header_read(at);
        header.flags |= ZBI_FLAG_CRC32;
        header.crc32 = item_crc(header, space);
        memcpy(at, &header, sizeof header);
    }
    return MX_OK;
}

mx_status_t zbi_append_padding(void *buffer, size_t capacity_bytes, size_t alignment_bytes)
{
    size_t at = zbi_size(buffer, capacity_bytes);
    if (at == 0)
        return MX_ERR_IO_DATA_INTEGRITY;

    size_t excess = (at + ZBI_HEADER_BYTES) & (alignment_bytes - 1);
    if (excess == 0)
        return MX_OK;
    size_t gap = alignment_bytes - excess;
    if (gap < ZBI_HEADER_BYTES)
        gap += alignment_bytes;
    void *payload;
    return zbi_append_space(buffer, capacity_bytes, ZBI_TYPE_DISCARD, 0, gap - ZBI_HEADER_BYTES,
                            &payload);
}

const char *zbi_type_name(uint32_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } names[] = {
        {ZBI_TYPE_CONTAINER, "CONTAINER"},
        {ZBI_TYPE_DISCARD, "DISCARD"},
        {ZBI_TYPE_KERNEL_X64, "KERNEL_X64"},
        {ZBI_TYPE_KERNEL_ARM64, "KERNEL_ARM64"},
        {ZBI_TYPE_CMDLINE, "CMDLINE"},
        {ZBI_TYPE_BOOTFS, "BOOTFS"},
        {ZBI_TYPE_RAMDISK, "RAMDISK"},
        {ZBI_TYPE_E820_TABLE, "E820_TABLE"},
        {ZBI_TYPE_EFI_MEMORY_MAP, "EFI_MEMORY_MAP"},
        {ZBI_TYPE_EFI_SYSTEM_TABLE, "EFI_SYSTEM_TABLE"},
        {ZBI_TYPE_ACPI_RSDP, "ACPI_RSDP"},
        {ZBI_TYPE_DEBUG_UART, "DEBUG_UART"},
        {ZBI_TYPE_SMBIOS, "SMBIOS"},
        {ZBI_TYPE_FRAMEBUFFER, "FRAMEBUFFER"},
        {ZBI_TYPE_CPU_CONFIG, "CPU_CONFIG"},
        {ZBI_TYPE_MEM_CONFIG, "MEM_CONFIG"},
        {ZBI_TYPE_KERNEL_DRIVER, "KERNEL_DRIVER"},
        {ZBI_TYPE_PLATFORM_ID, "PLATFORM_ID"},
        {ZBI_TYPE_DEVICETREE, "DEVICETREE"},
        {ZBI_TYPE_PLACE, "PLACE"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type)
            return names[i].name;
    }
    return NULL;
}
