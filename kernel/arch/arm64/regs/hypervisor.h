// Registers of EL2 that have to do with guests (Arm ARM DDI 0487J.a, chapter D19; GIC: IHI
// 0069H.b, 12.4, and IHI 0048B.b, 5.3). Included by .S files too.
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

// HCR_EL2
#ifndef __ASSEMBLER__
#define HCR_VM     REG_BIT(0)
#define HCR_SWIO   REG_BIT(1)
#define HCR_FMO    REG_BIT(3)
#define HCR_IMO    REG_BIT(4)
#define HCR_AMO    REG_BIT(5)
#define HCR_FB     REG_BIT(9)
#define HCR_BSU_IS REG_BIT(10)
#define HCR_TWI    REG_BIT(13)
#define HCR_TWE    REG_BIT(14)
#define HCR_TID3   REG_BIT(18)
#define HCR_TSC    REG_BIT(19)
#define HCR_TIDCP  REG_BIT(20)
#define HCR_TACR   REG_BIT(21)
#define HCR_TSW    REG_BIT(22)
#define HCR_TVM    REG_BIT(26)
#define HCR_TGE    REG_BIT(27)
#define HCR_RW     REG_BIT(31)
#define HCR_E2H    REG_BIT(34)
#define HCR_TLOR   REG_BIT(35)
#define HCR_TERR   REG_BIT(36)
#define HCR_APK    REG_BIT(40)
#define HCR_API    REG_BIT(41)
#define HCR_FWB    REG_BIT(46)

// VTCR_EL2
#define VTCR_T0SZ(bits)  (64 - (uint64_t)(bits))
#define VTCR_SL0_LEVEL1  ((uint64_t)1 << 6)
#define VTCR_IRGN0_WB    ((uint64_t)1 << 8)
#define VTCR_ORGN0_WB    ((uint64_t)1 << 10)
#define VTCR_SH0_INNER   ((uint64_t)3 << 12)
#define VTCR_PS_SHIFT    16
#define VTCR_VS_16       REG_BIT(19)
#define VTCR_RES1        REG_BIT(31)
#define VTTBR_VMID_SHIFT 48

// Stage 2 descriptors (D8.3.2, D8.5.5).
#define S2_NORMAL_WB    ((uint64_t)0xf << 2)
#define S2_UNCACHED     ((uint64_t)0x5 << 2)
#define S2_NORMAL_FWB   ((uint64_t)0x6 << 2) // with HCR_EL2.FWB: write-back whatever stage 1 says
#define S2_DEVICE_NGNRE ((uint64_t)0x1 << 2)
#define S2_READ         REG_BIT(6)
#define S2_WRITE        REG_BIT(7)
#define S2_NO_EXECUTE   ((uint64_t)2 << 53)

// ESR_EL2, beyond what regs/exception.h has
#define ESR_IL                 REG_BIT(25)
#define ESR_ISS(esr)           ((uint32_t)((esr)&0x1ffffff))
#define ESR_ISV                REG_BIT(24)
#define ESR_SAS(esr)           ((esr) >> 22 & 3)
#define ESR_SSE                REG_BIT(21)
#define ESR_SRT(esr)           ((esr) >> 16 & 0x1f)
#define ESR_SF                 REG_BIT(15)
#define ESR_FNV                REG_BIT(10)
#define ESR_EA                 REG_BIT(9)
#define ESR_S1PTW              REG_BIT(7)
#define ESR_WFX_IS_WFE         REG_BIT(0)
#define ESR_FSC_EXTERNAL_ABORT 0x10

// HPFAR_EL2.FIPA
#define HPFAR_ADDRESS(hpfar) (((hpfar)&0xffffffffff0) << 8)
// PAR_EL1
#define PAR_FAILED  REG_BIT(0)
#define PAR_ADDRESS 0x000ffffffffff000

// MDCR_EL2
#define MDCR_TPMCR REG_BIT(5)
#define MDCR_TPM   REG_BIT(6)
#define MDCR_TDA   REG_BIT(9)
#define MDCR_TDOSA REG_BIT(10)
#define MDCR_TDRA  REG_BIT(11)
#define MDCR_TPMS  REG_BIT(14)
#define MDCR_TTRF  REG_BIT(19)
#define MDCR_HPMN  0x1f

// CNTHCTL_EL2 with E2H
#define CNTHCTL_E2H_EL1PCTEN REG_BIT(10)
#define CNTHCTL_E2H_EL1PTEN  REG_BIT(11)

#define CNT_CTL_ISTATUS REG_BIT(2)

// DCZID_EL0
#define DCZID_BS(dczid) ((dczid)&0xf) // log2 of words
#define DCZID_DZP       REG_BIT(4)

// ID registers
#define ID_AA64DFR0_BRPS_SHIFT      12
#define ID_AA64DFR0_WRPS_SHIFT      20
#define ID_AA64PFR0_MPAM_SHIFT      40
#define ID_AA64PFR1_MPAM_SHIFT      16
#define ID_AA64PFR0_RAS_SHIFT       28
#define ID_AA64MMFR2_FWB_SHIFT      40
#define ID_AA64MMFR1_VMIDBITS_SHIFT 4
#define ID_AA64MMFR1_VMIDBITS_16    2
#define ID_AA64MMFR1_HCX_SHIFT      40
#define ID_AA64ISAR1_APA_SHIFT      4
#define ID_AA64ISAR1_API_SHIFT      8
#define ID_AA64ISAR2_APA3_SHIFT     12

