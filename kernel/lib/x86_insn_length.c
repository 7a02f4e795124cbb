// The length of a plain MOV to memory; the contract is in the header.
#include "kernel/lib/x86_insn_length.h"

#define LENGTH_MAX 15

struct prefixes {
    bool operand_override;
    bool address_override;
    bool is_locked;
    uint8_t rex; // 0: none
};

// The number of prefix bytes, REX included.
static size_t take_prefixes(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                            struct prefixes *prefixes)
{
    size_t position = 0;
    *prefixes = (struct prefixes){0};
    for (; position < byte_count; position++) {
        uint8_t byte = bytes[position];
        bool is_rex = code_bits == 64 && (byte & 0xf0) == 0x40;
        bool is_legacy = byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
                         (byte >= 0x64 && byte <= 0x67) || byte == 0xf0 || byte == 0xf2 ||
                         byte == 0xf3;
        if (!is_rex && !is_legacy)
            break;
        prefixes->rex = is_rex ? byte : 0; // counts only directly before the opcode
        prefixes->operand_override |= byte == 0x66;
        prefixes->address_override |= byte == 0x67;
        prefixes->is_locked |= byte == 0xf0;
    }
    return position;
}

// How many bytes of SIB and displacement follow a ModRM byte that names memory. `sib` is the byte
// after it.
static unsigned address_tail_bytes(uint8_t modrm, uint8_t sib, bool is_16_bit)
{
    unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7;
    if (is_16_bit)
        return mod == 0 ? (rm == 6 ? 2 : 0) : mod;
    unsigned tail = rm == 4 ? 1 : 0;
    if (mod == 1)
        return tail + 1;
    bool has_no_base = rm == 4 ? (sib & 7) == 5 : rm == 5;
    return mod == 2 || has_no_base ? tail + 4 : tail;
}

static unsigned operand_width_bytes(uint8_t opcode, unsigned code_bits,
                                    const struct prefixes *prefixes)
{
    if (!(opcode & 1))
        return 1;
    if (prefixes->rex & 0x8)
        return 8;
    return (code_bits == 16) != prefixes->operand_override ? 2 : 4;
}

static void describe_register(struct x86_mov_store *store, uint8_t modrm, uint8_t rex)
{
    store->reg = (modrm >> 3 & 7) | (rex & 0x4 ? 8 : 0);
    if (store->width_bytes == 1 && rex == 0 && store->reg >= 4) {
        store->is_high_byte = true;
        store->reg -= 4;
    }
}

// An immediate of at most 4 bytes, sign-extended to the width.
static void describe_immediate(struct x86_mov_store *store, const uint8_t *bytes,
                               unsigned size_bytes)
{
    store->is_immediate = true;
    for (unsigned i = 0; i < size_bytes; i++)
        store->immediate |= (uint64_t)bytes[i] << (8 * i);
    if (store->width_bytes == 8 && (store->immediate >> 31))
        store->immediate |= UINT64_C(0xffffffff00000000);
}

unsigned x86_mov_store_length(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                              struct x86_mov_store *store)
{
    *store = (struct x86_mov_store){0};
    if (byte_count > LENGTH_MAX)
        byte_count = LENGTH_MAX;
    struct prefixes prefixes;
    size_t position = take_prefixes(bytes, byte_count, code_bits, &prefixes);
    if (prefixes.is_locked || byte_count - position < 2)
        return 0;
    uint8_t opcode = bytes[position];
    uint8_t modrm = bytes[position + 1];
    bool is_immediate = opcode == 0xc6 || opcode == 0xc7;
    if ((!is_immediate && opcode != 0x88 && opcode != 0x89) || modrm >> 6 == 3 ||
        (is_immediate && (modrm >> 3 & 7) != 0))
        return 0;

    position += 2;
    bool is_16_bit = code_bits != 64 && (code_bits == 16) != prefixes.address_override;
    uint8_t sib = position < byte_count ? bytes[position] : 0;
    unsigned width_bytes = operand_width_bytes(opcode, code_bits, &prefixes);
    unsigned immediate_bytes = !is_immediate ? 0 : width_bytes == 8 ? 4 : width_bytes;
    position += address_tail_bytes(modrm, sib, is_16_bit);
    if (position + immediate_bytes > byte_count)
        return 0;
    store->width_bytes = (uint8_t)width_bytes;
    if (is_immediate)
        describe_immediate(store, bytes + position, immediate_bytes);
    else
        describe_register(store, modrm, prefixes.rex);
    return (unsigned)position + immediate_bytes;
}
