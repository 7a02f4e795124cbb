// Formatting of numbers and strings into a buffer: the conversions the kernel needs and no more.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// As C17 snprintf: %d %i %u %x %X %c %s %p %%, with h, l, ll, z; width, precision for %s, flags 0 and -. Always
// terminates when size is not zero; returns what the whole text would need.
int print_format(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int print_format_args(char *buffer, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
