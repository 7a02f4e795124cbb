// The kernel's log as an object.

#include <stdio.h>

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_handle_t reader;

// Reads up to a record with the text; false when the log ends before.
static bool find(const char *text, struct mx_log_record *record)
{
    while (mx_log_read(reader, record) == MX_OK) {
        if (record->size_bytes == strlen(text) &&
            memcmp(record->text, text, record->size_bytes) == 0)
            return true;
    }
    return false;
}

TEST(written_record_is_read_with_its_writer)
{
    struct mx_info_handle self;
    struct mx_log_record record;

    ASSERT_OK(mx_log_create(system_resource(), &reader));
    ASSERT_OK(mx_log_write(reader, "log_test record", 15));
    ASSERT_TRUE(find("log_test record", &record));
    ASSERT_OK(mx_object_get_info(own_process(), MX_INFO_HANDLE, &self, sizeof(self), NULL));
    EXPECT_EQ(record.process_koid, self.koid);
    EXPECT_GT(record.timestamp, 0);
    EXPECT_LE(record.timestamp, mx_clock_get_monotonic());
    close_handle(reader);
}

TEST(each_handle_reads_all_records)
{
    struct mx_log_record record;

    for (int i = 0; i < 2; i++) {
        ASSERT_OK(mx_log_create(system_resource(), &reader));
        if (i == 0)
            ASSERT_OK(mx_log_write(reader, "seen by both", 12));
        EXPECT_TRUE(find("seen by both", &record));
        close_handle(reader);
    }
}

TEST(readable_follows_new_records)
{
    struct mx_log_record record;

    ASSERT_OK(mx_log_create(system_resource(), &reader));
    while (mx_log_read(reader, &record) == MX_OK)
        continue;
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_log_read(reader, &record));
    ASSERT_OK(mx_log_write(reader, "x", 1));
    EXPECT_OK(mx_object_wait_one(reader, MX_SIGNAL_READABLE, deadline_after(MX_SEC(1)), NULL));
    EXPECT_OK(mx_log_read(reader, &record));
    close_handle(reader);
}

TEST(slow_reader_is_told_what_it_missed)
{
    struct mx_log_record record;
    uint32_t dropped_count = 0, read_count = 0;
    char text[64];

    ASSERT_OK(mx_log_create(system_resource(), &reader));
    for (int i = 0; i < 5000; i++) {
        int size =
            snprintf(text, sizeof(text), "record %d of many, to fill the log up to its end", i);
        ASSERT_OK(mx_log_write(reader, text, (size_t)size));
    }
    while (mx_log_read(reader, &record) == MX_OK) {
        dropped_count += record.dropped_count;
        read_count++;
    }
    EXPECT_GT(dropped_count, 0u);
    EXPECT_GT(read_count, 0u);
    EXPECT_GE(dropped_count + read_count, 5000u);
    close_handle(reader);
}

TEST(calls_check_their_arguments)
{
    char text[MX_LOG_LINE_SIZE + 1] = {0};
    struct mx_log_record record;
    mx_handle_t weak;

    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_log_create(root_resource(), &reader));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_log_create(own_job(), &reader));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_log_create(system_resource(), NULL));
    ASSERT_OK(mx_log_create(system_resource(), &reader));
    weak = with_rights(reader, MX_RIGHT_WAIT);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_log_write(reader, text, sizeof(text)));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_log_write(reader, (char *)16, 8));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_log_write(weak, text, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_log_read(weak, &record));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_log_read(own_job(), &record));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_log_read(reader, NULL));
    close_handle(weak);
    close_handle(reader);
}
