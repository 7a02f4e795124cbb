// The keys that leave an attached terminal.

#include "tests/test.h"
#include "user/portable/detach_keys.h"

#define P "\x1d"

static struct detach_keys keys;
static char out[64];
static bool is_detached;
static size_t used;

static const char *filter(const char *typed)
{
    size_t length = detach_keys_filter(&keys, (const uint8_t *)typed, strlen(typed), (uint8_t *)out,
                                       &is_detached, &used);

    out[length] = '\0';
    return out;
}

static void start(void)
{
    keys = (struct detach_keys){.prefix = 0x1d, .key = 'd'};
}

TEST(plain_typing_passes)
{
    start();
    EXPECT_STR_EQ(filter("ls -d\r"), "ls -d\r");
    EXPECT_FALSE(is_detached);
    EXPECT_EQ(used, 6);
}

TEST(prefix_and_key_detach_and_leave_the_rest)
{
    start();
    EXPECT_STR_EQ(filter("a" P "dxyz"), "a");
    EXPECT_TRUE(is_detached);
    EXPECT_EQ(used, 3);
}

TEST(keys_may_come_one_by_one)
{
    start();
    EXPECT_STR_EQ(filter(P), "");
    EXPECT_FALSE(is_detached);
    EXPECT_STR_EQ(filter("d"), "");
    EXPECT_TRUE(is_detached);
}

TEST(doubled_prefix_is_typed_once)
{
    start();
    EXPECT_STR_EQ(filter(P P "d"), P "d");
    EXPECT_FALSE(is_detached);
    EXPECT_STR_EQ(filter(P P P "d"), P);
    EXPECT_TRUE(is_detached);
}

TEST(prefix_before_another_key_is_kept)
{
    start();
    EXPECT_STR_EQ(filter("1" P "2"), "1" P "2");
    EXPECT_STR_EQ(filter(P), "");
    EXPECT_STR_EQ(filter("x"), P "x");
    EXPECT_FALSE(is_detached);
}
