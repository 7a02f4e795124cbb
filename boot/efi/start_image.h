// Starting a boot image.
#pragma once

#include "boot/efi/source.h"

// Returns only if it could not be done: what was wrong, and what to do, was said.
void start_image(const struct source *source, const char *name, const char *cmdline);
