// x86 instruction decoding by tables; the contract is in the header.
//
// An instruction is read front to back: legacy prefixes, REX, opcode, ModRM, SIB, displacement,
// immediate. A row of a table says everything that differs between opcodes.
#include "vmm/x86_64/decode.h"

enum {
    OPCODE_BYTE = 1 << 0,      // operands are bytes, whatever the prefixes
    OPCODE_LOCKABLE = 1 << 1,  // LOCK is allowed if the destination is memory
    OPCODE_IMM8 = 1 << 2,      // an immediate byte, sign-extended
    OPCODE_IMM = 1 << 3,       // an immediate of the operand size, at most 4 bytes
    OPCODE_STACK = 1 << 4,     // 64-bit operands by default in 64-bit code
    OPCODE_DWORD_MAX = 1 << 5, // operands of at most 4 bytes (port I/O)
    OPCODE_MEMORY = 1 << 6,    // undefined with a register as ModRM.rm
    OPCODE_SOURCE_8 = 1 << 7,  // ModRM.rm is a byte, ModRM.reg is not
    OPCODE_SOURCE_16 = 1 << 8,
    OPCODE_SOURCE_32 = 1 << 9,
    OPCODE_ALIGNED = 1 << 10,   // the memory operand is naturally aligned or #GP
    OPCODE_BITS_64 = 1 << 11,   // exists in 64-bit code only
    OPCODE_NO_PREFIX = 1 << 12, // with F2, F3 or 66 before it, it is another instruction
    OPCODE_DWORD_MIN = 1 << 13, // operands of at least 4 bytes
};

struct opcode {
    uint8_t op;
    uint8_t form;
    uint16_t flags;
};

#define BYTE     OPCODE_BYTE
#define LOCKABLE OPCODE_LOCKABLE

