// The ring of a guest's latest output.
#include "tests/test.h"
#include "vmm/monitor/portable/backlog.h"

#include <stdlib.h>
#include <string.h>

// Byte `i` of all output ever.
static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static size_t put_pattern(struct backlog *backlog, size_t size_bytes, bool may_forget)
{
    uint8_t *bytes = malloc(size_bytes);

    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = pattern(backlog->written_bytes + i);
    const size_t taken = backlog_put(backlog, bytes, size_bytes, may_forget);
    free(bytes);
    return taken;
}

// Reads everything; returns how much, or SIZE_MAX if it was not the pattern.
static size_t read_pattern(struct backlog *backlog)
{
    size_t total = 0, piece;
    const uint8_t *bytes;

    while ((piece = backlog_peek(backlog, &bytes)) > 0) {
        for (size_t i = 0; i < piece; i++) {
            if (bytes[i] != pattern(backlog->taken_bytes + i))
                return SIZE_MAX;
        }
        backlog_take(backlog, piece);
        total += piece;
    }
    return total;
}

TEST(backlog_gives_back_what_was_put)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    EXPECT_EQ(put_pattern(backlog, 1000, false), 1000);
    EXPECT_EQ(backlog_unread_bytes(backlog), 1000);
    EXPECT_EQ(read_pattern(backlog), 1000);
    EXPECT_EQ(backlog_unread_bytes(backlog), 0);
    free(backlog);
}

TEST(backlog_refuses_what_a_reader_has_no_room_for)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    EXPECT_EQ(put_pattern(backlog, BACKLOG_BYTES - 10, false), BACKLOG_BYTES - 10);
    EXPECT_EQ(put_pattern(backlog, 100, false), 10);
    EXPECT_EQ(put_pattern(backlog, 1, false), 0);
    EXPECT_EQ(read_pattern(backlog), BACKLOG_BYTES);
    EXPECT_EQ(put_pattern(backlog, 100, false), 100);
    EXPECT_EQ(read_pattern(backlog), 100);
    free(backlog);
}

TEST(backlog_without_reader_forgets_the_oldest)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    EXPECT_EQ(put_pattern(backlog, 3 * BACKLOG_BYTES + 17, true), 3 * BACKLOG_BYTES + 17);
    EXPECT_EQ(backlog->taken_bytes, 2 * BACKLOG_BYTES + 17);
    EXPECT_EQ(read_pattern(backlog), BACKLOG_BYTES);
    free(backlog);
}

TEST(backlog_shows_a_new_reader_what_the_last_one_took)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    put_pattern(backlog, 500, false);
    EXPECT_EQ(read_pattern(backlog), 500);
    put_pattern(backlog, 20, true);
    backlog_rewind(backlog);
    EXPECT_EQ(read_pattern(backlog), 520);
    put_pattern(backlog, BACKLOG_BYTES, true);
    EXPECT_EQ(read_pattern(backlog), BACKLOG_BYTES);
    backlog_rewind(backlog);
    EXPECT_EQ(read_pattern(backlog), BACKLOG_BYTES);
    free(backlog);
}

TEST(backlog_take_stops_at_what_was_written)
{
    struct backlog *backlog = calloc(1, sizeof(*backlog));

    put_pattern(backlog, 5, true);
    backlog_take(backlog, 1000);
    EXPECT_EQ(backlog_unread_bytes(backlog), 0);
    put_pattern(backlog, 5, true);
    EXPECT_EQ(read_pattern(backlog), 5);
    free(backlog);
}
