// GUID partition tables: good ones, the backup, and everything that is refused.
#include "tests/test.h"
#include "tests/unit/gpt_fixture.h"

static struct gpt_table table;
static const char *reason;

static mx_status_t read_table(void)
{
    return gpt_read(&fake_gpt_disk, &table, &reason);
}

// The first table is changed and sealed again; the backup is destroyed.
static void expect_refused(const char *why)
{
    fake_seal(1, 2);
    put(FAKE_LAST_BLOCK, 0, 0, 8);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, read_table());
    EXPECT_STR_EQ(reason, why);
    EXPECT_EQ(table.count, 0u);
}

TEST(partitions_are_read_in_order)
{
    fake_table();
    ASSERT_OK(read_table());
    EXPECT_FALSE(table.is_backup);
    ASSERT_EQ(table.count, 2u);
    EXPECT_EQ(table.partitions[0].first_block, 40u);
    EXPECT_EQ(table.partitions[0].block_count, 10u);
    EXPECT_FALSE(gpt_guid_is_same(&table.partitions[0].type, &gpt_package_type));
    EXPECT_TRUE(gpt_guid_is_same(&table.partitions[1].type, &gpt_package_type));
    EXPECT_EQ(table.partitions[1].block_count, 50u);
}

TEST(backup_serves_when_the_first_table_is_damaged)
{
    fake_table();
    fake_disk[FAKE_BLOCK_BYTES + 60] ^= 1;
    ASSERT_OK(read_table());
    EXPECT_TRUE(table.is_backup);
    EXPECT_STR_EQ(table.primary_reason, "the header's checksum is wrong");
    EXPECT_EQ(table.count, 2u);
    fake_table();
    fake_disk[2 * FAKE_BLOCK_BYTES + 33] ^= 1;
    ASSERT_OK(read_table());
    EXPECT_TRUE(table.is_backup);
    fake_table();
    fake_bad_block = 1;
    ASSERT_OK(read_table());
    EXPECT_STR_EQ(table.primary_reason, "the header cannot be read");
    fake_table();
    fake_bad_block = 3;
    ASSERT_OK(read_table());
    EXPECT_STR_EQ(table.primary_reason, "the entries cannot be read");
}

TEST(a_disk_without_a_table_has_none)
{
    struct gpt_disk small = fake_gpt_disk;

    fake_table();
    put(1, 0, 0, 8);
    put(FAKE_LAST_BLOCK, 0, 0, 8);
    EXPECT_STATUS(MX_ERR_NOT_FOUND, read_table());
    small.block_count = 5;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, gpt_read(&small, &table, &reason));
    small = fake_gpt_disk;
    small.block_bytes = 8192;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, gpt_read(&small, &table, &reason));
}

TEST(tables_with_lies_in_them_are_refused)
{
    fake_table();
    put(1, 24, 2, 8);
    expect_refused("the header says that it is elsewhere");
    fake_table();
    put(1, 48, FAKE_BLOCK_COUNT, 8);
    expect_refused("the usable blocks reach beyond the disk");
    fake_table();
    put(1, 40, 200, 8);
    put(1, 48, 100, 8);
    expect_refused("the usable blocks reach beyond the disk");
    fake_table();
    put(1, 84, 96, 4);
    expect_refused("the entries have a size that makes no sense");
    fake_table();
    put(1, 84, 0, 4);
    expect_refused("the entries have a size that makes no sense");
    fake_table();
    put(1, 80, UINT32_MAX, 4);
    expect_refused("there are no entries, or more than fit");
    fake_table();
    put(1, 80, 0, 4);
    expect_refused("there are no entries, or more than fit");
    fake_table();
    put(1, 72, UINT64_MAX, 8);
    expect_refused("the entries reach beyond the disk");
    fake_table();
    put(1, 72, FAKE_BLOCK_COUNT - 1, 8);
    expect_refused("the entries reach beyond the disk");
    fake_table();
    put(1, 12, 91, 4);
    put(FAKE_LAST_BLOCK, 0, 0, 8);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, read_table());
    EXPECT_STR_EQ(reason, "the header has a size that makes no sense");
    put(1, 12, 513, 4);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, read_table());
}

TEST(partitions_outside_or_over_each_other_are_refused)
{
    static const struct gpt_guid type = {{9}};

    fake_table();
    fake_partition(1, &type, 99, 120);
    expect_refused("partitions overlap");
    fake_table();
    fake_partition(1, &type, 45, 45);
    expect_refused("partitions overlap");
    fake_table();
    fake_partition(1, &type, 2, 5);
    expect_refused("a partition lies outside the usable blocks");
    fake_table();
    fake_partition(1, &type, 200, 250);
    expect_refused("a partition lies outside the usable blocks");
    fake_table();
    fake_partition(1, &type, 130, 120);
    expect_refused("a partition lies outside the usable blocks");
    fake_table();
    fake_partition(1, &type, 130, UINT64_MAX);
    expect_refused("a partition lies outside the usable blocks");
}
