// Guests that wait for, send and time interrupts.

#include "tests/system/hypervisor/x86_64/guest_macros.h"

        GUEST_BEGIN spin
1:      jmp     1b
        GUEST_END spin

        GUEST_BEGIN halt
        cli
1:      hlt
        jmp     1b
        GUEST_END halt

// HLT ends with the interrupt 0x41, whose handler has run by then.
        GUEST_BEGIN halt_until_interrupt
        ENABLE_X2APIC
        EXIT    1
        sti
        hlt
        cmpl    $1, (GUEST_RESULTS + 0x41 * 4)
        jne     1f
        DONE
1:      FAIL    1
        GUEST_END halt_until_interrupt

        GUEST_BEGIN wait_for_interrupt
        ENABLE_X2APIC
        EXIT    1
        sti
        WAIT_INTERRUPTS 0x41, 1
        DONE
        GUEST_END wait_for_interrupt

        GUEST_BEGIN three_interrupts
        ENABLE_X2APIC
        EXIT    1
        sti
        nop
1:      cmpl    $3, (GUEST_LOG)
        jb      1b
        DONE
        GUEST_END three_interrupts

        GUEST_BEGIN wait_for_nmi
        ENABLE_X2APIC
        EXIT    1
        WAIT_INTERRUPTS 2, 1
        EXIT    2
        sti
        nop
        WAIT_INTERRUPTS 2, 2
        DONE
        GUEST_END wait_for_nmi

// CR8 of 5 holds back vectors up to 0x5f.
        GUEST_BEGIN task_priority
        ENABLE_X2APIC
        movl    $5, %eax
        movq    %rax, %cr8
        EXIT    1
        sti
        movl    $1000, %ecx
1:      decl    %ecx
        jnz     1b
        cmpl    $0, (GUEST_RESULTS + 0x51 * 4)
        jne     2f
        cmpl    $1, (GUEST_RESULTS + 0x61 * 4)
        jne     2f
        movl    $0x808, %ecx
        rdmsr
        cmpl    $0x50, %eax
        jne     3f
        xorl    %eax, %eax
        movq    %rax, %cr8
        nop
        cmpl    $1, (GUEST_RESULTS + 0x51 * 4)
        jne     4f
        DONE
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
        GUEST_END task_priority

        GUEST_BEGIN timer_one_shot
        ENABLE_X2APIC
        SET_MSR   0x83e, 0xb
        SET_MSR   0x832, 0x41
        sti
        SET_MSR   0x838, 100000
        movl    $0x839, %ecx
        rdmsr
        cmpl    $100000, %eax
        ja      1f
        WAIT_INTERRUPTS 0x41, 1
        movl    $0x839, %ecx
        rdmsr
        testl   %eax, %eax
        jnz     2f
        DONE
1:      FAIL    1
2:      FAIL    2
        GUEST_END timer_one_shot

        GUEST_BEGIN timer_one_shot_halted
        ENABLE_X2APIC
        SET_MSR   0x83e, 0xb
        SET_MSR   0x832, 0x41
        SET_MSR   0x838, 1000000
        sti
        hlt
        cmpl    $1, (GUEST_RESULTS + 0x41 * 4)
        jne     1f
        DONE
1:      FAIL    1
        GUEST_END timer_one_shot_halted

        GUEST_BEGIN timer_periodic
        ENABLE_X2APIC
        SET_MSR   0x83e, 0xb
        SET_MSR   0x832, 0x20041
        sti
        SET_MSR   0x838, 500000
1:      hlt
        cmpl    $5, (GUEST_RESULTS + 0x41 * 4)
        jb      1b
        SET_MSR   0x838, 0
        DONE
        GUEST_END timer_periodic

        .macro  SET_DEADLINE ticks
        rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        addq    $\ticks, %rax
        movq    %rax, %rdx
        shrq    $32, %rdx
        movl    $0x6e0, %ecx
        wrmsr
        .endm

