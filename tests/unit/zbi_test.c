// ZBI containers: what is written is found again, and every malformed header is refused where it
// is.

#include "tests/test.h"

#include <stdlib.h>

#include "boot/zbi.h"

static uint8_t image[4096];
static struct format_error error;

static void put_word(size_t offset, uint32_t value)
{
    memcpy(image + offset, &value, sizeof value);
}

// A container with a command line of 5 bytes at 32 and a checksummed item of 8 bytes at 72.
static size_t make_image(void)
{
    memset(image, 0xee, sizeof image);
    EXPECT_OK(zbi_create(image, sizeof image));
    EXPECT_OK(zbi_append(image, sizeof image, ZBI_TYPE_CMDLINE, 0, "quux", 5, false));
    EXPECT_OK(zbi_append(image, sizeof image, ZBI_TYPE_ACPI_RSDP, 7, "12345678", 8, true));
    return zbi_size(image, sizeof image);
}

TEST(zbi_finds_what_was_appended)
{
    struct zbi_item item;
    size_t size = make_image();

    EXPECT_EQ(size, 112u);
    EXPECT_OK(zbi_check(image, size, &error));
    ASSERT_TRUE(zbi_find(image, size, ZBI_TYPE_CMDLINE, &item));
    EXPECT_EQ(item.offset, 64u);
    EXPECT_EQ(item.size_bytes, 5u);
    EXPECT_STR_EQ((const char *)item.payload, "quux");
    ASSERT_TRUE(zbi_find(image, size, ZBI_TYPE_ACPI_RSDP, &item));
    EXPECT_EQ(item.extra, 7u);
    EXPECT_BYTES_EQ(item.payload, "12345678", 8);
    EXPECT_FALSE(zbi_find(image, size, ZBI_TYPE_BOOTFS, &item));
}

TEST(zbi_walks_items_of_one_type)
{
    struct zbi_item item;
    make_image();
    EXPECT_OK(zbi_append(image, sizeof image, ZBI_TYPE_CMDLINE, 0, "b", 2, true));
    struct zbi_iterator iterator = zbi_iterate(image, sizeof image);
    ASSERT_TRUE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
    EXPECT_STR_EQ((const char *)item.payload, "quux");
    ASSERT_TRUE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
    EXPECT_STR_EQ((const char *)item.payload, "b");
    EXPECT_FALSE(zbi_next_of_type(&iterator, ZBI_TYPE_CMDLINE, &item));
    EXPECT_FALSE(zbi_next(&iterator, &item));
}

// One bit at a time, by the definition.
static uint32_t slow_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

TEST(zbi_crc_is_the_same_at_every_length_and_split)
{
    uint8_t bytes[600];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i + 7 * i);
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint32_t crc = slow_crc(bytes, size);
        EXPECT_EQ(zbi_crc32(0, bytes, size), crc);
        EXPECT_EQ(zbi_crc32(zbi_crc32(0, bytes, size / 3), bytes + size / 3, size - size / 3), crc);
    }
}

