// Bounded text, sizes, durations and numbers; see format.h.

#include "user/portable/format.h"

#include <stdbool.h>
#include <string.h>

#include "user/portable/utf8.h"

enum {
    QUOTED_CHARACTERS_MAX = 40,
};

struct text text_begin(char *buffer, size_t capacity)
{
    buffer[0] = '\0';
    return (struct text){buffer, capacity, 0};
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
    size_t room = text->capacity - 1 - text->length;
    if (length > room)
        length = room;
    memcpy(text->buffer + text->length, bytes, length);
    text->length += length;
    text->buffer[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_padded(struct text *text, uint64_t value, unsigned digits)
{
    char reversed[20];
    unsigned count = 0;

    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (unsigned i = count; i < digits; i++)
        text_add(text, "0");
    while (count)
        text_add_bytes(text, &reversed[--count], 1);
}

void text_add_number(struct text *text, uint64_t value)
{
    text_add_padded(text, value, 1);
}

static void add_escaped_byte(struct text *text, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char escaped[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    text_add_bytes(text, escaped, sizeof escaped);
}

void text_add_quoted(struct text *text, const char *bytes, size_t length)
{
    text_add(text, "\"");
    for (size_t i = 0, characters = 0; i < length; characters++) {
        if (characters == QUOTED_CHARACTERS_MAX) {
            text_add(text, "...");
            break;
        }
        size_t size = utf8_length(bytes + i, length - i);
        if (size == 0 || (size == 1 && ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f))) {
            add_escaped_byte(text, (unsigned char)bytes[i]);
            size = 1;
        } else if (utf8_is_control(bytes + i, size)) {
            for (size_t k = 0; k < size; k++)
                add_escaped_byte(text, (unsigned char)bytes[i + k]);
        } else {
            text_add_bytes(text, bytes + i, size);
        }
        i += size;
    }
    text_add(text, "\"");
}

void text_add_size(struct text *text, uint64_t size_bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    unsigned unit = 0;
    uint64_t whole = size_bytes, remainder = 0;

    while (whole >= 1024) {
        remainder = whole % 1024;
        whole /= 1024;
        unit++;
    }
    text_add_number(text, whole);
    if (remainder * 10 / 1024) {
        text_add(text, ".");
        text_add_number(text, remainder * 10 / 1024);
    }
    text_add(text, units[unit]);
}

void text_add_duration(struct text *text, uint64_t seconds)
{
    text_add_padded(text, seconds / 3600, 2);
    text_add(text, ":");
    text_add_padded(text, seconds / 60 % 60, 2);
    text_add(text, ":");
    text_add_padded(text, seconds % 60, 2);
}

void text_add_padding(struct text *text, size_t column)
{
    const char *newline = strrchr(text->buffer, '\n');
    const char *line = newline ? newline + 1 : text->buffer;
    size_t at = utf8_count(line, strlen(line));

    for (; at < column; at++)
        text_add(text, " ");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Parses the leading digits; returns how many, and whether the value stayed within 64 bits.
static size_t parse_digits(const char *bytes, size_t length, uint64_t *value, bool *overflowed)
{
    size_t count = 0;

    *value = 0;
    *overflowed = false;
    for (; count < length && is_digit(bytes[count]); count++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(bytes[count] - '0'), value))
            *overflowed = true;
    }
    return count;
}

static mx_status_t refuse(mx_status_t status, const char **reason, const char *why)
{
    *reason = why;
    return status;
}

static mx_status_t refuse_start(const char *bytes, size_t length, const char **reason)
{
    if (length == 0)
        return refuse(MX_ERR_INVALID_ARGS, reason, "is empty");
    if (bytes[0] == '-')
        return refuse(MX_ERR_INVALID_ARGS, reason, "is negative");
    return refuse(MX_ERR_INVALID_ARGS, reason, "does not start with a digit");
}

mx_status_t parse_number(const char *bytes, size_t length, uint64_t max, uint64_t *value,
                         const char **reason)
{
    bool overflowed;
    uint64_t parsed;
    size_t digits = parse_digits(bytes, length, &parsed, &overflowed);

    if (digits == 0)
        return refuse_start(bytes, length, reason);
    if (digits != length)
        return refuse(MX_ERR_INVALID_ARGS, reason, "has something behind the number");
    if (overflowed || parsed > max)
        return refuse(MX_ERR_OUT_OF_RANGE, reason, "is too large");
    *value = parsed;
    return MX_OK;
}

static bool suffix_shift(char suffix, unsigned *shift)
{
    static const char suffixes[] = "bkMG";
    const char *at = memchr(suffixes, suffix, sizeof suffixes - 1);
    if (at)
        *shift = 10 * (unsigned)(at - suffixes);
    return at != NULL;
}

mx_status_t parse_size(const char *bytes, size_t length, uint64_t *size_bytes, const char **reason)
{
    bool overflowed;
    uint64_t parsed;
    unsigned shift = 0;
    size_t digits = parse_digits(bytes, length, &parsed, &overflowed);

    if (digits == 0)
        return refuse_start(bytes, length, reason);
    if (length > digits && !suffix_shift(bytes[digits], &shift))
        return refuse(MX_ERR_INVALID_ARGS, reason, "has a suffix other than b, k, M or G");
    if (length > digits + 1)
        return refuse(MX_ERR_INVALID_ARGS, reason, "has something behind the suffix");
    if (overflowed || parsed > UINT64_MAX >> shift)
        return refuse(MX_ERR_OUT_OF_RANGE, reason, "is more than 64 bits hold");
    *size_bytes = parsed << shift;
    return MX_OK;
}
