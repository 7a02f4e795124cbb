// Control registers and RFLAGS (AMD64 Architecture Programmer's Manual Volume 2, "System-Control
// Registers"). Included by .S files too.
#pragma once

#ifdef __ASSEMBLER__
#define REG_BIT(n) (1 << (n))
#else
#include <stdint.h>
#define REG_BIT(n) ((uint64_t)1 << (n))
#endif

#define CR0_PE REG_BIT(0)
#define CR0_MP REG_BIT(1)
#define CR0_EM REG_BIT(2)
#define CR0_TS REG_BIT(3)
#define CR0_ET REG_BIT(4)
#define CR0_NE REG_BIT(5)
#define CR0_WP REG_BIT(16)
#define CR0_AM REG_BIT(18)
#define CR0_NW REG_BIT(29)
#define CR0_CD REG_BIT(30)
#define CR0_PG 0x80000000

#define CR4_VME        REG_BIT(0)
#define CR4_PVI        REG_BIT(1)
#define CR4_TSD        REG_BIT(2)
#define CR4_DE         REG_BIT(3)
#define CR4_PSE        REG_BIT(4)
#define CR4_PAE        REG_BIT(5)
#define CR4_MCE        REG_BIT(6)
#define CR4_PGE        REG_BIT(7)
#define CR4_PCE        REG_BIT(8)
#define CR4_OSFXSR     REG_BIT(9)
#define CR4_OSXMMEXCPT REG_BIT(10)
#define CR4_UMIP       REG_BIT(11)
#define CR4_LA57       REG_BIT(12)
#define CR4_VMXE       REG_BIT(13)
#define CR4_FSGSBASE   REG_BIT(16)
#define CR4_PCIDE      REG_BIT(17)
#define CR4_OSXSAVE    REG_BIT(18)
#define CR4_SMEP       REG_BIT(20)
#define CR4_SMAP       REG_BIT(21)
#define CR4_PKE        REG_BIT(22)

#define RFLAGS_CF   REG_BIT(0)
#define RFLAGS_ONE  REG_BIT(1)
#define RFLAGS_PF   REG_BIT(2)
#define RFLAGS_AF   REG_BIT(4)
#define RFLAGS_ZF   REG_BIT(6)
#define RFLAGS_SF   REG_BIT(7)
#define RFLAGS_TF   REG_BIT(8)
#define RFLAGS_IF   REG_BIT(9)
#define RFLAGS_DF   REG_BIT(10)
#define RFLAGS_OF   REG_BIT(11)
#define RFLAGS_IOPL (3 << 12)
#define RFLAGS_NT   REG_BIT(14)
#define RFLAGS_RF   REG_BIT(16)
#define RFLAGS_VM   REG_BIT(17)
#define RFLAGS_AC   REG_BIT(18)
#define RFLAGS_VIF  REG_BIT(19)
#define RFLAGS_VIP  REG_BIT(20)
#define RFLAGS_ID   REG_BIT(21)

#ifndef __ASSEMBLER__

#define CONTROL_REGISTER(name)                                               \
    static inline uint64_t name##_read(void)                                 \
    {                                                                        \
        uint64_t value;                                                      \
        __asm__ volatile("movq %%" #name ", %0" : "=r"(value) : : "memory"); \
        return value;                                                        \
    }                                                                        \
    static inline void name##_write(uint64_t value)                          \
    {                                                                        \
        __asm__ volatile("movq %0, %%" #name : : "r"(value) : "memory");     \
    }

CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(cr8)

#undef CONTROL_REGISTER

// The debug registers that hold addresses of breakpoints, 0 to 3.
#define DEBUG_ADDRESS_COUNT 4
#define DR7_ENABLES         0xffu // L0 to G3

static inline void debug_addresses_read(uint64_t address[DEBUG_ADDRESS_COUNT])
{
    __asm__ volatile("movq %%db0, %0" : "=r"(address[0]));
    __asm__ volatile("movq %%db1, %0" : "=r"(address[1]));
    __asm__ volatile("movq %%db2, %0" : "=r"(address[2]));
    __asm__ volatile("movq %%db3, %0" : "=r"(address[3]));
}

static inline void debug_addresses_write(const uint64_t address[DEBUG_ADDRESS_COUNT])
{
    __asm__ volatile("movq %0, %%db0" : : "r"(address[0]));
    __asm__ volatile("movq %0, %%db1" : : "r"(address[1]));
    __asm__ volatile("movq %0, %%db2" : : "r"(address[2]));
    __asm__ volatile("movq %0, %%db3" : : "r"(address[3]));
}

// Clears CR0.TS in one instruction.
static inline void cr0_clear_ts(void)
{
    __asm__ volatile("clts" : : : "memory");
}

static inline uint64_t xcr0_read(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static inline void xcr0_write(uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0)
                     : "memory");
}

#endif

// XCR0
#define XCR0_X87    REG_BIT(0)
#define XCR0_SSE    REG_BIT(1)
#define XCR0_AVX    REG_BIT(2)
#define XCR0_OPMASK REG_BIT(5)
#define XCR0_ZMM_HI REG_BIT(6)
#define XCR0_HI_ZMM REG_BIT(7)
#define XCR0_AVX512 (XCR0_OPMASK | XCR0_ZMM_HI | XCR0_HI_ZMM)
