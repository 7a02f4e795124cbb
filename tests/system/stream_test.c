// Streams: bytes both ways.

#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/stream.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/test.h"

static mx_handle_t ends[2];

static bool make(void)
{
    return mx_stream_create(&ends[0], &ends[1]) == MX_OK;
}

static void close_both(void)
{
    close_handle(ends[0]);
    close_handle(ends[1]);
}

TEST(bytes_go_both_ways_in_pieces)
{
    char buffer[8] = {0};
    size_t actual;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_stream_write(ends[0], "abcdef", 6, &actual));
    EXPECT_EQ(actual, 6u);
    ASSERT_OK(mx_stream_write(ends[1], "xy", 2, NULL));
    ASSERT_OK(mx_stream_read(ends[1], buffer, 4, &actual));
    EXPECT_EQ(actual, 4u);
    EXPECT_BYTES_EQ(buffer, "abcd", 4);
    ASSERT_OK(mx_stream_read(ends[1], buffer, 8, &actual));
    EXPECT_EQ(actual, 2u);
    ASSERT_OK(mx_stream_read(ends[0], buffer, 8, &actual));
    EXPECT_EQ(actual, 2u);
    close_both();
}

TEST(empty_and_full_streams_say_so)
{
    static char block[4096];
    size_t actual, total = 0;
    mx_status_t status = MX_OK;
    char byte;

    ASSERT_TRUE(make());
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, mx_stream_read(ends[0], &byte, 1, &actual));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, 0, NULL));
    while ((status = mx_stream_write(ends[0], block, sizeof(block), &actual)) == MX_OK &&
           total < 1 << 30)
        total += actual;
    EXPECT_EQ(status, MX_ERR_SHOULD_WAIT);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_object_wait_one(ends[0], MX_SIGNAL_WRITABLE, 0, NULL));
    EXPECT_OK(mx_object_wait_one(ends[1], MX_SIGNAL_READABLE, 0, NULL));
    ASSERT_OK(mx_stream_read(ends[1], block, sizeof(block), &actual));
    EXPECT_OK(mx_object_wait_one(ends[0], MX_SIGNAL_WRITABLE, 0, NULL));
    close_both();
}

TEST(closed_peer_is_told_after_the_last_byte)
{
    size_t actual;
    char byte;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_stream_write(ends[0], "z", 1, NULL));
    close_handle(ends[0]);
    EXPECT_OK(mx_object_wait_one(ends[1], MX_SIGNAL_PEER_CLOSED, 0, NULL));
    EXPECT_OK(mx_stream_read(ends[1], &byte, 1, &actual));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_stream_read(ends[1], &byte, 1, &actual));
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, mx_stream_write(ends[1], &byte, 1, &actual));
    close_handle(ends[1]);
}

TEST(calls_check_their_arguments)
{
    mx_handle_t weak;
    char byte = 0;

    ASSERT_TRUE(make());
    ASSERT_OK(mx_handle_replace(ends[0], MX_RIGHT_INSPECT, &weak));
    ends[0] = weak;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_stream_write(weak, &byte, 1, NULL));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_stream_read(weak, &byte, 1, NULL));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_stream_write(0, &byte, 1, NULL));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_stream_read(own_job(), &byte, 1, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_stream_write(ends[1], (char *)16, 1, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_stream_create(NULL, &weak));
    close_both();
}

#define MUCH (1 << 20)

static void write_much(void *argument)
{
    static uint8_t block[1000];
    uint32_t position = 0;

    (void)argument;
    while (position < MUCH) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = (uint8_t)((position + i) * 31 >> 3);
        stream_write_all(ends[0], block, sizeof(block));
        position += sizeof(block);
    }
}

TEST(much_data_arrives_in_order)
{
    static uint8_t block[1777];
    struct thread *thread;
    uint32_t position = 0, wrong_count = 0;
    size_t actual;

    ASSERT_TRUE(make());
    ASSERT_OK(thread_create(&thread, "write", write_much, NULL, 0));
    while (position < MUCH) {
        ASSERT_OK(
            stream_read_some(ends[1], block, sizeof(block), deadline_after(MX_SEC(5)), &actual));
        for (size_t i = 0; i < actual; i++)
            wrong_count += block[i] != (uint8_t)((position + i) * 31 >> 3);
        position += (uint32_t)actual;
    }
    EXPECT_EQ(wrong_count, 0u);
    thread_join(thread);
    close_both();
}
