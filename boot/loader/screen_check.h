// Whether what firmware says of its screen makes sense.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/zbi_items.h"

// All that the kernel asks of the item, and that the screen's `memory_bytes` hold every line: a
// kernel writes to all of them, whatever lies behind the screen's memory.
bool screen_is_usable(const struct zbi_framebuffer *screen, uint64_t memory_bytes);
