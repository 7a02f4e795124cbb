// The entry of a page table that shows memory to a user program or a guest (AMD64 Architecture
// Programmer's Manual Volume 2, "Page-Translation-Table Entry Fields" and "Page-Attribute Table
// Mechanism"). Portable, and tested on the host.
#pragma once

#include <stdbool.h>

#include <arch/memory_type.h>

#include "kernel/lib/types.h"

// Shows what is at `page` with MX_MAP_READ, WRITE and EXECUTE of `options`, by an entry of `level`
// (1: a page of 4 KiB). `has_nx`: the CPU knows PTE_NX.
uint64_t page_entry_make(paddr_t page, unsigned level, uint32_t options, enum memory_type memory,
                         bool has_nx);
