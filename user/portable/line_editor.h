// Editing one line on a terminal: bytes of the keyboard in, bytes for the terminal out, no system
// calls.
//
// The line occupies one row of the terminal and scrolls sideways when it is longer than the row, so
// that it works on any terminal that knows carriage return and two VT100 sequences (erase to the
// end of the line, cursor forward). Text is UTF-8, one column per character; other bytes are
// ignored.
//
// Keys: arrows, Home, End, Delete, Backspace, Tab; ^A ^E ^B ^F and Alt-B Alt-F (or Ctrl with
// arrows) move; ^D ^H delete a character, ^W and Alt-Backspace the word before, Alt-D the word
// behind, ^K and ^U to the end and to the start, ^Y puts the last of these deletions back; ^T swaps
// two characters; ^P ^N and up, down walk through the history, ^R searches it; ^L clears the
// screen; ^C gives the line up; ^D on an empty line ends.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LINE_EDITOR_LINE_BYTES = 1024,    // with the NUL
    LINE_EDITOR_PROMPT_BYTES = 64,    // with the NUL
    LINE_EDITOR_HISTORY_BYTES = 8192, // all lines, each with its NUL
    LINE_EDITOR_MATCHES_BYTES = 4096, // all completions offered for one Tab, each with its NUL
    LINE_EDITOR_WIDTH_DEFAULT = 80,
    LINE_EDITOR_WIDTH_MIN = 8,
};

// What a byte led to.
enum line_editor_event {
    LINE_EDITOR_MORE,   // nothing to do yet
    LINE_EDITOR_LINE,   // a line is complete: line_editor_line()
    LINE_EDITOR_CANCEL, // ^C: the line was given up
    LINE_EDITOR_END,    // ^D on an empty line
};

// The completions of one Tab; filled by the owner with line_matches_add.
struct line_matches {
    size_t
        word_start; // set by the owner: where the word that the matches replace starts in the line
    unsigned count;
    size_t used_bytes;
    char texts[LINE_EDITOR_MATCHES_BYTES];
};

struct line_editor_ops {
    // Sends bytes to the terminal.
    void (*write)(void *context, const char *bytes, size_t length);
    // Offers what the word before the cursor could become: sets matches->word_start and adds each
    // candidate for line[word_start..cursor). A candidate holds its own trailing space or slash.
    // May be NULL.
    void (*complete)(void *context, const char *line, size_t cursor, struct line_matches *matches);
};

enum line_editor_input {
    LINE_INPUT_PLAIN,
    LINE_INPUT_ESCAPE,  // after ESC
    LINE_INPUT_CONTROL, // in a sequence after ESC [
    LINE_INPUT_SHIFTED, // after ESC O
};

// Private to line_editor.c; a struct only so that its owner can place it.
struct line_editor {
    const struct line_editor_ops *ops;
    void *context;
    char prompt[LINE_EDITOR_PROMPT_BYTES];
    size_t width;

    char line[LINE_EDITOR_LINE_BYTES];
    size_t length;
    size_t cursor; // in bytes, at the start of a character or at the end
    size_t scroll; // first byte shown

    enum line_editor_input input;
    unsigned parameters[2]; // of the control sequence, saturating
    unsigned parameter_count;
    char partial[4]; // bytes of a UTF-8 character not complete yet
    size_t partial_length;
    bool after_return; // the last byte was CR: a LF now belongs to it
    bool after_tab;    // the last key was a Tab that could not extend the word

    char killed[LINE_EDITOR_LINE_BYTES];
    size_t killed_length;

    char history[LINE_EDITOR_HISTORY_BYTES]; // oldest first, NUL after each
    size_t history_bytes;
    size_t history_at;                  // offset of the line shown; history_bytes for the new line
    char draft[LINE_EDITOR_LINE_BYTES]; // the new line while an older one is shown

    bool is_searching;
    char pattern[LINE_EDITOR_PROMPT_BYTES];
    size_t pattern_length;
    size_t search_at; // offset in the history of the match; history_bytes when there is none

    struct line_matches matches;
};

// Prepares an editor with an empty history. The ops must outlive it.
void line_editor_init(struct line_editor *editor, const struct line_editor_ops *ops, void *context);

// Sets the terminal's width in columns; 0 means unknown. Takes effect with the next output.
void line_editor_set_width(struct line_editor *editor, size_t columns);

// Starts a new empty line and writes the prompt (cut when longer than LINE_EDITOR_PROMPT_BYTES).
void line_editor_start(struct line_editor *editor, const char *prompt);

// Feeds one byte from the keyboard. After an event other than MORE the owner calls
// line_editor_start before it feeds more.
enum line_editor_event line_editor_feed(struct line_editor *editor, uint8_t byte);

// The line, NUL-terminated; valid until the next start.
const char *line_editor_line(const struct line_editor *editor);

// Remembers a line. Empty lines and repetitions of the newest are not; the oldest make room.
void line_editor_add_history(struct line_editor *editor, const char *line);

// Takes the line off the screen, so that other output can go there, and puts it back.
void line_editor_hide(struct line_editor *editor);
void line_editor_show(struct line_editor *editor);

// Adds a candidate; silently not when there is no room for it.
void line_matches_add(struct line_matches *matches, const char *text);
