// Samples of one operation, in executed instructions where QEMU counts them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX     64
#define SAMPLES_WARM_UP 16

// Prints `bench: NAME MINIMUM MEDIAN` for the values, each less `overhead`. Sorts them.
void samples_print(const char *name, uint64_t *values, size_t count, uint64_t overhead);
// The same for values that are each of so many `repetitions` of the operation, beside those of as
// many of nothing. Sorts both.
void samples_print_repeated(const char *name, uint64_t *values, uint64_t *nothing, size_t count,
                            unsigned repetitions);
// The middle value. Sorts them.
uint64_t samples_median(uint64_t *values, size_t count);
// One value that is what it is.
void samples_print_value(const char *name, uint64_t value);
