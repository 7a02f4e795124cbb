// The virtual machine control block of SVM (AMD64 Architecture Programmer's Manual Volume 2,
// Appendix B "Layout of VMCB", and chapter 15 "Secure Virtual Machine"). Included by .S files for
// the offsets.
#pragma once

#define VMCB_SAVE_AREA 0x400
#define VMCB_RAX       (VMCB_SAVE_AREA + 0x1f8)

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include <machina/arch/vcpu_state.h>

#define VMCB_BIT(n) ((uint32_t)1 << (n))

// intercept_cr: reads in the low half, writes in the high half.
#define VMCB_INTERCEPT_CR8_WRITE VMCB_BIT(16 + 8)

// intercept_dr, in the same way: reads of DR0 to DR3, writes of these and of DR7 by both its names.
#define VMCB_INTERCEPT_DR_ADDRESSES 0x00af000fu

// intercept_misc1, offset 0xc
#define VMCB_INTERCEPT_INTR      VMCB_BIT(0)
#define VMCB_INTERCEPT_NMI       VMCB_BIT(1)
#define VMCB_INTERCEPT_SMI       VMCB_BIT(2)
#define VMCB_INTERCEPT_INIT      VMCB_BIT(3)
#define VMCB_INTERCEPT_VINTR     VMCB_BIT(4)
#define VMCB_INTERCEPT_RDPMC     VMCB_BIT(15)
#define VMCB_INTERCEPT_CPUID     VMCB_BIT(18)
#define VMCB_INTERCEPT_IRET      VMCB_BIT(20)
#define VMCB_INTERCEPT_INVD      VMCB_BIT(22)
#define VMCB_INTERCEPT_PAUSE     VMCB_BIT(23)
#define VMCB_INTERCEPT_HLT       VMCB_BIT(24)
#define VMCB_INTERCEPT_INVLPGA   VMCB_BIT(26)
#define VMCB_INTERCEPT_IOIO_PROT VMCB_BIT(27)
#define VMCB_INTERCEPT_MSR_PROT  VMCB_BIT(28)
#define VMCB_INTERCEPT_SHUTDOWN  VMCB_BIT(31)

// intercept_misc2, offset 0x10
#define VMCB_INTERCEPT_VMRUN       VMCB_BIT(0)
#define VMCB_INTERCEPT_VMMCALL     VMCB_BIT(1)
#define VMCB_INTERCEPT_VMLOAD      VMCB_BIT(2)
#define VMCB_INTERCEPT_VMSAVE      VMCB_BIT(3)
#define VMCB_INTERCEPT_STGI        VMCB_BIT(4)
#define VMCB_INTERCEPT_CLGI        VMCB_BIT(5)
#define VMCB_INTERCEPT_SKINIT      VMCB_BIT(6)
#define VMCB_INTERCEPT_WBINVD      VMCB_BIT(9)
#define VMCB_INTERCEPT_MONITOR     VMCB_BIT(10)
#define VMCB_INTERCEPT_MWAIT       VMCB_BIT(11)
#define VMCB_INTERCEPT_MWAIT_ARMED VMCB_BIT(12)
#define VMCB_INTERCEPT_XSETBV      VMCB_BIT(13)

#define VMCB_TLB_CONTROL_NONE      0
#define VMCB_TLB_CONTROL_FLUSH_ALL 1

// v_intr, offset 0x60
#define VMCB_V_TPR_MASK        0xffu
#define VMCB_V_IRQ             VMCB_BIT(8)
#define VMCB_V_INTR_PRIO_SHIFT 16
#define VMCB_V_INTR_PRIO_MASK  (0xfu << VMCB_V_INTR_PRIO_SHIFT)
#define VMCB_V_IGN_TPR         VMCB_BIT(20)
#define VMCB_V_INTR_MASKING    VMCB_BIT(24)

#define VMCB_INTERRUPT_SHADOW 1u

