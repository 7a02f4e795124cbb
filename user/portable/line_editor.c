// The line editor; see line_editor.h.
//
// Every key changes line, cursor or history first and ends in one redraw of the row. Only a
// character typed at the end of a line that fits is sent alone, so that typing and pasting stay
// cheap on a slow line.

#include "user/portable/line_editor.h"

#include <string.h>

#include "user/portable/format.h"
#include "user/portable/utf8.h"

#define CONTROL(letter) ((letter)&0x1f)

enum {
    KEY_BACKSPACE = 0x7f,
    KEY_ESCAPE = 0x1b,
    PARAMETER_MAX = 9999,
    LIST_COLUMN_GAP = 2,
};

// --- output -------------------------------------------------------------------------------------

static void write_bytes(struct line_editor *editor, const char *bytes, size_t length)
{
    if (length)
        editor->ops->write(editor->context, bytes, length);
}

static void write_string(struct line_editor *editor, const char *string)
{
    write_bytes(editor, string, strlen(string));
}

static void write_cursor_forward(struct line_editor *editor, size_t columns)
{
    char sequence[16];
    struct text text = text_begin(sequence, sizeof sequence);

    write_string(editor, "\r");
    if (columns == 0)
        return;
    text_add(&text, "\x1b[");
    text_add_number(&text, columns);
    text_add(&text, "C");
    write_bytes(editor, sequence, text.length);
}

static size_t character_before(const char *line, size_t at)
{
    do {
        at--;
    } while (at > 0 && utf8_is_continuation(line[at]));
    return at;
}

static size_t character_after(const char *line, size_t length, size_t at)
{
    do {
        at++;
    } while (at < length && utf8_is_continuation(line[at]));
    return at;
}

// The prompt, or nothing on a terminal too narrow to leave room for the line behind it.
static const char *shown_prompt(const struct line_editor *editor)
{
    size_t columns = utf8_count(editor->prompt, strlen(editor->prompt));
    return columns + LINE_EDITOR_WIDTH_MIN / 2 < editor->width ? editor->prompt : "";
}

static size_t prompt_columns(const struct line_editor *editor)
{
    const char *prompt = shown_prompt(editor);
    return utf8_count(prompt, strlen(prompt));
}

// Columns for the line: what the prompt leaves of the row, without its last column, where terminals
// differ.
static size_t columns_for_line(const struct line_editor *editor)
{
    return editor->width - prompt_columns(editor) - 1;
}

// Moves the shown part so that the cursor is in it.
static void scroll_to_cursor(struct line_editor *editor, size_t columns)
{
    if (editor->scroll > editor->cursor)
        editor->scroll = editor->cursor;
    size_t shown = utf8_count(editor->line + editor->scroll, editor->cursor - editor->scroll);
    for (; shown > columns; shown--)
        editor->scroll = character_after(editor->line, editor->length, editor->scroll);
    // Nothing is gained by scrolling while the whole line fits.
    if (utf8_count(editor->line, editor->length) <= columns)
        editor->scroll = 0;
}

// Bytes from the start of the shown part that fit into the columns.
static size_t shown_bytes(const struct line_editor *editor, size_t columns)
{
    size_t end = editor->scroll;
    while (end < editor->length && columns > 0) {
        end = character_after(editor->line, editor->length, end);
        columns--;
    }
    return end - editor->scroll;
}

static void redraw_line(struct line_editor *editor)
{
    size_t columns = columns_for_line(editor);

    scroll_to_cursor(editor, columns);
    write_string(editor, "\r");
    write_string(editor, shown_prompt(editor));
    write_bytes(editor, editor->line + editor->scroll, shown_bytes(editor, columns));
    write_string(editor, "\x1b[K");
    write_cursor_forward(editor,
                         prompt_columns(editor) + utf8_count(editor->line + editor->scroll,
                                                             editor->cursor - editor->scroll));
}

static void redraw_search(struct line_editor *editor)
{
    char row[LINE_EDITOR_LINE_BYTES + 2 * LINE_EDITOR_PROMPT_BYTES];
    struct text text = text_begin(row, sizeof row);
    size_t end = 0;

    text_add(&text, "(search) ");
    text_add_bytes(&text, editor->pattern, editor->pattern_length);
    text_add(&text, ": ");
    if (editor->search_at < editor->history_bytes)
        text_add(&text, editor->history + editor->search_at);
    for (size_t column = 1; column < editor->width && end < text.length; column++)
        end = character_after(row, text.length, end);
    write_string(editor, "\r");
    write_bytes(editor, row, end);
    write_string(editor, "\x1b[K");
}

