// The kernel's heap: slabs of a few sizes, whole pages above. Frees take the size, so blocks carry no header.
#pragma once

#include "kernel/lib/types.h"

// Zeroed memory, aligned to 16 bytes (to its size, if a power of two from 16 to a page). NULL: no memory.
void *heap_alloc(size_t size_bytes);
// NULL is ignored. The same size as at allocation.
void heap_free(void *block, size_t size_bytes);
