// The identification registers at the end of a PrimeCell's 4 KiB, one byte in each.
//
// Spec: "Peripheral identification registers" and "PrimeCell identification registers" of each
// PrimeCell's manual.
#pragma once

#include <stdint.h>

#define PRIMECELL_ID_OFFSET 0xfe0u

// The register at an offset of PRIMECELL_ID_OFFSET or more; `part` is the part number, designer
// Arm.
static inline uint32_t primecell_id_read(uint64_t offset, uint32_t part, uint32_t revision)
{
    static const uint8_t cell[4] = {0x0d, 0xf0, 0x05, 0xb1};
    const uint32_t peripheral = part | 0x41u << 12 | revision << 20;
    const unsigned index = offset / 4 % 4;

    return offset & 0x10 ? cell[index] : peripheral >> (8 * index) & 0xff;
}
