// Names of the kernel's functions, for backtraces. The table is made from the linked kernel by
// kernel/tools/mksymbols.sh.
#pragma once

#include <stdint.h>

// The function that contains the address, and how far into it; NULL if the address is in none.
const char *symbol_find(uint64_t address, uint64_t *offset);
