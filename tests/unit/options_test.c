// Command-line options: every spelling, every refusal, and the usage text.

#include "tests/test.h"

#include "user/portable/options.h"

static const struct option table[] = {
    {"verbose", 'v', OPTION_FLAG, false, NULL, "say more", 0, 0},
    {"times", 'n', OPTION_NUMBER, false, "TIMES", "how often", 1, 100},
    {"memory", 0, OPTION_SIZE, false, "SIZE", "memory of the guest", 4096, 0},
    {"block", 'b', OPTION_TEXT, true, "SPEC", "a disk", 0, 0},
    {"quiet", 'q', OPTION_FLAG, true, NULL, "say less", 0, 0},
};
static const struct option_command command = {
    "guest launch", "Starts a guest.", "PACKAGE", 1, 2, table, sizeof table / sizeof table[0]};

static struct options options;

// Parses words separated by single blanks, the program's name before them.
static mx_status_t parse(const char *line)
{
    static char text[512];
    static char *argv[128];
    size_t argc = 1;

    argv[0] = text;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(&command, argc, argv, &options);
}

TEST(options_take_every_spelling_of_a_value)
{
    static const char *const lines[] = {"p --times 7", "p --times=7", "p -n 7",    "p -n7",
                                        "-vn7 p",      "-vn 7 p",     "-qqn7 -- p"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ASSERT_OK(parse(lines[i]));
        ASSERT_TRUE(options_get(&options, "times", 0) != NULL);
        EXPECT_EQ(options_get(&options, "times", 0)->number, 7u);
        ASSERT_EQ(options.argument_count, 1u);
        EXPECT_STR_EQ(options.arguments[0], "p");
    }
}

TEST(options_keep_repetitions_in_order)
{
    ASSERT_OK(parse("-b a,ro p --block=b=c --block c -v"));
    EXPECT_STR_EQ(options_get(&options, "block", 0)->value, "a,ro");
    EXPECT_STR_EQ(options_get(&options, "block", 1)->value, "b=c");
    EXPECT_STR_EQ(options_get(&options, "block", 2)->value, "c");
    EXPECT_TRUE(options_get(&options, "block", 3) == NULL);
    EXPECT_TRUE(options_has(&options, "verbose"));
    EXPECT_FALSE(options_has(&options, "quiet"));
}

TEST(options_end_at_two_dashes_and_a_dash_is_an_argument)
{
    ASSERT_OK(parse("-- -v --block"));
    EXPECT_EQ(options.argument_count, 2u);
    EXPECT_STR_EQ(options.arguments[1], "--block");
    ASSERT_OK(parse("-"));
    EXPECT_STR_EQ(options.arguments[0], "-");
}

TEST(options_take_a_value_that_looks_like_an_option)
{
    ASSERT_OK(parse("p --block -v"));
    EXPECT_STR_EQ(options_get(&options, "block", 0)->value, "-v");
    EXPECT_FALSE(options_has(&options, "verbose"));
    ASSERT_OK(parse("p --block="));
    EXPECT_STR_EQ(options_get(&options, "block", 0)->value, "");
}

TEST(options_read_sizes)
{
    ASSERT_OK(parse("p --memory 64M"));
    EXPECT_EQ(options_get(&options, "memory", 0)->number, UINT64_C(64) << 20);
}

TEST(options_say_what_is_wrong)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"", "guest launch: an argument is missing; expected PACKAGE"},
        {"a b c", "guest launch: unexpected argument \"c\""},
        {"--blok x p", "guest launch: unknown option \"--blok\"; did you mean --block?"},
        {"--wholly-other p", "guest launch: unknown option \"--wholly-other\""},
        {"--=3 p", "guest launch: unknown option \"--\""},
        {"-vx p", "guest launch: unknown option \"-x\""},
        {"-v --verbose p", "guest launch: --verbose is given twice; give it once"},
        {"--verbose=yes p", "guest launch: --verbose takes no value; write it alone"},
        {"p --block", "guest launch: --block needs a value; write --block SPEC"},
        {"p -n", "guest launch: --times needs a value; write --times TIMES"},
        {"p -n x", "guest launch: --times: \"x\" does not start with a digit; write a whole "
                   "number from 1 to 100"},
        {"p -n 0", "guest launch: --times: \"0\" is too small; write a whole number from 1 to 100"},
        {"p -n 101",
         "guest launch: --times: \"101\" is too large; write a whole number from 1 to 100"},
        {"p -n 18446744073709551617",
         "guest launch: --times: \"18446744073709551617\" is too large; write a whole number "
         "from 1 to 100"},
        {"p --memory 1k", "guest launch: --memory: \"1k\" is too small; write bytes or a number "
                          "with b, k, M or G from 4 KiB up"},
        {"p --memory 1Q",
         "guest launch: --memory: \"1Q\" has a suffix other than b, k, M or G; write bytes or a "
         "number with b, k, M or G from 4 KiB up"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, parse(cases[i].line));
        EXPECT_STR_EQ(options.message, cases[i].message);
    }
}

TEST(options_are_limited_in_number)
{
    char line[512] = "p";
    for (int i = 0; i < OPTIONS_MATCHES_MAX; i++)
        strcat(line, " -q");
    ASSERT_OK(parse(line));
    strcat(line, " -q");
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, parse(line));
}

TEST(options_usage_comes_from_the_table)
{
    char buffer[1024];
    struct text text = text_begin(buffer, sizeof buffer);
    options_usage(&command, &text);
    EXPECT_STR_EQ(buffer, "usage: guest launch [OPTIONS] PACKAGE\n"
                          "Starts a guest.\n"
                          "  -v, --verbose           say more\n"
                          "  -n, --times TIMES       how often\n"
                          "      --memory SIZE       memory of the guest\n"
                          "  -b, --block SPEC        a disk (may be repeated)\n"
                          "  -q, --quiet             say less (may be repeated)\n");
}