static void redraw(struct line_editor *editor)
{
    if (editor->is_searching)
        redraw_search(editor);
    else
        redraw_line(editor);
}

static void ring_bell(struct line_editor *editor)
{
    write_string(editor, "\a");
}

// --- changing the line --------------------------------------------------------------------------

// Replaces line[start..end) and puts the cursor behind the new text; false when the line would be
// too long.
static bool line_replace(struct line_editor *editor, size_t start, size_t end, const char *bytes,
                         size_t length)
{
    size_t tail = editor->length - end;

    if (start + length + tail >= LINE_EDITOR_LINE_BYTES)
        return false;
    memmove(editor->line + start + length, editor->line + end, tail);
    memcpy(editor->line + start, bytes, length);
    editor->length = start + length + tail;
    editor->line[editor->length] = '\0';
    editor->cursor = start + length;
    return true;
}

static void line_set(struct line_editor *editor, const char *line)
{
    (void)line_replace(editor, 0, editor->length, line, strlen(line));
}

static void line_delete(struct line_editor *editor, size_t start, size_t end)
{
    (void)line_replace(editor, start, end, "", 0);
}

static void line_kill(struct line_editor *editor, size_t start, size_t end)
{
    if (start == end)
        return;
    memcpy(editor->killed, editor->line + start, end - start);
    editor->killed_length = end - start;
    line_delete(editor, start, end);
}

static void insert_character(struct line_editor *editor, const char *bytes, size_t length)
{
    size_t columns = columns_for_line(editor);

    if (!line_replace(editor, editor->cursor, editor->cursor, bytes, length)) {
        ring_bell(editor);
        return;
    }
    if (editor->cursor == editor->length && editor->scroll == 0 &&
        utf8_count(editor->line, editor->length) <= columns)
        write_bytes(editor, bytes, length);
    else
        redraw(editor);
}

static bool is_word_byte(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) ||
           c == '_';
}

static size_t word_before(const struct line_editor *editor)
{
    size_t at = editor->cursor;
    while (at > 0 && !is_word_byte(editor->line[at - 1]))
        at--;
    while (at > 0 && is_word_byte(editor->line[at - 1]))
        at--;
    return at;
}

static size_t word_after(const struct line_editor *editor)
{
    size_t at = editor->cursor;
    while (at < editor->length && !is_word_byte(editor->line[at]))
        at++;
    while (at < editor->length && is_word_byte(editor->line[at]))
        at++;
    return at;
}

// What ^W removes: back to a blank, as terminals do, where Alt-Backspace stops at punctuation.
static size_t blank_before(const struct line_editor *editor)
{
    size_t at = editor->cursor;
    while (at > 0 && editor->line[at - 1] == ' ')
        at--;
    while (at > 0 && editor->line[at - 1] != ' ')
        at--;
    return at;
}

static void move_left(struct line_editor *editor)
{
    if (editor->cursor > 0)
        editor->cursor = character_before(editor->line, editor->cursor);
}

static void move_right(struct line_editor *editor)
{
    if (editor->cursor < editor->length)
        editor->cursor = character_after(editor->line, editor->length, editor->cursor);
}

static void delete_before(struct line_editor *editor)
{
    if (editor->cursor > 0)
        line_delete(editor, character_before(editor->line, editor->cursor), editor->cursor);
}

static void delete_at(struct line_editor *editor)
{
    if (editor->cursor < editor->length)
        line_delete(editor, editor->cursor,
                    character_after(editor->line, editor->length, editor->cursor));
}

// Swaps the characters on both sides of the cursor, or the last two at the end.
static void transpose(struct line_editor *editor)
{
    char first[4];

    if (editor->cursor == editor->length)
        move_left(editor);
    if (editor->cursor == 0 || editor->cursor == editor->length)
        return;
    size_t middle = editor->cursor;
    size_t start = character_before(editor->line, middle);
    size_t end = character_after(editor->line, editor->length, middle);
    memcpy(first, editor->line + start, middle - start);
    memmove(editor->line + start, editor->line + middle, end - middle);
    memcpy(editor->line + start + (end - middle), first, middle - start);
    editor->cursor = end;
}

