// Bounded text, sizes, durations and the parsers of numbers and sizes.

#include "tests/test.h"

#include "user/portable/format.h"
#include "user/portable/utf8.h"

static char buffer[256];

static const char *size_text(uint64_t size_bytes)
{
    struct text text = text_begin(buffer, sizeof buffer);
    text_add_size(&text, size_bytes);
    return buffer;
}

static const char *duration_text(uint64_t seconds)
{
    struct text text = text_begin(buffer, sizeof buffer);
    text_add_duration(&text, seconds);
    return buffer;
}

static const char *quoted(const char *bytes, size_t length)
{
    struct text text = text_begin(buffer, sizeof buffer);
    text_add_quoted(&text, bytes, length);
    return buffer;
}

TEST(format_sizes_in_powers_of_1024)
{
    EXPECT_STR_EQ(size_text(0), "0 B");
    EXPECT_STR_EQ(size_text(1023), "1023 B");
    EXPECT_STR_EQ(size_text(1024), "1 KiB");
    EXPECT_STR_EQ(size_text(1536), "1.5 KiB");
    EXPECT_STR_EQ(size_text(2047), "1.9 KiB");
    EXPECT_STR_EQ(size_text(UINT64_C(256) << 20), "256 MiB");
    EXPECT_STR_EQ(size_text((UINT64_C(1) << 30) + 1), "1 GiB");
    EXPECT_STR_EQ(size_text(UINT64_MAX), "15.9 EiB");
}

TEST(format_durations_as_hours_minutes_seconds)
{
    EXPECT_STR_EQ(duration_text(0), "00:00:00");
    EXPECT_STR_EQ(duration_text(3599), "00:59:59");
    EXPECT_STR_EQ(duration_text(360000), "100:00:00");
    EXPECT_STR_EQ(duration_text(UINT64_MAX), "5124095576030431:00:15");
}

TEST(format_numbers)
{
    struct text text = text_begin(buffer, sizeof buffer);
    text_add_number(&text, UINT64_MAX);
    text_add(&text, " ");
    text_add_padded(&text, 7, 3);
    EXPECT_STR_EQ(buffer, "18446744073709551615 007");
}

TEST(format_quotes_make_control_characters_visible)
{
    EXPECT_STR_EQ(quoted("a b", 3), "\"a b\"");
    EXPECT_STR_EQ(quoted("\x1b[2J\0\x7f", 6), "\"\\x1b[2J\\x00\\x7f\"");
    EXPECT_STR_EQ(quoted("caf\xc3\xa9", 5), "\"caf\xc3\xa9\"");
    EXPECT_STR_EQ(quoted("\xc2\x9b", 2), "\"\\xc2\\x9b\""); // a C1 control
    EXPECT_STR_EQ(quoted("\xff\xc3", 2), "\"\\xff\\xc3\""); // not UTF-8
    EXPECT_STR_EQ(quoted("0123456789012345678901234567890123456789x", 41),
                  "\"0123456789012345678901234567890123456789...\"");
    EXPECT_STR_EQ(quoted("0123456789012345678901234567890123456789", 40),
                  "\"0123456789012345678901234567890123456789\"");
}

TEST(format_cuts_what_does_not_fit)
{
    char small[4];
    struct text text = text_begin(small, sizeof small);
    text_add(&text, "ab");
    text_add(&text, "cd");
    text_add(&text, "ef");
    EXPECT_STR_EQ(small, "abc");
    EXPECT_EQ(text.length, 3u);
}

TEST(format_pads_to_a_column_of_the_last_line)
{
    struct text text = text_begin(buffer, sizeof buffer);
    text_add(&text, "long line\n\xc3\xa9");
    text_add_padding(&text, 4);
    text_add(&text, "|");
    text_add_padding(&text, 2);
    EXPECT_STR_EQ(buffer, "long line\n\xc3\xa9   |");
}

static uint64_t value;
static const char *reason;

static mx_status_t size_of(const char *text)
{
    return parse_size(text, strlen(text), &value, &reason);
}

TEST(parse_size_takes_one_suffix)
{
    static const struct {
        const char *text;
        uint64_t size_bytes;
    } cases[] = {
        {"0", 0},
        {"17", 17},
        {"17b", 17},
        {"3k", 3 << 10},
        {"512M", UINT64_C(512) << 20},
        {"2G", UINT64_C(2) << 30},
        {"18446744073709551615", UINT64_MAX},
        {"17179869183G", UINT64_C(17179869183) << 30},
        {"000001k", 1024},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_OK(size_of(cases[i].text));
        EXPECT_EQ(value, cases[i].size_bytes);
    }
}

TEST(parse_size_refuses_anything_else)
{
    static const char *const bad[] = {"",   "k",   "-1", "+1",   " 1",   "1 ",  "1K",
                                      "1m", "1kb", "1T", "1.5G", "0x10", "1k ", "1bb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, size_of(bad[i]));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, size_of("18446744073709551616"));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, size_of("36893488147419103233"));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, size_of("17179869184G"));
    EXPECT_STR_EQ(reason, "is more than 64 bits hold");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, parse_size("1k", 0, &value, &reason));
    EXPECT_OK(parse_size("1kk", 2, &value, &reason));
}

TEST(parse_number_is_bounded)
{
    EXPECT_OK(parse_number("16", 2, 16, &value, &reason));
    EXPECT_EQ(value, 16u);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, parse_number("17", 2, 16, &value, &reason));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, parse_number("1k", 2, 16, &value, &reason));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  parse_number("18446744073709551616", 20, UINT64_MAX, &value, &reason));
}

TEST(utf8_counts_and_encodes)
{
    static const uint32_t points[] = {0x41,   0x7f,   0x80,   0x7ff,   0x800,
                                      0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        char bytes[4];
        size_t size = utf8_encode(points[i], bytes);
        EXPECT_EQ(utf8_length(bytes, size), size);
        EXPECT_EQ(utf8_length(bytes, size - 1), 0u);
    }
    EXPECT_EQ(utf8_count("a\xc3\xa9\xff\xe2\x82\xac", 7), 4u);
}
