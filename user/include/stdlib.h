// Memory, process end, numbers, sorting; contracts as C17 7.22 except where said.
#pragma once

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

// Thread safe. Aligned to 16 bytes. Large blocks have their own mapping, which free gives back.
// NULL without memory, and in a process that was not given its own address space.
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
// `alignment` is a power of two up to 4096.
void *aligned_alloc(size_t alignment, size_t size);
void free(void *block);

// Writes out what stdout holds; ends the process.
_Noreturn void exit(int status);
_Noreturn void abort(void);

// The value of an environment string NAME=value, or NULL.
char *getenv(const char *name);

// A value out of range gives the nearest limit; there is no errno.
long strtol(const char *restrict string, char **restrict end, int base);
unsigned long strtoul(const char *restrict string, char **restrict end, int base);
long long strtoll(const char *restrict string, char **restrict end, int base);
unsigned long long strtoull(const char *restrict string, char **restrict end, int base);
int atoi(const char *string);
int abs(int value);

// Never worse than n log n comparisons.
void qsort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *array, size_t count, size_t size,
              int (*compare)(const void *, const void *));
