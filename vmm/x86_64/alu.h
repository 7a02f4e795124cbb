// Integer arithmetic with x86 flags, in portable C.
//
// AMD64 Architecture Programmer's Manual volume 3, "General-Purpose Instruction Reference". Flags
// that the manual leaves undefined get the values that CPUs give them: AF is cleared by logic
// operations, and bit tests change CF only.
#pragma once

#include <stdint.h>

#include "vmm/x86_64/decode.h"

#define X86_RFLAGS_ARITHMETIC \
    (X86_RFLAGS_CF | X86_RFLAGS_PF | X86_RFLAGS_AF | X86_RFLAGS_ZF | X86_RFLAGS_SF | X86_RFLAGS_OF)

// The result of ADD to DEC (enum x86_op) on operands of 1, 2, 4 or 8 bytes, and the flags in
// *rflags. Bits of the operands above the width are ignored. CMP returns the difference, TEST the
// conjunction. Unary operations ignore `source`. Any other `op` returns `destination` and leaves
// the flags.
uint64_t x86_alu(enum x86_op op, unsigned width_bytes, uint64_t destination, uint64_t source,
                 uint64_t *rflags);

// BT, BTS, BTR, BTC on the bit `bit_index` modulo the operand's width.
uint64_t x86_alu_bit(enum x86_op op, unsigned width_bytes, uint64_t destination, uint64_t bit_index,
                     uint64_t *rflags);

// The value's low `width_bytes` (1, 2, 4, 8).
static inline uint64_t x86_truncate(uint64_t value, unsigned width_bytes)
{
    return width_bytes >= 8 ? value : value & ((UINT64_C(1) << (8 * width_bytes)) - 1);
}

// The same, with the upper bits copied from the highest one that is left.
static inline uint64_t x86_sign_extend(uint64_t value, unsigned width_bytes)
{
    uint64_t sign = UINT64_C(1) << (8 * width_bytes - 1);
    return (x86_truncate(value, width_bytes) ^ sign) - sign;
}
