// Requests of the block protocol: what is let through, and what is refused and how.
#include "user/drivers/portable/block_check.h"

#include "tests/test.h"

static struct block_extent extent;
static const struct block_geometry geometry = {512, 0x20000};
static uint64_t memory_bytes[BLOCK_MEMORIES_MAX];
static struct block_message message;
static uint64_t disk_offset;

static void start(enum block_operation operation, uint64_t offset, uint64_t size,
                  uint32_t segment_count)
{
    extent = (struct block_extent){.offset = 0x100000, .size_bytes = 0x10000};
    memory_bytes[0] = 0x8000;
    memory_bytes[1] = 0;
    message = (struct block_message){.request = {.operation = operation,
                                                 .offset = offset,
                                                 .size_bytes = size,
                                                 .segment_count = segment_count}};
    if (segment_count)
        message.segments[0] = (struct block_segment){0x1000, (uint32_t)size, 0};
}

static mx_status_t check(size_t handle_count)
{
    size_t bytes =
        sizeof(message.request) + message.request.segment_count * sizeof(message.segments[0]);

    return block_check(&extent, &geometry, memory_bytes, &message, bytes, handle_count,
                       &disk_offset);
}

TEST(requests_within_the_extent_are_translated)
{
    start(BLOCK_READ, 0x2000, 0x1000, 1);
    EXPECT_OK(check(0));
    EXPECT_EQ(disk_offset, 0x102000u);
    start(BLOCK_WRITE, 0xfe00, 0x200, 1);
    EXPECT_OK(check(0));
    start(BLOCK_OPEN, 0x200, 0xfe00, 0);
    EXPECT_OK(check(1));
    EXPECT_EQ(disk_offset, 0x100200u);
    start(BLOCK_FLUSH, 0, 0, 0);
    EXPECT_OK(check(0));
    start(BLOCK_ATTACH, 0, 0, 0);
    EXPECT_OK(check(1));
    start(BLOCK_INFO, 0, 0, 0);
    EXPECT_OK(check(0));
}

TEST(final_extents_are_not_split)
{
    start(BLOCK_OPEN, 0, 0x200, 0);
    message.request.flags = BLOCK_OPEN_FINAL | BLOCK_OPEN_READ_ONLY;
    EXPECT_OK(check(1));
    message.request.flags = 4;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(1));
    start(BLOCK_OPEN, 0, 0x200, 0);
    extent.is_final = true;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, check(1));
    start(BLOCK_READ, 0, 0x200, 1);
    extent.is_final = true;
    EXPECT_OK(check(0));
}

TEST(requests_beyond_the_extent_are_refused)
{
    start(BLOCK_READ, 0xfe00, 0x400, 1);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(0));
    start(BLOCK_READ, UINT64_MAX - 511, 0x200, 1);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(0));
    start(BLOCK_OPEN, 0, 0x10200, 0);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(1));
    start(BLOCK_OPEN, 0x200, UINT64_MAX - 511, 0);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(1));
}

TEST(segments_lie_in_attached_memory_and_make_the_size)
{
    start(BLOCK_READ, 0, 0x1000, 1);
    message.segments[0].memory = 1;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, check(0));
    message.segments[0].memory = UINT32_MAX;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, check(0));
    start(BLOCK_READ, 0, 0x1000, 1);
    message.segments[0].offset = 0x7001;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(0));
    message.segments[0].offset = UINT64_MAX - 0x10;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(0));
    start(BLOCK_READ, 0, 0x1000, 1);
    message.segments[0].size_bytes = 0xe00;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    message.segments[0].size_bytes = 0;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
}

TEST(malformed_requests_are_refused)
{
    start(BLOCK_READ, 0x100, 0x200, 1);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    start(BLOCK_READ, 0, 0, 0);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    start(BLOCK_READ, 0, 0x200, 1);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(1)); // a handle too many
    start(BLOCK_ATTACH, 0, 0, 0);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    start(BLOCK_INFO, 0, 0, 1);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    start((enum block_operation)99, 0, 0, 0);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, check(0));
    start(BLOCK_READ, 0, 0x200, 1);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, block_check(&extent, &geometry, memory_bytes, &message,
                                                   sizeof(message.request), 0, &disk_offset));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  block_check(&extent, &geometry, memory_bytes, &message, 8, 0, &disk_offset));
    message.request.segment_count = UINT32_MAX;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, block_check(&extent, &geometry, memory_bytes, &message,
                                                   sizeof(message.request) - 16, 0, &disk_offset));
}

TEST(read_only_extents_are_not_written)
{
    start(BLOCK_WRITE, 0, 0x200, 1);
    extent.is_read_only = true;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, check(0));
    message.request.operation = BLOCK_READ;
    EXPECT_OK(check(0));
}

TEST(transfers_have_a_largest_size)
{
    start(BLOCK_READ, 0, 0x20200, 1);
    extent.size_bytes = memory_bytes[0] = UINT64_C(1) << 30;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, check(0));
    start(BLOCK_READ, 0, 0x20000, 1);
    extent.size_bytes = memory_bytes[0] = UINT64_C(1) << 30;
    EXPECT_OK(check(0));
}
