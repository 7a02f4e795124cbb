// Text for people: a bounded text buffer, sizes and durations, and the one parser of numbers and
// sizes.
//
// A struct text is how messages are put together without printf: what does not fit is cut off, the
// result is always NUL-terminated, and no call can fail. Untrusted words go in through
// text_add_quoted, which makes control characters visible, so that a package's file cannot drive
// the terminal.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

// A message under construction in the owner's buffer.
struct text {
    char *buffer;
    size_t capacity; // of the buffer, at least 1
    size_t length;   // without the NUL
};

// Starts an empty text; capacity is at least 1.
struct text text_begin(char *buffer, size_t capacity);

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t length);
void text_add_number(struct text *text, uint64_t value);
// At least `digits` digits, zeros in front.
void text_add_padded(struct text *text, uint64_t value, unsigned digits);
// In double quotes, at most 40 characters of it, bytes outside printable ASCII and UTF-8 as \xNN.
void text_add_quoted(struct text *text, const char *bytes, size_t length);
// "512 B", "256 MiB", "1.5 GiB": powers of 1024, one decimal rounded down, dropped when zero.
void text_add_size(struct text *text, uint64_t size_bytes);
// "HH:MM:SS"; the hours grow beyond two digits.
void text_add_duration(struct text *text, uint64_t seconds);
// Spaces until the text is `column` characters long since the last newline; none if it already is.
void text_add_padding(struct text *text, size_t column);

// Parses a whole decimal number without sign, blanks or leading "+": INVALID_ARGS when it is none,
// OUT_OF_RANGE when it exceeds `max`. On failure *reason says what is wrong, as the end of a
// sentence that starts with the text ("ends in junk").
MX_MUST_CHECK mx_status_t parse_number(const char *bytes, size_t length, uint64_t max,
                                       uint64_t *value, const char **reason);

// Parses a size: a whole number with at most one suffix of b, k, M, G (powers of 1024). Errors as
// parse_number; OUT_OF_RANGE when it exceeds 64 bits.
MX_MUST_CHECK mx_status_t parse_size(const char *bytes, size_t length, uint64_t *size_bytes,
                                     const char **reason);
