// Text on a framebuffer: sizes, what is drawn, and that nothing else is touched.

#include "tests/test.h"

#include <stdlib.h>

#include "user/portable/glyphs.h"
#include "user/portable/text_surface.h"

enum {
    WIDTH = 85,  // 10 characters and 5 pixels
    HEIGHT = 70, // 4 rows and 6 pixels
    STRIDE = 96,
    UNTOUCHED = 0xdeadbeef,
};

static uint32_t pixels[HEIGHT * STRIDE];
static struct framebuffer framebuffer = {pixels, WIDTH, HEIGHT, STRIDE, {16, 8, 0}};
static struct text_surface surface;
static struct vt vt;
static struct vt_cell shown[10 * 4], cells[10 * 8];

static void drop_reply(void *context, const char *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    (void)length;
}

static void begin(void)
{
    static const struct vt_ops ops = {drop_reply};

    for (size_t i = 0; i < HEIGHT * STRIDE; i++)
        pixels[i] = UNTOUCHED;
    ASSERT_TRUE(text_surface_init(&surface, &framebuffer));
    ASSERT_EQ(surface.columns, 10u);
    ASSERT_EQ(surface.rows, 4u);
    text_surface_start(&surface, shown);
    vt_init(&vt, cells, 10, 4, 4, &ops, NULL);
}

static void type(const char *text)
{
    vt_feed(&vt, text, strlen(text));
}

static uint32_t pixel_of(size_t row, size_t column, size_t y, size_t x)
{
    return pixels[(surface.top + row * GLYPH_ROWS + y) * STRIDE + surface.left +
                  column * GLYPH_COLUMNS + x];
}

// Whether the cell shows the glyph, in these colours.
static bool shows(size_t row, size_t column, uint32_t code_point, uint32_t ink, uint32_t paper)
{
    const uint8_t *rows = glyph_find(code_point);

    for (size_t y = 0; y < GLYPH_ROWS; y++) {
        for (size_t x = 0; x < GLYPH_COLUMNS; x++) {
            uint32_t expected = rows[y] & 0x80u >> x ? ink : paper;
            if (pixel_of(row, column, y, x) != expected)
                return false;
        }
    }
    return true;
}

TEST(surface_scales_so_that_text_is_legible)
{
    static const struct {
        size_t width, height, scale;
    } cases[] = {
        {640, 480, 1},   {800, 600, 1},   {1024, 768, 1},  {1280, 800, 1},
        {1366, 768, 2},  {1600, 900, 2},  {1920, 1080, 2}, {2560, 1440, 2},
        {3840, 2160, 3}, {7680, 4320, 6}, {320, 200, 1},   {5120, 400, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        EXPECT_EQ(text_surface_scale(cases[i].width, cases[i].height), cases[i].scale);
}

TEST(surface_refuses_framebuffers_that_cannot_be)
{
    struct text_surface refused;
    struct framebuffer tiny = {pixels, 15, 100, 15, {16, 8, 0}};
    struct framebuffer low = {pixels, 100, 31, 100, {16, 8, 0}};
    struct framebuffer overlapping = {pixels, WIDTH, HEIGHT, WIDTH - 1, {16, 8, 0}};

    EXPECT_FALSE(text_surface_init(&refused, &tiny));
    EXPECT_FALSE(text_surface_init(&refused, &low));
    EXPECT_FALSE(text_surface_init(&refused, &overlapping));
}

TEST(surface_clears_what_is_visible_and_nothing_else)
{
    begin();
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < STRIDE; x++)
            EXPECT_EQ(pixels[y * STRIDE + x], x < WIDTH ? 0u : (uint32_t)UNTOUCHED);
    }
}

TEST(surface_draws_characters_in_their_colours)
{
    begin();
    type("\x1b[?25lA\x1b[91;44mB\x1b[7mC\x1b[0;1mD");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 4u);
    EXPECT_TRUE(shows(0, 0, 'A', 0xc0c0c0, 0x000000));
    EXPECT_TRUE(shows(0, 1, 'B', 0xff6060, 0x3c5adc));
    EXPECT_TRUE(shows(0, 2, 'C', 0x3c5adc, 0xff6060));
    EXPECT_TRUE(shows(0, 3, 'D', 0xffffff, 0x000000));
}