#define HCRX_EL2 S3_4_C1_C2_2

// Memory partitioning
#define MPAM2_EL2          S3_4_C10_C5_0
#define MPAM2_TRAPMPAM1EL1 REG_BIT(48)
#define MPAM2_TRAPMPAM0EL1 REG_BIT(49)

// What DISR_EL1 is for a guest whose SErrors are EL2's.
#define VDISR_EL2 S3_4_C12_C1_1

// Fine-grained traps
#define ID_AA64MMFR0_FGT_SHIFT 56
#define HFGRTR_EL2             S3_4_C1_C1_4
#define HFGWTR_EL2             S3_4_C1_C1_5
#define HFGITR_EL2             S3_4_C1_C1_6
#define HDFGRTR_EL2            S3_4_C3_C1_4
#define HDFGWTR_EL2            S3_4_C3_C1_5

// Pointer authentication keys; assemblers know the names only with the extension.
#define APIAKEYLO_EL1 S3_0_C2_C1_0
#define APIAKEYHI_EL1 S3_0_C2_C1_1
#define APIBKEYLO_EL1 S3_0_C2_C1_2
#define APIBKEYHI_EL1 S3_0_C2_C1_3
#define APDAKEYLO_EL1 S3_0_C2_C2_0
#define APDAKEYHI_EL1 S3_0_C2_C2_1
#define APDBKEYLO_EL1 S3_0_C2_C2_2
#define APDBKEYHI_EL1 S3_0_C2_C2_3
#define APGAKEYLO_EL1 S3_0_C2_C3_0
#define APGAKEYHI_EL1 S3_0_C2_C3_1

// Registers of EL1 under their names for EL2 with E2H.
#define SCTLR_EL12      S3_5_C1_C0_0
#define CPACR_EL12      S3_5_C1_C0_2
#define TTBR0_EL12      S3_5_C2_C0_0
#define TTBR1_EL12      S3_5_C2_C0_1
#define TCR_EL12        S3_5_C2_C0_2
#define SPSR_EL12       S3_5_C4_C0_0
#define ELR_EL12        S3_5_C4_C0_1
#define AFSR0_EL12      S3_5_C5_C1_0
#define AFSR1_EL12      S3_5_C5_C1_1
#define ESR_EL12        S3_5_C5_C2_0
#define FAR_EL12        S3_5_C6_C0_0
#define MAIR_EL12       S3_5_C10_C2_0
#define AMAIR_EL12      S3_5_C10_C3_0
#define VBAR_EL12       S3_5_C12_C0_0
#define CONTEXTIDR_EL12 S3_5_C13_C0_1
#define CNTKCTL_EL12    S3_5_C14_C1_0
#define CNTV_CTL_EL02   S3_5_C14_C3_1
#define CNTV_CVAL_EL02  S3_5_C14_C3_2

// GICv3's hypervisor interface
#define ICH_HCR_EL2   S3_4_C12_C11_0
#define ICH_VTR_EL2   S3_4_C12_C11_1
#define ICH_VMCR_EL2  S3_4_C12_C11_7
#define ICH_ELRSR_EL2 S3_4_C12_C11_5

// ICH_HCR_EL2 and GICH_HCR
#define ICH_HCR_EN             REG_BIT(0)
#define ICH_HCR_UIE            REG_BIT(1)
#define ICH_HCR_LRENPIE        REG_BIT(2)
#define ICH_HCR_EOICOUNT_SHIFT 27
#define ICH_HCR_EOICOUNT_MASK  0x1f

#define ICH_VTR_LIST_COUNT(vtr) ((unsigned)((vtr)&0x1f) + 1)
#define ICH_VTR_PREBITS(vtr)    ((unsigned)((vtr) >> 26 & 7) + 1)

// ICH_VMCR_EL2
#define ICH_VMCR_GROUPS    0x3
#define ICH_VMCR_PMR_SHIFT 24
#define ICH_VMCR_VFIQEN    REG_BIT(3)

#define ICC_SRE_ALL 7

// GICv2's hypervisor interface
#define GICH_SIZE                0x1000
#define GICH_HCR                 0x000
#define GICH_VTR                 0x004
#define GICH_VMCR                0x008
#define GICH_APR                 0x0f0
#define GICH_LR(n)               (0x100 + 4 * (n))
#define GICH_VTR_LIST_COUNT(vtr) (((vtr)&0x3f) + 1)
#define GICH_VMCR_PMR_SHIFT      27 // five bits, of which the lowest is 8

#define GICH_LR_ID_MASK        0x3ffu
#define GICH_LR_PHYSICAL_SHIFT 10
#define GICH_LR_EOI            (1u << 19)
#define GICH_LR_PRIORITY_SHIFT 23
#define GICH_LR_STATE_SHIFT    28
#define GICH_LR_GROUP1         (1u << 30)
#define GICH_LR_HW             (1u << 31)

// Active state of SGIs and PPIs, in GICv2's distributor and GICv3's SGI frame.
#define GIC_ISACTIVER0 0x300
#define GIC_ICACTIVER0 0x380
#endif
