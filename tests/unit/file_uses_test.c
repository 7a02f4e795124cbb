// Uses of files: who may open what another guest has open.
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "vmm/manager/portable/file_uses.h"

TEST(file_uses_let_two_guests_read_a_file)
{
    static struct file_uses first;

    ASSERT_OK(file_uses_add(&first, "data/disk", false));
    EXPECT_FALSE(file_uses_rule_out(&first, "data/disk", false));
    EXPECT_TRUE(file_uses_rule_out(&first, "data/disk", true));
    EXPECT_FALSE(file_uses_rule_out(&first, "data/disk2", true));
    EXPECT_FALSE(file_uses_rule_out(&first, "data/dis", true));
}

TEST(file_uses_keep_a_written_file_to_one_guest)
{
    static struct file_uses first;

    ASSERT_OK(file_uses_add(&first, "data/other", false));
    ASSERT_OK(file_uses_add(&first, "data/disk", true));
    EXPECT_TRUE(file_uses_rule_out(&first, "data/disk", false));
    EXPECT_TRUE(file_uses_rule_out(&first, "data/disk", true));
    EXPECT_FALSE(file_uses_rule_out(&first, "data/other", false));
}

TEST(file_uses_remember_that_a_file_was_ever_written)
{
    static struct file_uses first;

    ASSERT_OK(file_uses_add(&first, "data/disk", false));
    ASSERT_OK(file_uses_add(&first, "data/disk", true));
    ASSERT_OK(file_uses_add(&first, "data/disk", false));
    EXPECT_EQ(first.count, 1u);
    EXPECT_TRUE(file_uses_rule_out(&first, "data/disk", false));
}

TEST(file_uses_have_bounds)
{
    static struct file_uses first;
    static char path[FILE_USES_PATH_BYTES + 1];

    memset(path, 'x', FILE_USES_PATH_BYTES);
    EXPECT_STATUS(MX_ERR_BAD_PATH, file_uses_add(&first, path, true));
    path[FILE_USES_PATH_BYTES - 1] = '\0';
    ASSERT_OK(file_uses_add(&first, path, true));
    EXPECT_TRUE(file_uses_rule_out(&first, path, false));
    for (unsigned i = 1; i < FILE_USES_MAX; i++) {
        snprintf(path, sizeof(path), "data/%u", i);
        ASSERT_OK(file_uses_add(&first, path, false));
    }
    EXPECT_OK(file_uses_add(&first, "data/1", true));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, file_uses_add(&first, "data/new", true));
}
