// The input is the whole memory, with its root pointer at 0. Checksums are put right first, or
// nothing would get past them.
#include "kernel/lib/acpi_tables.h"

#include <stdlib.h>
#include <string.h>

struct memory {
    uint8_t *bytes;
    size_t size;
};

static void fix_checksum(uint8_t *bytes, size_t size, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    const struct memory *memory = context;

    if (address > memory->size || size_bytes > memory->size - address)
        return NULL;
    if (size_bytes >= 36 && address >= 36)
        fix_checksum(memory->bytes + address, size_bytes, 9);
    return memory->bytes + address;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = {malloc(size + 1), size};
    struct acpi_machine *machine = malloc(sizeof(*machine));

    memcpy(memory.bytes, data, size);
    if (size >= 36) {
        memcpy(memory.bytes, "RSD PTR ", 8);
        fix_checksum(memory.bytes, 20, 8);
        fix_checksum(memory.bytes, 36, 32);
        (void)(acpi_read_machine(map, &memory, 0, machine) == MX_OK);
    }
    free(machine);
    free(memory.bytes);
    return 0;
}
