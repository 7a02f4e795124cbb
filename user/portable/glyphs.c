// Finding a character's glyph; see glyphs.h.

#include "user/portable/glyphs.h"

const uint8_t *glyph_find(uint32_t code_point)
{
    size_t low = 0, high = glyph_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (glyphs[middle].code_point == code_point)
            return glyphs[middle].rows;
        if (glyphs[middle].code_point < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    return glyphs[glyph_count - 1].rows; // U+FFFD is the last
}