TEST(surface_draws_only_what_changed)
{
    begin();
    type("hello");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 6u); // and the cursor
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 0u);
    type("!");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 2u);
    type("\r\n");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 2u);
    // A scroll draws where rows differ.
    type("hello!\r\nhello!\r\nhello!");
    text_surface_show(&surface, &vt, 0);
    type("\r\n");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 6u + 1u);
}

TEST(surface_shows_the_cursor_reversed)
{
    begin();
    type("A\b");
    text_surface_show(&surface, &vt, 0);
    EXPECT_TRUE(shows(0, 0, 'A', 0x000000, 0xc0c0c0));
    type("\x1b[?25l");
    EXPECT_EQ(text_surface_show(&surface, &vt, 0), 1u);
    EXPECT_TRUE(shows(0, 0, 'A', 0xc0c0c0, 0x000000));
}

TEST(surface_underlines)
{
    begin();
    type("\x1b[?25l\x1b[4mA");
    text_surface_show(&surface, &vt, 0);
    for (size_t x = 0; x < GLYPH_COLUMNS; x++)
        EXPECT_EQ(pixel_of(0, 0, GLYPH_ROWS - 2, x), 0xc0c0c0u);
}

TEST(surface_shows_the_history)
{
    begin();
    type("\x1b[?25lA\r\n\r\n\r\n\r\nB");
    text_surface_show(&surface, &vt, 0);
    EXPECT_TRUE(shows(3, 0, 'B', 0xc0c0c0, 0));
    text_surface_show(&surface, &vt, 1);
    EXPECT_TRUE(shows(0, 0, 'A', 0xc0c0c0, 0));
    EXPECT_TRUE(shows(3, 0, ' ', 0xc0c0c0, 0));
}

TEST(surface_puts_colours_where_the_pixels_have_them)
{
    struct framebuffer other = framebuffer;
    struct text_surface reversed;

    other.layout = (struct pixel_layout){0, 8, 16};
    ASSERT_TRUE(text_surface_init(&reversed, &other));
    EXPECT_EQ(reversed.colors[9], 0x6060ffu);
    ASSERT_TRUE(text_surface_init(&surface, &framebuffer));
    EXPECT_EQ(surface.colors[9], 0xff6060u);
    EXPECT_EQ(surface.colors[16], 0u);
    EXPECT_EQ(surface.colors[231], 0xffffffu);
    EXPECT_EQ(surface.colors[208], 0xff8700u);
    EXPECT_EQ(surface.colors[255], 0xeeeeeeu);
}

TEST(surface_draws_each_pixel_as_a_square)
{
    size_t width = 1366, height = 768;
    struct framebuffer large = {malloc(width * height * 4), width, height, width, {16, 8, 0}};
    struct vt_cell *large_shown, *large_cells;
    static const struct vt_ops ops = {drop_reply};
    const uint8_t *rows = glyph_find('R');

    ASSERT_TRUE(text_surface_init(&surface, &large));
    large_shown = calloc(surface.columns * surface.rows, sizeof(*large_shown));
    large_cells = calloc(surface.columns * surface.rows, sizeof(*large_cells));
    text_surface_start(&surface, large_shown);
    vt_init(&vt, large_cells, surface.columns, surface.rows, 0, &ops, NULL);
    type("R");
    text_surface_show(&surface, &vt, 0);
    for (size_t y = 0; y < 32; y++) {
        for (size_t x = 0; x < 16; x++) {
            uint32_t expected = rows[y / 2] & 0x80u >> x / 2 ? 0xc0c0c0 : 0;
            EXPECT_EQ(large.pixels[(surface.top + y) * width + surface.left + x], expected);
        }
    }
    free(large.pixels);
    free(large_shown);
    free(large_cells);
}
