// Guests that use ports, memory and nothing else.

#include "tests/system/hypervisor/x86_64/guest_macros.h"

        GUEST_BEGIN done
        DONE
        GUEST_END done

// All widths out and in; what came in goes to GUEST_DATA.
        GUEST_BEGIN io_widths
        movl    $0x11223344, %eax
        movw    $GUEST_PORT_TEST, %dx
        outb    %al, %dx
        outw    %ax, %dx
        outl    %eax, %dx
        movq    $-1, %rax
        inb     %dx, %al
        movq    %rax, (GUEST_DATA)
        movq    $-1, %rax
        inw     %dx, %ax
        movq    %rax, (GUEST_DATA + 8)
        movq    $-1, %rax
        inl     %dx, %eax
        movq    %rax, (GUEST_DATA + 16)
        DONE
        GUEST_END io_widths

        GUEST_BEGIN io_string
        movl    $GUEST_DATA, %esi
        movl    $3, %ecx
        movw    $GUEST_PORT_TEST, %dx
        cld
        rep outsb
        movq    %rcx, (GUEST_DATA + 64)
        movq    %rsi, (GUEST_DATA + 72)
        DONE
        GUEST_END io_string

// The instructions of the test's packets: a store of 4 bytes, a load of 8, and one that reads and writes.
// Exits with 1, 2, 3 ...
        GUEST_BEGIN exits
        movl    $1, %eax
        movw    $GUEST_PORT_EXIT, %dx
1:      outl    %eax, %dx
        incl    %eax
        jmp     1b
        GUEST_END exits

// Accesses that wait for an answer: decoded by the kernel and not.
        GUEST_BEGIN asks
        movl    $GUEST_DEVICE, %edi
        movl    %eax, 16(%rdi)
        movq    24(%rdi), %rcx
        movw    $GUEST_PORT_TEST, %dx
        inb     %dx, %al
        inw     %dx, %ax
        inl     %dx, %eax
        outl    %eax, %dx
        orl     $1, 32(%rdi)
        DONE
        GUEST_END asks

        GUEST_BEGIN memory_access
        movl    $GUEST_DEVICE, %edi
        movl    $0x12345678, %eax
        movl    %eax, 16(%rdi)
        movq    24(%rdi), %rcx
        movq    %rcx, (GUEST_DATA)
        orl     $1, 32(%rdi)
        DONE
        GUEST_END memory_access

        GUEST_BEGIN memory_bells
        movl    $GUEST_BELL, %edi
        movl    $7, %eax
        movl    %eax, 4(%rdi)
        movw    $8, 8(%rdi)
        movb    $9, 12(%rdi)
        DONE
        movl    %eax, 4(%rdi)
        DONE
        GUEST_END memory_bells

        GUEST_BEGIN port_bells
        movw    $GUEST_PORT_BELL, %dx
        movl    $1, %eax
        outl    %eax, %dx
        movl    $2, %eax
        outl    %eax, %dx
        addw    $2, %dx
        movl    $3, %eax
        outw    %ax, %dx
        EXIT    GUEST_DONE
        movw    $GUEST_PORT_BELL, %dx
        outb    %al, %dx
        DONE
        GUEST_END port_bells

// Nobody answers: all ones come in, outputs go nowhere.
        GUEST_BEGIN untrapped_ports
        movw    $0x5000, %dx
        xorl    %eax, %eax
        outl    %eax, %dx
        inl     %dx, %eax
        cmpl    $-1, %eax
        jne     1f
        xorl    %eax, %eax
        inb     %dx, %al
        cmpl    $0xff, %eax
        jne     1f
        movw    $0xffff, %dx
        inb     %dx, %al
        DONE
1:      FAIL    1
        GUEST_END untrapped_ports

        GUEST_BEGIN touch_nothing
        movl    $GUEST_NOTHING, %edi
        movl    $5, (%rdi)
        movl    (%rdi), %eax
        DONE
        GUEST_END touch_nothing

        GUEST_BEGIN jump_to_nothing
        movl    $GUEST_NOTHING, %edi
        jmp     *%rdi
        GUEST_END jump_to_nothing

        GUEST_BEGIN read_forever
        movl    $0x300000, %edi
1:      movq    (%rdi), %rax
        incq    (GUEST_DATA)
        jmp     1b
        GUEST_END read_forever

        .section .note.GNU-stack, "", @progbits
