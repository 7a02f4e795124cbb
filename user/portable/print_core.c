// Formatting without floating point; see print_core.h. C17 7.21.6.1, "The fprintf function".

#include "user/portable/print_core.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Field widths and precisions beyond this are cut, so that a wrong one cannot print for ever.
#define FIELD_MAX 4096

enum print_length {
    LENGTH_INT,
    LENGTH_CHAR,
    LENGTH_SHORT,
    LENGTH_64, // long, long long, intmax_t, size_t, ptrdiff_t
};

// Arguments of those lengths are fetched as 64 bits.
_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8, "LP64");

struct conversion {
    bool left, zeros, plus, space, alternate;
    int width;
    int precision; // -1 when not given
    enum print_length length;
    char type;
};

struct output {
    struct print_sink *sink;
    uint64_t total;
};

static void emit(struct output *output, const char *bytes, size_t length)
{
    if (length != 0)
        output->sink->write(output->sink, bytes, length);
    output->total += length;
}

static void emit_fill(struct output *output, char byte, int count)
{
    char chunk[32];

    memset(chunk, byte, sizeof(chunk));
    while (count > 0) {
        int part = count < (int)sizeof(chunk) ? count : (int)sizeof(chunk);
        emit(output, chunk, (size_t)part);
        count -= part;
    }
}

// [blanks] prefix [zeros] text [blanks]; `zeros` counts those the precision asks for.
static void emit_field(struct output *output, const struct conversion *conversion,
                       const char *prefix, int zeros, const char *text, size_t length)
{
    size_t prefix_length = strlen(prefix);
    int fill = conversion->width - (int)prefix_length - zeros -
               (length > FIELD_MAX ? FIELD_MAX : (int)length);
    bool is_zero_filled = conversion->zeros && !conversion->left;

    if (!conversion->left && !is_zero_filled)
        emit_fill(output, ' ', fill);
    emit(output, prefix, prefix_length);
    if (is_zero_filled)
        emit_fill(output, '0', fill);
    emit_fill(output, '0', zeros);
    emit(output, text, length);
    if (conversion->left)
        emit_fill(output, ' ', fill);
}

static unsigned base_of(char type)
{
    if (type == 'x' || type == 'X' || type == 'p')
        return 16;
    return type == 'o' ? 8 : 10;
}

static const char *number_prefix(const struct conversion *conversion, bool is_negative,
                                 uint64_t value)
{
    bool is_signed = conversion->type == 'd' || conversion->type == 'i';

    if (is_signed)
        return is_negative ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";
    if (conversion->type == 'p' || (conversion->alternate && conversion->type == 'x' && value))
        return "0x";
    return conversion->alternate && conversion->type == 'X' && value ? "0X" : "";
}

static void emit_number(struct output *output, struct conversion *conversion, uint64_t value,
                        bool is_negative)
{
    char digits[24];
    size_t at = sizeof(digits);
    unsigned base = base_of(conversion->type);
    const char *letters = conversion->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    const char *prefix = number_prefix(conversion, is_negative, value);
    int zeros = 0;

    for (uint64_t rest = value; rest != 0; rest /= base)
        digits[--at] = letters[rest % base];
    if (value == 0 && conversion->precision != 0)
        digits[--at] = '0';
    if (conversion->precision >= 0) {
        conversion->zeros = false;
        if (conversion->precision > (int)(sizeof(digits) - at))
            zeros = conversion->precision - (int)(sizeof(digits) - at);
    }
    if (conversion->type == 'o' && conversion->alternate && zeros == 0 &&
        (at == sizeof(digits) || digits[at] != '0'))
        zeros = 1;
    emit_field(output, conversion, prefix, zeros, digits + at, sizeof(digits) - at);
}

static int parse_field_number(const char **format)
{
    int value = 0;

    while (**format >= '0' && **format <= '9') {
        value = value * 10 + (**format - '0');
        if (value > FIELD_MAX)
            value = FIELD_MAX;
        (*format)++;
    }
    return value;
}

static bool parse_flag(struct conversion *conversion, char flag)
{
    switch (flag) {
    case '-':
        conversion->left = true;
        return true;
    case '0':
        conversion->zeros = true;
        return true;
    case '+':
        conversion->plus = true;
        return true;
    case ' ':
        conversion->space = true;
        return true;
    case '#':
        conversion->alternate = true;
        return true;
    default:
        return false;
    }
}

static enum print_length parse_length(const char **format)
{
    char first = **format;

    if (first == 'h' || first == 'l') {
        (*format)++;
        if (**format == first) {
            (*format)++;
            return first == 'h' ? LENGTH_CHAR : LENGTH_64;
        }
        return first == 'h' ? LENGTH_SHORT : LENGTH_64;
    }
    if (first == 'j' || first == 'z' || first == 't') {
        (*format)++;
        return LENGTH_64;
    }
    return LENGTH_INT;
}

