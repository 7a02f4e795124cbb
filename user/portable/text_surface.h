// Text on a framebuffer of 32-bit pixels, and what is shown there at the moment.
//
// Characters are drawn 8 by 16, each pixel as a square of `scale` pixels. The framebuffer is only
// ever written, in whole aligned words and in order, as slow memory behind a bus likes it, and only
// where a cell differs from what is shown.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/portable/vt.h"

// Where the 8 bits of each colour are in a pixel.
struct pixel_layout {
    uint8_t red_shift, green_shift, blue_shift;
};

struct framebuffer {
    uint32_t *pixels; // aligned to 4 bytes
    size_t width, height;
    size_t stride; // pixels from a row to the next, at least width
    struct pixel_layout layout;
};

enum {
    TEXT_COLUMNS_MAX = 256,
    TEXT_ROWS_MAX = 256,
    TEXT_SCALE_MAX = 8,
};

struct text_surface {
    struct framebuffer framebuffer;
    size_t scale, columns, rows;
    size_t left, top;      // pixels outside of the cells, so that they are in the middle
    uint32_t colors[256];  // as pixels
    struct vt_cell *shown; // of columns * rows cells
};

// The scale at which a line holds about 80 to 160 characters, and there are at least 24 lines if
// that can be.
size_t text_surface_scale(size_t width, size_t height);

// Sets scale, columns and rows. False: the framebuffer is too small for 2 columns and rows, or its
// stride for its width.
bool text_surface_init(struct text_surface *surface, const struct framebuffer *framebuffer);
// Clears the framebuffer. `shown` has columns * rows cells, the caller's.
void text_surface_start(struct text_surface *surface, struct vt_cell *shown);

// Makes the surface show the terminal, which has its size, with `back` rows of its history
// (vt_grid_row). Returns the number of cells drawn.
size_t text_surface_show(struct text_surface *surface, const struct vt *vt, size_t back);
