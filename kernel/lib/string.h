// The memory and string functions that the kernel uses; same contracts as C17 7.24. On the host the C library's own
// serve.
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);
int strcmp(const char *a, const char *b);
char *strchr(const char *string, int character);
int strncmp(const char *a, const char *b, size_t limit);

// Freestanding code gets no built-in expansion of these by itself: copies of a few bytes need no call.
#ifndef memcpy
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#endif
#ifndef memset
#define memset(to, byte, size) __builtin_memset(to, byte, size)
#endif