// Done while its timer still runs.
        GUEST_BEGIN timer_armed
        ENABLE_X2APIC
        SET_MSR 0x832, 0x20041
        SET_MSR 0x838, 500000
        DONE
        GUEST_END timer_armed

        GUEST_BEGIN timer_deadline
        ENABLE_X2APIC
        SET_MSR   0x832, 0x40041
        sti
        SET_DEADLINE 1000000
        WAIT_INTERRUPTS 0x41, 1
        movl    $0x6e0, %ecx
        rdmsr
        orl     %edx, %eax
        jnz     1f
        SET_DEADLINE -1000
        nop
        WAIT_INTERRUPTS 0x41, 2
        DONE
1:      FAIL    1
        GUEST_END timer_deadline

        GUEST_BEGIN timer_deadline_halted
        ENABLE_X2APIC
        SET_MSR   0x832, 0x40041
        SET_DEADLINE 5000000
        sti
        hlt
        cmpl    $1, (GUEST_RESULTS + 0x41 * 4)
        jne     1f
        DONE
1:      FAIL    1
        GUEST_END timer_deadline_halted

// Ends interrupts by the paravirtual word alone: a vector of the same class comes only after that. While two are nested the
// word offers nothing.
        GUEST_BEGIN paravirtual_eoi
        ENABLE_X2APIC
        movl    $0, (GUEST_RESULTS + 0x818)
        movl    $0, (GUEST_DATA)
        SET_MSR   0x4b564d04, (GUEST_DATA + 1)
        sti
        SET_MSR   0x83f, 0x41
        WAIT_INTERRUPTS 0x41, 1
        btrl    $0, (GUEST_DATA)
        jnc     1f
        SET_MSR   0x83f, 0x42
        WAIT_INTERRUPTS 0x42, 1
        SET_MSR   0x83f, 0x51
        WAIT_INTERRUPTS 0x51, 1
        cpuid
        testl   $1, (GUEST_DATA)
        jnz     2f
        SET_MSR   0x80b, 0
        btrl    $0, (GUEST_DATA)
        jnc     3f
        SET_MSR   0x83f, 0x43
        WAIT_INTERRUPTS 0x43, 1
        SET_MSR   0x4b564d04, 0
        testl   $1, (GUEST_DATA)
        jnz     4f
        SET_MSR   0x80b, 0
        SET_MSR   0x83f, 0x44
        WAIT_INTERRUPTS 0x44, 1
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
        GUEST_END paravirtual_eoi

        GUEST_BEGIN self_ipi
        ENABLE_X2APIC
        sti
        SET_MSR   0x83f, 0x41
        nop
        cmpl    $1, (GUEST_RESULTS + 0x41 * 4)
        jne     1f
        SET_MSR   0x830, 0x40042
        nop
        cmpl    $1, (GUEST_RESULTS + 0x42 * 4)
        jne     2f
        SET_MSR   0x830, 0x80043
        nop
        cmpl    $1, (GUEST_RESULTS + 0x43 * 4)
        jne     3f
        SET_MSR   0x830, 0x44, 0
        nop
        cmpl    $1, (GUEST_RESULTS + 0x44 * 4)
        jne     4f
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
        GUEST_END self_ipi

// The memory-mapped registers: id, version, spurious, a self-IPI by ICR, TPR, timer counter.
        GUEST_BEGIN xapic
        movl    $2, (GUEST_RESULTS + 0x818)
        movl    $0xfee00000, %edi
        movl    $0x1ff, 0xf0(%rdi)
        movl    0xf0(%rdi), %eax
        cmpl    $0x1ff, %eax
        jne     1f
        movl    0x20(%rdi), %eax
        testl   %eax, %eax
        jnz     2f
        movl    0x30(%rdi), %eax
        movl    %eax, (GUEST_DATA)
        sti
        movl    $0, 0x310(%rdi)
        movl    $0x40041, 0x300(%rdi)
        nop
        cmpl    $1, (GUEST_RESULTS + 0x41 * 4)
        jne     3f
        movl    $0x50, 0x80(%rdi)
        movq    %cr8, %rax
        cmpl    $5, %eax
        jne     4f
        movl    $0, %eax
        movl    %eax, 0x80(%rdi)
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
        GUEST_END xapic

        GUEST_BEGIN level_interrupt
        ENABLE_X2APIC
        EXIT    1
        sti
        WAIT_INTERRUPTS 0x41, 1
        DONE
        GUEST_END level_interrupt

