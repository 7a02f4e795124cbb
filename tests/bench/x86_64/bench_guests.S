// Guests that measure one operation each: ticks of every repetition at GUEST_DATA.

#include "tests/system/hypervisor/x86_64/guest_macros.h"

#define REPETITIONS 80 // SAMPLES_WARM_UP + SAMPLES_MAX

        .macro  TIME_STAMP register
        rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        movq    %rax, \register
        .endm

        .macro  MEASURE_BEGIN
        xorl    %r15d, %r15d
8000:   TIME_STAMP %r14
        .endm

        .macro  MEASURE_END
        TIME_STAMP %r13
        subq    %r14, %r13
        movq    %r13, GUEST_DATA(, %r15, 8)
        incl    %r15d
        cmpl    $REPETITIONS, %r15d
        jb      8000b
        DONE
        .endm

// Points the gate of `vector` to label `handler`.
        .macro  SET_GATE vector, handler
        leaq    \handler(%rip), %rax
        movw    %ax, (GUEST_IDT + \vector * 16)
        shrq    $16, %rax
        movw    %ax, (GUEST_IDT + \vector * 16 + 6)
        .endm

        GUEST_BEGIN bench_nothing
        MEASURE_BEGIN
        MEASURE_END
        GUEST_END bench_nothing

        GUEST_BEGIN bench_cpuid
        MEASURE_BEGIN
        xorl    %eax, %eax
        cpuid
        MEASURE_END
        GUEST_END bench_cpuid

        GUEST_BEGIN bench_hypercall
        MEASURE_BEGIN
        vmmcall
        MEASURE_END
        GUEST_END bench_hypercall

        GUEST_BEGIN bench_port_read
        movw    $GUEST_PORT_TEST, %bx
        MEASURE_BEGIN
        movw    %bx, %dx
        inl     %dx, %eax
        MEASURE_END
        GUEST_END bench_port_read

        GUEST_BEGIN bench_memory_read
        movl    $GUEST_DEVICE, %edi
        MEASURE_BEGIN
        movl    8(%rdi), %eax
        MEASURE_END
        GUEST_END bench_memory_read

        GUEST_BEGIN bench_port_bell
        movw    $GUEST_PORT_BELL, %bx
        MEASURE_BEGIN
        movw    %bx, %dx
        outl    %eax, %dx
        MEASURE_END
        GUEST_END bench_port_bell

        GUEST_BEGIN bench_memory_bell
        movl    $GUEST_BELL, %edi
        MEASURE_BEGIN
        movl    %eax, (%rdi)
        MEASURE_END
        GUEST_END bench_memory_bell

        GUEST_BEGIN bench_self_ipi
        ENABLE_X2APIC
        SET_GATE 0x41, 2f
        xorl    %esi, %esi
        sti
        MEASURE_BEGIN
        movl    %esi, %edi
        SET_MSR 0x83f, 0x41
1:      cmpl    %esi, %edi
        je      1b
        MEASURE_END
2:      incl    %esi
        SET_MSR 0x80b, 0
        iretq
        GUEST_END bench_self_ipi

        GUEST_BEGIN bench_timer
        ENABLE_X2APIC
        SET_GATE 0x41, 2f
        SET_MSR 0x832, 0x40041
        xorl    %esi, %esi
        sti
        MEASURE_BEGIN
        movl    %esi, %edi
        SET_MSR 0x6e0, 1
1:      cmpl    %esi, %edi
        je      1b
        MEASURE_END
2:      incl    %esi
        SET_MSR 0x80b, 0
        iretq
        GUEST_END bench_timer

        GUEST_BEGIN bench_cr8_write
        xorl    %ebx, %ebx
        MEASURE_BEGIN
        movq    %rbx, %cr8
        MEASURE_END
        GUEST_END bench_cr8_write

        GUEST_BEGIN bench_cr8_read
        MEASURE_BEGIN
        movq    %cr8, %rbx
        MEASURE_END
        GUEST_END bench_cr8_read

// Rings the bell and sleeps until the device's interrupt, again and again. At GUEST_DATA + 0x1000: the two time stamps
// of each round. Before that, port reads with stamps before and after at GUEST_DATA + 0x800, which tell the VMM how far
// the counters are apart.
        GUEST_BEGIN bench_device
        ENABLE_X2APIC
        movw    $GUEST_PORT_TEST, %bx
        movl    $2, %ecx
3:      TIME_STAMP %r14
        movw    %bx, %dx
        inl     %dx, %eax
        TIME_STAMP %r13
        movq    %r14, (GUEST_DATA + 0x800)
        movq    %r13, (GUEST_DATA + 0x808)
        decl    %ecx
        jnz     3b
        EXIT    1
        SET_GATE 0x41, 2f
        xorl    %r15d, %r15d
        movw    $GUEST_PORT_BELL, %bx
1:      cli
        TIME_STAMP %r14
        movq    %r14, GUEST_DATA + 0x1000(, %r15, 8)
        movw    %bx, %dx
        outl    %eax, %dx
        sti
        hlt
        addl    $2, %r15d
        cmpl    $(2 * REPETITIONS), %r15d
        jb      1b
        DONE
2:      TIME_STAMP %r14
        movq    %r14, GUEST_DATA + 0x1008(, %r15, 8)
        SET_MSR 0x80b, 0
        iretq
        GUEST_END bench_device

        .section .note.GNU-stack, "", @progbits