// The four rows of an arithmetic instruction with a ModRM byte.
#define ALU_ROWS(opcode_base, name, lockable)                                            \
    [(opcode_base) + 0] = {X86_OP_##name, X86_FORM_RM_REG, BYTE | (lockable)},           \
                     [(opcode_base) + 1] = {X86_OP_##name, X86_FORM_RM_REG, (lockable)}, \
                     [(opcode_base) + 2] = {X86_OP_##name, X86_FORM_REG_RM, BYTE},       \
                     [(opcode_base) + 3] = {X86_OP_##name, X86_FORM_REG_RM, 0}

// A string instruction on bytes and, one opcode higher, on wider elements.
#define STRING_ROWS(opcode_base, name, flags)                     \
    [(opcode_base) + 0] = {X86_OP_##name, X86_FORM_STRING, BYTE}, \
                     [(opcode_base) + 1] = {X86_OP_##name, X86_FORM_STRING, (flags)}

static const struct opcode ONE_BYTE_OPCODES[256] = {
    ALU_ROWS(0x00, ADD, LOCKABLE),
    ALU_ROWS(0x08, OR, LOCKABLE),
    ALU_ROWS(0x10, ADC, LOCKABLE),
    ALU_ROWS(0x18, SBB, LOCKABLE),
    ALU_ROWS(0x20, AND, LOCKABLE),
    ALU_ROWS(0x28, SUB, LOCKABLE),
    ALU_ROWS(0x30, XOR, LOCKABLE),
    ALU_ROWS(0x38, CMP, 0),
    [0x63] = {X86_OP_MOVSX, X86_FORM_REG_RM, OPCODE_SOURCE_32 | OPCODE_BITS_64},
    STRING_ROWS(0x6c, INS, OPCODE_DWORD_MAX),
    STRING_ROWS(0x6e, OUTS, OPCODE_DWORD_MAX),
    [0x84] = {X86_OP_TEST, X86_FORM_RM_REG, BYTE},
    [0x85] = {X86_OP_TEST, X86_FORM_RM_REG, 0},
    [0x86] = {X86_OP_XCHG, X86_FORM_RM_REG, BYTE | LOCKABLE},
    [0x87] = {X86_OP_XCHG, X86_FORM_RM_REG, LOCKABLE},
    [0x88] = {X86_OP_MOV, X86_FORM_RM_REG, BYTE},
    [0x89] = {X86_OP_MOV, X86_FORM_RM_REG, 0},
    [0x8a] = {X86_OP_MOV, X86_FORM_REG_RM, BYTE},
    [0x8b] = {X86_OP_MOV, X86_FORM_REG_RM, 0},
    [0xa0] = {X86_OP_MOV, X86_FORM_ACC_MEM, BYTE},
    [0xa1] = {X86_OP_MOV, X86_FORM_ACC_MEM, 0},
    [0xa2] = {X86_OP_MOV, X86_FORM_MEM_ACC, BYTE},
    [0xa3] = {X86_OP_MOV, X86_FORM_MEM_ACC, 0},
    STRING_ROWS(0xa4, MOVS, 0),
    STRING_ROWS(0xa6, CMPS, 0),
    STRING_ROWS(0xaa, STOS, 0),
    STRING_ROWS(0xac, LODS, 0),
    STRING_ROWS(0xae, SCAS, 0),
};

// Opcodes after 0F.
static const struct opcode TWO_BYTE_OPCODES[256] = {
    [0xa3] = {X86_OP_BT, X86_FORM_RM_REG, 0},
    [0xab] = {X86_OP_BTS, X86_FORM_RM_REG, LOCKABLE},
    [0xb0] = {X86_OP_CMPXCHG, X86_FORM_RM_REG, BYTE | LOCKABLE},
    [0xb1] = {X86_OP_CMPXCHG, X86_FORM_RM_REG, LOCKABLE},
    [0xb3] = {X86_OP_BTR, X86_FORM_RM_REG, LOCKABLE},
    [0xb6] = {X86_OP_MOVZX, X86_FORM_REG_RM, OPCODE_SOURCE_8},
    [0xb7] = {X86_OP_MOVZX, X86_FORM_REG_RM, OPCODE_SOURCE_16},
    [0xbb] = {X86_OP_BTC, X86_FORM_RM_REG, LOCKABLE},
    [0xbe] = {X86_OP_MOVSX, X86_FORM_REG_RM, OPCODE_SOURCE_8},
    [0xbf] = {X86_OP_MOVSX, X86_FORM_REG_RM, OPCODE_SOURCE_16},
    [0xc0] = {X86_OP_XADD, X86_FORM_RM_REG, BYTE | LOCKABLE},
    [0xc1] = {X86_OP_XADD, X86_FORM_RM_REG, LOCKABLE},
    [0xc3] = {X86_OP_MOV, X86_FORM_RM_REG, // MOVNTI
              OPCODE_MEMORY | OPCODE_NO_PREFIX | OPCODE_DWORD_MIN},
};

// Opcodes after 0F 38: MOVBE.
static const struct opcode MOVBE_LOAD = {X86_OP_MOVBE, X86_FORM_REG_RM, OPCODE_MEMORY};
static const struct opcode MOVBE_STORE = {X86_OP_MOVBE, X86_FORM_RM_REG, OPCODE_MEMORY};

// Arithmetic with an immediate, and the unary group.
#define GROUP_1_ROWS(flags)                                  \
    [0] = {X86_OP_ADD, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [1] = {X86_OP_OR, X86_FORM_RM_IMM, (flags) | LOCKABLE},  \
    [2] = {X86_OP_ADC, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [3] = {X86_OP_SBB, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [4] = {X86_OP_AND, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [5] = {X86_OP_SUB, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [6] = {X86_OP_XOR, X86_FORM_RM_IMM, (flags) | LOCKABLE}, \
    [7] = {X86_OP_CMP, X86_FORM_RM_IMM, (flags)}
#define GROUP_3_ROWS(flags)                                     \
    [0] = {X86_OP_TEST, X86_FORM_RM_IMM, (flags) | OPCODE_IMM}, \
    [1] = {X86_OP_TEST, X86_FORM_RM_IMM, (flags) | OPCODE_IMM}, \
    [2] = {X86_OP_NOT, X86_FORM_RM, (flags) | LOCKABLE},        \
    [3] = {X86_OP_NEG, X86_FORM_RM, (flags) | LOCKABLE}

// Opcodes that ModRM.reg extends. Escape 0 is the one-byte map, 1 the map after 0F.
struct opcode_group {
    uint8_t escape;
    uint8_t byte;
    struct opcode rows[8];
};

static const struct opcode_group GROUPS[] = {
    {0, 0x80, {GROUP_1_ROWS(BYTE | OPCODE_IMM)}},
    {0, 0x81, {GROUP_1_ROWS(OPCODE_IMM)}},
    {0, 0x83, {GROUP_1_ROWS(OPCODE_IMM8)}},
    {0, 0x8f, {[0] = {X86_OP_POP, X86_FORM_RM, OPCODE_STACK}}},
    {0, 0xc6, {[0] = {X86_OP_MOV, X86_FORM_RM_IMM, BYTE | OPCODE_IMM}}},
    {0, 0xc7, {[0] = {X86_OP_MOV, X86_FORM_RM_IMM, OPCODE_IMM}}},
    {0, 0xf6, {GROUP_3_ROWS(BYTE)}},
    {0, 0xf7, {GROUP_3_ROWS(0)}},
    {0,
     0xfe,
     {[0] = {X86_OP_INC, X86_FORM_RM, BYTE | LOCKABLE},
      [1] = {X86_OP_DEC, X86_FORM_RM, BYTE | LOCKABLE}}},
    {0,
     0xff,
     {[0] = {X86_OP_INC, X86_FORM_RM, LOCKABLE},
      [1] = {X86_OP_DEC, X86_FORM_RM, LOCKABLE},
      [6] = {X86_OP_PUSH, X86_FORM_RM, OPCODE_STACK}}},
    {1,
     0xba,
     {[4] = {X86_OP_BT, X86_FORM_RM_IMM, OPCODE_IMM8},
      [5] = {X86_OP_BTS, X86_FORM_RM_IMM, OPCODE_IMM8 | LOCKABLE},
      [6] = {X86_OP_BTR, X86_FORM_RM_IMM, OPCODE_IMM8 | LOCKABLE},
      [7] = {X86_OP_BTC, X86_FORM_RM_IMM, OPCODE_IMM8 | LOCKABLE}}},
};

// SSE moves between a whole XMM register and memory, after 0F; the prefix is part of the opcode. An
// access of 0 bytes stands for 4, or 8 with REX.W.
struct sse_opcode {
    uint8_t byte;
    uint8_t prefix; // 0, 0x66, 0xf2, 0xf3
    uint8_t op;
    uint8_t access_bytes;
    bool is_aligned;
};

static const struct sse_opcode SSE_OPCODES[] = {
    {0x10, 0x00, X86_OP_SSE_LOAD, 16, false},  // MOVUPS
    {0x10, 0x66, X86_OP_SSE_LOAD, 16, false},  // MOVUPD
    {0x10, 0xf3, X86_OP_SSE_LOAD, 4, false},   // MOVSS
    {0x10, 0xf2, X86_OP_SSE_LOAD, 8, false},   // MOVSD
    {0x11, 0x00, X86_OP_SSE_STORE, 16, false}, // the same as stores
    {0x11, 0x66, X86_OP_SSE_STORE, 16, false}, {0x11, 0xf3, X86_OP_SSE_STORE, 4, false},
    {0x11, 0xf2, X86_OP_SSE_STORE, 8, false},  {0x28, 0x00, X86_OP_SSE_LOAD, 16, true}, // MOVAPS
    {0x28, 0x66, X86_OP_SSE_LOAD, 16, true},                                            // MOVAPD
    {0x29, 0x00, X86_OP_SSE_STORE, 16, true},  {0x29, 0x66, X86_OP_SSE_STORE, 16, true},
    {0x2b, 0x00, X86_OP_SSE_STORE, 16, true}, // MOVNTPS
    {0x2b, 0x66, X86_OP_SSE_STORE, 16, true}, // MOVNTPD
    {0x6e, 0x66, X86_OP_SSE_LOAD, 0, false},  // MOVD, MOVQ
    {0x6f, 0x66, X86_OP_SSE_LOAD, 16, true},  // MOVDQA
    {0x6f, 0xf3, X86_OP_SSE_LOAD, 16, false}, // MOVDQU
    {0x7e, 0x66, X86_OP_SSE_STORE, 0, false}, // MOVD, MOVQ
    {0x7e, 0xf3, X86_OP_SSE_LOAD, 8, false},  // MOVQ
    {0x7f, 0x66, X86_OP_SSE_STORE, 16, true}, // MOVDQA
    {0x7f, 0xf3, X86_OP_SSE_STORE, 16, false}, {0xd6, 0x66, X86_OP_SSE_STORE, 8, false}, // MOVQ
    {0xe7, 0x66, X86_OP_SSE_STORE, 16, true},                                            // MOVNTDQ
    {0xf0, 0xf2, X86_OP_SSE_LOAD, 16, false},                                            // LDDQU
};

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

// The bytes not yet read and the prefixes already seen.
struct decoder {
    const uint8_t *bytes;
    size_t byte_count;
    size_t position;
    unsigned code_bits;
    bool operand_override; // 66
    bool address_override; // 67
    uint8_t segment;       // enum x86_segment or X86_NO_REGISTER
    uint8_t rex;
    uint8_t modrm;
    struct x86_instruction *out;
};

#define REX_W 0x8
#define REX_R 0x4
#define REX_X 0x2
#define REX_B 0x1

// `size_bytes` (0, 1, 2, 4 or 8), little-endian and sign-extended.
static mx_status_t decoder_take(struct decoder *decoder, unsigned size_bytes, uint64_t *value)
{
    if (decoder->byte_count - decoder->position < size_bytes)
        return MX_ERR_BUFFER_TOO_SMALL;
    uint64_t taken = 0;
    for (unsigned i = 0; i < size_bytes; i++)
        taken |= (uint64_t)decoder->bytes[decoder->position + i] << (8 * i);
    decoder->position += size_bytes;
    if (size_bytes > 0 && size_bytes < 8) {
        uint64_t sign = UINT64_C(1) << (8 * size_bytes - 1);
        taken = (taken ^ sign) - sign;
    }
    *value = taken;
    return MX_OK;
}

static mx_status_t decoder_take_byte(struct decoder *decoder, uint8_t *value)
{
    if (decoder->position == decoder->byte_count)
        return MX_ERR_BUFFER_TOO_SMALL;
    *value = decoder->bytes[decoder->position++];
    return MX_OK;
}

static bool decoder_note_prefix(struct decoder *decoder, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e: // in 64-bit code ES, CS, SS and DS overrides mean nothing
        if (decoder->code_bits != 64)
            decoder->segment = byte >> 3 & 3;
        return true;
    case 0x64:
    case 0x65:
        decoder->segment = byte == 0x64 ? X86_FS : X86_GS;
        return true;
    case 0x66:
        decoder->operand_override = true;
        return true;
    case 0x67:
        decoder->address_override = true;
        return true;
    case 0xf0:
        decoder->out->is_locked = true;
        return true;
    case 0xf2:
    case 0xf3:
        decoder->out->repeat = byte == 0xf3 ? X86_REPEAT_EQUAL : X86_REPEAT_NOT_EQUAL;
        return true;
    default:
        return false;
    }
}

// Reads the prefixes and the first byte of the opcode. REX counts only directly before the opcode.
static mx_status_t decoder_take_prefixes(struct decoder *decoder, uint8_t *opcode)
{
    uint8_t byte;
    do {
        mx_status_t status = decoder_take_byte(decoder, &byte);
        if (status != MX_OK)
            return status;
    } while (decoder_note_prefix(decoder, byte));

    while (decoder->code_bits == 64 && (byte & 0xf0) == 0x40) {
        decoder->rex = byte;
        decoder->out->has_rex = true;
        mx_status_t status = decoder_take_byte(decoder, &byte);
        if (status != MX_OK)
            return status;
        while (decoder_note_prefix(decoder, byte)) {
            decoder->rex = 0;
            decoder->out->has_rex = false;
            status = decoder_take_byte(decoder, &byte);
            if (status != MX_OK)
                return status;
        }
    }
    *opcode = byte;
    return MX_OK;
}

static uint8_t decoder_sse_prefix(const struct decoder *decoder)
{
    if (decoder->out->repeat != X86_REPEAT_NONE)
        return decoder->out->repeat == X86_REPEAT_EQUAL ? 0xf3 : 0xf2;
    return decoder->operand_override ? 0x66 : 0;
}

static const struct sse_opcode *find_sse_opcode(uint8_t byte, uint8_t prefix)
{
    for (size_t i = 0; i < ARRAY_COUNT(SSE_OPCODES); i++) {
        if (SSE_OPCODES[i].byte == byte && SSE_OPCODES[i].prefix == prefix)
            return &SSE_OPCODES[i];
    }
    return NULL;
}

static const struct opcode_group *find_group(uint8_t escape, uint8_t byte)
{
    for (size_t i = 0; i < ARRAY_COUNT(GROUPS); i++) {
        if (GROUPS[i].escape == escape && GROUPS[i].byte == byte)
            return &GROUPS[i];
    }
    return NULL;
}

static void decoder_set_sizes(struct decoder *decoder, uint16_t flags)
{
    struct x86_instruction *out = decoder->out;
    bool is_16 = (decoder->code_bits == 16) != decoder->operand_override;
    out->operand_bytes = is_16 ? 2 : 4;
    if (decoder->code_bits == 64) {
        if (decoder->rex & REX_W)
            out->operand_bytes = 8;
        else
            out->operand_bytes = decoder->operand_override ? 2 : flags & OPCODE_STACK ? 8 : 4;
    }
    if ((flags & OPCODE_DWORD_MIN) && out->operand_bytes == 2)
        out->operand_bytes = 4;
    if ((flags & OPCODE_DWORD_MAX) && out->operand_bytes == 8)
        out->operand_bytes = 4;
    if (flags & OPCODE_BYTE)
        out->operand_bytes = 1;

    out->source_bytes = out->operand_bytes;
    if (flags & OPCODE_SOURCE_8)
        out->source_bytes = 1;
    else if (flags & OPCODE_SOURCE_16)
        out->source_bytes = 2;
    else if ((flags & OPCODE_SOURCE_32) && out->operand_bytes == 8)
        out->source_bytes = 4; // MOVSXD with a narrower operand is a plain move
}

static void decoder_set_address_size(struct decoder *decoder)
{
    if (decoder->code_bits == 64)
        decoder->out->address_bytes = decoder->address_override ? 4 : 8;
    else
        decoder->out->address_bytes =
            (decoder->code_bits == 16) != decoder->address_override ? 2 : 4;
}

static void decoder_set_segment(struct decoder *decoder)
{
    struct x86_memory_operand *memory = &decoder->out->memory;
    bool is_stack = memory->base == X86_RSP || memory->base == X86_RBP;
    memory->segment = decoder->segment != X86_NO_REGISTER ? decoder->segment
                      : is_stack                          ? X86_SS
                                                          : X86_DS;
}

// The memory operand of 16-bit addressing.
static mx_status_t decoder_take_memory_16(struct decoder *decoder)
{
    static const uint8_t BASES[8] = {X86_RBX, X86_RBX, X86_RBP, X86_RBP,
                                     X86_RSI, X86_RDI, X86_RBP, X86_RBX};
    static const uint8_t INDEXES[8] = {X86_RSI,         X86_RDI,         X86_RSI,
                                       X86_RDI,         X86_NO_REGISTER, X86_NO_REGISTER,
                                       X86_NO_REGISTER, X86_NO_REGISTER};
    struct x86_memory_operand *memory = &decoder->out->memory;
    unsigned mod = decoder->modrm >> 6;
    unsigned rm = decoder->modrm & 7;
    memory->base = BASES[rm];
    memory->index = INDEXES[rm];
    if (mod == 0 && rm == 6) {
        memory->base = X86_NO_REGISTER;
        return decoder_take(decoder, 2, &memory->displacement);
    }
    return decoder_take(decoder, mod, &memory->displacement);
}

static mx_status_t decoder_take_sib(struct decoder *decoder)
{
    struct x86_memory_operand *memory = &decoder->out->memory;
    uint8_t sib;
    mx_status_t status = decoder_take_byte(decoder, &sib);
    if (status != MX_OK)
        return status;
    memory->scale_shift = sib >> 6;
    memory->index = (sib >> 3 & 7) | (decoder->rex & REX_X ? 8 : 0);
    if (memory->index == X86_RSP)
        memory->index = X86_NO_REGISTER;
    memory->base = (sib & 7) | (decoder->rex & REX_B ? 8 : 0);
    if ((sib & 7) == X86_RBP && decoder->modrm >> 6 == 0)
        memory->base = X86_NO_REGISTER;
    return MX_OK;
}

// The memory operand of 32-bit and 64-bit addressing.
static mx_status_t decoder_take_memory_32(struct decoder *decoder)
{
    struct x86_memory_operand *memory = &decoder->out->memory;
    unsigned mod = decoder->modrm >> 6;
    unsigned rm = decoder->modrm & 7;
    memory->base = rm | (decoder->rex & REX_B ? 8 : 0);
    if (rm == X86_RSP) {
        mx_status_t status = decoder_take_sib(decoder);
        if (status != MX_OK)
            return status;
    } else if (mod == 0 && rm == X86_RBP) {
        memory->base = X86_NO_REGISTER;
        memory->rip_relative = decoder->code_bits == 64;
        return decoder_take(decoder, 4, &memory->displacement);
    }
    if (mod == 0)
        return memory->base == X86_NO_REGISTER ? decoder_take(decoder, 4, &memory->displacement)
                                               : MX_OK;
    return decoder_take(decoder, mod == 1 ? 1 : 4, &memory->displacement);
}

static mx_status_t decoder_take_modrm_operands(struct decoder *decoder)
{
    struct x86_instruction *out = decoder->out;
    out->reg = (decoder->modrm >> 3 & 7) | (decoder->rex & REX_R ? 8 : 0);
    out->rm = (decoder->modrm & 7) | (decoder->rex & REX_B ? 8 : 0);
    out->rm_is_memory = decoder->modrm >> 6 != 3;
    if (!out->rm_is_memory)
        return MX_OK;
    mx_status_t status =
        out->address_bytes == 2 ? decoder_take_memory_16(decoder) : decoder_take_memory_32(decoder);
    decoder_set_segment(decoder);
    return status;
}

// An absolute offset: as wide as an address, not sign-extended.
static mx_status_t decoder_take_offset(struct decoder *decoder)
{
    struct x86_instruction *out = decoder->out;
    out->rm_is_memory = true;
    decoder_set_segment(decoder);
    return decoder_take(decoder, out->address_bytes, &out->memory.displacement);
}

static mx_status_t decoder_take_immediate(struct decoder *decoder, uint16_t flags)
{
    struct x86_instruction *out = decoder->out;
    if (flags & OPCODE_IMM8)
        return decoder_take(decoder, 1, &out->immediate);
    if (flags & OPCODE_IMM)
        return decoder_take(decoder, out->operand_bytes == 8 ? 4 : out->operand_bytes,
                            &out->immediate);
    return MX_OK;
}

// What is left once the row is known.
static mx_status_t decoder_finish(struct decoder *decoder, const struct opcode *opcode)
{
    struct x86_instruction *out = decoder->out;
    if (opcode->form == X86_FORM_NONE ||
        ((opcode->flags & OPCODE_BITS_64) && decoder->code_bits != 64))
        return MX_ERR_NOT_SUPPORTED;
    out->op = opcode->op;
    out->form = opcode->form;
    out->must_align = opcode->flags & OPCODE_ALIGNED;
    decoder_set_sizes(decoder, opcode->flags);

    mx_status_t status = MX_OK;
    if (out->form == X86_FORM_ACC_MEM || out->form == X86_FORM_MEM_ACC)
        status = decoder_take_offset(decoder);
    else if (out->form == X86_FORM_STRING)
        decoder_set_segment(decoder);
    else
        status = decoder_take_modrm_operands(decoder);
    if (status == MX_OK)
        status = decoder_take_immediate(decoder, opcode->flags);
    if (status != MX_OK)
        return status;

    bool writes_memory = out->rm_is_memory && out->form != X86_FORM_REG_RM;
    if (out->is_locked && !((opcode->flags & OPCODE_LOCKABLE) && writes_memory))
        return MX_ERR_INVALID_ARGS;
    if ((opcode->flags & OPCODE_MEMORY) && !out->rm_is_memory)
        return MX_ERR_INVALID_ARGS;
    out->length_bytes = (uint8_t)decoder->position;
    return MX_OK;
}

static mx_status_t decode_sse(struct decoder *decoder, const struct sse_opcode *sse)
{
    struct x86_instruction *out = decoder->out;
    mx_status_t status = decoder_take_byte(decoder, &decoder->modrm);
    if (status != MX_OK)
        return status;
    const struct opcode opcode = {sse->op,
                                  sse->op == X86_OP_SSE_LOAD ? X86_FORM_REG_RM : X86_FORM_RM_REG,
                                  sse->is_aligned ? OPCODE_ALIGNED : 0};
    status = decoder_finish(decoder, &opcode);
    if (status != MX_OK)
        return status;
    if (!out->rm_is_memory)
        return MX_ERR_NOT_SUPPORTED;
    unsigned integer_bytes = decoder->rex & REX_W ? 8 : 4;
    out->operand_bytes = sse->access_bytes != 0 ? sse->access_bytes : integer_bytes;
    out->source_bytes = out->operand_bytes;
    out->repeat = X86_REPEAT_NONE;
    return MX_OK;
}

// MOVBE; with F2 the same bytes are CRC32.
static mx_status_t decode_0f38(struct decoder *decoder)
{
    uint8_t byte;
    mx_status_t status = decoder_take_byte(decoder, &byte);
    if (status != MX_OK)
        return status;
    if ((byte != 0xf0 && byte != 0xf1) || decoder->out->repeat != X86_REPEAT_NONE)
        return MX_ERR_NOT_SUPPORTED;
    status = decoder_take_byte(decoder, &decoder->modrm);
    if (status != MX_OK)
        return status;
    return decoder_finish(decoder, byte == 0xf0 ? &MOVBE_LOAD : &MOVBE_STORE);
}

static mx_status_t decode_opcode(struct decoder *decoder, uint8_t escape, uint8_t byte)
{
    const struct opcode *opcode = escape ? &TWO_BYTE_OPCODES[byte] : &ONE_BYTE_OPCODES[byte];
    const struct opcode_group *group =
        opcode->form == X86_FORM_NONE ? find_group(escape, byte) : NULL;
    if (!group && opcode->form == X86_FORM_NONE)
        return MX_ERR_NOT_SUPPORTED;
    bool has_modrm =
        group || (opcode->form != X86_FORM_STRING && opcode->form != X86_FORM_ACC_MEM &&
                  opcode->form != X86_FORM_MEM_ACC);
    if (has_modrm) {
        mx_status_t status = decoder_take_byte(decoder, &decoder->modrm);
        if (status != MX_OK)
            return status;
    }
    if (group)
        opcode = &group->rows[decoder->modrm >> 3 & 7];
    if ((opcode->flags & OPCODE_NO_PREFIX) && decoder_sse_prefix(decoder) != 0)
        return MX_ERR_NOT_SUPPORTED;
    return decoder_finish(decoder, opcode);
}

static mx_status_t decode_0f(struct decoder *decoder)
{
    uint8_t byte;
    mx_status_t status = decoder_take_byte(decoder, &byte);
    if (status != MX_OK)
        return status;
    if (byte == 0x38)
        return decode_0f38(decoder);
    const struct sse_opcode *sse = find_sse_opcode(byte, decoder_sse_prefix(decoder));
    return sse ? decode_sse(decoder, sse) : decode_opcode(decoder, 1, byte);
}

mx_status_t x86_decode(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                       struct x86_instruction *out)
{
    *out = (struct x86_instruction){
        .memory = {.base = X86_NO_REGISTER, .index = X86_NO_REGISTER, .segment = X86_DS}};
    struct decoder decoder = {
        .bytes = bytes,
        .byte_count =
            byte_count < X86_INSTRUCTION_BYTES_MAX ? byte_count : X86_INSTRUCTION_BYTES_MAX,
        .code_bits = code_bits,
        .segment = X86_NO_REGISTER,
        .out = out,
    };
    uint8_t byte;
    mx_status_t status = decoder_take_prefixes(&decoder, &byte);
    if (status != MX_OK)
        return status;
    decoder_set_address_size(&decoder);
    return byte == 0x0f ? decode_0f(&decoder) : decode_opcode(&decoder, 0, byte);
}
