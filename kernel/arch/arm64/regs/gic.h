// Registers of the Generic Interrupt Controller that the host drives (Arm GIC Architecture
// Specification, GICv2: IHI 0048B.b; GICv3 and v4: IHI 0069H.b).
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

#define GIC_INTID_PPI_BASE 16
#define GIC_INTID_SPI_BASE 32
#define GIC_INTID_SPI_END  1020 // and above: special
#define GIC_INTID_LPI_BASE 8192
#define GIC_PRIORITY       0xa0 // of everything
#define GIC_PRIORITY_ALL   0xf0 // mask: lets everything through

// Distributor
#define GICD_SIZE_V2          0x1000
#define GICD_SIZE             0x10000 // GICv3's
#define GICD_CTLR             0x0000
#define GICD_CTLR_ENABLE      REG_BIT(0) // v2; Group 1 if there are two security states
#define GICD_CTLR_ENABLE_G1   REG_BIT(0) // v3, Non-secure
#define GICD_CTLR_ENABLE_G1A  REG_BIT(1)
#define GICD_CTLR_ARE_NS      REG_BIT(4)
#define GICD_CTLR_RWP         REG_BIT(31)
#define GICD_TYPER            0x0004
#define GICD_TYPER_LINES_MASK 0x1f
#define GICD_IGROUPR(n)       (0x0080 + 4 * (n))
#define GICD_ISENABLER(n)     (0x0100 + 4 * (n))
#define GICD_ICENABLER(n)     (0x0180 + 4 * (n))
#define GICD_ICPENDR(n)       (0x0280 + 4 * (n))
#define GICD_ICACTIVER(n)     (0x0380 + 4 * (n))
#define GICD_IPRIORITYR(n)    (0x0400 + 4 * (n))
#define GICD_ITARGETSR(n)     (0x0800 + (n)) // bytes, v2
#define GICD_ICFGR(n)         (0x0c00 + 4 * (n))
#define GICD_ICFGR_EDGE       2u
#define GICD_SGIR             0x0f00
#define GICD_SGIR_LIST_SHIFT  16
#define GICD_IROUTER(intid)   (0x6000 + 8 * (uint64_t)(intid))

// Redistributor: a frame for control, one for SGIs and PPIs, and with virtual LPIs two more.
#define GICR_FRAME_SIZE        0x10000
#define GICR_CTLR              0x0000
#define GICR_CTLR_RWP          REG_BIT(3)
#define GICR_TYPER             0x0008
#define GICR_TYPER_VLPIS       REG_BIT(1)
#define GICR_TYPER_LAST        REG_BIT(4)
#define GICR_TYPER_AFFINITY(t) ((uint32_t)((t) >> 32))
#define GICR_WAKER             0x0014
#define GICR_WAKER_SLEEP       REG_BIT(1)
#define GICR_WAKER_ASLEEP      REG_BIT(2)
#define GICR_SGI_FRAME         GICR_FRAME_SIZE

// MSI frame beside a GICv2
#define V2M_SIZE           0x1000
#define V2M_TYPER          0x0008
#define V2M_TYPER_FIRST(t) ((t) >> 16 & 0x3ff)
#define V2M_TYPER_COUNT(t) ((t)&0x3ff)
#define V2M_SETSPI         0x0040

// CPU interface of GICv2
#define GICC_SIZE        0x2000
#define GICC_CTLR        0x0000
#define GICC_CTLR_ENABLE REG_BIT(0)
#define GICC_PMR         0x0004
#define GICC_BPR         0x0008
#define GICC_IAR         0x000c
#define GICC_EOIR        0x0010

// GICv2 has a CPU's number from bit 10 to bit 12, so that all from GIC_INTID_LPI_BASE on are LPIs
// as they are.
#define GIC_IAR_INTID_MASK 0x3ffu

// CPU interface of GICv3
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SGI1R_EL1   S3_0_C12_C11_5

#define ICC_SGI1R_AFF1_SHIFT  16
#define ICC_SGI1R_INTID_SHIFT 24
#define ICC_SGI1R_AFF2_SHIFT  32
#define ICC_SGI1R_RS_SHIFT    44
#define ICC_SGI1R_AFF3_SHIFT  48
