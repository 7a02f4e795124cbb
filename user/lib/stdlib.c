// Process end, environment, numbers, sorting (C17 7.22).

#include <stdlib.h>

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/lib/start.h"

_Noreturn void exit(int status)
{
    fflush(stdout);
    mx_process_exit(status);
}

// Writes no buffered output: the state of the library may be what is broken.
_Noreturn void abort(void)
{
    static const char text[] = "program aborted";
    mx_handle_t log = startup_handle_look(MX_STARTUP_LOG, 0);

    if (log != MX_HANDLE_INVALID)
        mx_log_write(log, text, sizeof(text) - 1);
    mx_process_exit(EXIT_ABORTED);
}

_Noreturn void assert_failed(const char *file, int line, const char *condition)
{
    printf("%s:%d: assertion failed: %s\n", file, line, condition);
    fflush(stdout);
    abort();
}

char *getenv(const char *name)
{
    size_t length = strlen(name);

    for (char **entry = startup_environment(); *entry; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    }
    return NULL;
}

static unsigned digit_value(char character)
{
    if (isdigit((unsigned char)character))
        return (unsigned)(character - '0');
    if (isalpha((unsigned char)character))
        return (unsigned)(tolower((unsigned char)character) - 'a') + 10;
    return UINT_MAX;
}

struct parsed_number {
    unsigned long long magnitude; // ULLONG_MAX when too large
    bool is_negative;
    bool is_too_large;
};

static const char *skip_prefix(const char *at, int *base)
{
    bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && digit_value(at[2]) < 16;

    if ((*base == 0 || *base == 16) && is_hex) {
        *base = 16;
        return at + 2;
    }
    if (*base == 0)
        *base = at[0] == '0' ? 8 : 10;
    return at;
}

static struct parsed_number parse(const char *string, char **end, int base)
{
    struct parsed_number number = {0};
    const char *at = string;
    const char *behind = string;

    while (isspace((unsigned char)*at))
        at++;
    if (*at == '-' || *at == '+')
        number.is_negative = *at++ == '-';
    at = skip_prefix(at, &base);
    for (; digit_value(*at) < (unsigned)base; at++) {
        behind = at + 1;
        if (__builtin_mul_overflow(number.magnitude, (unsigned)base, &number.magnitude) ||
            __builtin_add_overflow(number.magnitude, digit_value(*at), &number.magnitude))
            number.is_too_large = true;
    }
    if (number.is_too_large)
        number.magnitude = ULLONG_MAX;
    if (end)
        *end = (char *)(uintptr_t)behind;
    return number;
}

unsigned long long strtoull(const char *restrict string, char **restrict end, int base)
{
    struct parsed_number number = parse(string, end, base);

    return number.is_negative && !number.is_too_large ? 0 - number.magnitude : number.magnitude;
}

long long strtoll(const char *restrict string, char **restrict end, int base)
{
    struct parsed_number number = parse(string, end, base);

    if (number.is_negative)
        return number.magnitude > LLONG_MAX ? LLONG_MIN : -(long long)number.magnitude;
    return number.magnitude > LLONG_MAX ? LLONG_MAX : (long long)number.magnitude;
}

unsigned long strtoul(const char *restrict string, char **restrict end, int base)
{
    return strtoull(string, end, base);
}

long strtol(const char *restrict string, char **restrict end, int base)
{
    return strtoll(string, end, base);
}

int atoi(const char *string)
{
    return (int)strtol(string, NULL, 10);
}

int abs(int value)
{
    return value < 0 ? -value : value;
}

static void swap_elements(char *a, char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

struct sort {
    char *array;
    size_t size;
    int (*compare)(const void *, const void *);
};

// Moves the element at `root` down until no child of it in [0, count) is larger.
static void sift_down(const struct sort *sort, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            return;
        char *larger = sort->array + child * sort->size;
        if (child + 1 < count && sort->compare(larger, larger + sort->size) < 0) {
            larger += sort->size;
            child++;
        }
        if (sort->compare(sort->array + root * sort->size, larger) >= 0)
            return;
        swap_elements(sort->array + root * sort->size, larger, sort->size);
        root = child;
    }
}

void qsort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    struct sort sort = {array, size, compare};

    for (size_t root = count / 2; root-- > 0;)
        sift_down(&sort, root, count);
    for (size_t last = count; last-- > 1;) {
        swap_elements(array, sort.array + last * size, size);
        sift_down(&sort, 0, last);
    }
}

void *bsearch(const void *key, const void *array, size_t count, size_t size,
              int (*compare)(const void *, const void *))
{
    const char *base = array;

    while (count > 0) {
        const char *middle = base + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)(uintptr_t)middle;
        if (order > 0) {
            base = middle + size;
            count--;
        }
        count /= 2;
    }
    return NULL;
}
