// x86 instruction decoding for emulated memory and string port accesses.
//
// Decodes what compilers and hand-written drivers emit against device memory: moves of all widths
// and forms, sign and zero extension, string instructions with repeat prefixes, arithmetic, logic,
// bit, exchange and stack instructions with a memory operand, MOVBE, MOVNTI, whole-register SSE
// moves, and INS/OUTS. Pure: bytes in, a description out; it reads no memory and no registers.
//
// Implements AMD64 Architecture Programmer's Manual volume 3, "Instruction Encoding" (chapter 1)
// and the opcode maps (appendix A). VEX, EVEX, XOP and x87 are not covered.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/x86_64/vcpu_regs.h"

#define X86_INSTRUCTION_BYTES_MAX 15

// The eight first ones stand in the order of their encoding.
enum x86_op {
    X86_OP_ADD,
    X86_OP_OR,
    X86_OP_ADC,
    X86_OP_SBB,
    X86_OP_AND,
    X86_OP_SUB,
    X86_OP_XOR,
    X86_OP_CMP,
    X86_OP_TEST,
    X86_OP_NOT,
    X86_OP_NEG,
    X86_OP_INC,
    X86_OP_DEC,
    X86_OP_BT,
    X86_OP_BTS,
    X86_OP_BTR,
    X86_OP_BTC,
    X86_OP_MOV,
    X86_OP_MOVZX,
    X86_OP_MOVSX,
    X86_OP_MOVBE,
    X86_OP_XCHG,
    X86_OP_XADD,
    X86_OP_CMPXCHG,
    X86_OP_PUSH,
    X86_OP_POP,
    X86_OP_SSE_LOAD,
    X86_OP_SSE_STORE,
    X86_OP_MOVS,
    X86_OP_CMPS,
    X86_OP_STOS,
    X86_OP_LODS,
    X86_OP_SCAS,
    X86_OP_INS,
    X86_OP_OUTS,
};

// Which operands an instruction has, destination first.
enum x86_form {
    X86_FORM_NONE,    // not an instruction that is decoded here
    X86_FORM_RM,      // ModRM.rm
    X86_FORM_RM_REG,  // ModRM.rm, ModRM.reg
    X86_FORM_REG_RM,  // ModRM.reg, ModRM.rm
    X86_FORM_RM_IMM,  // ModRM.rm, immediate
    X86_FORM_ACC_MEM, // rAX, memory at an absolute offset
    X86_FORM_MEM_ACC, // memory at an absolute offset, rAX
    X86_FORM_STRING,  // implied by the instruction
};

enum x86_repeat {
    X86_REPEAT_NONE,
    X86_REPEAT_EQUAL,     // F3: REP, REPE
    X86_REPEAT_NOT_EQUAL, // F2: REPNE; REP where the instruction compares nothing
};

#define X86_NO_REGISTER 0xff

// A memory operand: segment:[base + index * 2^scale_shift + displacement].
struct x86_memory_operand {
    uint8_t base;  // enum x86_gpr or X86_NO_REGISTER
    uint8_t index; // the same
    uint8_t scale_shift;
    uint8_t segment; // enum x86_segment
    bool rip_relative;
    uint64_t displacement; // sign-extended
};

struct x86_instruction {
    enum x86_op op;
    enum x86_form form;
    enum x86_repeat repeat;
    uint8_t length_bytes;  // 1 to 15
    uint8_t operand_bytes; // of registers and results: 1, 2, 4, 8; 16 for some SSE moves
    uint8_t source_bytes;  // of the ModRM.rm operand; less than operand_bytes when extending
    uint8_t address_bytes; // 2, 4, 8
    uint8_t reg;           // ModRM.reg, 0 to 15
    uint8_t rm;            // ModRM.rm as a register, 0 to 15
    bool rm_is_memory;
    bool has_rex; // byte registers 4 to 7 are SPL to DIL, not AH to BH
    bool is_locked;
    bool must_align;                  // a misaligned memory operand raises #GP
    struct x86_memory_operand memory; // of strings: only the segment of the source counts
    uint64_t immediate;               // sign-extended
};

// Decodes the instruction at the start of `bytes` as code of 16, 32 or 64 bits.
//   OK                *out describes it, out->length_bytes <= byte_count
//   BUFFER_TOO_SMALL  it is longer than byte_count (with 15 bytes given: it is too long, #GP)
//   NOT_SUPPORTED     not one of the instructions above
//   INVALID_ARGS      raises #UD: LOCK where it is not allowed, an undefined encoding
mx_status_t x86_decode(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                       struct x86_instruction *out) MX_MUST_CHECK;