// LINT0 as an 8259 would use it.
        GUEST_BEGIN external_interrupt
        ENABLE_X2APIC
        movl    $0, (GUEST_RESULTS + 0x818)
        SET_MSR   0x835, 0x700
        EXIT    1
        sti
        WAIT_INTERRUPTS 0x60, 1
        DONE
        GUEST_END external_interrupt

// The interrupt's frame goes to memory that the guest has not touched: its delivery faults in the second stage.
        GUEST_BEGIN interrupt_on_untouched_stack
        ENABLE_X2APIC
        EXIT    1
        movl    $0x300000, %esp
        sti
        WAIT_INTERRUPTS 0x41, 1
        DONE
        GUEST_END interrupt_on_untouched_stack

        GUEST_BEGIN external_interrupt_on_untouched_stack
        ENABLE_X2APIC
        movl    $0, (GUEST_RESULTS + 0x818)
        SET_MSR   0x835, 0x700
        EXIT    1
        movl    $0x300000, %esp
        sti
        WAIT_INTERRUPTS 0x60, 1
        DONE
        GUEST_END external_interrupt_on_untouched_stack

// INIT and start-up interrupt for vCPU 1, at GUEST_REAL_MODE.
        GUEST_BEGIN start_second
        ENABLE_X2APIC
        SET_MSR   0x830, 0x4500, 1
        SET_MSR   0x830, 0x4650, 1
1:      pause
        cmpw    $0x55aa, (GUEST_REAL_MODE + 0x800)
        jne     1b
        DONE
        GUEST_END start_second

        GUEST_BEGIN real_mode
        .code16
        movw    %cs, %ax
        movw    %ax, %ds
        movw    $0x55aa, 0x800
        movw    $0x1616, %ax
        movw    $GUEST_PORT_EXIT, %dx
        outw    %ax, %dx
1:      hlt
        jmp     1b
        .code64
        GUEST_END real_mode

// The receiver says at GUEST_DATA that it is ready; each interrupt 0x41 to 0x46 reaches it once.
        GUEST_BEGIN ipi_receiver
        ENABLE_X2APIC
        sti
        movq    $1, (GUEST_DATA)
1:      hlt
        cmpl    $1, (GUEST_RESULTS + 2 * 4)
        jne     1b
        EXIT    2
2:      hlt
        jmp     2b
        GUEST_END ipi_receiver

        GUEST_BEGIN ipi_sender
        ENABLE_X2APIC
1:      pause
        cmpq    $1, (GUEST_DATA)
        jne     1b
        SET_MSR   0x830, 0x41, 1                  // physical
        WAIT_INTERRUPTS 0x41, 1
        SET_MSR   0x830, 0xc0042                  // all but self
        WAIT_INTERRUPTS 0x42, 1
        SET_MSR   0x830, 0x843, 2                 // logical: bit 1 of cluster 0
        WAIT_INTERRUPTS 0x43, 1
        sti
        SET_MSR   0x830, 0x80044                  // all
        WAIT_INTERRUPTS 0x44, 2
        SET_MSR   0x830, 0x45, -1                 // physical broadcast
        WAIT_INTERRUPTS 0x45, 2
        SET_MSR   0x830, 0x847, 3                 // logical: both
        WAIT_INTERRUPTS 0x47, 2
        SET_MSR   0x830, 0x146, 1                 // lowest priority
        WAIT_INTERRUPTS 0x46, 1
        SET_MSR   0x830, 0x48, 9                  // nobody
        SET_MSR   0x830, 0x400, 1                 // NMI
        WAIT_INTERRUPTS 2, 1
        DONE
        GUEST_END ipi_sender

        GUEST_BEGIN pause
        movl    $100000, %ecx
1:      pause
        decl    %ecx
        jnz     1b
        DONE
        GUEST_END pause

        .section .note.GNU-stack, "", @progbits
