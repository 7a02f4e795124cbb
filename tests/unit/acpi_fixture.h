// ACPI tables made by hand in a small pretend physical memory, of MEMORY_SIZE bytes, which whoever
// includes this chooses.
#pragma once

#include <stdint.h>
#include <string.h>

static uint8_t memory[MEMORY_SIZE];

static inline void put(size_t at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        memory[at + i] = (uint8_t)(value >> (8 * i));
}

static inline void fix_checksum(size_t at, size_t size, size_t checksum_at)
{
    uint8_t sum = 0;

    memory[at + checksum_at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[at + checksum_at] = (uint8_t)-sum;
}

// The signature, length and checksum of a table whose contents are there.
static inline void seal_table(size_t at, const char *signature, size_t size)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, 4, size);
    fix_checksum(at, size, 9);
}
