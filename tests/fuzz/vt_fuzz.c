// Any bytes from a program: the terminal keeps cursor and region in the screen, answers little, and
// what it shows is what drawing it afresh shows.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/portable/text_surface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    COLUMNS_MAX = 40,
    ROWS_MAX = 12,
    HISTORY_MAX = 7,
    WIDTH = 8 * COLUMNS_MAX + 7,
    HEIGHT = 16 * ROWS_MAX + 15,
    STRIDE = WIDTH + 1,
};

static size_t replied;
static uint32_t pixels[HEIGHT * STRIDE], fresh_pixels[HEIGHT * STRIDE];

static void count_reply(void *context, const char *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    if (length > VT_REPLY_BYTES_MAX)
        abort();
    replied += length;
}

static void check(const struct vt *vt)
{
    if (vt->row >= vt->grid.rows || vt->column >= vt->grid.columns || vt->top >= vt->bottom ||
        vt->bottom >= vt->grid.rows || vt->grid.history > vt->grid.ring_rows - vt->grid.rows)
        abort();
}

static void check_picture(const struct vt *vt, struct text_surface *surface)
{
    static struct vt_cell fresh_cells[COLUMNS_MAX * ROWS_MAX];
    struct framebuffer framebuffer = surface->framebuffer;
    struct text_surface fresh;

    framebuffer.pixels = fresh_pixels;
    if (!text_surface_init(&fresh, &framebuffer))
        abort();
    text_surface_start(&fresh, fresh_cells);
    text_surface_show(&fresh, vt, 0);
    text_surface_show(surface, vt, vt->grid.history);
    text_surface_show(surface, vt, 0);
    if (memcmp(pixels, fresh_pixels, sizeof(pixels)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vt_ops ops = {count_reply};
    static struct vt_cell cells[COLUMNS_MAX * (ROWS_MAX + HISTORY_MAX)];
    static struct vt_cell shown[COLUMNS_MAX * ROWS_MAX];
    static struct vt vt;
    struct text_surface surface;

    if (size < 3)
        return 0;
    struct framebuffer framebuffer = {pixels,
                                      8 * (2 + data[0] % (COLUMNS_MAX - 1)),
                                      16 * (2 + data[1] % (ROWS_MAX - 1)),
                                      STRIDE,
                                      {16, 8, 0}};
    memset(pixels, 0, sizeof(pixels));
    memset(fresh_pixels, 0, sizeof(fresh_pixels));
    if (!text_surface_init(&surface, &framebuffer))
        abort();
    text_surface_start(&surface, shown);
    vt_init(&vt, cells, surface.columns, surface.rows, data[2] % (HISTORY_MAX + 1), &ops, NULL);
    replied = 0;
    for (size_t i = 3; i < size; i++) {
        vt_feed(&vt, &data[i], 1);
        check(&vt);
        if (i % 64 == 0)
            text_surface_show(&surface, &vt, 0);
    }
    if (replied > size * VT_REPLY_BYTES_MAX)
        abort();
    check_picture(&vt, &surface);
    return 0;
}
