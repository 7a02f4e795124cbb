// A terminal: what a program writes becomes cells, a cursor and modes.
//
// It understands what programs send that know the terminal as "linux" (Linux's console_codes(4)) or
// "vt102" (DEC VT102 User Guide, chapter 5), on a screen of any size. Text is UTF-8. Not there: the
// alternate screen, mouse reports, blinking, columns of 132, palettes, national character sets.
// Unknown sequences have no effect.
//
// Every byte takes a bounded time and no memory beyond what vt_init was given.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/portable/vt_grid.h"
#include "user/portable/vt_parser.h"

enum {
    VT_COLUMNS_MAX = 512,
    VT_REPLY_BYTES_MAX = 32,
    VT_FOREGROUND_DEFAULT =
        7, // colours are numbers of xterm's 256: 16 basic, a cube of 216, 24 greys
    VT_BACKGROUND_DEFAULT = 0,
};

enum vt_mode {
    VT_MODE_INSERT = 1 << 0,         // IRM
    VT_MODE_NEW_LINE = 1 << 1,       // LNM: line feed returns too, and Enter sends both
    VT_MODE_CURSOR_KEYS = 1 << 2,    // DECCKM
    VT_MODE_REVERSE_SCREEN = 1 << 3, // DECSCNM
    VT_MODE_ORIGIN = 1 << 4,         // DECOM
    VT_MODE_WRAP = 1 << 5,           // DECAWM
    VT_MODE_CURSOR_SHOWN = 1 << 6,   // DECTCEM
    VT_MODE_KEYPAD = 1 << 7,         // DECKPAM
};

enum vt_charset { VT_ASCII, VT_LINE_DRAWING };

struct vt_ops {
    // Bytes that answer a report request, for the program to read; at most VT_REPLY_BYTES_MAX for
    // one sequence.
    void (*reply)(void *context, const char *bytes, size_t length);
};

// What DECSC saves.
struct vt_saved {
    size_t row, column;
    struct vt_cell pen;
    enum vt_charset charsets[2];
    unsigned charset_index;
    unsigned origin; // VT_MODE_ORIGIN or 0
};

struct vt {
    struct vt_grid grid;
    struct vt_parser parser;
    const struct vt_ops *ops;
    void *context;
    size_t row, column;   // of the cursor
    bool is_wrap_pending; // the last column was written: the next character goes to the next row
    size_t top, bottom;   // scrolling region, both included
    unsigned modes;       // enum vt_mode
    struct vt_cell pen;   // colours and attributes of what is written
    enum vt_charset charsets[2]; // G0, G1
    unsigned charset_index;
    uint32_t last_printed; // for REP; 0: nothing
    struct vt_saved saved;
    uint8_t tabs[VT_COLUMNS_MAX / 8]; // a bit for each stop
};

// `cells` are vt_grid_cell_count(columns, rows, history) of the caller's. Columns from 2 to
// VT_COLUMNS_MAX, rows from 2. The ops must outlive it.
void vt_init(struct vt *vt, struct vt_cell *cells, size_t columns, size_t rows, size_t history,
             const struct vt_ops *ops, void *context);

void vt_feed(struct vt *vt, const void *bytes, size_t length);