static void yank(struct line_editor *editor)
{
    if (!line_replace(editor, editor->cursor, editor->cursor, editor->killed,
                      editor->killed_length))
        ring_bell(editor);
}

// --- history ------------------------------------------------------------------------------------

// The offset of the entry before the one at `at`; at > 0.
static size_t history_before(const struct line_editor *editor, size_t at)
{
    at--;
    while (at > 0 && editor->history[at - 1] != '\0')
        at--;
    return at;
}

static size_t history_after(const struct line_editor *editor, size_t at)
{
    return at + strlen(editor->history + at) + 1;
}

static void history_drop_oldest(struct line_editor *editor)
{
    size_t size = history_after(editor, 0);
    editor->history_bytes -= size;
    memmove(editor->history, editor->history + size, editor->history_bytes);
}

void line_editor_add_history(struct line_editor *editor, const char *line)
{
    size_t size = strlen(line) + 1;

    if (size == 1 || size > LINE_EDITOR_LINE_BYTES)
        return;
    if (editor->history_bytes > 0 &&
        strcmp(editor->history + history_before(editor, editor->history_bytes), line) == 0)
        return;
    while (editor->history_bytes + size > LINE_EDITOR_HISTORY_BYTES)
        history_drop_oldest(editor);
    memcpy(editor->history + editor->history_bytes, line, size);
    editor->history_bytes += size;
    editor->history_at = editor->search_at = editor->history_bytes;
}

static void history_older(struct line_editor *editor)
{
    if (editor->history_at == 0) {
        ring_bell(editor);
        return;
    }
    if (editor->history_at == editor->history_bytes)
        memcpy(editor->draft, editor->line, editor->length + 1);
    editor->history_at = history_before(editor, editor->history_at);
    line_set(editor, editor->history + editor->history_at);
}

static void history_newer(struct line_editor *editor)
{
    if (editor->history_at == editor->history_bytes) {
        ring_bell(editor);
        return;
    }
    editor->history_at = history_after(editor, editor->history_at);
    line_set(editor, editor->history_at == editor->history_bytes
                         ? editor->draft
                         : editor->history + editor->history_at);
}

// --- searching the history ----------------------------------------------------------------------

static bool entry_matches(const struct line_editor *editor, size_t at)
{
    char pattern[LINE_EDITOR_PROMPT_BYTES];

    memcpy(pattern, editor->pattern, editor->pattern_length);
    pattern[editor->pattern_length] = '\0';
    return strstr(editor->history + at, pattern) != NULL;
}

// Finds the newest entry older than `from` that holds the pattern; false, and nothing changed, if
// none does.
static bool search_older(struct line_editor *editor, size_t from)
{
    while (from > 0) {
        from = history_before(editor, from);
        if (entry_matches(editor, from)) {
            editor->search_at = from;
            return true;
        }
    }
    return false;
}

static void search_start(struct line_editor *editor)
{
    editor->is_searching = true;
    editor->pattern_length = 0;
    editor->search_at = editor->history_bytes;
}

static void search_again(struct line_editor *editor)
{
    if (!search_older(editor, editor->search_at))
        ring_bell(editor);
}

static void search_from_newest(struct line_editor *editor)
{
    editor->search_at = editor->history_bytes;
    if (editor->pattern_length && !search_older(editor, editor->history_bytes))
        ring_bell(editor);
}

static void search_add(struct line_editor *editor, const char *bytes, size_t length)
{
    if (editor->pattern_length + length >= LINE_EDITOR_PROMPT_BYTES) {
        ring_bell(editor);
        return;
    }
    memcpy(editor->pattern + editor->pattern_length, bytes, length);
    editor->pattern_length += length;
    search_from_newest(editor);
    redraw(editor);
}

static void search_remove(struct line_editor *editor)
{
    if (editor->pattern_length)
        editor->pattern_length = character_before(editor->pattern, editor->pattern_length);
    search_from_newest(editor);
}

