// See abort_decode.h.
#include "kernel/arch/arm64/hypervisor/portable/abort_decode.h"

#define BASE_SP 31u

static uint32_t bits(uint32_t instruction, unsigned high, unsigned low)
{
    return instruction >> low & ((1u << (high - low + 1)) - 1);
}

static int64_t signed_bits(uint32_t instruction, unsigned high, unsigned low)
{
    unsigned width = high - low + 1;

    return (int64_t)((uint64_t)bits(instruction, high, low) << (64 - width)) >> (64 - width);
}

static unsigned reg_t(uint32_t instruction)
{
    return bits(instruction, 4, 0);
}

static unsigned reg_n(uint32_t instruction)
{
    return bits(instruction, 9, 5);
}

static bool is_vector(uint32_t instruction)
{
    return bits(instruction, 26, 26);
}

// Index 31 is the zero register.
static uint64_t read_register(const uint64_t *x, unsigned reg)
{
    return reg == ACCESS_ZERO_REGISTER ? 0 : x[reg];
}

// Addresses and write-back of the forms that have a plain offset.
enum indexing {
    INDEX_POST,
    INDEX_OFFSET,
    INDEX_PRE,
};

static void set_address(struct guest_access *access, const uint64_t *x, unsigned base,
                        int64_t offset, enum indexing indexing)
{
    uint64_t moved = x[base] + (uint64_t)offset;

    access->address = indexing == INDEX_POST ? x[base] : moved;
    access->has_writeback = indexing != INDEX_OFFSET;
    access->base_register = (uint8_t)base;
    access->writeback = moved;
}

// --- pairs
// ----------------------------------------------------------------------------------------

// Bits 24:23 of a pair.
static enum indexing pair_indexing(uint32_t instruction)
{
    switch (bits(instruction, 24, 23)) {
    case 1:
        return INDEX_POST;
    case 3:
        return INDEX_PRE;
    default: // with and without a hint for the caches
        return INDEX_OFFSET;
    }
}

// Write-back to a register that is also loaded or stored does something else on each CPU.
static bool writeback_collides(const struct guest_access *access, unsigned reg)
{
    return access->has_writeback && reg == access->base_register && reg != BASE_SP;
}

static enum access_decoding decode_pair(uint32_t instruction, const uint64_t *x,
                                        struct guest_access *access)
{
    uint32_t opc = bits(instruction, 31, 30);
    bool is_load = bits(instruction, 22, 22);

    if (is_vector(instruction))
        return ACCESS_VECTOR;
    // Of opc 1 only the load of signed words is a plain pair, and it has no form with a hint.
    if (opc == 3 || (opc == 1 && (!is_load || !bits(instruction, 24, 23))))
        return ACCESS_UNKNOWN;
    access->is_write = !is_load;
    access->is_sign_extended = opc == 1;
    access->is_64 = opc != 0;
    access->width_bytes = opc == 2 ? 8 : 4;
    access->count = 2;
    access->registers[0] = (uint8_t)reg_t(instruction);
    access->registers[1] = (uint8_t)bits(instruction, 14, 10);
    set_address(access, x, reg_n(instruction),
                signed_bits(instruction, 21, 15) * access->width_bytes, pair_indexing(instruction));
    if (writeback_collides(access, access->registers[0]) ||
        writeback_collides(access, access->registers[1]) ||
        (is_load && access->registers[0] == access->registers[1]))
        return ACCESS_UNKNOWN;
    return ACCESS_DECODED;
}

// --- single registers
// -----------------------------------------------------------------------------

// size in 31:30 and opc in 23:22 say width, direction and extension. False: a prefetch, or nothing.
static bool decode_size(uint32_t instruction, struct guest_access *access)
{
    uint32_t size = bits(instruction, 31, 30), opc = bits(instruction, 23, 22);

    if ((opc == 2 && size == 3) || (opc == 3 && size >= 2))
        return false;
    access->is_write = opc == 0;
    access->is_sign_extended = opc >= 2;
    access->is_64 = opc == 2 || size == 3;
    access->width_bytes = (uint8_t)(1u << size);
    access->count = 1;
    access->registers[0] = (uint8_t)reg_t(instruction);
    return true;
}

// The offset register: UXTW, LSL, SXTW, SXTX, scaled by the width if S.
static bool register_offset(uint32_t instruction, const uint64_t *x, unsigned size, int64_t *offset)
{
    uint64_t value = read_register(x, bits(instruction, 20, 16));
    unsigned shift = bits(instruction, 12, 12) ? size : 0;

    switch (bits(instruction, 15, 13)) {
    case 2:
        *offset = (int64_t)((uint64_t)(uint32_t)value << shift);
        return true;
    case 6:
        *offset = (int64_t)((uint64_t)(int64_t)(int32_t)value << shift);
        return true;
    case 3:
    case 7:
        *offset = (int64_t)(value << shift);
        return true;
    default:
        return false;
    }
}

// Bit 21 is clear: bits 11:10 tell the form.
static enum indexing immediate_indexing(uint32_t instruction)
{
    switch (bits(instruction, 11, 10)) {
    case 1:
        return INDEX_POST;
    case 3:
        return INDEX_PRE;
    default: // unscaled, and unprivileged
        return INDEX_OFFSET;
    }
}

static enum access_decoding decode_single(uint32_t instruction, const uint64_t *x,
                                          struct guest_access *access)
{
    unsigned size = bits(instruction, 31, 30), base = reg_n(instruction);
    int64_t offset;

