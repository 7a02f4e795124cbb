// Bootfs archives: what is written is read back; malformed ones are refused where they are wrong.

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "boot/bootfs.h"
#include "boot/bootfs_writer.h"

static const struct bootfs_source sources[] = {
    {"a/b", "1", 1},  {"a/b.c", "22", 2}, {"a/d/e", "333", 3},
    {"a/d/f", "", 0}, {"ab", "55555", 5}, {"b/a/x", "6", 1},
};
enum { SOURCES = 6 };

static uint8_t *archive; // exactly sized, so that the sanitizer sees what reads beyond it
static size_t archive_size;
static struct bootfs fs;
static struct format_error error;

static void make_archive(void)
{
    size_t bad_index;
    free(archive);
    archive = NULL;
    if (bootfs_plan(sources, SOURCES, &archive_size, &bad_index) != MX_OK)
        test_fail(__FILE__, __LINE__, "file %zu is refused", bad_index);
    archive = malloc(archive_size);
    bootfs_write(sources, SOURCES, archive, archive_size);
}

TEST(bootfs_reads_what_was_written)
{
    make_archive();
    ASSERT_OK(bootfs_open(&fs, archive, archive_size, &error));
    struct bootfs_cursor cursor = {0};
    struct bootfs_file file;
    for (size_t i = 0; i < SOURCES; i++) {
        ASSERT_TRUE(bootfs_next(&fs, &cursor, &file));
        EXPECT_STR_EQ(file.name, sources[i].name);
        ASSERT_EQ(file.size_bytes, sources[i].size_bytes);
        EXPECT_BYTES_EQ(file.data, sources[i].data, file.size_bytes);
        EXPECT_EQ(file.offset % BOOTFS_PAGE_BYTES, 0u);
    }
    EXPECT_FALSE(bootfs_next(&fs, &cursor, &file));
}