// Ends the search with what was found as the line.
static void search_accept(struct line_editor *editor)
{
    editor->is_searching = false;
    if (editor->search_at < editor->history_bytes) {
        if (editor->history_at == editor->history_bytes)
            memcpy(editor->draft, editor->line, editor->length + 1);
        editor->history_at = editor->search_at;
        line_set(editor, editor->history + editor->search_at);
    }
}

// Handles a control key during a search; false when the search ends with it and the key is still to
// be handled.
static bool search_key(struct line_editor *editor, uint8_t byte)
{
    switch (byte) {
    case CONTROL('R'):
        search_again(editor);
        break;
    case CONTROL('H'):
    case KEY_BACKSPACE:
        search_remove(editor);
        break;
    case CONTROL('G'):
        editor->is_searching = false;
        break;
    default:
        search_accept(editor);
        return false;
    }
    redraw(editor);
    return true;
}

// --- completion ---------------------------------------------------------------------------------

void line_matches_add(struct line_matches *matches, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > LINE_EDITOR_MATCHES_BYTES - matches->used_bytes)
        return;
    memcpy(matches->texts + matches->used_bytes, text, size);
    matches->used_bytes += size;
    matches->count++;
}

// The bytes that all candidates begin with, in whole characters.
static size_t common_prefix(const struct line_matches *matches)
{
    const char *first = matches->texts;
    size_t common = strlen(first);

    for (size_t at = 0; at < matches->used_bytes; at += strlen(matches->texts + at) + 1) {
        const char *other = matches->texts + at;
        size_t same = 0;
        while (same < common && first[same] == other[same])
            same++;
        common = same;
    }
    while (common > 0 && utf8_is_continuation(first[common]))
        common--;
    return common;
}

static size_t widest_match(const struct line_matches *matches)
{
    size_t widest = 0;
    for (size_t at = 0; at < matches->used_bytes; at += strlen(matches->texts + at) + 1) {
        size_t columns = utf8_count(matches->texts + at, strlen(matches->texts + at));
        if (columns > widest)
            widest = columns;
    }
    return widest;
}

static void list_matches(struct line_editor *editor)
{
    const struct line_matches *matches = &editor->matches;
    size_t column_width = widest_match(matches) + LIST_COLUMN_GAP;
    size_t per_row = editor->width / column_width ? editor->width / column_width : 1;
    size_t index = 0;

    for (size_t at = 0; at < matches->used_bytes; index++) {
        const char *match = matches->texts + at;
        size_t length = strlen(match);
        write_string(editor, index % per_row == 0 ? "\r\n" : "");
        write_bytes(editor, match, length);
        if (index % per_row != per_row - 1) {
            for (size_t i = utf8_count(match, length); i < column_width; i++)
                write_string(editor, " ");
        }
        at += length + 1;
    }
    write_string(editor, "\r\n");
}

// Tab: completes as far as all candidates agree; a second Tab that cannot add anything lists them.
static void complete(struct line_editor *editor, bool is_second_tab)
{
    struct line_matches *matches = &editor->matches;

    matches->word_start = editor->cursor;
    matches->count = 0;
    matches->used_bytes = 0;
    if (editor->ops->complete)
        editor->ops->complete(editor->context, editor->line, editor->cursor, matches);
    if (matches->count == 0 || matches->word_start > editor->cursor) {
        ring_bell(editor);
        return;
    }
    size_t common = common_prefix(matches);
    size_t word_length = editor->cursor - matches->word_start;
    if (common > word_length || matches->count == 1) {
        if (!line_replace(editor, matches->word_start, editor->cursor, matches->texts, common))
            ring_bell(editor);
    } else if (is_second_tab) {
        list_matches(editor);
    } else {
        ring_bell(editor);
        editor->after_tab = true;
    }
}

// --- keys ---------------------------------------------------------------------------------------

static enum line_editor_event finish(struct line_editor *editor, enum line_editor_event event)
{
    editor->cursor = editor->length;
    redraw(editor);
    write_string(editor, event == LINE_EDITOR_CANCEL ? "^C\r\n" : "\r\n");
    return event;
}

// ^D: ends on an empty line, deletes forward otherwise.
static enum line_editor_event end_or_delete(struct line_editor *editor)
{
    if (editor->length == 0)
        return finish(editor, LINE_EDITOR_END);
    delete_at(editor);
    redraw(editor);
    return LINE_EDITOR_MORE;
}

