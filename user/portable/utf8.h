// UTF-8 as RFC 3629 defines it: shortest form, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of the character at the start of the text (1..4), or 0 when what stands there is not UTF-8
// or the text ends within it.
size_t utf8_length(const char *bytes, size_t length);

// Whether a byte continues a character rather than starting one.
bool utf8_is_continuation(char byte);

// Characters in the text; each byte that is not part of a valid character counts as one.
size_t utf8_count(const char *bytes, size_t length);

// Whether the valid character of `size` bytes is a control character (C0, DEL or C1).
bool utf8_is_control(const char *bytes, size_t size);

// Writes a code point (below 0x110000, no surrogate) and returns its size, 1..4.
size_t utf8_encode(uint32_t code_point, char bytes[4]);
