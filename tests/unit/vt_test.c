// The terminal: what a program writes, judged by cells, cursor and replies.

#include "tests/test.h"

#include "user/portable/vt.h"

enum { COLUMNS = 10, ROWS = 4, HISTORY = 6 };

static struct vt vt;
static struct vt_cell cells[COLUMNS * (ROWS + HISTORY)];
static char replied[256];

static void take_reply(void *context, const char *bytes, size_t length)
{
    (void)context;
    strncat(replied, bytes, length);
}

static void begin(void)
{
    static const struct vt_ops ops = {take_reply};

    replied[0] = '\0';
    vt_init(&vt, cells, COLUMNS, ROWS, HISTORY, &ops, NULL);
}

static void type(const char *text)
{
    vt_feed(&vt, text, strlen(text));
}

// A row as text, blanks at its end left out; '?' is beyond ASCII.
static const char *row_text(size_t row, size_t back)
{
    static char text[COLUMNS + 1];
    const struct vt_cell *from = vt_grid_row(&vt.grid, row, back);
    size_t length = 0;

    for (size_t i = 0; i < COLUMNS; i++) {
        text[i] = from[i].code_point < 0x7f ? (char)from[i].code_point : '?';
        if (text[i] != ' ')
            length = i + 1;
    }
    text[length] = '\0';
    return text;
}

#define EXPECT_ROW(row, expected) EXPECT_STR_EQ(row_text(row, 0), expected)
#define EXPECT_CURSOR(at_row, at_column) \
    do {                                 \
        EXPECT_EQ(vt.row, at_row);       \
        EXPECT_EQ(vt.column, at_column); \
    } while (0)

static struct vt_cell cell(size_t row, size_t column)
{
    return vt_grid_row(&vt.grid, row, 0)[column];
}

TEST(vt_writes_text_and_moves_on)
{
    begin();
    type("ab\r\ncd");
    EXPECT_ROW(0, "ab");
    EXPECT_ROW(1, "cd");
    EXPECT_CURSOR(1u, 2u);
}

TEST(vt_line_feed_alone_keeps_the_column)
{
    begin();
    type("ab\ncd");
    EXPECT_ROW(1, "  cd");
    type("\x1b[20h\nx");
    EXPECT_ROW(2, "x");
}

TEST(vt_wraps_when_the_next_character_comes)
{
    begin();
    type("0123456789");
    EXPECT_CURSOR(0u, 9u);
    type("\r");
    EXPECT_CURSOR(0u, 0u);
    type("0123456789a");
    EXPECT_ROW(1, "a");
}

TEST(vt_without_wrap_stays_in_the_last_column)
{
    begin();
    type("\x1b[?7l0123456789ab");
    EXPECT_ROW(0, "012345678b");
    EXPECT_ROW(1, "");
    EXPECT_CURSOR(0u, 9u);
}

TEST(vt_scrolls_and_remembers_what_left)
{
    begin();
    type("1\r\n2\r\n3\r\n4\r\n5\r\n6");
    EXPECT_ROW(0, "3");
    EXPECT_ROW(3, "6");
    EXPECT_EQ(vt.grid.history, 2u);
    EXPECT_STR_EQ(row_text(0, 2), "1");
    EXPECT_STR_EQ(row_text(1, 2), "2");
    EXPECT_STR_EQ(row_text(2, 2), "3");
}

TEST(vt_history_is_bounded)
{
    begin();
    for (int i = 0; i < 100; i++)
        type("x\r\n");
    EXPECT_EQ(vt.grid.history, (size_t)HISTORY);
    EXPECT_STR_EQ(row_text(0, HISTORY), "x");
}

