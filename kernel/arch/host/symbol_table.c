// An empty table of symbols: on the host the sanitizer names functions in backtraces.

#include <stdint.h>

struct symbol {
    uint32_t address;
    uint32_t name;
};

extern const uint64_t symbol_base;
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

const uint64_t symbol_base = 0;
const uint32_t symbol_count = 0;
const struct symbol symbol_table[1] = {{0, 0}};
const char symbol_names[1] = "";
