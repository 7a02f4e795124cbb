// syscall_probe(number): a system call with patterns in the registers that it keeps; x0: how many changed, and how many of those
// that come back as zero did not.

        .text
        .globl syscall_probe
        .type syscall_probe, @function
syscall_probe:
        stp     x29, x30, [sp, #-96]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        mov     x8, x0
        ldr     x9, =0x1111111122222222
        .irp    n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        add     x\n, x9, #\n
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5
        mov     x\n, xzr
        .endr
        .irp    n, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
        mov     x\n, #\n
        .endr
        svc     #0
        mov     x0, xzr
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
        cmp     x\n, #0
        cinc    x0, x0, ne
        .endr
        ldr     x9, =0x1111111122222222
        .irp    n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        add     x10, x9, #\n
        cmp     x\n, x10
        cinc    x0, x0, ne
        .endr
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #96
        ret
        .ltorg
        .size syscall_probe, . - syscall_probe

        .section .note.GNU-stack, "", @progbits
