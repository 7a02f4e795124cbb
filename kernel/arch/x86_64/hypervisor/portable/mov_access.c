// Plain MOVs; see mov_access.h.
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"

#include <string.h>

#define INSN_BYTES_MAX   15
#define OPCODE_MOV_LOAD  0x8a // and 0x8b: the same as 0x88 and 0x89 but for the direction bit
#define OPCODE_DIRECTION 0x02

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
    return out->length_bytes != 0;
}