// EVENTINJ and EXITINTINFO
#define VMCB_EVENT_VECTOR_MASK      0xffu
#define VMCB_EVENT_TYPE_MASK        (7u << 8)
#define VMCB_EVENT_TYPE_INTR        (0u << 8)
#define VMCB_EVENT_TYPE_NMI         (2u << 8)
#define VMCB_EVENT_TYPE_EXCEPTION   (3u << 8)
#define VMCB_EVENT_TYPE_SOFTWARE    (4u << 8)
#define VMCB_EVENT_ERROR_VALID      VMCB_BIT(11)
#define VMCB_EVENT_VALID            VMCB_BIT(31)
#define VMCB_EVENT_ERROR_CODE_SHIFT 32

#define VMCB_NP_ENABLE 1u

// VMCB clean bits: a set bit says that the CPU may use what it cached.
#define VMCB_CLEAN_INTERCEPTS VMCB_BIT(0)
#define VMCB_CLEAN_IOPM       VMCB_BIT(1)
#define VMCB_CLEAN_ASID       VMCB_BIT(2)
#define VMCB_CLEAN_TPR        VMCB_BIT(3)
#define VMCB_CLEAN_NP         VMCB_BIT(4)
#define VMCB_CLEAN_CRX        VMCB_BIT(5)
#define VMCB_CLEAN_DRX        VMCB_BIT(6)
#define VMCB_CLEAN_DT         VMCB_BIT(7)
#define VMCB_CLEAN_SEG        VMCB_BIT(8)
#define VMCB_CLEAN_CR2        VMCB_BIT(9)
#define VMCB_CLEAN_LBR        VMCB_BIT(10)
#define VMCB_CLEAN_AVIC       VMCB_BIT(11)
#define VMCB_CLEAN_ALL        0xfffu

