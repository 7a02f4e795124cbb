// The boot loader's menu, its one-line editor and its configuration.
#include "boot/loader/loader_config.h"
#include "boot/loader/menu.h"
#include "tests/test.h"

static struct menu menu;
static struct text_field field;
static struct loader_config config;
static struct loader_config_error error;

static void make_menu(uint32_t timeout_seconds)
{
    menu_init(&menu, timeout_seconds);
    EXPECT_TRUE(menu_add_image(&menu, "machina.zbi"));
    EXPECT_TRUE(menu_add_image(&menu, "other.zbi"));
    menu_finish(&menu, true);
}

TEST(menu_starts_the_first_image_when_time_is_up)
{
    make_menu(2);
    EXPECT_EQ(menu_tick(&menu), MENU_NOTHING);
    EXPECT_EQ(menu_tick(&menu), MENU_START);
    EXPECT_STR_EQ(menu_image(&menu), "machina.zbi");
    // What failed is not started again by itself.
    EXPECT_EQ(menu_tick(&menu), MENU_NOTHING);
}

TEST(menu_waits_for_ever_without_a_timeout_or_after_a_key)
{
    make_menu(0);
    EXPECT_EQ(menu_tick(&menu), MENU_NOTHING);
    make_menu(1);
    EXPECT_EQ(menu_feed(&menu, 'x', TEXT_KEY_NONE), MENU_NOTHING);
    EXPECT_EQ(menu_tick(&menu), MENU_NOTHING);
}

TEST(menu_keys_choose_and_wrap_around)
{
    make_menu(5);
    EXPECT_EQ(menu_feed(&menu, 0, TEXT_KEY_DOWN), MENU_NOTHING);
    EXPECT_STR_EQ(menu_image(&menu), "other.zbi");
    EXPECT_EQ(menu_feed(&menu, '\r', TEXT_KEY_NONE), MENU_START);
    menu_feed(&menu, 0, TEXT_KEY_DOWN);
    EXPECT_TRUE(menu_image(&menu) == NULL);
    EXPECT_EQ(menu_feed(&menu, '\r', TEXT_KEY_NONE), MENU_CMDLINE);
    menu_feed(&menu, 0, TEXT_KEY_UP);
    menu_feed(&menu, 0, TEXT_KEY_UP);
    EXPECT_EQ(menu.chosen, 0u);
    menu_feed(&menu, 0, TEXT_KEY_UP);
    EXPECT_STR_EQ(menu_title(&menu, menu.chosen), "Firmware set-up");
    EXPECT_EQ(menu_feed(&menu, '\r', TEXT_KEY_NONE), MENU_FIRMWARE);
    menu_feed(&menu, 0, TEXT_KEY_UP);
    EXPECT_EQ(menu_feed(&menu, '\r', TEXT_KEY_NONE), MENU_RESTART);
    EXPECT_EQ(menu_feed(&menu, 'e', TEXT_KEY_NONE), MENU_CMDLINE);
}

TEST(menu_takes_no_image_twice_and_not_too_many)
{
    char name[MENU_NAME_BYTES + 1];

    make_menu(0);
    EXPECT_FALSE(menu_add_image(&menu, "other.zbi"));
    EXPECT_FALSE(menu_add_image(&menu, ""));
    memset(name, 'x', sizeof(name));
    name[MENU_NAME_BYTES] = '\0';
    EXPECT_FALSE(menu_add_image(&menu, name));
    for (int i = 2; i < MENU_IMAGE_MAX; i++) {
        snprintf(name, sizeof(name), "%d.zbi", i);
        EXPECT_TRUE(menu_add_image(&menu, name));
    }
    EXPECT_FALSE(menu_add_image(&menu, "last.zbi"));
    menu_finish(&menu, true);
    EXPECT_EQ(menu.entry_count, (size_t)MENU_ENTRY_MAX);
}

static void type(const char *text)
{
    for (; *text; text++)
        EXPECT_EQ(text_field_feed(&field, (uint32_t)*text, TEXT_KEY_NONE), TEXT_FIELD_MORE);
}

TEST(text_field_edits_anywhere_in_the_line)
{
    text_field_set(&field, "ac");
    text_field_feed(&field, 0, TEXT_KEY_LEFT);
    type("b");
    EXPECT_STR_EQ(field.text, "abc");
    text_field_feed(&field, 0, TEXT_KEY_HOME);
    text_field_feed(&field, '\b', TEXT_KEY_NONE);
    text_field_feed(&field, 0, TEXT_KEY_DELETE);
    EXPECT_STR_EQ(field.text, "bc");
    text_field_feed(&field, 0, TEXT_KEY_END);
    text_field_feed(&field, 0, TEXT_KEY_RIGHT);
    text_field_feed(&field, 0x7f, TEXT_KEY_NONE);
    text_field_feed(&field, 7, TEXT_KEY_NONE);
    text_field_feed(&field, 0xe4, TEXT_KEY_NONE);
    EXPECT_STR_EQ(field.text, "b");
    EXPECT_EQ(text_field_feed(&field, '\r', TEXT_KEY_NONE), TEXT_FIELD_DONE);
    EXPECT_EQ(text_field_feed(&field, 0, TEXT_KEY_ESCAPE), TEXT_FIELD_CANCEL);
}

TEST(text_field_is_bounded)
{
    char longer[2 * TEXT_FIELD_BYTES];

    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    text_field_set(&field, longer);
    EXPECT_EQ(field.length, (size_t)TEXT_FIELD_BYTES - 1);
    type("y");
    EXPECT_EQ(field.length, (size_t)TEXT_FIELD_BYTES - 1);
    EXPECT_EQ(strlen(field.text), field.length);
}

static void read_config(const char *text)
{
    loader_config_read(text, strlen(text), &config, &error);
}

TEST(loader_config_has_defaults)
{
    read_config("");
    EXPECT_EQ(config.timeout_seconds, (uint32_t)LOADER_TIMEOUT_DEFAULT);
    EXPECT_EQ(config.image_count, 0u);
    EXPECT_STR_EQ(config.cmdline, "");
    EXPECT_TRUE(error.reason == NULL);
}

TEST(loader_config_takes_every_setting)
{
    read_config(
        "# a comment\r\n\ntimeout 0\r\nimage a.zbi\nimage  b.zbi \ncmdline machina.run=ps x=1");
    EXPECT_TRUE(error.reason == NULL);
    EXPECT_EQ(config.timeout_seconds, 0u);
    ASSERT_EQ(config.image_count, 2u);
    EXPECT_STR_EQ(config.images[0], "a.zbi");
    EXPECT_STR_EQ(config.images[1], "b.zbi");
    EXPECT_STR_EQ(config.cmdline, "machina.run=ps x=1");
}

TEST(loader_config_says_which_line_is_wrong)
{
    read_config("timeout 3\ntimeout 3601\ntimeout x\nimage a.zbi\n");
    EXPECT_EQ(error.line, 2u);
    EXPECT_STR_EQ(error.reason, "timeout: write a number of seconds from 0 to 3600");
    EXPECT_EQ(config.timeout_seconds, 3u);
    EXPECT_EQ(config.image_count, 1u);
    read_config("\nimages a\n");
    EXPECT_EQ(error.line, 2u);
    EXPECT_STR_EQ(error.reason, "the line begins with none of timeout, image and cmdline");
    read_config("image\n");
    EXPECT_EQ(error.line, 1u);
    read_config("cmdline \x1b[2J\n");
    EXPECT_STR_EQ(error.reason, "a character that is not printable ASCII");
    read_config("timeout 99999999999999999999999999\n");
    EXPECT_EQ(error.line, 1u);
}
