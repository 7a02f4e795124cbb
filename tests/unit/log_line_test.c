// Log records as text: whatever a process wrote, the terminal sees characters and one line.
#include "tests/test.h"

#include <string.h>

#include "user/portable/log_line.h"

static struct mx_log_record record;
static char line[LOG_LINE_BYTES + 1];

static const char *format(const char *text, uint32_t size_bytes)
{
    memset(record.text, 'x', sizeof(record.text));
    memcpy(record.text, text, size_bytes);
    record.size_bytes = size_bytes;
    line[log_line_format(&record, line)] = '\0';
    return line;
}

TEST(log_line_has_time_and_text)
{
    record.timestamp = MX_SEC(12) + MX_MSEC(34);
    EXPECT_STR_EQ(format("started", 7), "[   12.034] started\n");
    record.timestamp = 0;
    EXPECT_STR_EQ(format("", 0), "[    0.000] \n");
}

TEST(log_line_drives_no_terminal)
{
    record.timestamp = 0;
    EXPECT_STR_EQ(format("a\x1b[2J\r\n\0\x7fz", 10), "[    0.000] a?[2J???"
                                                     "?z\n");
}

TEST(log_line_is_bounded_by_its_buffer)
{
    record.timestamp = INT64_MAX;
    record.size_bytes = UINT32_MAX;
    memset(record.text, 'y', sizeof(record.text));
    const size_t length = log_line_format(&record, line);
    EXPECT_TRUE(length > MX_LOG_LINE_SIZE && length <= LOG_LINE_BYTES);
    EXPECT_EQ(line[length - 1], '\n');
}
