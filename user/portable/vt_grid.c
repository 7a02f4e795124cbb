// A terminal's cells; see vt_grid.h.

#include "user/portable/vt_grid.h"

#include <string.h>

size_t vt_grid_cell_count(size_t columns, size_t rows, size_t history)
{
    return columns * (rows + history);
}

static void fill(struct vt_cell *cells, size_t count, struct vt_cell blank)
{
    for (size_t i = 0; i < count; i++)
        cells[i] = blank;
}

void vt_grid_init(struct vt_grid *grid, struct vt_cell *cells, size_t columns, size_t rows,
                  size_t history, struct vt_cell blank)
{
    *grid = (struct vt_grid){
        .cells = cells, .columns = columns, .rows = rows, .ring_rows = rows + history};
    fill(cells, vt_grid_cell_count(columns, rows, history), blank);
}

struct vt_cell *vt_grid_row(const struct vt_grid *grid, size_t row, size_t back)
{
    size_t at = grid->first + grid->ring_rows + row - back;

    return grid->cells + at % grid->ring_rows * grid->columns;
}

static void copy_row(struct vt_grid *grid, size_t to, size_t from)
{
    memcpy(vt_grid_row(grid, to, 0), vt_grid_row(grid, from, 0),
           grid->columns * sizeof(struct vt_cell));
}

static void clear_row(struct vt_grid *grid, size_t row, struct vt_cell blank)
{
    fill(vt_grid_row(grid, row, 0), grid->columns, blank);
}

static void scroll_all(struct vt_grid *grid, size_t count, struct vt_cell blank)
{
    size_t history_max = grid->ring_rows - grid->rows;

    grid->first = (grid->first + count) % grid->ring_rows;
    grid->history = grid->history + count < history_max ? grid->history + count : history_max;
    for (size_t i = 0; i < count; i++)
        clear_row(grid, grid->rows - 1 - i, blank);
}

void vt_grid_scroll_up(struct vt_grid *grid, size_t top, size_t bottom, size_t count,
                       struct vt_cell blank)
{
    size_t height = bottom - top + 1;

    if (count > height)
        count = height;
    if (count == 0)
        return;
    if (height == grid->rows) {
        scroll_all(grid, count, blank);
        return;
    }
    for (size_t row = top; row + count <= bottom; row++)
        copy_row(grid, row, row + count);
    for (size_t i = 0; i < count; i++)
        clear_row(grid, bottom - i, blank);
}

void vt_grid_scroll_down(struct vt_grid *grid, size_t top, size_t bottom, size_t count,
                         struct vt_cell blank)
{
    size_t height = bottom - top + 1;

    if (count > height)
        count = height;
    if (count == 0)
        return;
    for (size_t row = bottom; row >= top + count; row--)
        copy_row(grid, row, row - count);
    for (size_t i = 0; i < count; i++)
        clear_row(grid, top + i, blank);
}

void vt_grid_erase(struct vt_grid *grid, size_t row, size_t from, size_t to, struct vt_cell blank)
{
    if (to > grid->columns)
        to = grid->columns;
    if (from < to)
        fill(vt_grid_row(grid, row, 0) + from, to - from, blank);
}

void vt_grid_insert(struct vt_grid *grid, size_t row, size_t column, size_t count,
                    struct vt_cell blank)
{
    struct vt_cell *cells = vt_grid_row(grid, row, 0);
    size_t room = grid->columns - column;

    if (count > room)
        count = room;
    memmove(cells + column + count, cells + column, (room - count) * sizeof(*cells));
    fill(cells + column, count, blank);
}

void vt_grid_delete(struct vt_grid *grid, size_t row, size_t column, size_t count,
                    struct vt_cell blank)
{
    struct vt_cell *cells = vt_grid_row(grid, row, 0);
    size_t room = grid->columns - column;

    if (count > room)
        count = room;
    memmove(cells + column, cells + column + count, (room - count) * sizeof(*cells));
    fill(cells + column + room - count, count, blank);
}