TEST(vt_scrolls_a_region_only)
{
    begin();
    type("1\r\n2\r\n3\r\n4\x1b[2;3r");
    EXPECT_CURSOR(0u, 0u);
    type("\x1b[3;1H\n");
    EXPECT_ROW(0, "1");
    EXPECT_ROW(1, "3");
    EXPECT_ROW(2, "");
    EXPECT_ROW(3, "4");
    type("\x1b[2;1H\x1bM");
    EXPECT_ROW(1, "");
    EXPECT_ROW(2, "3");
    EXPECT_EQ(vt.grid.history, 0u);
}

TEST(vt_ignores_a_region_of_one_row)
{
    begin();
    type("\x1b[3;3r\x1b[3;2r");
    EXPECT_EQ(vt.top, 0u);
    EXPECT_EQ(vt.bottom, (size_t)ROWS - 1);
}

TEST(vt_addresses_rows_in_the_region_in_origin_mode)
{
    begin();
    type("\x1b[2;3r\x1b[?6h\x1b[1;1Ha\x1b[9;1Hb\x1b[6n");
    EXPECT_ROW(1, "a");
    EXPECT_ROW(2, "b");
    EXPECT_STR_EQ(replied, "\x1b[2;2R");
}

TEST(vt_moves_the_cursor_within_the_screen)
{
    begin();
    type("\x1b[99;99H");
    EXPECT_CURSOR(3u, 9u);
    type("\x1b[2A\x1b[3D");
    EXPECT_CURSOR(1u, 6u);
    type("\x1b[99A\x1b[99D\x1b[B\x1b[C");
    EXPECT_CURSOR(1u, 1u);
    type("\x1b[5G\x1b[3d");
    EXPECT_CURSOR(2u, 4u);
    type("\x1b[F");
    EXPECT_CURSOR(1u, 0u);
    type("\x1b[0;0H\x1b[2E");
    EXPECT_CURSOR(2u, 0u);
}

TEST(vt_erases_in_lines_and_the_screen)
{
    begin();
    type("aaaaa\r\nbbbbb\r\nccccc\x1b[2;3H\x1b[K");
    EXPECT_ROW(1, "bb");
    type("\x1b[1;3H\x1b[1K");
    EXPECT_ROW(0, "   aa");
    type("\x1b[3;2H\x1b[J");
    EXPECT_ROW(2, "c");
    type("\x1b[2J");
    EXPECT_ROW(0, "");
    EXPECT_ROW(1, "");
    EXPECT_CURSOR(2u, 1u);
}

TEST(vt_erases_with_the_background_of_the_pen)
{
    begin();
    type("\x1b[1;37;44m\x1b[2K");
    EXPECT_EQ(cell(0, 5).background, 4);
    EXPECT_EQ(cell(0, 5).attributes, 0);
}

TEST(vt_inserts_and_deletes_characters)
{
    begin();
    type("abcdef\x1b[1;3H\x1b[2@");
    EXPECT_ROW(0, "ab  cdef");
    type("\x1b[3P");
    EXPECT_ROW(0, "abdef");
    type("\x1b[99P");
    EXPECT_ROW(0, "ab");
    type("\r\x1b[4hxy");
    EXPECT_ROW(0, "xyab");
    type("\r\x1b[X");
    EXPECT_ROW(0, " yab");
}

TEST(vt_inserts_and_deletes_lines)
{
    begin();
    type("1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[L");
    EXPECT_ROW(1, "");
    EXPECT_ROW(2, "2");
    EXPECT_ROW(3, "3");
    type("\x1b[99M");
    EXPECT_ROW(0, "1");
    EXPECT_ROW(2, "");
}

