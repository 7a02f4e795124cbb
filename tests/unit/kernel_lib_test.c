// The kernel's lists, formatting and memory functions, the latter two against the C library's.
#include "tests/test.h"

#include <limits.h>

#include "kernel/lib/list.h"
#include "kernel/lib/print.h"

// The target's own functions under other names.
#define memcpy  target_memcpy
#define memmove target_memmove
#define memset  target_memset
#define memcmp  target_memcmp
#define strlen  target_strlen
#define strnlen target_strnlen
#define strcmp  target_strcmp
#define strncmp target_strncmp
#define strchr  target_strchr
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *string, int character);
#include "kernel/lib/target/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 31 + 7);
}

TEST(memory_functions_agree_with_the_c_library)
{
    unsigned char ours[160], theirs[160];

    for (size_t from = 0; from < 20; from++) {
        for (size_t to = 0; to < 20; to++) {
            for (size_t size = 0; size < 70; size += 1 + size / 17) {
                fill(ours, sizeof(ours)), fill(theirs, sizeof(theirs));
                EXPECT_TRUE(target_memmove(ours + to, ours + from, size) == ours + to);
                memmove(theirs + to, theirs + from, size);
                EXPECT_BYTES_EQ(ours, theirs, sizeof(ours));
                target_memcpy(ours + 80 + to, ours + from, size > 60 ? 60 : size);
                memcpy(theirs + 80 + to, theirs + from, size > 60 ? 60 : size);
                EXPECT_BYTES_EQ(ours, theirs, sizeof(ours));
                EXPECT_TRUE(target_memset(ours + to, (int)(from + 0x180), size) == ours + to);
                memset(theirs + to, (int)(from + 0x180), size);
                EXPECT_BYTES_EQ(ours, theirs, sizeof(ours));
            }
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

TEST(string_functions_agree_with_the_c_library)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "abd", "\xff", "ab\x80", "abcabcabc"};

    for (unsigned i = 0; i < ARRAY_COUNT(texts); i++) {
        EXPECT_EQ(target_strlen(texts[i]), strlen(texts[i]));
        for (unsigned k = 0; k < ARRAY_COUNT(texts); k++) {
            const char *a = texts[i], *b = texts[k];
            size_t shorter = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
            EXPECT_EQ(sign(target_strcmp(a, b)), sign(strcmp(a, b)));
            EXPECT_EQ(sign(target_memcmp(a, b, shorter)), sign(memcmp(a, b, shorter)));
            for (size_t limit = 0; limit < 6; limit++) {
                EXPECT_EQ(sign(target_strncmp(a, b, limit)), sign(strncmp(a, b, limit)));
                EXPECT_EQ(target_strnlen(a, limit), strnlen(a, limit));
            }
        }
    }
}

// Through a pointer, so that the compiler does not warn of the truncation that is wanted here.
static int (*volatile reference_format)(char *, size_t, const char *, ...) = snprintf;

#define EXPECT_SAME_FORMAT(...)                                                        \
    do {                                                                               \
        char ours_[80], theirs_[80];                                                   \
        for (size_t size_ = 0; size_ <= sizeof(ours_); size_ += size_ < 20 ? 1 : 20) { \
            memset(ours_, 'z', sizeof(ours_)), memset(theirs_, 'z', sizeof(theirs_));  \
            EXPECT_EQ(print_format(ours_, size_, __VA_ARGS__),                         \
                      reference_format(theirs_, size_, __VA_ARGS__));                  \
            EXPECT_BYTES_EQ(ours_, theirs_, sizeof(ours_));                            \
        }                                                                              \
    } while (0)

TEST(print_agrees_with_the_c_library)
{
    volatile int zero = 0;

    EXPECT_SAME_FORMAT("plain 100%% text");
    EXPECT_SAME_FORMAT("%d %i %d %d", 0, -1, INT_MAX, INT_MIN);
    EXPECT_SAME_FORMAT("[%5d][%-5d][%05d][%5d][%05d]", 42, 42, 42, -42, -42);
    EXPECT_SAME_FORMAT("%u %x %X %08x", UINT_MAX, 0xabcdefu, 0xabcdefu, 0x1fu);
    EXPECT_SAME_FORMAT("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    EXPECT_SAME_FORMAT("%lld %llu %016llx", LLONG_MIN, ULLONG_MAX, 0x1234ULL);
    EXPECT_SAME_FORMAT("%zu %zx %hu %hd", (size_t)12345, (size_t)0xff, (unsigned short)65535,
                       (short)-3);
    EXPECT_SAME_FORMAT("%c%c%c", 'a', 'b', '!');
    EXPECT_SAME_FORMAT("[%s][%10s][%-10s][%.2s][%5.1s]", "text", "text", "text", "text", "text");
    EXPECT_SAME_FORMAT("%x %d %u", zero, zero, zero);
}

// --- lists
// ----------------------------------------------------------------------------------------------

struct element {
    struct list_node node;
    int value;
};

TEST(list_keeps_order_and_survives_removal_while_it_is_walked)
{
    struct list_node list = LIST_INIT(list);
    struct element elements[6], *at, *following;
    int sum = 0, count = 0;

    EXPECT_TRUE(list_is_empty(&list));
    EXPECT_TRUE(LIST_FIRST(&list, struct element, node) == NULL);
    for (int i = 0; i < 6; i++) {
        elements[i].value = i;
        list_init(&elements[i].node);
        EXPECT_FALSE(list_contains_node(&elements[i].node));
        if (i % 2 == 0)
            list_add_tail(&list, &elements[i].node);
        else
            list_add_head(&list, &elements[i].node);
    }
    static const int expected[] = {5, 3, 1, 0, 2, 4};
    LIST_FOR_EACH(at, &list, node)
    EXPECT_EQ(at->value, expected[count++]);
    EXPECT_EQ(count, 6);
    LIST_FOR_EACH_SAFE(at, following, &list, node)
    {
        if (at->value % 2)
            list_remove(&at->node);
    }
    list_remove(&elements[1].node); // twice does no harm
    LIST_FOR_EACH(at, &list, node)
    sum += at->value;
    EXPECT_EQ(sum, 6);
    EXPECT_TRUE(LIST_FIRST(&list, struct element, node) == &elements[0]);
}