    if (is_vector(instruction))
        return ACCESS_VECTOR;
    if (bits(instruction, 25, 24) == 0 && bits(instruction, 21, 21) &&
        bits(instruction, 11, 10) == 0)
        return ACCESS_EXCLUSIVE; // atomic memory operations
    if (!decode_size(instruction, access))
        return ACCESS_UNKNOWN;
    if (bits(instruction, 25, 24) == 1) {
        set_address(access, x, base, (int64_t)bits(instruction, 21, 10) << size, INDEX_OFFSET);
        return ACCESS_DECODED;
    }
    if (!bits(instruction, 21, 21)) {
        set_address(access, x, base, signed_bits(instruction, 20, 12),
                    immediate_indexing(instruction));
        return writeback_collides(access, access->registers[0]) ? ACCESS_UNKNOWN : ACCESS_DECODED;
    }
    if (bits(instruction, 11, 10) != 2 || !register_offset(instruction, x, size, &offset))
        return ACCESS_UNKNOWN;
    set_address(access, x, base, offset, INDEX_OFFSET);
    return ACCESS_DECODED;
}

// 31:30 of a load relative to the instruction: word, doubleword, signed word, prefetch.
static enum access_decoding decode_literal(uint32_t instruction, uint64_t pc,
                                           struct guest_access *access)
{
    uint32_t opc = bits(instruction, 31, 30);

    if (is_vector(instruction))
        return ACCESS_VECTOR;
    if (opc == 3)
        return ACCESS_UNKNOWN;
    access->width_bytes = opc == 1 ? 8 : 4;
    access->is_sign_extended = opc == 2;
    access->is_64 = opc != 0;
    access->count = 1;
    access->registers[0] = (uint8_t)reg_t(instruction);
    access->address = pc + (uint64_t)(signed_bits(instruction, 23, 5) * 4);
    return ACCESS_DECODED;
}

// Exclusives, compare-and-swap, and the ordered loads and stores, which are plain accesses.
static enum access_decoding decode_ordered(uint32_t instruction, const uint64_t *x,
                                           struct guest_access *access)
{
    bool is_ordered = bits(instruction, 23, 23) && !bits(instruction, 21, 21);

    if (!is_ordered)
        return ACCESS_EXCLUSIVE;
    access->width_bytes = (uint8_t)(1u << bits(instruction, 31, 30));
    access->is_write = !bits(instruction, 22, 22);
    access->is_64 = access->width_bytes == 8;
    access->count = 1;
    access->registers[0] = (uint8_t)reg_t(instruction);
    set_address(access, x, reg_n(instruction), 0, INDEX_OFFSET);
    return ACCESS_DECODED;
}

static enum access_decoding decode_ordered_unscaled(uint32_t instruction, const uint64_t *x,
                                                    struct guest_access *access)
{
    if (bits(instruction, 21, 21) || bits(instruction, 11, 10) || !decode_size(instruction, access))
        return ACCESS_UNKNOWN;
    set_address(access, x, reg_n(instruction), signed_bits(instruction, 20, 12), INDEX_OFFSET);
    return ACCESS_DECODED;
}

// --- zeroes
// ---------------------------------------------------------------------------------------

#define DC_ZVA      0xd50b7420u
#define DC_ZVA_MASK 0xffffffe0u

static enum access_decoding decode_zva(uint32_t instruction, const uint64_t *x, uint32_t zva_bytes,
                                       struct guest_access *access)
{
    if (!zva_bytes || zva_bytes > ACCESS_ZVA_MAX_BYTES)
        return ACCESS_UNKNOWN;
    access->is_write = true;
    access->width_bytes = zva_bytes < 8 ? 4 : 8;
    access->count = (uint16_t)(zva_bytes / access->width_bytes);
    access->registers[0] = access->registers[1] = ACCESS_ZERO_REGISTER;
    access->address = read_register(x, reg_t(instruction)) & ~(uint64_t)(zva_bytes - 1);
    return ACCESS_DECODED;
}

enum access_decoding abort_decode(uint32_t instruction, const uint64_t x[32], uint64_t pc,
                                  uint32_t zva_bytes, struct guest_access *access)
{
    *access = (struct guest_access){0};
    if ((instruction & DC_ZVA_MASK) == DC_ZVA)
        return decode_zva(instruction, x, zva_bytes, access);
    switch (bits(instruction, 29, 27)) {
    case 5:
        return bits(instruction, 25, 25) ? ACCESS_UNKNOWN : decode_pair(instruction, x, access);
    case 7:
        return bits(instruction, 25, 25) ? ACCESS_UNKNOWN : decode_single(instruction, x, access);
    case 3:
        if (bits(instruction, 25, 24) == 0)
            return decode_literal(instruction, pc, access);
        if (bits(instruction, 26, 24) == 1)
            return decode_ordered_unscaled(instruction, x, access);
        return ACCESS_UNKNOWN;
    case 1:
        if (is_vector(instruction))
            return bits(instruction, 25, 25) ? ACCESS_UNKNOWN : ACCESS_VECTOR;
        return bits(instruction, 25, 24) == 0 ? decode_ordered(instruction, x, access)
                                              : ACCESS_UNKNOWN;
    default:
        return ACCESS_UNKNOWN;
    }
}

uint64_t access_extend(const struct guest_access *access, uint64_t data)
{
    unsigned unused = 64 - 8 * access->width_bytes;

    data <<= unused;
    if (!access->is_sign_extended)
        return data >> unused;
    data = (uint64_t)((int64_t)data >> unused);
    return access->is_64 ? data : (uint32_t)data;
}
