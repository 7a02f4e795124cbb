// Model-specific registers (AMD64 Architecture Programmer's Manual Volume 2, "MSRs"; Intel SDM
// Volume 4). Included by .S files too.
#pragma once

#include "kernel/arch/x86_64/regs/control.h"

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_TSC_ADJUST     0x3b
#define MSR_SPEC_CTRL      0x48
#define MSR_PRED_CMD       0x49
#define MSR_MTRRCAP        0xfe
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_MCG_CAP        0x179
#define MSR_MCG_STATUS     0x17a
#define MSR_MISC_ENABLE    0x1a0
#define MSR_PAT            0x277
#define MSR_MTRR_DEF_TYPE  0x2ff
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC_BASE    0x800
#define MSR_XSS            0xda0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_VM_CR          0xc0010114
#define MSR_VM_HSAVE_PA    0xc0010117

#define EFER_SCE   REG_BIT(0)
#define EFER_LME   REG_BIT(8)
#define EFER_LMA   REG_BIT(10)
#define EFER_NXE   REG_BIT(11)
#define EFER_SVME  REG_BIT(12)
#define EFER_LMSLE REG_BIT(13)
#define EFER_FFXSR REG_BIT(14)

#define APIC_BASE_BSP     REG_BIT(8)
#define APIC_BASE_X2APIC  REG_BIT(10)
#define APIC_BASE_ENABLE  REG_BIT(11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000

// The page-attribute table, a type in each byte. Entries 0 and 3 are those of a reset, write-back
// and uncached, by which all else is mapped; 1 is write-combining in the place of write-through.
#define PAT_TYPE_UNCACHED  0x00
#define PAT_TYPE_COMBINING 0x01
#define PAT_TYPE_WRITEBACK 0x06
#define PAT_VALUE          0x0007040600070106

#define VM_CR_SVM_LOCK    REG_BIT(3)
#define VM_CR_SVM_DISABLE REG_BIT(4)

// Kernel CS and SS, and the base from which SYSRET takes the user's.
#define STAR_SYSCALL_SELECTOR_SHIFT 32
#define STAR_SYSRET_SELECTOR_SHIFT  48

#ifndef __ASSEMBLER__

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
                     : "memory");
}

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#endif
