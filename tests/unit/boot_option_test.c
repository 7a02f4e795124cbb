// Options on the kernel's command line.

#include "boot/boot_option.h"
#include "tests/test.h"

TEST(finds_the_last_value_of_a_name)
{
    char value[32];

    EXPECT_TRUE(boot_option_find("a=1 machina.run=ps  a=22", "a", value, sizeof(value)));
    EXPECT_STR_EQ(value, "22");
    EXPECT_TRUE(boot_option_find("machina.run=echo,x", "machina.run", value, sizeof(value)));
    EXPECT_STR_EQ(value, "echo,x");
    EXPECT_TRUE(boot_option_find("x=\ty=2", "x", value, sizeof(value)));
    EXPECT_STR_EQ(value, "");
}

TEST(does_not_find_parts_of_words)
{
    char value[32];

    EXPECT_FALSE(boot_option_find("", "run", value, sizeof(value)));
    EXPECT_FALSE(
        boot_option_find("machina.run=x run runner=1 xrun=2", "run", value, sizeof(value)));
}

TEST(does_not_cut_values)
{
    char value[4];

    EXPECT_TRUE(boot_option_find("a=123", "a", value, sizeof(value)));
    EXPECT_FALSE(boot_option_find("a=1234", "a", value, sizeof(value)));
}

TEST(splits_at_commas)
{
    char text[] = "name,one,,three";
    const char *parts[3];

    ASSERT_EQ(boot_option_split(text, parts, 3), 3);
    EXPECT_STR_EQ(parts[0], "name");
    EXPECT_STR_EQ(parts[1], "one");
    EXPECT_STR_EQ(parts[2], ",three");
    char single[] = "";
    ASSERT_EQ(boot_option_split(single, parts, 3), 1);
    EXPECT_STR_EQ(parts[0], "");
}
