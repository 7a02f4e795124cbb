// Formatting for the kernel's log; see print.h.

#include "kernel/lib/print.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/lib/string.h"

struct output {
    char *buffer;
    size_t size;
    size_t length; // of the whole text, also beyond size
};

struct conversion {
    bool is_left, is_zero_padded;
    int width;     // 0: none
    int precision; // -1: none
    int size;      // 0 int, 1 long or longer
};

static void put_char(struct output *out, char c)
{
    if (out->length + 1 < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_padding(struct output *out, char c, int count)
{
    while (count-- > 0)
        put_char(out, c);
}

static void put_text(struct output *out, const struct conversion *conv, const char *text, size_t length)
{
    int padding = conv->width - (int)length;

    if (!conv->is_left)
        put_padding(out, ' ', padding);
    for (size_t i = 0; i < length; i++)
        put_char(out, text[i]);
    if (conv->is_left)
        put_padding(out, ' ', padding);
}

static void put_number(struct output *out, const struct conversion *conv, uint64_t value, bool is_negative,
                       unsigned base, bool is_upper)
{
    const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[66];
    size_t start = sizeof(text);

    do {
        text[--start] = digits[value % base];
        value /= base;
    } while (value != 0);
    size_t sign = is_negative ? 1 : 0;
    while (conv->is_zero_padded && !conv->is_left && start > 1 &&
           sizeof(text) - start + sign < (size_t)conv->width)
        text[--start] = '0';
    if (is_negative)
        text[--start] = '-';
    put_text(out, conv, text + start, sizeof(text) - start);
}

static void put_string(struct output *out, const struct conversion *conv, const char *text)
{
    if (text == NULL)
        text = "(null)";
    put_text(out, conv, text, conv->precision < 0 ? strlen(text) : strnlen(text, (size_t)conv->precision));
}

static const char *parse_number(const char *format, int *number)
{
    *number = 0;
    while (*format >= '0' && *format <= '9' && *number < 1000)
        *number = *number * 10 + (*format++ - '0');
    return format;
}

static const char *parse_conversion(const char *format, struct conversion *conv)
{
    *conv = (struct conversion){.precision = -1};
    for (;; format++) {
        if (*format == '-')
            conv->is_left = true;
        else if (*format == '0')
            conv->is_zero_padded = true;
        else
            break;
    }
    format = parse_number(format, &conv->width);
    if (*format == '.')
        format = parse_number(format + 1, &conv->precision);
    for (; *format == 'l' || *format == 'z' || *format == 'h'; format++) {
        if (*format != 'h')
            conv->size = 1;
    }
    return format;
}

int print_format_args(char *buffer, size_t size, const char *format, va_list args)
{
    struct output out = {buffer, size, 0};
    struct conversion conv;

    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put_char(&out, *format);
            continue;
        }
        format = parse_conversion(format + 1, &conv);
        if (*format == '\0')
            break;
        if (*format == 'd' || *format == 'i') {
            int64_t value = conv.size != 0 ? va_arg(args, long) : va_arg(args, int);
            uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
            put_number(&out, &conv, magnitude, value < 0, 10, false);
        } else if (*format == 'u' || *format == 'x' || *format == 'X') {
            uint64_t value = conv.size != 0 ? va_arg(args, unsigned long) : va_arg(args, unsigned);
            put_number(&out, &conv, value, false, *format == 'u' ? 10 : 16, *format == 'X');
        } else if (*format == 'p') {
            put_string(&out, &(struct conversion){.precision = -1}, "0x");
            put_number(&out, &conv, (uintptr_t)va_arg(args, void *), false, 16, false);
        } else if (*format == 's') {
            put_string(&out, &conv, va_arg(args, const char *));
        } else if (*format == 'c') {
            char c = (char)va_arg(args, int);
            put_text(&out, &conv, &c, 1);
        } else {
            put_char(&out, *format);
        }
    }
    if (size != 0)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return (int)out.length;
}

int print_format(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = print_format_args(buffer, size, format, args);
    va_end(args);
    return length;
}
