// Plain MOVs; see mov_access.h.
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"

#include <string.h>

#define INSN_BYTES_MAX   15
#define OPCODE_MOV_LOAD  0x8a // and 0x8b: the same as 0x88 and 0x89 but for the direction bit
#define OPCODE_DIRECTION 0x02
#define PAGE_SIZE_BYTES  0x1000u
#define RM_SIB           4
#define RM_RIP_RELATIVE  5 // in ModRM mode 0

static bool is_prefix(uint8_t byte, unsigned code_bits)
{
    switch (byte) {
    case 0x26: // segments
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66: // operand size, address size
    case 0x67:
    case 0xf0: // LOCK, REPNE, REP
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return code_bits == 64 && (byte & 0xf0) == 0x40;
    }
}

size_t insn_prefix_count(const uint8_t *bytes, size_t byte_count, unsigned code_bits)
{
    size_t count = 0;

    while (count < byte_count && count < INSN_BYTES_MAX && is_prefix(bytes[count], code_bits))
        count++;
    return count;
}

static bool has_address_prefix(const uint8_t *bytes, size_t prefix_count)
{
    for (size_t i = 0; i < prefix_count; i++)
        if (bytes[i] == 0x64 || bytes[i] == 0x65 || bytes[i] == 0x67) // FS, GS, address size
            return true;
    return false;
}

// `bytes` holds the whole instruction. Only in 64-bit code are the other segments without a base.
static void describe_address(const uint8_t *bytes, size_t prefix_count, unsigned code_bits,
                             struct mov_access *out)
{
    uint8_t rex =
        prefix_count && (bytes[prefix_count - 1] & 0xf0) == 0x40 ? bytes[prefix_count - 1] : 0;
    uint8_t mode = bytes[prefix_count + 1] >> 6, rm = bytes[prefix_count + 1] & 7;
    const uint8_t *displacement = bytes + prefix_count + 2;

    out->has_plain_address = code_bits == 64 && rm != RM_SIB &&
                             !(mode == 0 && rm == RM_RIP_RELATIVE) &&
                             !has_address_prefix(bytes, prefix_count);
    out->base_reg = rm | (rex & 1) << 3;
    out->displacement = 0;
    if (!out->has_plain_address)
        return;
    if (mode == 1)
        out->displacement = (int8_t)displacement[0];
    else if (mode == 2)
        memcpy(&out->displacement, displacement, sizeof(out->displacement));
}

bool mov_access_is_at(const struct mov_access *access, const uint64_t *gpr, uint64_t guest_physical)
{
    uint64_t linear = gpr[access->base_reg & 0xf] + (uint64_t)(int64_t)access->displacement;
    uint64_t offset = guest_physical % PAGE_SIZE_BYTES;

    return access->has_plain_address && linear % PAGE_SIZE_BYTES == offset &&
           offset + access->operand.width_bytes <= PAGE_SIZE_BYTES;
}

bool mov_access_decode(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                       struct mov_access *out)
{
    uint8_t copy[INSN_BYTES_MAX];
    size_t prefixes;

    if (byte_count > sizeof(copy))
        byte_count = sizeof(copy);
    memcpy(copy, bytes, byte_count);
    prefixes = insn_prefix_count(copy, byte_count, code_bits);
    if (prefixes == byte_count)
        return false;
    out->is_store = (copy[prefixes] & ~1) != OPCODE_MOV_LOAD;
    // Load and store differ in one bit of the opcode, so the store decoder serves both.
    if (!out->is_store)
        copy[prefixes] &= (uint8_t)~OPCODE_DIRECTION;
    out->length_bytes = x86_mov_store_length(copy, byte_count, code_bits, &out->operand);
    if (out->length_bytes == 0)
        return false;
    describe_address(copy, prefixes, code_bits, out);
    return true;
}
