// The identification registers at the end of every frame of a GIC. The architecture defines only
// ArchRev in PIDR2 and the four CIDRs; nobody is named as the implementer.
//
// Spec: Arm IHI 0069, "Identification registers"; IHI 0048B, 4.3.18 "Identification registers".
#pragma once

#include <stdint.h>

#define GIC_ID_BYTES 0x30u

// An aligned access at an offset from PIDR4, the first of them.
static inline uint32_t gic_id_read(uint64_t offset, unsigned width_bytes, uint8_t arch_revision)
{
    static const uint8_t component[4] = {0x0d, 0xf0, 0x05, 0xb1}; // CIDR0 to CIDR3

    if (width_bytes != 4 || offset >= GIC_ID_BYTES)
        return 0;
    if (offset == 0x18) // PIDR2
        return (uint32_t)arch_revision << 4;
    return offset >= 0x20 ? component[(offset - 0x20) / 4] : 0;
}
