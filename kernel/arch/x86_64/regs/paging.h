// Page-table entries of long mode (AMD64 Architecture Programmer's Manual Volume 2, "Long-Mode Page
// Translation"), and where things stand in the kernel's half. Included by .S files and by the
// linker script.
#pragma once

#include "kernel/arch/x86_64/regs/control.h"

#define PTE_P   REG_BIT(0)
#define PTE_W   REG_BIT(1)
#define PTE_U   REG_BIT(2)
#define PTE_PWT REG_BIT(3)
#define PTE_PCD REG_BIT(4)
#define PTE_A   REG_BIT(5)
#define PTE_D   REG_BIT(6)
#define PTE_PS  REG_BIT(7) // a large page, in levels 2 and 3
#define PTE_G   REG_BIT(8)

// Memory types: PWT and PCD choose an entry of PAT_VALUE (regs/msr.h).
#define PTE_CACHED   0
#define PTE_COMBINED PTE_PWT
#define PTE_UNCACHED (PTE_PCD | PTE_PWT)

#define PT_ENTRIES     512
#define PT_ENTRY_SHIFT 9

#define KERNEL_IMAGE_BASE 0xffffffff80000000 // + physical address
#define LINEAR_MAP_BASE   0xffff800000000000 // + physical address
#define RESERVE_BASE      0xffffc00000000000 // kernel stacks, devices

#ifndef __ASSEMBLER__

#define PTE_NX      REG_BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000

// CR3[11:0] without PCID.
#define CR3_ADDRESS 0x000ffffffffff000

// Address bits that an entry of the level (1: 4 KiB pages, to 4) covers.
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

static inline void tlb_flush_page(uint64_t addr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

#endif
