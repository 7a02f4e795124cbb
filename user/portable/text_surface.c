// Drawing text; see text_surface.h.

#include "user/portable/text_surface.h"

#include <string.h>

#include "user/portable/glyphs.h"

#define SCALED_COLUMNS_MAX (GLYPH_COLUMNS * TEXT_SCALE_MAX)
#define UNDERLINE_ROW      (GLYPH_ROWS - 2)
#define BRIGHT             8 // from a basic colour to its bright one

// --- colours

static const uint8_t basic_colors[16][3] = {
    {0, 0, 0},       {187, 0, 0},    {0, 170, 0},    {187, 120, 0},
    {60, 90, 220},   {170, 0, 170},  {0, 160, 170},  {192, 192, 192},
    {96, 96, 96},    {255, 96, 96},  {96, 255, 96},  {255, 255, 96},
    {120, 160, 255}, {255, 96, 255}, {96, 255, 255}, {255, 255, 255},
};

static uint32_t pixel(const struct pixel_layout *layout, unsigned red, unsigned green,
                      unsigned blue)
{
    return (uint32_t)red << layout->red_shift | (uint32_t)green << layout->green_shift |
           (uint32_t)blue << layout->blue_shift;
}

static unsigned cube_value(unsigned level)
{
    return level == 0 ? 0 : 55 + 40 * level;
}

// The numbers of vt.h.
static uint32_t color_pixel(const struct pixel_layout *layout, unsigned number)
{
    unsigned cube = number - 16;

    if (number < 16)
        return pixel(layout, basic_colors[number][0], basic_colors[number][1],
                     basic_colors[number][2]);
    if (number >= 232)
        return pixel(layout, 8 + 10 * (number - 232), 8 + 10 * (number - 232),
                     8 + 10 * (number - 232));
    return pixel(layout, cube_value(cube / 36), cube_value(cube / 6 % 6), cube_value(cube % 6));
}

// --- size

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t text_surface_scale(size_t width, size_t height)
{
    size_t scale = 1;

    while (scale < TEXT_SCALE_MAX && width / (GLYPH_COLUMNS * scale) > 160 &&
           height / (GLYPH_ROWS * (scale + 1)) >= 24)
        scale++;
    return scale;
}

bool text_surface_init(struct text_surface *surface, const struct framebuffer *framebuffer)
{
    memset(surface, 0, sizeof(*surface));
    surface->framebuffer = *framebuffer;
    surface->scale = text_surface_scale(framebuffer->width, framebuffer->height);
    size_t cell_width = GLYPH_COLUMNS * surface->scale, cell_height = GLYPH_ROWS * surface->scale;
    surface->columns = smaller(framebuffer->width / cell_width, TEXT_COLUMNS_MAX);
    surface->rows = smaller(framebuffer->height / cell_height, TEXT_ROWS_MAX);
    surface->left = (framebuffer->width - surface->columns * cell_width) / 2;
    surface->top = (framebuffer->height - surface->rows * cell_height) / 2;
    for (unsigned i = 0; i < 256; i++)
        surface->colors[i] = color_pixel(&framebuffer->layout, i);
    return surface->columns >= 2 && surface->rows >= 2 && framebuffer->stride >= framebuffer->width;
}

// --- pixels

// Volatile, so that the compiler makes no call of memcpy or memset out of it, whose accesses need
// not be aligned.
static void write_pixels(uint32_t *to, const uint32_t *from, size_t count)
{
    volatile uint32_t *at = to;

    for (size_t i = 0; i < count; i++)
        at[i] = from[i];
}

static void write_one_color(uint32_t *to, uint32_t color, size_t count)
{
    volatile uint32_t *at = to;

    for (size_t i = 0; i < count; i++)
        at[i] = color;
}

void text_surface_start(struct text_surface *surface, struct vt_cell *shown)
{
    const struct framebuffer *framebuffer = &surface->framebuffer;

    surface->shown = shown;
    for (size_t i = 0; i < surface->columns * surface->rows; i++)
        shown[i] = (struct vt_cell){.code_point = ' ', .foreground = VT_FOREGROUND_DEFAULT};
    for (size_t y = 0; y < framebuffer->height; y++)
        write_one_color(framebuffer->pixels + y * framebuffer->stride, surface->colors[0],
                        framebuffer->width);
}

static void expand_row(uint32_t *line, uint8_t bits, size_t scale, uint32_t ink, uint32_t paper)
{
    for (unsigned x = 0; x < GLYPH_COLUMNS; x++) {
        uint32_t color = bits & 0x80u >> x ? ink : paper;
        for (size_t i = 0; i < scale; i++)
            *line++ = color;
    }
}

static void draw_cell(const struct text_surface *surface, size_t row, size_t column,
                      const struct vt_cell *cell)
{
    const struct framebuffer *framebuffer = &surface->framebuffer;
    const uint8_t *rows = glyph_find(cell->code_point);
    bool is_reverse = (cell->attributes & VT_REVERSE) != 0;
    uint32_t ink = surface->colors[is_reverse ? cell->background : cell->foreground];
    uint32_t paper = surface->colors[is_reverse ? cell->foreground : cell->background];
    uint32_t line[SCALED_COLUMNS_MAX];
    size_t scale = surface->scale, width = GLYPH_COLUMNS * scale;
    uint32_t *at = framebuffer->pixels +
                   (surface->top + row * GLYPH_ROWS * scale) * framebuffer->stride + surface->left +
                   column * width;

    for (unsigned y = 0; y < GLYPH_ROWS; y++) {
        bool is_line = y == UNDERLINE_ROW && (cell->attributes & VT_UNDERLINE);
        expand_row(line, is_line ? 0xff : rows[y], scale, ink, paper);
        for (size_t i = 0; i < scale; i++, at += framebuffer->stride)
            write_pixels(at, line, width);
    }
}

// --- cells

// What is drawn for a cell: reversal by mode, attribute and cursor made one, intensity a colour, so
// that equal cells look alike.
static struct vt_cell as_drawn(struct vt_cell cell, bool is_reverse)
{
    if ((cell.attributes & VT_BOLD) && cell.foreground < BRIGHT)
        cell.foreground += BRIGHT;
    else if ((cell.attributes & VT_DIM) && !(cell.attributes & VT_BOLD))
        cell.foreground = BRIGHT;
    if (cell.attributes & VT_REVERSE)
        is_reverse = !is_reverse;
    cell.attributes = (cell.attributes & VT_UNDERLINE) | (is_reverse ? VT_REVERSE : 0);
    return cell;
}

static size_t show_row(struct text_surface *surface, const struct vt *vt, size_t row, size_t back)
{
    const struct vt_cell *cells = vt_grid_row(&vt->grid, row, back);
    struct vt_cell *shown = surface->shown + row * surface->columns;
    bool is_reverse = (vt->modes & VT_MODE_REVERSE_SCREEN) != 0;
    bool has_cursor = row == vt->row + back && (vt->modes & VT_MODE_CURSOR_SHOWN);
    size_t count = 0;

    for (size_t column = 0; column < surface->columns; column++) {
        bool is_cursor = has_cursor && column == vt->column;
        struct vt_cell cell = as_drawn(cells[column], is_reverse != is_cursor);
        if (memcmp(&cell, &shown[column], sizeof(cell)) == 0)
            continue;
        shown[column] = cell;
        draw_cell(surface, row, column, &cell);
        count++;
    }
    return count;
}

size_t text_surface_show(struct text_surface *surface, const struct vt *vt, size_t back)
{
    size_t count = 0;

    for (size_t row = 0; row < surface->rows; row++)
        count += show_row(surface, vt, row, back);
    return count;
}
