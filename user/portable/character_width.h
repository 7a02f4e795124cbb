// How many columns of a terminal a character takes.
#pragma once

#include <stddef.h>
#include <stdint.h>

// 0 for marks that combine with the character before and for invisible formatting, 2 for the wide
// ones of East Asia and for pictures (Unicode Standard Annex 11, "W" and "F", in whole blocks), 1
// for all others.
size_t character_width(uint32_t code_point);
