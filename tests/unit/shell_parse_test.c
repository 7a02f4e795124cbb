// Splitting shell lines into commands and words.

#include "tests/test.h"

#include <stdlib.h>

#include "user/portable/shell_parse.h"

static struct shell_line parsed;
static struct shell_error error;

// The line's commands written out: words in [] and ; or & behind each command.
static const char *split(const char *line)
{
    static char out[4096];
    size_t length = strlen(line);
    char *copy = malloc(length + !length);
    memcpy(copy, line, length);
    mx_status_t status = shell_parse(copy, length, &parsed, &error);
    free(copy);
    out[0] = '\0';
    if (status != MX_OK)
        return "refused";
    for (size_t i = 0; i < parsed.command_count; i++) {
        const struct shell_command *command = &parsed.commands[i];
        for (size_t k = 0; k < command->argc; k++) {
            strcat(out, "[");
            strcat(out, command->argv[k]);
            strcat(out, "]");
        }
        EXPECT_TRUE(command->argv[command->argc] == NULL);
        strcat(out, command->is_background ? "&" : ";");
    }
    return out;
}

TEST(shell_splits_words_and_commands)
{
    EXPECT_STR_EQ(split(""), "");
    EXPECT_STR_EQ(split("  \t"), "");
    EXPECT_STR_EQ(split("guest launch  linux_guest "), "[guest][launch][linux_guest];");
    EXPECT_STR_EQ(split("a;b c&d&"), "[a];[b][c]&[d]&");
    EXPECT_STR_EQ(split("a ; "), "[a];");
}

TEST(shell_quotes_and_escapes)
{
    EXPECT_STR_EQ(split("a 'b  c;d#' \"e\\\"f\\\\g\\n$\""), "[a][b  c;d#][e\"f\\g\\n$];");
    EXPECT_STR_EQ(split("a\\ b '' \"\" x'y'\"z\""), "[a b][][][xyz];");
    EXPECT_STR_EQ(split("\\; \\# \\| '|' '\\'"), "[;][#][|][|][\\];");
}

TEST(shell_comments_start_words_only)
{
    EXPECT_STR_EQ(split("a b#c # d 'e"), "[a][b#c];");
    EXPECT_STR_EQ(split("# all of it"), "");
    EXPECT_STR_EQ(split("a;#b"), "[a];");
}

#define EXPECT_REFUSED(line, at, because)      \
    do {                                       \
        EXPECT_STR_EQ(split(line), "refused"); \
        EXPECT_EQ(error.column, at);           \
        EXPECT_STR_EQ(error.reason, because);  \
    } while (0)

TEST(shell_says_where_a_line_is_wrong)
{
    static const char operators[] =
        "pipes, redirections and groups do not exist; quote the character if it is text";
    EXPECT_REFUSED("\xc3\xa9 'x", 3u, "this quote is not closed");
    EXPECT_REFUSED("a \"b\\\"", 3u, "this quote is not closed");
    EXPECT_REFUSED("a b\\", 4u, "nothing follows the backslash");
    EXPECT_REFUSED("a | b", 3u, operators);
    EXPECT_REFUSED("a >b", 3u, operators);
    EXPECT_REFUSED("a&&b", 3u, "\"&&\" does not exist; use \";\"");
    EXPECT_REFUSED(";a", 1u, "a command is missing before this");
    EXPECT_REFUSED("a;;b", 3u, "a command is missing before this");
    EXPECT_REFUSED("a & &", 5u, "a command is missing before this");
}

TEST(shell_refuses_nul_characters)
{
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, shell_parse("a\0b", 3, &parsed, &error));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, shell_parse("a\\\0b", 4, &parsed, &error));
}

TEST(shell_limits_words_commands_and_bytes)
{
    char line[SHELL_LINE_BYTES_MAX + 2] = "";
    for (int i = 0; i < SHELL_WORDS_MAX; i++)
        strcat(line, "w ");
    EXPECT_OK(shell_parse(line, strlen(line), &parsed, &error));
    EXPECT_EQ(parsed.commands[0].argc, (size_t)SHELL_WORDS_MAX);
    strcat(line, "w");
    EXPECT_REFUSED(line, 129u, "a line has at most 64 words");

    line[0] = '\0';
    for (int i = 0; i < SHELL_COMMANDS_MAX; i++)
        strcat(line, "c;");
    EXPECT_OK(shell_parse(line, strlen(line), &parsed, &error));
    strcat(line, "c");
    EXPECT_REFUSED(line, 33u, "a line has at most 16 commands");

    memset(line, 'x', sizeof line - 1);
    EXPECT_OK(shell_parse(line, SHELL_LINE_BYTES_MAX, &parsed, &error));
    EXPECT_EQ(strlen(parsed.commands[0].argv[0]), (size_t)SHELL_LINE_BYTES_MAX);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  shell_parse(line, SHELL_LINE_BYTES_MAX + 1, &parsed, &error));
}

static void expect_cursor(const char *line, size_t command, size_t word, size_t index, char quote)
{
    struct shell_cursor cursor = shell_cursor_at(line, strlen(line));
    if (cursor.command_start != command || cursor.word_start != word ||
        cursor.word_index != index || cursor.quote != quote || cursor.is_comment)
        test_fail(__FILE__, __LINE__, "\"%s\": command %zu, word %zu, index %zu, quote %d", line,
                  cursor.command_start, cursor.word_start, cursor.word_index, cursor.quote);
}

TEST(shell_finds_the_word_at_the_cursor)
{
    expect_cursor("", 0, 0, 0, 0);
    expect_cursor("  gu", 2, 2, 0, 0);
    expect_cursor("guest ", 0, 6, 1, 0);
    expect_cursor("guest launch li", 0, 13, 2, 0);
    expect_cursor("a b; gue", 5, 5, 0, 0);
    expect_cursor("a b&", 4, 4, 0, 0);
    expect_cursor("cat 'my f", 0, 4, 1, '\'');
    expect_cursor("cat \"a\\\" b", 0, 4, 1, '"');
    expect_cursor("cat a\\ b", 0, 4, 1, 0);
    EXPECT_TRUE(shell_cursor_at("a # b", 5).is_comment);
}
