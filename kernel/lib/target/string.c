// The memory and string functions for the target; see string.h. Not part of the host build, which has its own. The weak ones give
// way to an architecture's own. Names in parentheses are not expanded as macros.

#include "kernel/lib/string.h"

#include <stdint.h>

// A machine word that may alias anything and lie anywhere.
typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

__attribute__((weak)) void *(memcpy)(void *restrict to, const void *restrict from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
        *(word_t *)t = *(const word_t *)f;
        t += sizeof(word_t);
        f += sizeof(word_t);
    }
    while (size-- > 0)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    if ((uintptr_t)t - (uintptr_t)f >= size)
        return memcpy(to, from, size);
    while (size-- > 0)
        t[size] = f[size];
    return to;
}

__attribute__((weak)) void *(memset)(void *to, int byte, size_t size)
{
    unsigned char *t = to;
    uint64_t pattern = 0x0101010101010101u * (unsigned char)byte;

    for (; size >= 4 * sizeof(word_t); size -= 4 * sizeof(word_t)) {
        word_t *words = (word_t *)t;
        words[0] = pattern;
        words[1] = pattern;
        words[2] = pattern;
        words[3] = pattern;
        t += 4 * sizeof(word_t);
    }
    while (size-- > 0)
        *t++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *string)
{
    size_t length = 0;
    while (string[length] != '\0')
        length++;
    return length;
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;
    while (length < limit && string[length] != '\0')
        length++;
    return length;
}

char *strchr(const char *string, int character)
{
    for (;; string++) {
        if (*string == (char)character)
            return (char *)(uintptr_t)string;
        if (*string == '\0')
            return NULL;
    }
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
        if (x != y)
            return x < y ? -1 : 1;
        if (x == '\0')
            return 0;
    }
    return 0;
}
