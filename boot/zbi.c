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

// --- CRC
// ------------------------------------------------------------------------------------------
//
// Eight bytes at a time: table k has what a byte with k bytes of zeros behind it does to the CRC.
// That is linear, so an entry is the sum of those of its bits, which BITS_k lists, the lowest
// first.

// clang-format off
#define BITS_0 0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320
#define BITS_1 0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b
#define BITS_2 0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80
#define BITS_3 0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b
#define BITS_4 0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092
#define BITS_5 0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8
#define BITS_6 0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2
#define BITS_7 0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da
// clang-format on

#define ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7)                                 \
    (((i)&1 ? b0 : 0) ^ ((i)&2 ? b1 : 0) ^ ((i)&4 ? b2 : 0) ^ ((i)&8 ? b3 : 0) ^ \
     ((i)&16 ? b4 : 0) ^ ((i)&32 ? b5 : 0) ^ ((i)&64 ? b6 : 0) ^ ((i)&128 ? b7 : 0))
#define ENTRIES_1(i, ...) ENTRY(i, __VA_ARGS__)
#define ENTRIES_4(i, ...)                                                                        \
    ENTRIES_1(i, __VA_ARGS__), ENTRIES_1((i) + 1, __VA_ARGS__), ENTRIES_1((i) + 2, __VA_ARGS__), \
        ENTRIES_1((i) + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...)                                                                       \
    ENTRIES_4(i, __VA_ARGS__), ENTRIES_4((i) + 4, __VA_ARGS__), ENTRIES_4((i) + 8, __VA_ARGS__), \
        ENTRIES_4((i) + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...)                                         \
    ENTRIES_16(i, __VA_ARGS__), ENTRIES_16((i) + 16, __VA_ARGS__), \
        ENTRIES_16((i) + 32, __VA_ARGS__), ENTRIES_16((i) + 48, __VA_ARGS__)
#define TABLE(...)                                                                             \
    {                                                                                          \
        ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), ENTRIES_64(128, __VA_ARGS__), \
            ENTRIES_64(192, __VA_ARGS__)                                                       \
    }

static const uint32_t crc_tables[8][256] = {
    TABLE(BITS_0), TABLE(BITS_1), TABLE(BITS_2), TABLE(BITS_3),
    TABLE(BITS_4), TABLE(BITS_5), TABLE(BITS_6), TABLE(BITS_7),
};

static uint32_t crc_of_word(uint64_t word)
{
    uint32_t crc = 0;

    for (unsigned i = 0; i < 8; i++)
        crc ^= crc_tables[7 - i][(uint8_t)(word >> 8 * i)];
    return crc;
}

uint32_t zbi_crc32(uint32_t crc, const void *data, size_t size_bytes)
{
    const uint8_t *bytes = data;
    uint64_t word;

    crc = ~crc;
    for (; size_bytes >= sizeof word; size_bytes -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        crc = crc_of_word(word ^ crc);
    }
    for (; size_bytes > 0; size_bytes--, bytes++)
        crc = (crc >> 8) ^ crc_tables[0][(uint8_t)(crc ^ *bytes)];
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
