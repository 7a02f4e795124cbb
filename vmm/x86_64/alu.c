// Integer arithmetic with x86 flags; the contract is in the header.
#include "vmm/x86_64/alu.h"

static uint64_t flag_if(bool condition, uint64_t flag)
{
    return condition ? flag : 0;
}

static bool sign_of(uint64_t value, unsigned width_bytes)
{
    return value >> (8 * width_bytes - 1) & 1;
}

// PF, ZF and SF, which depend on the result alone. `result` is truncated.
static uint64_t result_flags(uint64_t result, unsigned width_bytes)
{
    unsigned folded = (unsigned)(result ^ result >> 4) & 0xf;
    bool even_parity = !(0x6996 >> folded & 1); // bit n: n has an odd number of ones
    return flag_if(even_parity, X86_RFLAGS_PF) | flag_if(result == 0, X86_RFLAGS_ZF) |
           flag_if(sign_of(result, width_bytes), X86_RFLAGS_SF);
}

static uint64_t alu_add(unsigned width_bytes, uint64_t a, uint64_t b, bool carry_in,
                        uint64_t *flags)
{
    uint64_t result = x86_truncate(a + b + carry_in, width_bytes);
    bool carry = carry_in ? result <= a : result < a;
    *flags = result_flags(result, width_bytes) | flag_if(carry, X86_RFLAGS_CF) |
             flag_if((a ^ b ^ result) & 0x10, X86_RFLAGS_AF) |
             flag_if(sign_of((a ^ result) & (b ^ result), width_bytes), X86_RFLAGS_OF);
    return result;
}

static uint64_t alu_subtract(unsigned width_bytes, uint64_t a, uint64_t b, bool borrow_in,
                             uint64_t *flags)
{
    uint64_t result = x86_truncate(a - b - borrow_in, width_bytes);
    bool borrow = borrow_in ? a <= b : a < b;
    *flags = result_flags(result, width_bytes) | flag_if(borrow, X86_RFLAGS_CF) |
             flag_if((a ^ b ^ result) & 0x10, X86_RFLAGS_AF) |
             flag_if(sign_of((a ^ b) & (a ^ result), width_bytes), X86_RFLAGS_OF);
    return result;
}

static uint64_t alu_logic(unsigned width_bytes, uint64_t result, uint64_t *flags)
{
    *flags = result_flags(result, width_bytes);
    return result;
}

// INC and DEC leave CF as it is.
static uint64_t alu_keep_carry(uint64_t result, uint64_t *flags, uint64_t rflags)
{
    *flags = (*flags & ~X86_RFLAGS_CF) | (rflags & X86_RFLAGS_CF);
    return result;
}

static uint64_t alu_compute(enum x86_op op, unsigned width_bytes, uint64_t a, uint64_t b,
                            uint64_t rflags, uint64_t *flags)
{
    bool carry = rflags & X86_RFLAGS_CF;
    if (op == X86_OP_ADD)
        return alu_add(width_bytes, a, b, false, flags);
    if (op == X86_OP_ADC)
        return alu_add(width_bytes, a, b, carry, flags);
    if (op == X86_OP_SUB || op == X86_OP_CMP)
        return alu_subtract(width_bytes, a, b, false, flags);
    if (op == X86_OP_SBB)
        return alu_subtract(width_bytes, a, b, carry, flags);
    if (op == X86_OP_NEG)
        return alu_subtract(width_bytes, 0, a, false, flags);
    if (op == X86_OP_INC)
        return alu_keep_carry(alu_add(width_bytes, a, 1, false, flags), flags, rflags);
    if (op == X86_OP_DEC)
        return alu_keep_carry(alu_subtract(width_bytes, a, 1, false, flags), flags, rflags);
    if (op == X86_OP_AND || op == X86_OP_TEST)
        return alu_logic(width_bytes, a & b, flags);
    if (op == X86_OP_OR)
        return alu_logic(width_bytes, a | b, flags);
    if (op == X86_OP_XOR)
        return alu_logic(width_bytes, a ^ b, flags);
    return op == X86_OP_NOT ? x86_truncate(~a, width_bytes) : a;
}

uint64_t x86_alu(enum x86_op op, unsigned width_bytes, uint64_t destination, uint64_t source,
                 uint64_t *rflags)
{
    uint64_t flags = *rflags & X86_RFLAGS_ARITHMETIC;
    uint64_t result = alu_compute(op, width_bytes, x86_truncate(destination, width_bytes),
                                  x86_truncate(source, width_bytes), *rflags, &flags);
    *rflags = (*rflags & ~X86_RFLAGS_ARITHMETIC) | flags;
    return result;
}

uint64_t x86_alu_bit(enum x86_op op, unsigned width_bytes, uint64_t destination, uint64_t bit_index,
                     uint64_t *rflags)
{
    uint64_t bit = UINT64_C(1) << (bit_index & (8 * width_bytes - 1));
    *rflags = (*rflags & ~X86_RFLAGS_CF) | flag_if(destination & bit, X86_RFLAGS_CF);
    if (op == X86_OP_BTS)
        return destination | bit;
    if (op == X86_OP_BTR)
        return destination & ~bit;
    return op == X86_OP_BTC ? destination ^ bit : destination;
}
