// printf of user programs, against the host's own and against what the host's compilers do not let
// one write.

#include "tests/test.h"
#include "user/portable/print_core.h"

#include <limits.h>
#include <stdarg.h>

static int format(char *buffer, size_t size, const char *text, ...)
    __attribute__((format(printf, 3, 4)));

static int format(char *buffer, size_t size, const char *text, ...)
{
    va_list args;

    va_start(args, text);
    int length = print_core_buffer(buffer, size, text, args);
    va_end(args);
    return length;
}

#define EXPECT_AS_LIBC(...)                                                  \
    do {                                                                     \
        char ours_[256], theirs_[256];                                       \
        int our_length_ = format(ours_, sizeof(ours_), __VA_ARGS__);         \
        int their_length_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__); \
        EXPECT_STR_EQ(ours_, theirs_);                                       \
        EXPECT_EQ(our_length_, their_length_);                               \
    } while (0)

TEST(prints_integers_of_every_length)
{
    EXPECT_AS_LIBC("%d %i %u", INT_MIN, INT_MAX, UINT_MAX);
    EXPECT_AS_LIBC("%ld %lu %lld %llu", LONG_MIN, ULONG_MAX, LLONG_MAX, ULLONG_MAX);
    EXPECT_AS_LIBC("%hhd %hhu %hd %hu", (signed char)-1, (unsigned char)255, (short)-2,
                   (unsigned short)65534);
    EXPECT_AS_LIBC("%zu %zd %jd %td", (size_t)-1, (ptrdiff_t)-1, (intmax_t)-5, (ptrdiff_t)-7);
    EXPECT_AS_LIBC("%x %X %o %lx", 0xdeadbeefu, 0xdeadbeefu, 0777u, 0x123456789abcdefUL);
}

TEST(prints_flags_width_and_precision)
{
    EXPECT_AS_LIBC("[%5d][%-5d][%05d][%+d][% d]", 42, 42, 42, 42, 42);
    EXPECT_AS_LIBC("[%5d][%-5d][%05d][%+d][% d]", -42, -42, -42, -42, -42);
    EXPECT_AS_LIBC("[%8.3d][%-8.3d][%.0d][%.5d]", 7, 7, 1, -3);
    EXPECT_AS_LIBC("[%#x][%#X][%#o][%#x][%#o]", 255u, 255u, 8u, 0u, 0u);
    EXPECT_AS_LIBC("[%#10x][%-#10x][%#010x]", 255u, 255u, 255u);
    EXPECT_AS_LIBC("[%*d][%-*d][%.*d][%*d]", 6, 1, 6, 2, 4, 3, -6, 4);
    EXPECT_AS_LIBC("[%.*d]", -1, 9);
}

TEST(zero_with_precision_zero_prints_nothing)
{
    char buffer[16];

    EXPECT_EQ(format(buffer, sizeof(buffer), "[%.*d%.*x]", 0, 0, 0, 0u), 2);
    EXPECT_STR_EQ(buffer, "[]");
}

TEST(prints_strings_and_characters)
{
    EXPECT_AS_LIBC("[%s][%10s][%-10s][%.2s][%5.1s]", "abc", "abc", "abc", "abc", "abc");
    EXPECT_AS_LIBC("[%c][%3c][%-3c]%%", 'x', 'y', 'z');
    EXPECT_AS_LIBC("%p", (void *)0x1234);
}

TEST(string_with_precision_needs_no_terminator)
{
    char raw[3] = {'a', 'b', 'c'};
    char buffer[16];

    EXPECT_EQ(format(buffer, sizeof(buffer), "%.3s", raw), 3);
    EXPECT_STR_EQ(buffer, "abc");
}

TEST(null_string_is_named)
{
    char buffer[16];
    const char *volatile null = NULL;

    format(buffer, sizeof(buffer), "%s", null);
    EXPECT_STR_EQ(buffer, "(null)");
}

TEST(cuts_at_the_buffers_end_and_tells_the_whole_length)
{
    char buffer[8] = "xxxxxxx";

    EXPECT_EQ(format(buffer, 5, "%s", "123456789"), 9);
    EXPECT_STR_EQ(buffer, "1234");
    EXPECT_EQ(buffer[5], 'x');
    EXPECT_EQ(format(buffer, 1, "%d", 77), 2);
    EXPECT_STR_EQ(buffer, "");
    EXPECT_EQ(format(NULL, 0, "%d", 777), 3);
}

TEST(width_is_bounded)
{
    char buffer[8];
    volatile int most = INT_MAX, least = INT_MIN;

    EXPECT_EQ(format(buffer, sizeof(buffer), "%*d", most, 1), 4096);
    EXPECT_EQ(format(buffer, sizeof(buffer), "%*d", least, 1), 4096);
}

// Formats that the compiler's own check refuses.
TEST(unknown_conversion_ends_the_formatting)
{
    char buffer[32];
    int (*unchecked)(char *, size_t, const char *, ...) = format;
    const char *volatile text = "a %d %y %s";

    EXPECT_EQ(unchecked(buffer, sizeof(buffer), text, 5, "never read"), 9);
    EXPECT_STR_EQ(buffer, "a 5 %y %s");
    text = "end %";
    unchecked(buffer, sizeof(buffer), text);
    EXPECT_STR_EQ(buffer, "end %");
}
