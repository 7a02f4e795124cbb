// The screen's font: 8 by 16 pixels for each character, made from font/*.font by the build.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { GLYPH_COLUMNS = 8, GLYPH_ROWS = 16 };

struct glyph {
    uint16_t code_point;
    uint8_t rows[GLYPH_ROWS]; // from the top; the highest bit is the leftmost pixel
};

// Sorted by code point.
extern const struct glyph glyphs[];
extern const size_t glyph_count;

// The rows of a character; those of U+FFFD when it has no glyph.
const uint8_t *glyph_find(uint32_t code_point);
