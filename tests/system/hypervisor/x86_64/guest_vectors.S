// Handlers of all vectors: interrupts (and NMI) are counted and logged, exceptions reported; see guest_fixture.h.

#include "tests/system/hypervisor/x86_64/guest_macros.h"

        GUEST_BEGIN vectors
        .set    vector, 0
        .rept   256
1:
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
        .else
        pushq   $0
        .endif
        pushq   $vector
        jmp     handle
        .balign 16
        .set    vector, vector + 1
        .endr

handle:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        movq    24(%rsp), %rax
        cmpl    $2, %eax
        je      note
        cmpl    $32, %eax
        jb      exception
note:
        lock incl GUEST_RESULTS(, %rax, 4)
        movl    $1, %ecx
        lock xaddl %ecx, (GUEST_LOG)
        movzbl  %cl, %ecx
        movb    %al, GUEST_LOG + 8(%rcx)
        cmpl    $2, %eax
        je      leave
        movl    (GUEST_RESULTS + 0x818), %ecx
        cmpl    $1, %ecx
        jne     1f
        movl    $0x80b, %ecx
        xorl    %eax, %eax
        xorl    %edx, %edx
        wrmsr
        jmp     leave
1:      cmpl    $2, %ecx
        jne     leave
        movl    $0xfee000b0, %ecx
        movl    $0, (%rcx)
leave:
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        iretq

exception:
        movq    32(%rsp), %rcx
        movq    %rcx, (GUEST_RESULTS + 0x800)
        movq    40(%rsp), %rcx
        movq    %rcx, (GUEST_RESULTS + 0x808)
        movq    %cr2, %rcx
        movq    %rcx, (GUEST_RESULTS + 0x810)
        movq    (GUEST_RESULTS + 0x820), %rcx
        testq   %rcx, %rcx
        jz      report
        movq    %rax, (GUEST_RESULTS + 0x828)
        addq    %rcx, 40(%rsp)
        jmp     leave
report:
        movw    $GUEST_PORT_EXCEPTION, %dx
        outl    %eax, %dx
2:      hlt
        jmp     2b
        GUEST_END vectors

        .section .note.GNU-stack, "", @progbits
