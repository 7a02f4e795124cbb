// The line editor, judged by what a terminal shows: output goes to a small model of a terminal.

#include "tests/test.h"

#include "user/portable/line_editor.h"

enum {
    ROWS = 6,
    COLUMNS_MAX = 80,
};

// A terminal of ROWS rows that knows what the editor may send and fails the test for anything else.
static struct {
    uint32_t cells[ROWS][COLUMNS_MAX]; // UTF-8 bytes of each character
    size_t row, column, width;
    unsigned bells;
    char sequence[16];
    size_t sequence_length;
} terminal;

static struct line_editor editor;

static void terminal_new_line(void)
{
    if (terminal.row + 1 < ROWS) {
        terminal.row++;
        return;
    }
    memmove(terminal.cells[0], terminal.cells[1], sizeof terminal.cells - sizeof terminal.cells[0]);
    memset(terminal.cells[ROWS - 1], 0, sizeof terminal.cells[0]);
}

static void terminal_run_sequence(void)
{
    unsigned number = 0;
    if (strcmp(terminal.sequence, "\x1b[K") == 0) {
        for (size_t i = terminal.column; i < COLUMNS_MAX; i++)
            terminal.cells[terminal.row][i] = 0;
    } else if (strcmp(terminal.sequence, "\x1b[H") == 0) {
        terminal.row = terminal.column = 0;
    } else if (strcmp(terminal.sequence, "\x1b[2J") == 0) {
        memset(terminal.cells, 0, sizeof terminal.cells);
    } else if (sscanf(terminal.sequence, "\x1b[%uC", &number) == 1) {
        terminal.column += number;
        EXPECT_LT(terminal.column, terminal.width);
    } else {
        test_fail(__FILE__, __LINE__, "unknown sequence %s", terminal.sequence + 1);
    }
}

static void terminal_put_text(unsigned char byte)
{
    if ((byte & 0xc0) == 0x80) { // continues the character before the cursor
        uint32_t *cell = &terminal.cells[terminal.row][terminal.column - 1];
        *cell = *cell << 8 | byte;
        return;
    }
    if (terminal.column >= terminal.width) {
        test_fail(__FILE__, __LINE__, "text beyond the width");
        return;
    }
    terminal.cells[terminal.row][terminal.column++] = byte;
}

static void terminal_put(unsigned char byte)
{
    if (terminal.sequence_length || byte == 0x1b) {
        terminal.sequence[terminal.sequence_length++] = (char)byte;
        if (terminal.sequence_length > 2 && byte >= 0x40) {
            terminal.sequence[terminal.sequence_length] = '\0';
            terminal_run_sequence();
            terminal.sequence_length = 0;
        }
    } else if (byte == '\r') {
        terminal.column = 0;
    } else if (byte == '\n') {
        terminal_new_line();
    } else if (byte == '\a') {
        terminal.bells++;
    } else {
        terminal_put_text(byte);
    }
}

static void write_to_terminal(void *context, const char *bytes, size_t length)
{
    (void)context;
    for (size_t i = 0; i < length; i++)
        terminal_put((unsigned char)bytes[i]);
}

// Completes from a fixed list of words.
static void complete_word(void *context, const char *line, size_t cursor,
                          struct line_matches *matches)
{
    static const char *const words[] = {"kstats ", "guest ", "guests/", "gu\xc3\xa9 ",
                                        "gu\xc3\xaa "};
    size_t start = cursor;

    (void)context;
    while (start > 0 && line[start - 1] != ' ')
        start--;
    matches->word_start = start;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strncmp(words[i], line + start, cursor - start) == 0)
            line_matches_add(matches, words[i]);
    }
}

static const struct line_editor_ops ops = {write_to_terminal, complete_word};

static void start(size_t width)
{
    memset(&terminal, 0, sizeof terminal);
    terminal.width = width;
    line_editor_init(&editor, &ops, NULL);
    line_editor_set_width(&editor, width);
    line_editor_start(&editor, "$ ");
}

// Types a string; the event of its last byte.
static enum line_editor_event type(const char *keys)
{
    enum line_editor_event event = LINE_EDITOR_MORE;
    for (; *keys; keys++)
        event = line_editor_feed(&editor, (uint8_t)*keys);
    return event;
}

static const char *row(size_t index)
{
    static char text[COLUMNS_MAX * 4 + 1];
    size_t length = 0;
    for (size_t i = 0; i < COLUMNS_MAX && terminal.cells[index][i]; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            if (terminal.cells[index][i] >> shift)
                text[length++] = (char)(terminal.cells[index][i] >> shift);
        }
    }
    text[length] = '\0';
    return text;
}

static void expect_shown(const char *line, size_t column)
{
    EXPECT_STR_EQ(row(terminal.row), line);
    EXPECT_EQ(terminal.column, column);
}

