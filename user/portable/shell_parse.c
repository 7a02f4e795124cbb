// Splitting shell lines; see shell_parse.h.

#include "user/portable/shell_parse.h"

#include <string.h>

#include "user/portable/utf8.h"

struct splitter {
    const char *line;
    size_t length;
    size_t at;
    struct shell_line *parsed;
    size_t text_used;
    size_t word_count;
    size_t slot_count; // of parsed->words, with the NULL behind each command
    struct shell_error *error;
};

static mx_status_t refuse(const struct splitter *splitter, size_t at, const char *reason)
{
    splitter->error->column = (unsigned)utf8_count(splitter->line, at) + 1;
    splitter->error->reason = reason;
    return MX_ERR_INVALID_ARGS;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == ';' || c == '&';
}

static bool is_one_of(char c, const char *set, size_t count)
{
    return memchr(set, c, count) != NULL;
}

// A word's characters are never more than what they were written as, and each word adds one NUL.
static void put(struct splitter *splitter, char c)
{
    splitter->parsed->text[splitter->text_used++] = c;
}

static mx_status_t copy_quoted(struct splitter *splitter)
{
    size_t start = splitter->at;
    char quote = splitter->line[splitter->at++];

    for (; splitter->at < splitter->length; splitter->at++) {
        char c = splitter->line[splitter->at];
        if (c == quote) {
            splitter->at++;
            return MX_OK;
        }
        if (c == '\\' && quote == '"' && splitter->at + 1 < splitter->length &&
            is_one_of(splitter->line[splitter->at + 1], "\"\\$", 3))
            c = splitter->line[++splitter->at];
        put(splitter, c);
    }
    return refuse(splitter, start, "this quote is not closed");
}

// Copies one character or quoted part of a word.
static mx_status_t copy_part(struct splitter *splitter)
{
    char c = splitter->line[splitter->at];

    if (c == '\'' || c == '"')
        return copy_quoted(splitter);
    if (c == '\0')
        return refuse(splitter, splitter->at, "a NUL character");
    if (is_one_of(c, "|<>()", 5))
        return refuse(
            splitter, splitter->at,
            "pipes, redirections and groups do not exist; quote the character if it is text");
    if (c == '\\') {
        if (splitter->at + 1 == splitter->length)
            return refuse(splitter, splitter->at, "nothing follows the backslash");
        c = splitter->line[++splitter->at];
        if (c == '\0')
            return refuse(splitter, splitter->at, "a NUL character");
    }
    put(splitter, c);
    splitter->at++;
    return MX_OK;
}

static mx_status_t take_word(struct splitter *splitter)
{
    char *word = splitter->parsed->text + splitter->text_used;

    if (splitter->word_count == SHELL_WORDS_MAX)
        return refuse(splitter, splitter->at, "a line has at most 64 words");
    while (splitter->at < splitter->length && !ends_word(splitter->line[splitter->at])) {
        mx_status_t status = copy_part(splitter);
        if (status != MX_OK)
            return status;
    }
    put(splitter, '\0');
    splitter->parsed->words[splitter->slot_count++] = word;
    splitter->word_count++;
    return MX_OK;
}

static void skip_blanks(struct splitter *splitter)
{
    while (splitter->at < splitter->length && is_blank(splitter->line[splitter->at]))
        splitter->at++;
    if (splitter->at < splitter->length && splitter->line[splitter->at] == '#')
        splitter->at = splitter->length;
}

// Takes the ';' or '&' behind a command, if one is there.
static mx_status_t take_end(struct splitter *splitter, struct shell_command *command)
{
    if (splitter->at == splitter->length)
        return MX_OK;
    char end = splitter->line[splitter->at];
    if (command->argc == 0)
        return refuse(splitter, splitter->at, "a command is missing before this");
    splitter->at++;
    command->is_background = end == '&';
    if (command->is_background && splitter->at < splitter->length &&
        splitter->line[splitter->at] == '&')
        return refuse(splitter, splitter->at, "\"&&\" does not exist; use \";\"");
    return MX_OK;
}

static mx_status_t take_command(struct splitter *splitter)
{
    struct shell_line *parsed = splitter->parsed;
    struct shell_command command = {0, parsed->words + splitter->slot_count, false};

    if (parsed->command_count == SHELL_COMMANDS_MAX)
        return refuse(splitter, splitter->at, "a line has at most 16 commands");
    while (splitter->at < splitter->length && !ends_word(splitter->line[splitter->at])) {
        mx_status_t status = take_word(splitter);
        if (status != MX_OK)
            return status;
        command.argc++;
        skip_blanks(splitter);
    }
    mx_status_t status = take_end(splitter, &command);
    if (status != MX_OK)
        return status;
    parsed->words[splitter->slot_count++] = NULL;
    parsed->commands[parsed->command_count++] = command;
    return MX_OK;
}

mx_status_t shell_parse(const char *line, size_t length, struct shell_line *parsed,
                        struct shell_error *error)
{
    struct splitter splitter = {.line = line, .length = length, .parsed = parsed, .error = error};

    parsed->command_count = 0;
    if (length > SHELL_LINE_BYTES_MAX)
        return refuse(&splitter, SHELL_LINE_BYTES_MAX, "a line has at most 1024 bytes");
    for (;;) {
        skip_blanks(&splitter);
        if (splitter.at == splitter.length)
            return MX_OK;
        mx_status_t status = take_command(&splitter);
        if (status != MX_OK)
            return status;
    }
}

// --- the word at the cursor ---------------------------------------------------------------------

// Steps over one character of a word, keeping track of the open quote.
static size_t step_in_word(const char *line, size_t cursor, size_t at, char *quote)
{
    char c = line[at];

    if (*quote) {
        if (c == *quote)
            *quote = '\0';
        else if (c == '\\' && *quote == '"' && at + 1 < cursor)
            at++;
    } else if (c == '\'' || c == '"') {
        *quote = c;
    } else if (c == '\\' && at + 1 < cursor) {
        at++;
    }
    return at + 1;
}

struct shell_cursor shell_cursor_at(const char *line, size_t cursor)
{
    struct shell_cursor found = {0};
    size_t at = 0;

    for (;;) {
        while (at < cursor && is_blank(line[at]))
            at++;
        if (found.word_index == 0)
            found.command_start = at;
        found.word_start = at;
        if (at < cursor && line[at] == '#') {
            found.is_comment = true;
            return found;
        }
        while (at < cursor && (found.quote || !ends_word(line[at])))
            at = step_in_word(line, cursor, at, &found.quote);
        if (at >= cursor)
            return found;
        if (is_blank(line[at])) {
            found.word_index++;
        } else {
            found.word_index = 0;
            at++;
        }
    }
}
