// Control of the CPU: SCTLR, HCR, CPACR, counters, PSTATE (Arm ARM DDI 0487J.a, chapter D19,
// "AArch64 System Register Descriptions"). Included by .S files too.
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

// CurrentEL
#define CURRENT_EL_EL1 0x4
#define CURRENT_EL_EL2 0x8

// SPSR_EL1 and PSTATE
#define PSTATE_EL0T    0x0
#define PSTATE_EL1H    0x5
#define PSTATE_M       0xf
#define PSTATE_AARCH32 REG_BIT(4)
#define PSTATE_F       REG_BIT(6)
#define PSTATE_I       REG_BIT(7)
#define PSTATE_A       REG_BIT(8)
#define PSTATE_D       REG_BIT(9)
#define PSTATE_PAN     REG_BIT(22)
#define PSTATE_DAIF    (PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)

// DAIFSet and DAIFClr take the four bits as an immediate.
#define DAIF_I 2
#define DAIF_A 4

// SCTLR_EL1; SCTLR_EL2 is the same with HCR_EL2.E2H and TGE.
#define SCTLR_M      REG_BIT(0)
#define SCTLR_C      REG_BIT(2)
#define SCTLR_SA     REG_BIT(3)
#define SCTLR_SA0    REG_BIT(4)
#define SCTLR_ITD    REG_BIT(7)
#define SCTLR_SED    REG_BIT(8)
#define SCTLR_EOS    REG_BIT(11)
#define SCTLR_I      REG_BIT(12)
#define SCTLR_DZE    REG_BIT(14)
#define SCTLR_UCT    REG_BIT(15)
#define SCTLR_NTWI   REG_BIT(16)
#define SCTLR_NTWE   REG_BIT(18)
#define SCTLR_WXN    REG_BIT(19)
#define SCTLR_TSCXT  REG_BIT(20)
#define SCTLR_EIS    REG_BIT(22)
#define SCTLR_SPAN   REG_BIT(23)
#define SCTLR_NTLSMD REG_BIT(28)
#define SCTLR_LSMAOE REG_BIT(29)
// Without address translation, the bits that are one by definition set.
#define SCTLR_OFF                                                                              \
    (SCTLR_ITD | SCTLR_SED | SCTLR_EOS | SCTLR_TSCXT | SCTLR_EIS | SCTLR_SPAN | SCTLR_NTLSMD | \
     SCTLR_LSMAOE)
// User programs may zero cache lines and read cache sizes, not clean caches or wait for interrupts.
#define SCTLR_ON \
    (SCTLR_OFF | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SA | SCTLR_SA0 | SCTLR_DZE | SCTLR_UCT)

// HCR_EL2
#define HCR_HCD_BIT 29
#define HCR_TGE_BIT 27
#define HCR_RW_BIT  31
#define HCR_E2H_BIT 34

// CNTHCTL_EL2 without E2H: what EL1 may use.
#define CNTHCTL_EL1PCTEN REG_BIT(0)
#define CNTHCTL_EL1PCEN  REG_BIT(1)

// CPTR_EL2 without E2H: the bits that are one by definition, no traps.
#define CPTR_EL2_RES1 0x33ff

// CPACR_EL1, and CPTR_EL2 with E2H.
#define CPACR_ZEN_SHIFT     16
#define CPACR_FPEN_EL1_ONLY REG_BIT(20) // user programs' accesses are trapped, the kernel's are not
#define CPACR_TTA           REG_BIT(28) // traps trace registers
#define CPTR_TAM            REG_BIT(30) // of EL2, activity monitors; nothing in CPACR_EL1
#define CPACR_FPEN_ALL      (REG_BIT(20) | REG_BIT(21))

// ICC_SRE_EL2
#define ICC_SRE_EL2    S3_4_C12_C9_5
#define ICC_SRE_SRE    REG_BIT(0)
#define ICC_SRE_DFB    REG_BIT(1)
#define ICC_SRE_DIB    REG_BIT(2)
#define ICC_SRE_ENABLE REG_BIT(3)

// MDSCR_EL1
#define MDSCR_TDCC REG_BIT(12)

#define PAN S3_0_C4_C2_3

// RNDR: needs FEAT_RNG; sets the flag Z if there was no number.
#define RNDR S3_3_C2_C4_0
