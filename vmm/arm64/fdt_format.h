// The flattened device tree format as builder and parser share it.
//
// Devicetree Specification 0.4, chapter 5 "Flattened Devicetree (DTB) Format". All numbers are
// big-endian.
#pragma once

#include <stdint.h>

#define FDT_MAGIC             0xd00dfeedu
#define FDT_VERSION           17u
#define FDT_COMPATIBLE        16u // the last version that a reader must know
#define FDT_HEADER_BYTES      40u
#define FDT_RESERVATION_BYTES 16u
#define FDT_RESERVATION_ALIGN 8u
#define FDT_CELL_BYTES        4u

// Offsets of the header's fields.
enum {
    FDT_HEADER_MAGIC = 0,
    FDT_HEADER_TOTAL_SIZE = 4,
    FDT_HEADER_STRUCT_OFFSET = 8,
    FDT_HEADER_STRINGS_OFFSET = 12,
    FDT_HEADER_RESERVATIONS_OFFSET = 16,
    FDT_HEADER_VERSION = 20,
    FDT_HEADER_COMPATIBLE = 24,
    FDT_HEADER_BOOT_CPU = 28,
    FDT_HEADER_STRINGS_SIZE = 32,
    FDT_HEADER_STRUCT_SIZE = 36,
};

enum fdt_token {
    FDT_BEGIN_NODE = 1,
    FDT_END_NODE = 2,
    FDT_PROPERTY = 3,
    FDT_NOP = 4,
    FDT_END = 9,
};

static inline uint32_t fdt_get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void fdt_set_u32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < FDT_CELL_BYTES; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}
