// The formatting behind printf and snprintf of user programs: into a sink, without floating point.
//
// Conversions: d i u o x X c s p %; flags - 0 + space #; width and precision, also as *; lengths hh
// h l ll j z t. A conversion that is none of these is written as it stands in the format, and ends
// the formatting, since what its argument would be is unknown.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Takes the next bytes of the output.
struct print_sink {
    void (*write)(struct print_sink *sink, const char *bytes, size_t length);
};

// Returns the number of bytes written to the sink, at most INT_MAX.
int print_core(struct print_sink *sink, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

// As C17 vsnprintf.
int print_core_buffer(char *buffer, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
