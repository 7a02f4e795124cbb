// Any bytes as the memory that a Multiboot loader leaves: what start-up makes of it is a container
// that it can read.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/zbi_items.h"
#include "kernel/arch/x86_64/portable/multiboot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *memory;
static size_t memory_bytes;

static const void *map(uint64_t address, uint64_t size_bytes)
{
    if (address > memory_bytes || size_bytes > memory_bytes - address)
        return NULL;
    return memory + address;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t container[2048];
    struct format_error error;
    const char *reason = NULL;

    memory = data;
    memory_bytes = size;
    if (multiboot_describe(map, 0, container, sizeof container, &reason) != MX_OK) {
        if (!reason)
            abort();
    } else if (zbi_check(container, sizeof container, &error) != MX_OK) {
        abort();
    }
    return 0;
}
