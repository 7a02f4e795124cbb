// The machine's memory as start-up sees it: what is RAM, and what of it is taken.
#pragma once

#include "kernel/lib/types.h"

struct memory_range {
    uint64_t base, size_bytes; // whole pages
};

// From the loader's memory map, in any order; may overlap. Beyond a fixed number of ranges the rest
// is not used.
void boot_memory_add_ram(uint64_t base, uint64_t size_bytes);
// The map says elsewhere that this is not RAM, or something stands there.
void boot_memory_remove_ram(uint64_t base, uint64_t size_bytes);
// Code and data of firmware that still runs: not RAM for us, but memory, and nobody's device.
void boot_memory_leave_to_firmware(uint64_t base, uint64_t size_bytes);
// RAM, but not free.
void boot_memory_reserve(uint64_t base, uint64_t size_bytes);

// All of the range is RAM, free or not.
bool boot_memory_is_ram(uint64_t base, uint64_t size_bytes);

// Some of the range is RAM, free or not, or firmware's code and data. After start-up too, on any
// CPU: nothing changes any more.
bool boot_memory_touches_memory(uint64_t base, uint64_t size_bytes);

// All RAM: sorted, no overlaps.
size_t boot_memory_ram(const struct memory_range **ranges);
// A zeroed page for start-up's tables, from free RAM below `limit`, up to which the linear map reaches already; it is never
// given back. PADDR_NONE: none left.
paddr_t boot_memory_alloc_page(uint64_t limit);
// Hands what is free to the page allocator.
void boot_memory_finish(void);
