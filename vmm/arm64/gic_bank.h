// The registers that hold something for each interrupt, at the same offsets in the distributor and
// in the SGI frame of a redistributor: groups, enables, pending, active, priorities, configuration.
//
// Spec: Arm IHI 0048B, 4.3 "Distributor register descriptions"; IHI 0069, "The GIC Distributor
// register map" and "The GIC Redistributor register map", SGI_base. Which widths a register
// answers: IHI 0048B, 4.1.4 "GIC register access".
#pragma once

#include "vmm/arm64/gic_state.h"

#include <stddef.h>

// Priorities have so many bits; the lower ones read as zero.
#define GIC_PRIORITY_MASK 0xf8u

// Whose registers: interrupts [first, first + count) of `machine`, those below 32 of one vCPU.
// Others read as zero and ignore writes.
struct gic_bank {
    const struct gic_machine *machine;
    uint32_t vcpu_id;
    uint32_t first;
    uint32_t count;
    bool has_sgi_sources; // GICv2: pending SGIs are changed by GICD_SPENDSGIR and CPENDSGIR only
};

// A frame's first 4 KiB are blocks of 128 bytes, each of one kind of register, or of none of these.
#define GIC_BLOCK_SHIFT 7
#define GIC_BLOCK_COUNT 32

struct gic_block;

extern const struct gic_block *const gic_blocks[GIC_BLOCK_COUNT];

// The block that an offset in a frame lies in, or NULL.
static inline const struct gic_block *gic_find_block(uint64_t offset)
{
    return offset >> GIC_BLOCK_SHIFT < GIC_BLOCK_COUNT ? gic_blocks[offset >> GIC_BLOCK_SHIFT]
                                                       : NULL;
}

// An access in a block that gic_find_block found.
uint64_t gic_bank_read(const struct gic_bank *bank, const struct gic_block *block, uint64_t offset,
                       unsigned width_bytes);
void gic_bank_write(const struct gic_bank *bank, const struct gic_block *block, uint64_t offset,
                    unsigned width_bytes, uint64_t value);

// Puts the interrupts into the state after power-on: group 0, disabled, priority 0, level-triggered
// but for SGIs.
void gic_bank_reset(const struct gic_bank *bank);

// What an access of 1 to 4 bytes covers of the word that it lies in.
static inline uint32_t gic_lane_mask(uint64_t offset, unsigned width_bytes)
{
    return (uint32_t)((UINT64_C(1) << (8 * width_bytes)) - 1) << (8 * (offset & 3));
}

// A register of 32 or 64 bits at `base`, and an access inside it of 4 or 8 bytes: what it reads,
// and the value of the register after it was written.
static inline uint64_t gic_part_read(uint64_t value, uint64_t offset, unsigned width_bytes)
{
    return width_bytes == 8 ? value : (uint32_t)(value >> (8 * (offset & 4)));
}

static inline uint64_t gic_part_written(uint64_t old, uint64_t offset, unsigned width_bytes,
                                        uint64_t value)
{
    const uint64_t mask = UINT64_C(0xffffffff) << (8 * (offset & 4));

    return width_bytes == 8 ? value : (old & ~mask) | (value << (8 * (offset & 4)) & mask);
}