TEST(bootfs_finds_files_by_path_only)
{
    struct bootfs_file file;
    make_archive();
    ASSERT_OK(bootfs_open(&fs, archive, archive_size, &error));
    EXPECT_OK(bootfs_find(&fs, "a/d/e", &file));
    EXPECT_EQ(file.size_bytes, 3u);
    EXPECT_OK(bootfs_find(&fs, "b/a/x", &file));
    static const char *const absent[] = {"", "a", "a/", "/a/b", "a/b/", "a/d", "zz", "a/bb"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        EXPECT_STATUS(MX_ERR_NOT_FOUND, bootfs_find(&fs, absent[i], &file));
}

static void expect_children(const char *directory, const char *expected)
{
    char found[128] = "";
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;

    while (bootfs_next_child(&fs, directory, &cursor, &child)) {
        strncat(found, child.name, child.name_length);
        strcat(found, child.is_directory ? "/ " : " ");
    }
    EXPECT_STR_EQ(found, expected);
}

TEST(bootfs_lists_each_child_once)
{
    make_archive();
    ASSERT_OK(bootfs_open(&fs, archive, archive_size, &error));
    expect_children("", "a/ ab b/ ");
    expect_children("a", "b b.c d/ ");
    expect_children("a/d", "e f ");
    expect_children("b", "a/ ");
    expect_children("a/b", "");
    expect_children("none", "");
}

TEST(bootfs_opens_an_empty_archive)
{
    struct bootfs_file file;
    struct bootfs_cursor cursor = {0};
    size_t size, bad_index;
    uint8_t page[BOOTFS_PAGE_BYTES];
    ASSERT_OK(bootfs_plan(NULL, 0, &size, &bad_index));
    ASSERT_EQ(size, sizeof page);
    bootfs_write(NULL, 0, page, size);
    ASSERT_OK(bootfs_open(&fs, page, size, &error));
    EXPECT_FALSE(bootfs_next(&fs, &cursor, &file));
}

TEST(bootfs_refuses_each_bad_field_at_its_offset)
{
    // The first entry is at 16: name bytes, data bytes, data offset, "a/b"; the second at 32.
    static const struct {
        size_t offset;
        uint32_t value;
        size_t reported;
    } cases[] = {
        {0, 0, 0},
        {4, UINT32_MAX, 4},
        {4, 8, 16},  // the directory ends within the first entry
        {4, 14, 16}, // ... within its name
        {16, 0, 16},
        {16, 1, 16},
        {16, 257, 16},
        {16, 3, 28}, // the name does not end in NUL
        {16, UINT32_MAX, 16},
        {20, UINT32_MAX, 24},
        {24, 4097, 24},
        {24, 0, 24}, // overlaps the directory
        {24, 0xfffff000, 24},
        {28, 0x00622f2f, 28}, // "//b"
        {28, 0x00002f61, 28}, // a NUL within the name
        {28, 0x007f2f61, 28}, // a control character
        {28, 0x00632f7a, 44}, // "z/c" is not before "a/b.c"
        {28, 0x002e2f61, 28}, // "a/."
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_archive();
        memcpy(archive + cases[i].offset, &cases[i].value, 4);
        mx_status_t status = bootfs_open(&fs, archive, archive_size, &error);
        if (status != MX_ERR_IO_DATA_INTEGRITY || error.offset != cases[i].reported)
            test_fail(__FILE__, __LINE__, "case %zu: status %d, offset %zu", i, status,
                      error.offset);
    }
}

// The data offset of file `index`, in the directory of `sources`.
static size_t extent_field(size_t index)
{
    size_t offset = BOOTFS_HEADER_BYTES;

    for (size_t i = 0; i < index; i++)
        offset += (BOOTFS_ENTRY_BYTES + strlen(sources[i].name) + 1 + 3) & ~(size_t)3;
    return offset + 8;
}

static void set_extent(size_t index, uint32_t data_offset, uint32_t data_bytes)
{
    memcpy(archive + extent_field(index), &data_offset, 4);
    memcpy(archive + extent_field(index) - 4, &data_bytes, 4);
}

static void expect_shared(size_t index)
{
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, bootfs_open(&fs, archive, archive_size, &error));
    EXPECT_EQ(error.offset, extent_field(index));
    EXPECT_STR_EQ(error.reason, "the file shares bytes with one before it");
}

TEST(bootfs_refuses_files_that_share_bytes)
{
    make_archive(); // files of 1, 2, 3, 0, 5 and 1 bytes in pages 1, 2, 3, -, 4 and 5
    set_extent(1, 1 * BOOTFS_PAGE_BYTES, 2);
    expect_shared(1);
    make_archive();
    set_extent(1, 2 * BOOTFS_PAGE_BYTES, BOOTFS_PAGE_BYTES + 1);
    expect_shared(2);
    make_archive();
    set_extent(5, 3 * BOOTFS_PAGE_BYTES, 1);
    expect_shared(5);
    make_archive();
    set_extent(5, 2 * BOOTFS_PAGE_BYTES, BOOTFS_PAGE_BYTES + 1); // from before into the next
    expect_shared(5);
}

TEST(bootfs_takes_files_in_any_order)
{
    make_archive();
    set_extent(0, 5 * BOOTFS_PAGE_BYTES, 1);
    set_extent(1, 4 * BOOTFS_PAGE_BYTES, BOOTFS_PAGE_BYTES);
    set_extent(2, 2 * BOOTFS_PAGE_BYTES, 3);
    set_extent(4, 3 * BOOTFS_PAGE_BYTES, 5);
    set_extent(5, 1 * BOOTFS_PAGE_BYTES, 1);
    EXPECT_OK(bootfs_open(&fs, archive, archive_size, &error));
    set_extent(3, 5 * BOOTFS_PAGE_BYTES, 0); // an empty one shares nothing
    EXPECT_OK(bootfs_open(&fs, archive, archive_size, &error));
}

