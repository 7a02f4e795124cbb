// Access to system registers by the names of the Arm Architecture Reference Manual (DDI 0487J.a).
// Names that assemblers know only with an extension of the architecture are given by their
// encoding, S<op0>_<op1>_C<n>_C<m>_<op2>.
//
// At EL2 with HCR_EL2.E2H set the names of EL1 mean the registers of EL2 (section D8.2.2,
// "Virtualization Host Extensions", register redirection), so one kernel runs at both. Included by
// .S files too.
#pragma once

#ifdef __ASSEMBLER__
#define REG_BIT(n) (1 << (n))
#else
#include <stdint.h>

#define REG_BIT(n) ((uint64_t)1 << (n))

#define SYSREG_TEXT_(name) #name
#define SYSREG_TEXT(name)  SYSREG_TEXT_(name)

#define sysreg_read(name)                                                    \
    ({                                                                       \
        uint64_t sysreg_value;                                               \
        __asm__ volatile("mrs %0, " SYSREG_TEXT(name) : "=r"(sysreg_value)); \
        sysreg_value;                                                        \
    })
#define sysreg_write(name, value) \
    __asm__ volatile("msr " SYSREG_TEXT(name) ", %x0" : : "rZ"((uint64_t)(value)) : "memory")

// A field of an identification register, `shift` as in the manual; they are four bits wide.
static inline unsigned id_field(uint64_t value, unsigned shift)
{
    return value >> shift & 0xf;
}

static inline void isb(void)
{
    __asm__ volatile("isb" : : : "memory");
}

// Of all memory accesses before it, in the inner shareable domain.
static inline void dsb_ish(void)
{
    __asm__ volatile("dsb ish" : : : "memory");
}

static inline void dsb_ishst(void)
{
    __asm__ volatile("dsb ishst" : : : "memory");
}

static inline void dsb_sy(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}
#endif
