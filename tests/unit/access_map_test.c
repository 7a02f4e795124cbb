// Dispatch of register accesses to the rows of a machine's device table.
#include "tests/test.h"
#include "vmm/monitor/portable/access_map.h"

struct fake_device {
    uint64_t last_offset, last_value;
    unsigned last_width, read_count, write_count;
    uint64_t answer;
};

static uint64_t fake_read(void *context, uint64_t offset, unsigned width_bytes)
{
    struct fake_device *device = context;

    device->last_offset = offset;
    device->last_width = width_bytes;
    device->read_count++;
    return device->answer;
}

static void fake_write(void *context, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct fake_device *device = context;

    device->last_offset = offset;
    device->last_width = width_bytes;
    device->last_value = value;
    device->write_count++;
}

static const struct device_ops fake_ops = {.read = fake_read, .write = fake_write};

static size_t add(struct access_map *map, struct fake_device *device, uint64_t base, uint64_t size)
{
    const struct access_row row = {
        .base = base, .size_bytes = size, .ops = &fake_ops, .device = device};
    size_t index = SIZE_MAX;

    EXPECT_EQ(access_map_add(map, &row, &index), MX_OK);
    return index;
}

TEST(access_map_gives_the_row_its_own_offset_and_width)
{
    struct access_map map = {0};
    struct fake_device device = {.answer = 0x12345678};
    const size_t index = add(&map, &device, 0x3f8, 8);

    EXPECT_EQ(access_map_read(&map, index, 0x3fd, 2), 0x5678);
    EXPECT_EQ(device.last_offset, 5);
    EXPECT_EQ(device.last_width, 2);
    access_map_write(&map, index, 0x3f8, 1, 0xabcd);
    EXPECT_EQ(device.last_offset, 0);
    EXPECT_EQ(device.last_value, 0xcd);
}

TEST(access_map_finds_the_row_whatever_the_hint)
{
    struct access_map map = {0};
    struct fake_device first = {.answer = 1}, second = {.answer = 2};

    add(&map, &first, 0x100, 4);
    add(&map, &second, 0x200, 4);
    EXPECT_EQ(access_map_read(&map, 0, 0x200, 4), 2);
    EXPECT_EQ(access_map_read(&map, UINT64_MAX, 0x100, 4), 1);
    EXPECT_EQ(access_map_read(&map, 7, 0x203, 1), 2);
}

TEST(access_map_reads_ones_where_nothing_is)
{
    struct access_map map = {0};

    EXPECT_EQ(access_map_read(&map, 0, 0x80, 1), 0xff);
    EXPECT_EQ(access_map_read(&map, 0, 0x80, 4), 0xffffffff);
    EXPECT_EQ(access_map_read(&map, 0, UINT64_MAX, 8), UINT64_MAX);
    access_map_write(&map, 0, UINT64_MAX, 8, 1);
}

TEST(access_map_splits_an_access_across_the_end_of_a_row)
{
    struct access_map map = {0};
    struct fake_device device = {.answer = 0x55};

    add(&map, &device, 0x60, 1);
    EXPECT_EQ(access_map_read(&map, 0, 0x60, 4), 0xffffff55);
    EXPECT_EQ(access_map_read(&map, 0, 0x5f, 2), 0x55ff);
    access_map_write(&map, 0, 0x5f, 2, 0xaabb);
    EXPECT_EQ(device.write_count, 1);
    EXPECT_EQ(device.last_value, 0xaa);
}

TEST(access_map_refuses_overlaps_and_empty_rows)
{
    struct access_map map = {0};
    struct fake_device device = {0};
    struct access_row row = {.base = 0x10, .size_bytes = 4, .ops = &fake_ops, .device = &device};
    size_t index;

    EXPECT_EQ(access_map_add(&map, &row, &index), MX_OK);
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_ALREADY_EXISTS);
    row.base = 0x13;
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_ALREADY_EXISTS);
    row.base = 0xf;
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_ALREADY_EXISTS);
    row.base = 0x14;
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_OK);
    row = (struct access_row){.base = 0x40, .size_bytes = 0, .ops = &fake_ops};
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_INVALID_ARGS);
    row = (struct access_row){.base = UINT64_MAX, .size_bytes = 2, .ops = &fake_ops};
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_INVALID_ARGS);
}

TEST(access_map_refuses_more_rows_than_it_has)
{
    struct access_map map = {0};
    struct fake_device device = {0};
    const struct access_row row = {
        .base = 0x10000, .size_bytes = 1, .ops = &fake_ops, .device = &device};
    size_t index;

    for (unsigned i = 0; i < ACCESS_MAP_ROWS_MAX; i++)
        add(&map, &device, i, 1);
    EXPECT_EQ(access_map_add(&map, &row, &index), MX_ERR_NO_RESOURCES);
}
