// Accesses of any width to chips whose data bus is eight bits wide.
//
// The ISA bus splits a wide access into byte accesses at consecutive ports, lowest first; these
// helpers do the same, so that a byte-wide chip needs only a byte read and a byte write.
#pragma once

#include <stdint.h>

// The bytes at offset, offset + 1, ... put together, lowest offset in the lowest bits.
static inline uint64_t byte_port_read(void *chip, uint8_t (*read_byte)(void *, uint64_t),
                                      uint64_t offset, unsigned width_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width_bytes && i < 8; i++)
        value |= (uint64_t)read_byte(chip, offset + i) << (8 * i);
    return value;
}

static inline void byte_port_write(void *chip, void (*write_byte)(void *, uint64_t, uint8_t),
                                   uint64_t offset, unsigned width_bytes, uint64_t value)
{
    for (unsigned i = 0; i < width_bytes && i < 8; i++)
        write_byte(chip, offset + i, (uint8_t)(value >> (8 * i)));
}
