// Look-up in the table of kernel/tools/mksymbols.sh; see symbols.h.
#include "kernel/core/symbols.h"

#include <stddef.h>

// Sorted by address. Addresses are relative to symbol_base, names to symbol_names.
struct symbol {
    uint32_t address;
    uint32_t name;
};

extern const uint64_t symbol_base;
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    uint32_t low = 0, high = symbol_count;
    uint64_t relative = address - symbol_base;

    if (address < symbol_base || symbol_count == 0 || relative < symbol_table[0].address ||
        relative >= symbol_table[symbol_count - 1].address)
        return NULL;
    // The last symbol marks the end of the text and names nothing.
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].address <= relative)
            low = middle;
        else
            high = middle;
    }
    *offset = relative - symbol_table[low].address;
    return symbol_names + symbol_table[low].name;
}
