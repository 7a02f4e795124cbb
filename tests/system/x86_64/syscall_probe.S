// syscall_probe(number): a system call with patterns in the registers that it keeps; rax: how many changed.

        .text
        .globl syscall_probe
        .type syscall_probe, @function
syscall_probe:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        movq    %rdi, %rax
        movabsq $0x1111111122222222, %rbx
        movabsq $0x3333333344444444, %rbp
        movabsq $0x5555555566666666, %r12
        movabsq $0x7777777788888888, %r13
        movabsq $0x99999999aaaaaaaa, %r14
        movabsq $0xbbbbbbbbcccccccc, %r15
        xorl    %edi, %edi
        xorl    %esi, %esi
        xorl    %edx, %edx
        xorl    %r10d, %r10d
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        syscall
        xorl    %eax, %eax
        .macro  check reg, value
        movabsq $\value, %rcx
        cmpq    %rcx, \reg
        je      1f
        incq    %rax
1:
        .endm
        check   %rbx, 0x1111111122222222
        check   %rbp, 0x3333333344444444
        check   %r12, 0x5555555566666666
        check   %r13, 0x7777777788888888
        check   %r14, 0x99999999aaaaaaaa
        check   %r15, 0xbbbbbbbbcccccccc
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size syscall_probe, . - syscall_probe

        .section .note.GNU-stack, "", @progbits