// An int argument as a width or precision.
static int clamp_field(int value)
{
    return value > FIELD_MAX ? FIELD_MAX : value < -FIELD_MAX ? -FIELD_MAX : value;
}

struct arguments {
    va_list list;
};

// Reads everything behind the '%'; leaves *format behind the type.
static struct conversion parse_conversion(const char **format, struct arguments *arguments)
{
    struct conversion conversion = {.precision = -1};

    while (parse_flag(&conversion, **format))
        (*format)++;
    if (**format == '*') {
        (*format)++;
        conversion.width = clamp_field(va_arg(arguments->list, int));
        if (conversion.width < 0) {
            conversion.left = true;
            conversion.width = -conversion.width;
        }
    } else {
        conversion.width = parse_field_number(format);
    }
    if (**format == '.') {
        (*format)++;
        if (**format == '*') {
            (*format)++;
            conversion.precision = clamp_field(va_arg(arguments->list, int));
            if (conversion.precision < 0)
                conversion.precision = -1;
        } else {
            conversion.precision = parse_field_number(format);
        }
    }
    conversion.length = parse_length(format);
    conversion.type = **format;
    if (conversion.type != '\0')
        (*format)++;
    return conversion;
}

static void emit_signed(struct output *output, struct conversion *conversion,
                        struct arguments *arguments)
{
    int64_t value;

    if (conversion->length == LENGTH_64)
        value = va_arg(arguments->list, long long);
    else
        value = va_arg(arguments->list, int);
    if (conversion->length == LENGTH_CHAR)
        value = (signed char)value;
    if (conversion->length == LENGTH_SHORT)
        value = (short)value;
    emit_number(output, conversion, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

static void emit_unsigned(struct output *output, struct conversion *conversion,
                          struct arguments *arguments)
{
    uint64_t value;

    if (conversion->length == LENGTH_64)
        value = va_arg(arguments->list, unsigned long long);
    else
        value = va_arg(arguments->list, unsigned);
    if (conversion->length == LENGTH_CHAR)
        value = (unsigned char)value;
    if (conversion->length == LENGTH_SHORT)
        value = (unsigned short)value;
    emit_number(output, conversion, value, false);
}

static void emit_string(struct output *output, struct conversion *conversion, const char *string)
{
    if (string == NULL)
        string = "(null)";
    size_t length = conversion->precision >= 0 ? strnlen(string, (size_t)conversion->precision)
                                               : strlen(string);
    conversion->zeros = false;
    emit_field(output, conversion, "", 0, string, length);
}

static void emit_character(struct output *output, struct conversion *conversion, char character)
{
    conversion->zeros = false;
    emit_field(output, conversion, "", 0, &character, 1);
}

// False when the type is unknown: nothing was taken or written.
static bool emit_conversion(struct output *output, struct conversion *conversion,
                            struct arguments *arguments)
{
    switch (conversion->type) {
    case 'd':
    case 'i':
        emit_signed(output, conversion, arguments);
        return true;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        emit_unsigned(output, conversion, arguments);
        return true;
    case 'p':
        emit_number(output, conversion, (uintptr_t)va_arg(arguments->list, void *), false);
        return true;
    case 'c':
        emit_character(output, conversion, (char)va_arg(arguments->list, int));
        return true;
    case 's':
        emit_string(output, conversion, va_arg(arguments->list, const char *));
        return true;
    case '%':
        emit(output, "%", 1);
        return true;
    default:
        return false;
    }
}

int print_core(struct print_sink *sink, const char *format, va_list args)
{
    struct output output = {.sink = sink};
    struct arguments arguments;

    va_copy(arguments.list, args);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        emit(&output, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        const char *start = format++;
        struct conversion conversion = parse_conversion(&format, &arguments);
        if (!emit_conversion(&output, &conversion, &arguments)) {
            emit(&output, start, strlen(start));
            break;
        }
    }
    va_end(arguments.list);
    return output.total > INT_MAX ? INT_MAX : (int)output.total;
}

struct buffer_sink {
    struct print_sink sink; // first
    char *buffer;
    size_t size;
    size_t length;
};

static void buffer_sink_write(struct print_sink *sink, const char *bytes, size_t length)
{
    struct buffer_sink *target = (struct buffer_sink *)sink;

    if (target->length + 1 >= target->size)
        return;
    size_t room = target->size - 1 - target->length;
    if (length > room)
        length = room;
    memcpy(target->buffer + target->length, bytes, length);
    target->length += length;
}

int print_core_buffer(char *buffer, size_t size, const char *format, va_list args)
{
    struct buffer_sink target = {{buffer_sink_write}, buffer, size, 0};
    int total = print_core(&target.sink, format, args);

    if (size != 0)
        buffer[target.length] = '\0';
    return total;
}
