// Splitting a shell line into commands and words.
//
// Blanks separate words; ';' and '&' end a command, '&' one to be run in the background; '#' at the
// start of a word begins a comment. 'single quotes' take everything as it is; in "double quotes" a
// backslash makes a following
// ", \ or $ literal; outside quotes it makes any character literal. There are no pipes,
// redirections, variables or patterns: | < > ( ) and a second & outside quotes are refused rather
// than taken as text.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <machina/status.h>

enum {
    SHELL_LINE_BYTES_MAX = 1024,
    SHELL_WORDS_MAX = 64,
    SHELL_COMMANDS_MAX = 16,
};

struct shell_command {
    size_t argc; // at least 1
    char **argv; // NULL-terminated, in the line it was parsed into
    bool is_background;
};

// A parsed line; it holds the words itself, so it must not be copied.
struct shell_line {
    struct shell_command commands[SHELL_COMMANDS_MAX];
    size_t command_count;
    char *words[SHELL_WORDS_MAX + SHELL_COMMANDS_MAX];
    char text[SHELL_LINE_BYTES_MAX + SHELL_WORDS_MAX];
};

struct shell_error {
    unsigned column;    // from 1, in characters
    const char *reason; // a static string
};

// Parses a line of `length` bytes. INVALID_ARGS with *error filled when it is malformed or has more
// than the limits above. An empty line has no commands.
MX_MUST_CHECK mx_status_t shell_parse(const char *line, size_t length, struct shell_line *parsed,
                                      struct shell_error *error);

// The word that a cursor stands in or behind, for completion.
struct shell_cursor {
    size_t command_start; // byte where its command starts, blanks skipped
    size_t
        word_start; // byte where the word starts; the cursor itself when it stands behind a blank
    size_t word_index; // 0 when the word is the command's name
    char quote;        // the quote that is open at the cursor, or NUL
    bool is_comment;   // the cursor is in a comment: there is nothing to complete
};

// Judges line[0..cursor); never fails, as any line is being typed.
struct shell_cursor shell_cursor_at(const char *line, size_t cursor);
