// Options on the kernel's command line: words separated by blanks, NAME or NAME=VALUE.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Copies the value of the last NAME=VALUE into `value`. False if there is none or it does not fit.
bool boot_option_find(const char *cmdline, const char *name, char *value, size_t capacity);

// Cuts `text` at its commas, in place, into at most `max` parts; returns how many there are. What
// goes beyond stays in the last part.
size_t boot_option_split(char *text, const char **parts, size_t max);
