// The world switch of SVM (AMD64 Architecture Programmer's Manual Volume 2, 15.5 "VMRUN and #VMEXIT Instructions").
#include "kernel/arch/x86_64/regs/vmcb.h"

#define GPR(index) (8 * (index))

// void svm_switch(uint64_t *gpr, uint64_t guest_vmcb, uint64_t host_vmcb)
//
// Runs the guest until the next #VMEXIT. `gpr` holds the guest's general registers in the order of their encoding, but for RAX
// and RSP, which are in the VMCB. The VMCBs are physical addresses; the host's takes what VMSAVE saves (FS, GS, TR, system call
// MSRs), which is not the same each time: FS and kernel GS base belong to the running thread. Called and returns with interrupts
// disabled. With the global interrupt flag clear they are enabled before VMRUN, because the host's flag is what lets
// interrupts end the guest's turn (V_INTR_MASKING).
    .text
    .global svm_switch
    .type svm_switch, @function
svm_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdx
    pushq %rdi
    clgi
    sti
    movq %rdx, %rax
    vmsave %rax
    movq %rsi, %rax
    vmload %rax
    movq GPR(1)(%rdi), %rcx
    movq GPR(2)(%rdi), %rdx
    movq GPR(3)(%rdi), %rbx
    movq GPR(5)(%rdi), %rbp
    movq GPR(6)(%rdi), %rsi
    movq GPR(8)(%rdi), %r8
    movq GPR(9)(%rdi), %r9
    movq GPR(10)(%rdi), %r10
    movq GPR(11)(%rdi), %r11
    movq GPR(12)(%rdi), %r12
    movq GPR(13)(%rdi), %r13
    movq GPR(14)(%rdi), %r14
    movq GPR(15)(%rdi), %r15
    movq GPR(7)(%rdi), %rdi
    vmrun %rax
    vmsave %rax
    pushq %rdi
    movq 8(%rsp), %rdi
    movq %rcx, GPR(1)(%rdi)
    movq %rdx, GPR(2)(%rdi)
    movq %rbx, GPR(3)(%rdi)
    movq %rbp, GPR(5)(%rdi)
    movq %rsi, GPR(6)(%rdi)
    popq GPR(7)(%rdi)
    movq %r8, GPR(8)(%rdi)
    movq %r9, GPR(9)(%rdi)
    movq %r10, GPR(10)(%rdi)
    movq %r11, GPR(11)(%rdi)
    movq %r12, GPR(12)(%rdi)
    movq %r13, GPR(13)(%rdi)
    movq %r14, GPR(14)(%rdi)
    movq %r15, GPR(15)(%rdi)
    popq %rdi
    popq %rax
    vmload %rax
    cli
    stgi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size svm_switch, . - svm_switch
    .section .note.GNU-stack, "", @progbits