static void edit_key(struct line_editor *editor, uint8_t byte, bool is_second_tab)
{
    switch (byte) {
    case CONTROL('A'):
        editor->cursor = 0;
        break;
    case CONTROL('B'):
        move_left(editor);
        break;
    case CONTROL('E'):
        editor->cursor = editor->length;
        break;
    case CONTROL('F'):
        move_right(editor);
        break;
    case CONTROL('H'):
    case KEY_BACKSPACE:
        delete_before(editor);
        break;
    case CONTROL('I'):
        complete(editor, is_second_tab);
        break;
    case CONTROL('K'):
        line_kill(editor, editor->cursor, editor->length);
        break;
    case CONTROL('L'):
        write_string(editor, "\x1b[H\x1b[2J");
        break;
    case CONTROL('N'):
        history_newer(editor);
        break;
    case CONTROL('P'):
        history_older(editor);
        break;
    case CONTROL('R'):
        search_start(editor);
        break;
    case CONTROL('T'):
        transpose(editor);
        break;
    case CONTROL('U'):
        line_kill(editor, 0, editor->cursor);
        break;
    case CONTROL('W'):
        line_kill(editor, blank_before(editor), editor->cursor);
        break;
    case CONTROL('Y'):
        yank(editor);
        break;
    default:
        break;
    }
    redraw(editor);
}

static enum line_editor_event control_key(struct line_editor *editor, uint8_t byte)
{
    bool is_second_tab = editor->after_tab;

    editor->after_tab = false;
    if (byte == KEY_ESCAPE) {
        editor->input = LINE_INPUT_ESCAPE;
        return LINE_EDITOR_MORE;
    }
    if (editor->is_searching && search_key(editor, byte))
        return LINE_EDITOR_MORE;
    switch (byte) {
    case '\r':
        editor->after_return = true;
        return finish(editor, LINE_EDITOR_LINE);
    case '\n':
        return finish(editor, LINE_EDITOR_LINE);
    case CONTROL('C'):
        return finish(editor, LINE_EDITOR_CANCEL);
    case CONTROL('D'):
        return end_or_delete(editor);
    default:
        edit_key(editor, byte, is_second_tab);
        return LINE_EDITOR_MORE;
    }
}

// ESC and a letter: what Alt with that letter sends.
static void alt_key(struct line_editor *editor, uint8_t byte)
{
    switch (byte) {
    case 'b':
        editor->cursor = word_before(editor);
        break;
    case 'f':
        editor->cursor = word_after(editor);
        break;
    case 'd':
        line_kill(editor, editor->cursor, word_after(editor));
        break;
    case CONTROL('H'):
    case KEY_BACKSPACE:
        line_kill(editor, word_before(editor), editor->cursor);
        break;
    default:
        break;
    }
    redraw(editor);
}

// ESC [ number ~
static void numbered_key(struct line_editor *editor)
{
    switch (editor->parameters[0]) {
    case 1:
    case 7:
        editor->cursor = 0;
        break;
    case 3:
        delete_at(editor);
        break;
    case 4:
    case 8:
        editor->cursor = editor->length;
        break;
    default:
        break;
    }
}

static void move_right_by(struct line_editor *editor, bool by_word)
{
    if (by_word)
        editor->cursor = word_after(editor);
    else
        move_right(editor);
}

static void move_left_by(struct line_editor *editor, bool by_word)
{
    if (by_word)
        editor->cursor = word_before(editor);
    else
        move_left(editor);
}

// The key that a sequence's last byte names; a second parameter of 3 or 5 means Alt or Ctrl with an
// arrow.
static void sequence_key(struct line_editor *editor, uint8_t final)
{
    bool by_word = editor->parameters[1] == 3 || editor->parameters[1] == 5;

    switch (final) {
    case 'A':
        history_older(editor);
        break;
    case 'B':
        history_newer(editor);
        break;
    case 'C':
        move_right_by(editor, by_word);
        break;
    case 'D':
        move_left_by(editor, by_word);
        break;
    case 'H':
        editor->cursor = 0;
        break;
    case 'F':
        editor->cursor = editor->length;
        break;
    case '~':
        numbered_key(editor);
        break;
    default:
        break;
    }
    redraw(editor);
}

