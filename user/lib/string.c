// Memory and string functions (C17 7.24).
//
// The compiler may call memcpy, memmove, memset and memcmp by itself and must not turn these loops
// into calls of themselves; user.mk has the options that keep it from that.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Unaligned words; may alias anything.
typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;
#define WORD sizeof(word_t)

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    return memmove(to, from, size);
}

// Copies from the first byte on. Weak: an architecture may have a better one.
void string_move_up(char *to, const char *from, size_t size);
__attribute__((weak)) void string_move_up(char *to, const char *from, size_t size)
{
    for (; size >= 4 * WORD; size -= 4 * WORD, to += 4 * WORD, from += 4 * WORD) {
        word_t a = ((const word_t *)from)[0], b = ((const word_t *)from)[1];
        word_t c = ((const word_t *)from)[2], d = ((const word_t *)from)[3];
        ((word_t *)to)[0] = a;
        ((word_t *)to)[1] = b;
        ((word_t *)to)[2] = c;
        ((word_t *)to)[3] = d;
    }
    for (; size >= WORD; size -= WORD, to += WORD, from += WORD)
        *(word_t *)to = *(const word_t *)from;
    for (; size; size--)
        *to++ = *from++;
}

static void move_down(char *to, const char *from, size_t size)
{
    to += size;
    from += size;
    for (; size >= WORD; size -= WORD) {
        to -= WORD;
        from -= WORD;
        *(word_t *)to = *(const word_t *)from;
    }
    for (; size; size--)
        *--to = *--from;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        string_move_up(to, from, size);
    else
        move_down(to, from, size);
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    word_t pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);
    char *at = to;

    for (; size >= 4 * WORD; size -= 4 * WORD, at += 4 * WORD) {
        ((word_t *)at)[0] = pattern;
        ((word_t *)at)[1] = pattern;
        ((word_t *)at)[2] = pattern;
        ((word_t *)at)[3] = pattern;
    }
    for (; size >= WORD; size -= WORD, at += WORD)
        *(word_t *)at = pattern;
    for (; size; size--)
        *at++ = (char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;

    while (size >= WORD && *(const word_t *)left == *(const word_t *)right) {
        left += WORD;
        right += WORD;
        size -= WORD;
    }
    for (; size; size--, left++, right++) {
        if (*left != *right)
            return *left - *right;
    }
    return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
    const unsigned char *at = bytes;

    for (; size; size--, at++) {
        if (*at == (unsigned char)byte)
            return (void *)(uintptr_t)at;
    }
    return NULL;
}

size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length])
        length++;
    return length;
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit; limit--, a++, b++) {
        if (*a != *b)
            return (unsigned char)*a - (unsigned char)*b;
        if (!*a)
            return 0;
    }
    return 0;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *strncpy(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = strnlen(from, limit);

    memcpy(to, from, length);
    memset(to + length, 0, limit - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = strnlen(from, limit);
    char *end = to + strlen(to);

    memcpy(end, from, length);
    end[length] = '\0';
    return to;
}

char *strchr(const char *string, int byte)
{
    for (;; string++) {
        if (*string == (char)byte)
            return (char *)(uintptr_t)string;
        if (!*string)
            return NULL;
    }
}

char *strrchr(const char *string, int byte)
{
    const char *found = NULL;

    for (;; string++) {
        if (*string == (char)byte)
            found = string;
        if (!*string)
            return (char *)(uintptr_t)found;
    }
}

char *strstr(const char *string, const char *part)
{
    size_t length = strlen(part);

    for (;; string++) {
        if (strncmp(string, part, length) == 0)
            return (char *)(uintptr_t)string;
        if (!*string)
            return NULL;
    }
}

size_t strspn(const char *string, const char *accepted)
{
    size_t length = 0;

    while (string[length] && strchr(accepted, string[length]))
        length++;
    return length;
}

size_t strcspn(const char *string, const char *rejected)
{
    size_t length = 0;

    while (string[length] && !strchr(rejected, string[length]))
        length++;
    return length;
}

char *strpbrk(const char *string, const char *accepted)
{
    string += strcspn(string, accepted);
    return *string ? (char *)(uintptr_t)string : NULL;
}

char *strdup(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = malloc(size);

    return copy ? memcpy(copy, string, size) : NULL;
}
