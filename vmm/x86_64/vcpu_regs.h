// The part of an x86 vCPU that instruction emulation and page walks need, in plain C.
//
// The VMM fills it from the exit that the kernel reports and writes the changed part (gpr, rip,
// rflags) back. Values may be anything a guest can produce.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// General registers in the order of their encoding (AMD64 Architecture Programmer's Manual volume
// 3, "Instruction Encoding", ModRM.reg).
enum x86_gpr {
    X86_RAX,
    X86_RCX,
    X86_RDX,
    X86_RBX,
    X86_RSP,
    X86_RBP,
    X86_RSI,
    X86_RDI,
    X86_R8,
    X86_R15 = 15,
    X86_GPR_COUNT = 16,
};

// Segment registers in the order of their encoding.
enum x86_segment {
    X86_ES,
    X86_CS,
    X86_SS,
    X86_DS,
    X86_FS,
    X86_GS,
    X86_SEGMENT_COUNT,
};

#define X86_CR0_PE (UINT64_C(1) << 0)
#define X86_CR0_WP (UINT64_C(1) << 16)
#define X86_CR0_PG (UINT64_C(1) << 31)

#define X86_CR4_PSE  (UINT64_C(1) << 4)
#define X86_CR4_PAE  (UINT64_C(1) << 5)
#define X86_CR4_LA57 (UINT64_C(1) << 12)
#define X86_CR4_SMEP (UINT64_C(1) << 20)
#define X86_CR4_SMAP (UINT64_C(1) << 21)

#define X86_EFER_LME (UINT64_C(1) << 8)
#define X86_EFER_LMA (UINT64_C(1) << 10)
#define X86_EFER_NXE (UINT64_C(1) << 11)

#define X86_RFLAGS_CF   (UINT64_C(1) << 0)
#define X86_RFLAGS_PF   (UINT64_C(1) << 2)
#define X86_RFLAGS_AF   (UINT64_C(1) << 4)
#define X86_RFLAGS_ZF   (UINT64_C(1) << 6)
#define X86_RFLAGS_SF   (UINT64_C(1) << 7)
#define X86_RFLAGS_TF   (UINT64_C(1) << 8)
#define X86_RFLAGS_DF   (UINT64_C(1) << 10)
#define X86_RFLAGS_OF   (UINT64_C(1) << 11)
#define X86_RFLAGS_IOPL (UINT64_C(3) << 12)
#define X86_RFLAGS_RF   (UINT64_C(1) << 16)
#define X86_RFLAGS_VM   (UINT64_C(1) << 17)
#define X86_RFLAGS_AC   (UINT64_C(1) << 18)

#define X86_RFLAGS_IOPL_SHIFT 12

struct x86_vcpu_regs {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t efer;
    uint64_t segment_base[X86_SEGMENT_COUNT];
    bool cs_long;        // CS.L
    bool cs_default_big; // CS.D
    bool ss_default_big; // SS.B
    uint8_t cpl;         // 0 to 3
};

// The width of code in bits: 64, 32 or 16.
static inline unsigned x86_code_bits(const struct x86_vcpu_regs *regs)
{
    if ((regs->efer & X86_EFER_LMA) && regs->cs_long)
        return 64;
    return regs->cs_default_big ? 32 : 16;
}
