// A terminal's cells: rows of characters with their colours, and the rows that have left the top.
//
// The rows are a ring, so that scrolling the whole screen moves nothing; what scrolls out stays
// readable until the ring needs its place.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum vt_attribute {
    VT_BOLD = 1 << 0,
    VT_DIM = 1 << 1,
    VT_UNDERLINE = 1 << 2,
    VT_REVERSE = 1 << 3,
    VT_WIDE_REST = 1 << 4, // the right half of a wide character
};

struct vt_cell {
    uint32_t code_point;
    uint8_t foreground, background; // colours by number, as of vt.h
    uint8_t attributes;             // enum vt_attribute
    uint8_t reserved;               // zero: cells are compared as bytes
};
_Static_assert(sizeof(struct vt_cell) == 8, "no padding");

struct vt_grid {
    struct vt_cell *cells;
    size_t columns, rows;
    size_t ring_rows; // rows and history
    size_t first;     // place in the ring of row 0
    size_t history;   // rows above row 0 that hold something
};

// How many cells a grid needs.
size_t vt_grid_cell_count(size_t columns, size_t rows, size_t history);
// `cells` stay the caller's. At least one column and row.
void vt_grid_init(struct vt_grid *grid, struct vt_cell *cells, size_t columns, size_t rows,
                  size_t history, struct vt_cell blank);

// The cells of a row. `back` rows of the history are looked at above row 0, at most grid->history.
struct vt_cell *vt_grid_row(const struct vt_grid *grid, size_t row, size_t back);

// Each fills what becomes free with `blank`. Rows from `top` to `bottom`, both included; counts and
// columns beyond what there is are cut. Only a scroll of the whole screen goes into the history.
void vt_grid_scroll_up(struct vt_grid *grid, size_t top, size_t bottom, size_t count,
                       struct vt_cell blank);
void vt_grid_scroll_down(struct vt_grid *grid, size_t top, size_t bottom, size_t count,
                         struct vt_cell blank);
void vt_grid_erase(struct vt_grid *grid, size_t row, size_t from, size_t to, struct vt_cell blank);
void vt_grid_insert(struct vt_grid *grid, size_t row, size_t column, size_t count,
                    struct vt_cell blank);
void vt_grid_delete(struct vt_grid *grid, size_t row, size_t column, size_t count,
                    struct vt_cell blank);