// #VMEXIT codes (Appendix C)
enum vmexit_code {
    VMEXIT_CR8_WRITE = 0x18,
    VMEXIT_DR0_READ = 0x20,
    VMEXIT_DR1_READ = 0x21,
    VMEXIT_DR2_READ = 0x22,
    VMEXIT_DR3_READ = 0x23,
    VMEXIT_DR0_WRITE = 0x30,
    VMEXIT_DR1_WRITE = 0x31,
    VMEXIT_DR2_WRITE = 0x32,
    VMEXIT_DR3_WRITE = 0x33,
    VMEXIT_DR5_WRITE = 0x35,
    VMEXIT_DR7_WRITE = 0x37,
    VMEXIT_EXCEPTION_DB = 0x41,
    VMEXIT_EXCEPTION_AC = 0x51,
    VMEXIT_EXCEPTION_MC = 0x52,
    VMEXIT_INTR = 0x60,
    VMEXIT_NMI = 0x61,
    VMEXIT_SMI = 0x62,
    VMEXIT_INIT = 0x63,
    VMEXIT_VINTR = 0x64,
    VMEXIT_RDPMC = 0x6f,
    VMEXIT_CPUID = 0x72,
    VMEXIT_IRET = 0x74,
    VMEXIT_INVD = 0x76,
    VMEXIT_PAUSE = 0x77,
    VMEXIT_HLT = 0x78,
    VMEXIT_INVLPGA = 0x7a,
    VMEXIT_IOIO = 0x7b,
    VMEXIT_MSR = 0x7c,
    VMEXIT_SHUTDOWN = 0x7f,
    VMEXIT_VMRUN = 0x80,
    VMEXIT_VMMCALL = 0x81,
    VMEXIT_VMLOAD = 0x82,
    VMEXIT_VMSAVE = 0x83,
    VMEXIT_STGI = 0x84,
    VMEXIT_CLGI = 0x85,
    VMEXIT_SKINIT = 0x86,
    VMEXIT_WBINVD = 0x89,
    VMEXIT_MONITOR = 0x8a,
    VMEXIT_MWAIT = 0x8b,
    VMEXIT_MWAIT_CONDITIONAL = 0x8c,
    VMEXIT_XSETBV = 0x8d,
    VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID ((uint64_t)-1)

// EXITINFO1 of VMEXIT_IOIO
#define VMEXIT_IOIO_IN          VMCB_BIT(0)
#define VMEXIT_IOIO_STRING      VMCB_BIT(2)
#define VMEXIT_IOIO_WIDTH(info) ((unsigned)((info) >> 4 & 7)) // one bit for each of 1, 2, 4 bytes
#define VMEXIT_IOIO_PORT(info)  ((uint16_t)((info) >> 16))

// EXITINFO1 of VMEXIT_NPF
#define VMEXIT_NPF_WRITE     VMCB_BIT(1)
#define VMEXIT_NPF_FETCH     VMCB_BIT(4)
#define VMEXIT_NPF_IN_TABLES ((uint64_t)1 << 33)

// CPUID 0x8000000a EDX
#define SVM_FEATURE_NPT           VMCB_BIT(0)
#define SVM_FEATURE_NRIPS         VMCB_BIT(3)
#define SVM_FEATURE_VMCB_CLEAN    VMCB_BIT(5)
#define SVM_FEATURE_FLUSH_BY_ASID VMCB_BIT(6)
#define SVM_FEATURE_DECODE_ASSIST VMCB_BIT(7)
#define SVM_FEATURE_PAUSE_FILTER  VMCB_BIT(10)

struct vmcb_control {
    uint32_t intercept_cr;
    uint32_t intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept_misc1;
    uint32_t intercept_misc2;
    uint32_t intercept_misc3;
    uint8_t reserved_018[0x3c - 0x18];
    uint16_t pause_filter_threshold;
    uint16_t pause_filter_count;
    uint64_t iopm_base_pa;
    uint64_t msrpm_base_pa;
    uint64_t tsc_offset;
    uint32_t guest_asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint32_t v_intr;
    uint8_t v_intr_vector;
    uint8_t reserved_065[3];
    uint64_t interrupt_shadow;
    uint64_t exitcode;
    uint64_t exitinfo1;
    uint64_t exitinfo2;
    uint64_t exitintinfo;
    uint64_t np_enable;
    uint8_t reserved_098[0xa8 - 0x98];
    uint64_t eventinj;
    uint64_t n_cr3;
    uint64_t lbr_virtualization;
    uint32_t clean;
    uint32_t reserved_0c4;
    uint64_t nrip;
    uint8_t fetched_byte_count;
    uint8_t fetched_bytes[15];
    uint8_t reserved_0e0[VMCB_SAVE_AREA - 0xe0];
};

struct vmcb_save {
    struct mx_x86_segment_register es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_0a0[0xcb - 0xa0];
    uint8_t cpl;
    uint32_t reserved_0cc;
    uint64_t efer;
    uint8_t reserved_0d8[0x148 - 0xd8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_180[0x1d8 - 0x180];
    uint64_t rsp;
    uint8_t reserved_1e0[0x1f8 - 0x1e0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_248[0x268 - 0x248];
    uint64_t g_pat;
    uint8_t reserved_270[0xc00 - 0x270];
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
};

_Static_assert(sizeof(struct vmcb_control) == VMCB_SAVE_AREA, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, pause_filter_threshold) == 0x3c, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, iopm_base_pa) == 0x40, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, guest_asid) == 0x58, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, v_intr) == 0x60, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, interrupt_shadow) == 0x68, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, exitcode) == 0x70, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, np_enable) == 0x90, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, eventinj) == 0xa8, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, n_cr3) == 0xb0, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, clean) == 0xc0, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, nrip) == 0xc8, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_control, fetched_byte_count) == 0xd0, "APM Appendix B");
_Static_assert(sizeof(struct mx_x86_segment_register) == 16, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, tr) == 0x90, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, cpl) == 0xcb, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, efer) == 0xd0, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, rip) == 0x178, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, rsp) == 0x1d8, "APM Appendix B");
_Static_assert(offsetof(struct vmcb, save.rax) == VMCB_RAX, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, sysenter_cs) == 0x228, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, cr2) == 0x240, "APM Appendix B");
_Static_assert(offsetof(struct vmcb_save, g_pat) == 0x268, "APM Appendix B");
_Static_assert(sizeof(struct vmcb) == 4096, "APM Appendix B");

#endif
