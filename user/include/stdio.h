// Formatted output without floating point; contracts as C17 7.21 except where said.
//
// stdout and stderr go to the process's output stream, line by line; without one, to the kernel's
// log. A write waits until the stream takes it; once nobody reads the stream any more, output is
// dropped.
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)

typedef struct stdio_file FILE;
extern FILE *const stdout;
extern FILE *const stderr;

// Conversions: see user/portable/print_core.h.
int printf(const char *restrict format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *restrict file, const char *restrict format, ...)
    __attribute__((format(printf, 2, 3)));
int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
    __attribute__((format(printf, 3, 4)));
int vprintf(const char *restrict format, va_list args) __attribute__((format(printf, 1, 0)));
int vfprintf(FILE *restrict file, const char *restrict format, va_list args)
    __attribute__((format(printf, 2, 0)));
int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list args)
    __attribute__((format(printf, 3, 0)));

int putchar(int character);
int putc(int character, FILE *file);
int fputc(int character, FILE *file);
int puts(const char *string);
int fputs(const char *restrict string, FILE *restrict file);
size_t fwrite(const void *restrict bytes, size_t size, size_t count, FILE *restrict file);
// Always 0.
int fflush(FILE *file);