TEST(vt_keeps_colours_and_attributes)
{
    begin();
    type("\x1b[1;31;42ma\x1b[0mb\x1b[94;7mc\x1b[27;39md\x1b[4me\x1b[24mf");
    EXPECT_EQ(cell(0, 0).foreground, 1);
    EXPECT_EQ(cell(0, 0).background, 2);
    EXPECT_EQ(cell(0, 0).attributes, VT_BOLD);
    EXPECT_EQ(cell(0, 1).foreground, VT_FOREGROUND_DEFAULT);
    EXPECT_EQ(cell(0, 1).background, VT_BACKGROUND_DEFAULT);
    EXPECT_EQ(cell(0, 2).foreground, 12);
    EXPECT_EQ(cell(0, 2).attributes, VT_REVERSE);
    EXPECT_EQ(cell(0, 3).attributes, 0);
    EXPECT_EQ(cell(0, 4).attributes, VT_UNDERLINE);
    EXPECT_EQ(cell(0, 5).attributes, 0);
}

TEST(vt_takes_256_colours_and_the_nearest_of_all)
{
    begin();
    type("\x1b[38;5;208ma\x1b[48;2;255;0;95mb\x1b[38;5;300;1mc");
    EXPECT_EQ(cell(0, 0).foreground, 208);
    EXPECT_EQ(cell(0, 1).background, 16 + 36 * 5 + 1);
    EXPECT_EQ(cell(0, 2).foreground, 208);
    EXPECT_EQ(cell(0, 2).attributes, VT_BOLD);
}

TEST(vt_reads_utf8)
{
    begin();
    type("\xc3\xa9\xe2\x94\x80\xf0\x9f\xa6\x80");
    EXPECT_EQ(cell(0, 0).code_point, 0xe9u);
    EXPECT_EQ(cell(0, 1).code_point, 0x2500u);
    EXPECT_EQ(cell(0, 2).code_point, 0x1f980u);
}

// Unicode 15, section 3.9, "U+FFFD substitution of maximal subparts".
TEST(vt_replaces_what_is_not_utf8)
{
    static const uint32_t expected[] = {0xfffd, 'a', 0xfffd, 0xfffd, 'b', 0xfffd, 'c'};

    begin();
    type("\xe1\x80"
         "a\xc0\x80"
         "b\xf0\x90\x80"
         "c");
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        EXPECT_EQ(cell(0, i).code_point, expected[i]);
    begin();
    type("\xed\xa0\x80"); // a surrogate
    EXPECT_EQ(cell(0, 2).code_point, 0xfffdu);
}

TEST(vt_handles_a_control_within_a_character)
{
    begin();
    type("\xe2\x94\r\nx");
    EXPECT_EQ(cell(0, 0).code_point, 0xfffdu);
    EXPECT_ROW(1, "x");
}

TEST(vt_gives_wide_characters_two_columns)
{
    begin();
    type("\xe4\xb8\xad|");
    EXPECT_EQ(cell(0, 0).code_point, 0x4e2du);
    EXPECT_EQ(cell(0, 1).attributes, VT_WIDE_REST);
    EXPECT_EQ(cell(0, 2).code_point, (uint32_t)'|');
    // Half of it written over takes the rest away.
    type("\x1b[1;2Hx");
    EXPECT_ROW(0, " x|");
    type("\x1b[1;10H\xe4\xb8\xad");
    EXPECT_EQ(cell(1, 0).code_point, 0x4e2du);
}

TEST(vt_leaves_combining_marks_out)
{
    begin();
    type("e\xcc\x81x");
    EXPECT_ROW(0, "ex");
}

TEST(vt_draws_lines_by_the_graphics_set)
{
    begin();
    type("\x1b(0lqk\x1b(Bq\x1b)0\x0ex\x0fx");
    EXPECT_EQ(cell(0, 0).code_point, 0x250cu);
    EXPECT_EQ(cell(0, 1).code_point, 0x2500u);
    EXPECT_EQ(cell(0, 2).code_point, 0x2510u);
    EXPECT_EQ(cell(0, 3).code_point, (uint32_t)'q');
    EXPECT_EQ(cell(0, 4).code_point, 0x2502u);
    EXPECT_EQ(cell(0, 5).code_point, (uint32_t)'x');
}