static void sequence_parameter(struct line_editor *editor, uint8_t byte)
{
    if (byte == ';') {
        editor->parameter_count++;
    } else if (byte >= '0' && byte <= '9' && editor->parameter_count < 2) {
        unsigned *value = &editor->parameters[editor->parameter_count];
        *value = *value * 10 + (byte - '0');
        if (*value > PARAMETER_MAX)
            *value = PARAMETER_MAX;
    }
}

// A byte within an escape sequence (ECMA-48, 5.4): parameters and intermediates up to a final byte.
static enum line_editor_event sequence_byte(struct line_editor *editor, uint8_t byte)
{
    enum line_editor_input input = editor->input;
    bool is_alt = input == LINE_INPUT_ESCAPE && byte != '[' && byte != 'O';

    if (byte < 0x20 && !(is_alt && byte == CONTROL('H'))) { // a sequence cut off by another key
        editor->input = LINE_INPUT_PLAIN;
        return control_key(editor, byte);
    }
    if (editor->is_searching) {
        search_accept(editor);
        redraw(editor);
    }
    if (is_alt) {
        editor->input = LINE_INPUT_PLAIN;
        alt_key(editor, byte);
    } else if (input == LINE_INPUT_ESCAPE) {
        editor->input = byte == '[' ? LINE_INPUT_CONTROL : LINE_INPUT_SHIFTED;
        editor->parameters[0] = editor->parameters[1] = 0;
        editor->parameter_count = 0;
    } else if (byte < 0x40) {
        sequence_parameter(editor, byte);
    } else {
        editor->input = LINE_INPUT_PLAIN;
        sequence_key(editor, byte);
    }
    return LINE_EDITOR_MORE;
}

// Collects the bytes of a character. What turns out not to be one is dropped with the next that
// starts one.
static void text_byte(struct line_editor *editor, uint8_t byte)
{
    editor->after_tab = false;
    if (!utf8_is_continuation((char)byte) || editor->partial_length == sizeof editor->partial)
        editor->partial_length = 0;
    editor->partial[editor->partial_length++] = (char)byte;

    size_t size = utf8_length(editor->partial, editor->partial_length);
    if (size == 0)
        return;
    editor->partial_length = 0;
    if (utf8_is_control(editor->partial, size))
        return;
    if (editor->is_searching)
        search_add(editor, editor->partial, size);
    else
        insert_character(editor, editor->partial, size);
}

enum line_editor_event line_editor_feed(struct line_editor *editor, uint8_t byte)
{
    bool after_return = editor->after_return;

    editor->after_return = false;
    if (byte == '\n' && after_return)
        return LINE_EDITOR_MORE;
    if (editor->input != LINE_INPUT_PLAIN)
        return sequence_byte(editor, byte);
    if (byte < 0x20 || byte == KEY_BACKSPACE)
        return control_key(editor, byte);
    text_byte(editor, byte);
    return LINE_EDITOR_MORE;
}

// --- life ---------------------------------------------------------------------------------------

void line_editor_init(struct line_editor *editor, const struct line_editor_ops *ops, void *context)
{
    memset(editor, 0, sizeof *editor);
    editor->ops = ops;
    editor->context = context;
    editor->width = LINE_EDITOR_WIDTH_DEFAULT;
}

void line_editor_set_width(struct line_editor *editor, size_t columns)
{
    if (columns == 0)
        columns = LINE_EDITOR_WIDTH_DEFAULT;
    editor->width = columns < LINE_EDITOR_WIDTH_MIN ? LINE_EDITOR_WIDTH_MIN : columns;
}

void line_editor_start(struct line_editor *editor, const char *prompt)
{
    struct text text = text_begin(editor->prompt, sizeof editor->prompt);

    text_add(&text, prompt);
    editor->length = editor->cursor = editor->scroll = 0;
    editor->line[0] = '\0';
    editor->input = LINE_INPUT_PLAIN;
    editor->partial_length = 0;
    editor->after_tab = false;
    editor->is_searching = false;
    editor->history_at = editor->history_bytes;
    redraw(editor);
}

const char *line_editor_line(const struct line_editor *editor)
{
    return editor->line;
}

void line_editor_hide(struct line_editor *editor)
{
    write_string(editor, "\r\x1b[K");
}

void line_editor_show(struct line_editor *editor)
{
    redraw(editor);
}
