// Register state of an x86-64 vCPU, as mx_vcpu_read_state, mx_vcpu_write_state and exit packets carry it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// General registers in the order of their instruction encoding.
enum mx_x86_gpr {
    MX_X86_RAX,
    MX_X86_RCX,
    MX_X86_RDX,
    MX_X86_RBX,
    MX_X86_RSP,
    MX_X86_RBP,
    MX_X86_RSI,
    MX_X86_RDI,
    MX_X86_R8,
    MX_X86_R9,
    MX_X86_R10,
    MX_X86_R11,
    MX_X86_R12,
    MX_X86_R13,
    MX_X86_R14,
    MX_X86_R15,
    MX_X86_GPR_COUNT,
};

enum mx_x86_segment {
    MX_X86_ES,
    MX_X86_CS,
    MX_X86_SS,
    MX_X86_DS,
    MX_X86_FS,
    MX_X86_GS,
    MX_X86_LDTR,
    MX_X86_TR,
    MX_X86_SEGMENT_COUNT,
};

// Attributes as in the AMD VMCB: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B 10, G 11 (AMD64 Architecture
// Programmer's Manual Volume 2, "VMCB Layout, State Save Area").
struct mx_x86_segment_register {
    uint16_t selector;
    uint16_t attributes;
    uint32_t limit;
    uint64_t base;
};

// What is needed to emulate one instruction. Only gpr, rip and rflags are taken back.
struct mx_insn_state {
    uint64_t gpr[MX_X86_GPR_COUNT];
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    struct mx_x86_segment_register segment[MX_X86_GS + 1]; // ES..GS
    uint32_t cpl;
    uint32_t reserved;
};

struct mx_vcpu_state {
    uint64_t gpr[MX_X86_GPR_COUNT];
    uint64_t rip, rflags;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t efer, dr6, dr7;
    struct mx_x86_segment_register segment[MX_X86_SEGMENT_COUNT];
    uint64_t gdt_base, idt_base;
    uint32_t gdt_limit, idt_limit;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, tsc_aux;
};

// Reasons that exits are counted under.
enum mx_guest_exit {
    MX_GUEST_EXIT_INTERRUPT,
    MX_GUEST_EXIT_INTERRUPT_WINDOW,
    MX_GUEST_EXIT_SECOND_STAGE, // nested page fault, EPT violation
    MX_GUEST_EXIT_CONTROL_REGISTER,
    MX_GUEST_EXIT_RDMSR,
    MX_GUEST_EXIT_WRMSR,
    MX_GUEST_EXIT_IO,
    MX_GUEST_EXIT_HLT,
    MX_GUEST_EXIT_CPUID,
    MX_GUEST_EXIT_PAUSE,
    MX_GUEST_EXIT_VMCALL,
    MX_GUEST_EXIT_XSETBV,
    MX_GUEST_EXIT_OTHER,
    MX_GUEST_EXIT_COUNT,
};
