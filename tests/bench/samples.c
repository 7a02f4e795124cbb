// See samples.h.

#include "tests/bench/samples.h"

#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t samples_median(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static uint64_t less(uint64_t value, uint64_t overhead)
{
    return value > overhead ? value - overhead : 0;
}

void samples_print(const char *name, uint64_t *values, size_t count, uint64_t overhead)
{
    uint64_t median = samples_median(values, count);

    printf("bench: %s %lu %lu\n", name, less(values[0], overhead), less(median, overhead));
}

static uint64_t one_of(uint64_t value, unsigned repetitions)
{
    return (value + repetitions / 2) / repetitions;
}

void samples_print_repeated(const char *name, uint64_t *values, uint64_t *nothing, size_t count,
                            unsigned repetitions)
{
    uint64_t overhead = samples_median(nothing, count), median = samples_median(values, count);

    printf("bench: %s %lu %lu\n", name, one_of(less(values[0], overhead), repetitions),
           one_of(less(median, overhead), repetitions));
}

void samples_print_value(const char *name, uint64_t value)
{
    printf("bench: %s %lu %lu\n", name, value, value);
}
