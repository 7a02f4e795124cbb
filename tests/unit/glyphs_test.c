// The screen's font, as the build makes it of its drawings.

#include "tests/test.h"

#include "user/portable/glyphs.h"

static bool is_blank(const uint8_t *rows)
{
    static const uint8_t blank[GLYPH_ROWS];

    return memcmp(rows, blank, GLYPH_ROWS) == 0;
}

static bool is_replacement(uint32_t code_point)
{
    return glyph_find(code_point) == glyph_find(0xfffd);
}

TEST(glyphs_are_sorted_and_no_two_are_of_one_character)
{
    for (size_t i = 1; i < glyph_count; i++)
        EXPECT_LT(glyphs[i - 1].code_point, glyphs[i].code_point);
}

TEST(glyphs_cover_ascii_latin_1_and_line_drawing)
{
    for (uint32_t code_point = 0x20; code_point < 0x7f; code_point++)
        EXPECT_FALSE(is_replacement(code_point));
    for (uint32_t code_point = 0xa0; code_point < 0x100; code_point++)
        EXPECT_FALSE(is_replacement(code_point));
    for (uint32_t code_point = 0x2500; code_point < 0x25a0; code_point++)
        EXPECT_FALSE(is_replacement(code_point));
}

TEST(glyphs_without_ink_are_spaces_alone)
{
    for (size_t i = 0; i < glyph_count; i++)
        EXPECT_EQ(is_blank(glyphs[i].rows),
                  glyphs[i].code_point == 0x20 || glyphs[i].code_point == 0xa0);
}

// A reader of a picture must be able to tell what stands there.
TEST(glyphs_of_ascii_all_look_different)
{
    for (uint32_t a = 0x20; a < 0x7f; a++) {
        for (uint32_t b = a + 1; b < 0x7f; b++)
            EXPECT_NE(memcmp(glyph_find(a), glyph_find(b), GLYPH_ROWS), 0);
    }
}

TEST(glyphs_with_marks_hold_their_letter)
{
    const uint8_t *letter = glyph_find('e'), *marked = glyph_find(0xe9);

    for (size_t i = 0; i < GLYPH_ROWS; i++)
        EXPECT_EQ(letter[i] & marked[i], letter[i]);
    EXPECT_NE(memcmp(letter, marked, GLYPH_ROWS), 0);
}

TEST(glyphs_of_lines_meet_their_neighbours)
{
    const uint8_t *cross = glyph_find(0x253c), *corner = glyph_find(0x2554);

    EXPECT_EQ(cross[7], 0xff);
    EXPECT_NE(cross[0], 0);
    EXPECT_EQ(cross[0], cross[GLYPH_ROWS - 1]);
    // The double corner: down and to the right, two lines each, none up or left.
    EXPECT_EQ(corner[0], 0);
    EXPECT_EQ(corner[GLYPH_ROWS - 1], glyph_find(0x2551)[0]);
    EXPECT_EQ(corner[6] & 1, 1);
    EXPECT_EQ(corner[9] & 1, 1);
    EXPECT_EQ(corner[7] & 1, 0);
    EXPECT_EQ(corner[6] & 0x80, 0);
}

TEST(glyph_of_an_unknown_character_is_the_replacement)
{
    EXPECT_TRUE(is_replacement(0x4e2d));
    EXPECT_TRUE(is_replacement(0x1f600));
    EXPECT_TRUE(is_replacement(UINT32_MAX));
    EXPECT_TRUE(is_replacement(0));
}
