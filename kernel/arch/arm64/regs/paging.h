// Translation tables with 4 KiB granule (Arm ARM DDI 0487J.a, section D8.3, "Translation table
// descriptor formats"), and where things stand in the kernel's half. Levels are counted as in all
// of Machina: 1 has 4 KiB pages, 4 is the top; the manual counts from 3 down to 0. Included by .S
// files and by the linker script.
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

#define PTE_VALID REG_BIT(0)
#define PTE_TABLE REG_BIT(1) // levels 4 to 2: a table; level 1: must be set

// Stage 1, blocks and pages.
#define PTE_ATTRIBUTE_SHIFT 2
#define PTE_NORMAL          (0 << PTE_ATTRIBUTE_SHIFT) // index into MAIR_EL1
#define PTE_DEVICE          (1 << PTE_ATTRIBUTE_SHIFT)
#define PTE_UNCACHED        (2 << PTE_ATTRIBUTE_SHIFT)
#define PTE_AP_USER         REG_BIT(6)
#define PTE_AP_READ_ONLY    REG_BIT(7)
#define PTE_SH_INNER        (3 << 8)
#define PTE_AF              REG_BIT(10)
#define PTE_NG              REG_BIT(11)

#define PT_ENTRIES     512
#define PT_ENTRY_SHIFT 9

// MAIR_EL1: normal memory, write-back and allocating; device memory, nGnRE; normal memory past the
// caches.
#define MAIR_LOW  0x04ff
#define MAIR_HIGH 0x0044

// TCR_EL1: 47 bits of address for user programs, as on x86-64, 48 for the kernel, 4 KiB granules,
// tables in cacheable, inner shareable memory.
#define TCR_T0SZ_47      (17 << 0)
#define TCR_EPD0         REG_BIT(7) // no walks
#define TCR_IRGN0_WB     (1 << 8)
#define TCR_ORGN0_WB     (1 << 10)
#define TCR_SH0_INNER    (3 << 12)
#define TCR_T1SZ_48      (16 << 16)
#define TCR_EPD1         REG_BIT(23)
#define TCR_IRGN1_WB     (1 << 24)
#define TCR_ORGN1_WB     (1 << 26)
#define TCR_SH1_INNER    (3 << 28)
#define TCR_TG1_4K_SHIFT 30
#define TCR_TG1_4K       2
#define TCR_IPS_SHIFT    32
#define TCR_IPS_48       5
#define TCR_AS_SHIFT     36
#define TCR_LOW                                                                               \
    (TCR_T0SZ_47 | TCR_IRGN0_WB | TCR_ORGN0_WB | TCR_SH0_INNER | TCR_T1SZ_48 | TCR_IRGN1_WB | \
     TCR_ORGN1_WB | TCR_SH1_INNER)

#define KERNEL_IMAGE_BASE 0xffffffff80000000 // + offset in the image
#define LINEAR_MAP_BASE   0xffff000000000000 // + physical address
#define RESERVE_BASE      0xffff800000000000 // kernel stacks, devices
#define USER_LIMIT        0x0000800000000000

#ifndef __ASSEMBLER__

#define PTE_PXN     REG_BIT(53)
#define PTE_UXN     REG_BIT(54)
#define PTE_ADDRESS 0x0000fffffffff000

// TTBR0_EL1: the ASID is beside the address.
#define TTBR_ASID_SHIFT 48

// Address bits that an entry of the level covers.
static inline unsigned pt_level_shift(unsigned level)
{
    return 12 + PT_ENTRY_SHIFT * (level - 1);
}

static inline uint64_t pt_level_size(unsigned level)
{
    return (uint64_t)1 << pt_level_shift(level);
}

static inline unsigned pt_index(uint64_t addr, unsigned level)
{
    return addr >> pt_level_shift(level) & (PT_ENTRIES - 1);
}

#endif