static void enter(const char *line)
{
    type(line);
    EXPECT_EQ(type("\r"), LINE_EDITOR_LINE);
    line_editor_add_history(&editor, line_editor_line(&editor));
    line_editor_start(&editor, "$ ");
}

TEST(editor_returns_the_line_at_return)
{
    start(40);
    expect_shown("$ ", 2);
    EXPECT_EQ(type("abc"), LINE_EDITOR_MORE);
    expect_shown("$ abc", 5);
    EXPECT_EQ(type("\r"), LINE_EDITOR_LINE);
    EXPECT_STR_EQ(line_editor_line(&editor), "abc");
    EXPECT_EQ(terminal.row, 1u);
    EXPECT_EQ(terminal.column, 0u);
    line_editor_start(&editor, "$ ");
    EXPECT_EQ(type("\n"), LINE_EDITOR_MORE); // belongs to the return before it
    EXPECT_EQ(type("\n"), LINE_EDITOR_LINE);
}

TEST(editor_inserts_and_deletes_in_the_middle)
{
    start(40);
    type("abef\x02\x02"
         "cd");
    expect_shown("$ abcdef", 6);
    type("\x7f");
    expect_shown("$ abcef", 5);
    type("\x04");
    expect_shown("$ abcf", 5);
    type("\x1b[3~");
    expect_shown("$ abc", 5);
    type("\x01\x7f");
    expect_shown("$ abc", 2);
}

TEST(editor_moves_by_keys_of_every_kind)
{
    start(40);
    type("one two");
    type("\x1b[D");
    EXPECT_EQ(terminal.column, 8u);
    type("\x1b[H");
    EXPECT_EQ(terminal.column, 2u);
    type("\x1b[C");
    EXPECT_EQ(terminal.column, 3u);
    type("\x1b[F");
    EXPECT_EQ(terminal.column, 9u);
    type("\x1b[1~");
    EXPECT_EQ(terminal.column, 2u);
    type("\x1b[4~");
    EXPECT_EQ(terminal.column, 9u);
    type("\x1b[1;5D");
    EXPECT_EQ(terminal.column, 6u);
    type("\x1b"
         "b");
    EXPECT_EQ(terminal.column, 2u);
    type("\x1b"
         "f");
    EXPECT_EQ(terminal.column, 5u);
    type("\x1bOF");
    EXPECT_EQ(terminal.column, 9u);
    type("\x1bOH");
    EXPECT_EQ(terminal.column, 2u);
    expect_shown("$ one two", 2);
}

TEST(editor_kills_and_puts_back)
{
    start(40);
    type("one two-three");
    type("\x1b\x7f");
    expect_shown("$ one two-", 10);
    type("\x17");
    expect_shown("$ one ", 6);
    type("\x19\x19");
    expect_shown("$ one two-two-", 14);
    type("\x01\x1b"
         "d");
    expect_shown("$  two-two-", 2);
    type("\x06\x0b");
    expect_shown("$  ", 3);
    type("\x19\x02\x15");
    expect_shown("$ -", 2);
}

TEST(editor_swaps_characters)
{
    start(40);
    type("a\xc3\xa9\x14");
    expect_shown("$ \xc3\xa9"
                 "a",
                 4);
    type("\x01\x14");
    expect_shown("$ \xc3\xa9"
                 "a",
                 2);
}

TEST(editor_treats_a_utf8_character_as_one)
{
    start(40);
    type("\xc3\xa9\xe2\x82\xac");
    expect_shown("$ \xc3\xa9\xe2\x82\xac", 4);
    type("\x02\x02\x04");
    expect_shown("$ \xe2\x82\xac", 2);
    type("\x05\x7f");
    expect_shown("$ ", 2);
}

TEST(editor_ignores_bytes_that_are_not_utf8)
{
    start(40);
    type("a\xff\x80\xc3"
         "b\xc2\x9b\xe2\x82"
         "c");
    expect_shown("$ abc", 5);
}

TEST(editor_scrolls_a_line_longer_than_the_row)
{
    start(12); // nine columns for the line
    type("0123456789abcdef");
    expect_shown("$ 789abcdef", 11);
    type("\x01");
    expect_shown("$ 012345678", 2);
    type("\x05\x7f\x7f\x7f\x7f\x7f\x7f\x7f");
    expect_shown("$ 012345678", 11);
    EXPECT_EQ(type("\r"), LINE_EDITOR_LINE);
    EXPECT_STR_EQ(line_editor_line(&editor), "012345678");
}

TEST(editor_survives_a_terminal_narrower_than_the_prompt)
{
    start(8);
    line_editor_start(&editor, "a long prompt$ ");
    type("abcdefgh");
    expect_shown("bcdefgh", 7);
    type("\x12pattern\x07");
    EXPECT_EQ(type("\x01x\x05\r"), LINE_EDITOR_LINE);
    EXPECT_STR_EQ(line_editor_line(&editor), "xabcdefgh");
}