TEST(vt_has_tab_stops)
{
    begin();
    type("\tx\r\x1b[3C\x1bH\r\ty");
    EXPECT_ROW(0, "   y    x");
    type("\x1b[3g\r\tz");
    EXPECT_CURSOR(0u, 9u);
    type("\x1b[Z");
    EXPECT_CURSOR(0u, 0u);
}

TEST(vt_saves_and_restores_the_cursor_with_its_pen)
{
    begin();
    type("\x1b[2;3H\x1b[31m\x1b"
         "7\x1b[H\x1b[m\x1b"
         "8x");
    EXPECT_ROW(1, "  x");
    EXPECT_EQ(cell(1, 2).foreground, 1);
}

TEST(vt_answers_what_it_is_asked)
{
    begin();
    type("\x1b[3;4H\x1b[6n\x1b[5n\x1b[c\x1b[0c\x1b[1c\x1b[?1c\x1b[>c");
    EXPECT_STR_EQ(replied, "\x1b[3;4R\x1b[0n\x1b[?6c\x1b[?6c");
}

TEST(vt_repeats_the_last_character_for_a_line_at_most)
{
    begin();
    type("a\x1b[3b");
    EXPECT_ROW(0, "aaaa");
    type("\x1b[9999b");
    EXPECT_ROW(0, "aaaaaaaaaa");
    EXPECT_ROW(1, "aaaa");
    EXPECT_EQ(vt.grid.history, 0);
}

TEST(vt_hides_and_shows_the_cursor)
{
    begin();
    type("\x1b[?25l");
    EXPECT_FALSE(vt.modes & VT_MODE_CURSOR_SHOWN);
    type("\x1b[?1;25h");
    EXPECT_TRUE(vt.modes & VT_MODE_CURSOR_SHOWN);
    EXPECT_TRUE(vt.modes & VT_MODE_CURSOR_KEYS);
}

TEST(vt_ignores_unknown_sequences)
{
    begin();
    type("a\x1b[?2004h\x1b[1$zb\x1b[>4;1mc\x1b[12;34\"qd\x1b%Ge\x1b#6f\x1b[=5xg");
    EXPECT_ROW(0, "abcdefg");
    EXPECT_EQ(cell(0, 2).attributes, 0);
}

TEST(vt_swallows_strings)
{
    begin();
    type("a\x1b]0;title\x07"
         "b\x1bPq#0\x1b\\c\x1b]P1ff8040d\x1b]Re\x1b_x\x1b\\f\x1b[[Ag");
    EXPECT_ROW(0, "abcdefg");
}

TEST(vt_ends_sequences_by_cancel_and_escape)
{
    begin();
    type("\x1b[12\x18"
         "a\x1b]0;x\x1a"
         "b\x1b[3\x1b[1;1Hc");
    EXPECT_ROW(0, "cb");
}

TEST(vt_obeys_controls_within_a_sequence)
{
    begin();
    type("ab\x1b[\r2Cx");
    EXPECT_ROW(0, "abx");
}

TEST(vt_survives_too_many_and_too_large_parameters)
{
    begin();
    type("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20ma\x1b[99999999999999999999Cb");
    EXPECT_CURSOR(0u, 9u);
    EXPECT_ROW(0, "a        b");
}

TEST(vt_resets)
{
    begin();
    type("\x1b[31mxx\x1b[2;3r\x1b[?25l\x1b"
         "c");
    EXPECT_ROW(0, "");
    EXPECT_CURSOR(0u, 0u);
    EXPECT_EQ(vt.bottom, (size_t)ROWS - 1);
    EXPECT_TRUE(vt.modes & VT_MODE_CURSOR_SHOWN);
    EXPECT_EQ(vt.pen.foreground, VT_FOREGROUND_DEFAULT);
}

TEST(vt_forgets_its_history_when_told)
{
    begin();
    type("1\r\n2\r\n3\r\n4\r\n5\x1b[3J");
    EXPECT_EQ(vt.grid.history, 0u);
}