// Files of a byte, each before the one before it.
static uint8_t *descending_archive(uint32_t file_count, size_t *size_bytes)
{
    const uint32_t entry_bytes = 20;
    uint32_t first = 16 + file_count * entry_bytes;
    first = (first + BOOTFS_PAGE_BYTES - 1) / BOOTFS_PAGE_BYTES;
    const uint32_t header[4] = {BOOTFS_MAGIC, file_count * entry_bytes, 0, 0};

    *size_bytes = (size_t)(first + file_count) * BOOTFS_PAGE_BYTES;
    uint8_t *made = calloc(1, *size_bytes);
    memcpy(made, header, sizeof header);
    for (uint32_t i = 0; i < file_count; i++) {
        uint32_t entry[5] = {8, 1, (first + file_count - 1 - i) * BOOTFS_PAGE_BYTES};
        snprintf((char *)&entry[3], 8, "f%06u", i % 1000000);
        memcpy(made + 16 + i * entry_bytes, entry, sizeof entry);
    }
    return made;
}

TEST(bootfs_compares_a_bounded_number_of_files)
{
    size_t size;
    uint8_t *made = descending_archive(4096, &size);

    EXPECT_OK(bootfs_open(&fs, made, size, &error));
    free(made);
    made = descending_archive(20000, &size);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, bootfs_open(&fs, made, size, &error));
    EXPECT_STR_EQ(error.reason, "too many files do not lie in the order of the directory");
    free(made);
}

TEST(bootfs_refuses_truncations_that_cut_a_file)
{
    make_archive();
    size_t needed = archive_size - BOOTFS_PAGE_BYTES + 1; // the last file has one byte
    for (size_t size = 0; size < needed; size += size < 200 ? 1 : 1009) {
        uint8_t *copy = malloc(size + !size);
        memcpy(copy, archive, size);
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, bootfs_open(&fs, copy, size, &error));
        free(copy);
    }
    EXPECT_OK(bootfs_open(&fs, archive, needed, &error));
}

TEST(bootfs_names_are_plain_relative_paths)
{
    static const char *const bad[] = {"",   "/",      "/a",  "a/",  "a//b", ".",
                                      "..", "a/../b", "./a", "a\n", "\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_FALSE(bootfs_is_name_valid(bad[i]));
    EXPECT_TRUE(bootfs_is_name_valid("a/..b/c.d/..."));
    char name[BOOTFS_NAME_BYTES_MAX + 1];
    memset(name, 'n', sizeof name);
    name[BOOTFS_NAME_BYTES_MAX] = '\0';
    EXPECT_FALSE(bootfs_is_name_valid(name));
    EXPECT_TRUE(bootfs_is_name_valid(name + 1));
}

TEST(bootfs_plan_refuses_bad_lists)
{
    size_t size, bad_index;
    const struct bootfs_source twice[] = {{"a", "", 0}, {"a", "", 0}};
    const struct bootfs_source unsorted[] = {{"b", "", 0}, {"a", "", 0}};
    const struct bootfs_source below_file[] = {{"a", "", 0}, {"a.b", "", 0}, {"a/b", "", 0}};
    const struct bootfs_source bad_name[] = {{"a", "", 0}, {"b/..", "", 0}};
    const struct bootfs_source huge[] = {{"a", "", 0}, {"b", "", (size_t)1 << 32}};
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, bootfs_plan(twice, 2, &size, &bad_index));
    EXPECT_EQ(bad_index, 1u);
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, bootfs_plan(unsorted, 2, &size, &bad_index));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, bootfs_plan(below_file, 3, &size, &bad_index));
    EXPECT_EQ(bad_index, 0u);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, bootfs_plan(bad_name, 2, &size, &bad_index));
    EXPECT_EQ(bad_index, 1u);
    EXPECT_STATUS(MX_ERR_FILE_TOO_BIG, bootfs_plan(huge, 2, &size, &bad_index));
}