TEST(editor_stops_at_the_longest_line)
{
    start(40);
    for (int i = 0; i < LINE_EDITOR_LINE_BYTES + 5; i++)
        type("x");
    EXPECT_EQ(strlen(line_editor_line(&editor)), LINE_EDITOR_LINE_BYTES - 1u);
    EXPECT_EQ(terminal.bells, 6u);
}

TEST(editor_walks_through_the_history_and_back_to_the_draft)
{
    start(40);
    enter("first");
    enter("second");
    enter("second"); // not remembered again
    type("draft\x10");
    expect_shown("$ second", 8);
    type("\x1b[A");
    expect_shown("$ first", 7);
    type("\x1b[A");
    EXPECT_EQ(terminal.bells, 1u);
    type("\x1b[B\x0e");
    expect_shown("$ draft", 7);
    type("\x0e");
    EXPECT_EQ(terminal.bells, 2u);
}

TEST(editor_forgets_the_oldest_history_first)
{
    char line[LINE_EDITOR_LINE_BYTES];
    start(40);
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 20; i++) {
        line[0] = (char)('a' + i);
        line_editor_add_history(&editor, line);
    }
    for (int i = 0; i < 30; i++)
        type("\x10");
    EXPECT_EQ(line_editor_line(&editor)[0], 'a' + 20 - LINE_EDITOR_HISTORY_BYTES / 1024);
}

TEST(editor_searches_the_history)
{
    start(60);
    enter("guest launch linux_guest");
    enter("kstats -v");
    enter("guest list");
    type("\x12guest");
    EXPECT_STR_EQ(row(terminal.row), "(search) guest: guest list");
    type("\x12");
    EXPECT_STR_EQ(row(terminal.row), "(search) guest: guest launch linux_guest");
    type("\x12");
    EXPECT_EQ(terminal.bells, 1u);
    type("\x05!");
    expect_shown("$ guest launch linux_guest!", 27);
    type("\x15\x12kst\x7f\x07");
    expect_shown("$ ", 2);
    type("\x12kst\r");
    EXPECT_STR_EQ(line_editor_line(&editor), "kstats -v");
}

TEST(editor_shows_the_line_again_when_an_unknown_key_ends_a_search)
{
    start(12);
    enter("b");
    type("a line that scrolls\x12"
         "b\x1d");
    expect_shown("$ b", 3);
    type("\x15"
         "0123456789abc\x12"
         "b\x1b[");
    expect_shown("$ b", 3);
}

TEST(editor_completes_a_single_match)
{
    start(40);
    type("ks\t");
    expect_shown("$ kstats ", 9);
    type("x\t");
    EXPECT_EQ(terminal.bells, 1u);
}

TEST(editor_completes_what_all_matches_share_and_lists_them_at_the_second_tab)
{
    start(20);
    type("a gue\t");
    expect_shown("$ a guest", 9);
    EXPECT_EQ(terminal.bells, 0u);
    type("\t");
    EXPECT_EQ(terminal.bells, 1u);
    EXPECT_EQ(terminal.row, 0u);
    type("\t");
    EXPECT_STR_EQ(row(0), "$ a guest");
    EXPECT_STR_EQ(row(1), "guest    guests/");
    expect_shown("$ a guest", 9);
    EXPECT_EQ(terminal.row, 2u);
}

TEST(editor_never_completes_half_a_character)
{
    start(40);
    type("gu\xc3\xa9");
    type("\x7f\t");
    expect_shown("$ gu", 4);
}

TEST(editor_gives_up_the_line_at_control_c)
{
    start(40);
    EXPECT_EQ(type("abc\x03"), LINE_EDITOR_CANCEL);
    EXPECT_STR_EQ(row(0), "$ abc^C");
    line_editor_start(&editor, "$ ");
    expect_shown("$ ", 2);
}

TEST(editor_ends_at_control_d_on_an_empty_line_only)
{
    start(40);
    EXPECT_EQ(type("a\x04"), LINE_EDITOR_MORE);
    EXPECT_EQ(type("\x7f\x04"), LINE_EDITOR_END);
}

TEST(editor_clears_the_screen)
{
    start(40);
    enter("abc");
    type("xy\x0c");
    EXPECT_EQ(terminal.row, 0u);
    expect_shown("$ xy", 4);
}

TEST(editor_makes_room_for_other_output)
{
    start(40);
    type("abc\x02");
    line_editor_hide(&editor);
    expect_shown("", 0);
    write_to_terminal(NULL, "news\r\n", 6);
    line_editor_show(&editor);
    EXPECT_STR_EQ(row(0), "news");
    expect_shown("$ abc", 4);
}

TEST(editor_ignores_unknown_sequences)
{
    start(40);
    type("a\x1b[99;99;99999999999999999999zb\x1b[?25hc\x1b[200~d\x1bOPe\x1b"
         "zf");
    expect_shown("$ abcdef", 8);
    EXPECT_EQ(type("\x1b[1\r"), LINE_EDITOR_LINE);
}