TEST(zbi_crc_is_ieee_802_3)
{
    EXPECT_EQ(zbi_crc32(0, "123456789", 9), 0xcbf43926u);
    EXPECT_EQ(zbi_crc32(zbi_crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
    EXPECT_EQ(zbi_crc32(0, "", 0), 0u);
}

TEST(zbi_refuses_each_bad_field_at_its_offset)
{
    static const struct {
        size_t offset;
        uint32_t value;
        size_t reported;
    } cases[] = {
        {0, ZBI_TYPE_CMDLINE, 0},
        {4, 81, 4},
        {4, 0x10000, 4},
        {4, UINT32_MAX, 4},
        {4, 48, 72},
        {8, 0, 8},
        {12, 0, 12},
        {24, 1, 24},
        {28, 0, 28},
        {32, ZBI_TYPE_CONTAINER, 32},
        {36, 49, 36},
        {36, UINT32_MAX, 36},
        {44, 0, 44},
        {56, 0, 56},
        {60, 1, 60},
        {80, 8, 100},
        {104, 0, 100},
        {12, ZBI_FLAG_VERSION | ZBI_FLAG_CRC32, 28},
        {4, 64, 72},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = make_image();
        put_word(cases[i].offset, cases[i].value);
        mx_status_t status = zbi_check(image, size, &error);
        if (status != MX_ERR_IO_DATA_INTEGRITY || error.offset != cases[i].reported)
            test_fail(__FILE__, __LINE__, "case %zu: status %d, offset %zu", i, status,
                      error.offset);
    }
}

TEST(zbi_refuses_every_truncation)
{
    size_t whole = make_image();
    for (size_t size = 0; size < whole; size++) {
        uint8_t *copy = malloc(size + !size);
        memcpy(copy, image, size);
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, zbi_check(copy, size, &error));
        EXPECT_EQ(zbi_size(copy, size), 0u);
        free(copy);
    }
}

TEST(zbi_accepts_a_checksummed_container_and_drops_the_checksum_on_append)
{
    struct zbi_header header;
    size_t size = make_image();

    memcpy(&header, image, sizeof header);
    header.flags |= ZBI_FLAG_CRC32;
    header.crc32 = 0;
    header.crc32 = zbi_crc32(zbi_crc32(0, &header, sizeof header), image + 32, header.length);
    memcpy(image, &header, sizeof header);
    EXPECT_OK(zbi_check(image, size, &error));
    EXPECT_OK(zbi_append(image, sizeof image, ZBI_TYPE_CMDLINE, 0, "z", 2, false));
    EXPECT_OK(zbi_check(image, sizeof image, &error));
}

TEST(zbi_iteration_ends_at_a_malformed_item)
{
    struct zbi_item item;
    make_image();
    put_word(72 + 4, 1000);
    struct zbi_iterator iterator = zbi_iterate(image, sizeof image);
    EXPECT_TRUE(zbi_next(&iterator, &item));
    EXPECT_FALSE(zbi_next(&iterator, &item));
    EXPECT_FALSE(zbi_next(&iterator, &item));
}

TEST(zbi_append_leaves_the_container_alone_when_the_item_does_not_fit)
{
    void *payload;
    size_t size = make_image();

    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  zbi_append(image, size + 39, ZBI_TYPE_CMDLINE, 0, "12345678", 8, false));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  zbi_append(image, size + 31, ZBI_TYPE_CMDLINE, 0, "", 0, false));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  zbi_append(image, size + 33, ZBI_TYPE_CMDLINE, 0, "1", 1, false));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  zbi_append_space(image, size + 40, ZBI_TYPE_CMDLINE, 0, SIZE_MAX, &payload));
    EXPECT_EQ(zbi_size(image, sizeof image), size);
    EXPECT_EQ(image[size], 0xee);
    EXPECT_OK(zbi_append(image, size + 40, ZBI_TYPE_CMDLINE, 0, "12345678", 8, false));
    EXPECT_OK(zbi_check(image, size + 40, &error));
}

TEST(zbi_appends_the_items_of_another_container)
{
    static uint8_t other[256];
    struct zbi_item item;
    const size_t size = make_image();

    EXPECT_OK(zbi_create(other, sizeof other));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  zbi_append_items(other, size - 1, image + 32, size - 32));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, zbi_append_items(other, sizeof other, image + 32, 9));
    EXPECT_EQ(zbi_size(other, sizeof other), 32u);
    EXPECT_OK(zbi_append_items(other, size, image + 32, size - 32));
    EXPECT_BYTES_EQ(other, image, size);
    EXPECT_OK(zbi_append_items(other, sizeof other, NULL, 0));
    EXPECT_OK(zbi_check(other, size, &error));
    ASSERT_TRUE(zbi_find(other, size, ZBI_TYPE_ACPI_RSDP, &item));
    EXPECT_EQ(item.extra, 7u);
    memset(other, 0, sizeof other);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, zbi_append_items(other, sizeof other, image, 0));
}

TEST(zbi_append_refuses_what_is_not_a_container)
{
    memset(image, 0, sizeof image);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                  zbi_append(image, sizeof image, ZBI_TYPE_CMDLINE, 0, "", 0, false));
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL, zbi_create(image, 31));
}

TEST(zbi_padding_puts_the_next_payload_on_the_alignment)
{
    for (size_t before = 0; before < 300; before += 8) {
        struct zbi_item item;
        void *payload;
        EXPECT_OK(zbi_create(image, sizeof image));
        EXPECT_OK(zbi_append_space(image, sizeof image, ZBI_TYPE_CMDLINE, 0, before, &payload));
        EXPECT_OK(zbi_append_padding(image, sizeof image, 256));
        EXPECT_OK(zbi_append_space(image, sizeof image, ZBI_TYPE_BOOTFS, 0, 1, &payload));
        EXPECT_OK(zbi_check(image, sizeof image, &error));
        ASSERT_TRUE(zbi_find(image, sizeof image, ZBI_TYPE_BOOTFS, &item));
        EXPECT_EQ(item.offset % 256, 0u);
    }
}

TEST(zbi_names_known_types_only)
{
    EXPECT_STR_EQ(zbi_type_name(ZBI_TYPE_BOOTFS), "BOOTFS");
    EXPECT_TRUE(zbi_type_name(1) == NULL);
}
