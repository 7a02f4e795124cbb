// Identification registers: the fields that the kernel looks at (Arm ARM DDI 0487J.a, chapter D19).
// Shifts in bits; fields are four bits wide. Included by .S files too.
#pragma once

#define ID_AA64MMFR1_VH_SHIFT       8
#define ID_AA64MMFR1_PAN_SHIFT      20
#define ID_AA64MMFR0_PARANGE_SHIFT  0
#define ID_AA64MMFR0_ASIDBITS_SHIFT 4
#define ID_AA64MMFR0_ASIDBITS_16    2
#define ID_AA64MMFR0_TGRAN4_SHIFT   28
#define ID_AA64MMFR0_TGRAN4_NONE    0xf
#define ID_AA64PFR0_GIC_SHIFT       24
#define ID_AA64ISAR0_RNDR_SHIFT     60

// MPIDR_EL1: affinity levels 0 to 2 in bits 23:0, level 3 in bits 39:32.
#define MPIDR_AFFINITY    0xff00ffffff
#define MPIDR_AFF0(mpidr) ((mpidr)&0xff)
#define MPIDR_AFF1(mpidr) ((mpidr) >> 8 & 0xff)
#define MPIDR_AFF2(mpidr) ((mpidr) >> 16 & 0xff)
#define MPIDR_AFF3(mpidr) ((mpidr) >> 32 & 0xff)

// CTR_EL0
#define CTR_IMINLINE_SHIFT 0
#define CTR_DMINLINE_SHIFT 16
#define CTR_IDC_SHIFT      28 // one bit: data caches need no cleaning for instructions
#define CTR_DIC_SHIFT      29 // one bit: instruction caches need no invalidation
