// Where and why a boot-image format check refused its input.
#pragma once

#include <stddef.h>

struct format_error {
    size_t offset;      // of the offending field, in bytes from the start of the checked data
    const char *reason; // what is wrong there and what would be right; a static string
};
