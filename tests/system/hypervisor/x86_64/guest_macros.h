// How guests begin, end and talk. Assembly only.
#pragma once

#include <arch_guests.h>

#include "tests/system/hypervisor/guest_section.h"

// In a guest rbx is GUEST_RESULTS.

        .macro  EXIT value
        movl    $\value, %eax
        movw    $GUEST_PORT_EXIT, %dx
        outl    %eax, %dx
        .endm

        .macro  DONE
        EXIT    GUEST_DONE
9999:   hlt
        jmp     9999b
        .endm

        .macro  FAIL number
        EXIT    (GUEST_FAILED + \number)
9998:   hlt
        jmp     9998b
        .endm

        .macro  SET_MSR msr, low, high=0
        movl    $\msr, %ecx
        movl    $\low, %eax
        movl    $\high, %edx
        wrmsr
        .endm

// x2APIC mode, software-enabled, spurious vector 0xff; handlers end interrupts there.
        .macro  ENABLE_X2APIC
        movl    $0x1b, %ecx
        rdmsr
        orl     $0xc00, %eax
        wrmsr
        SET_MSR   0x80f, 0x1ff
        movl    $1, (GUEST_RESULTS + 0x818)
        .endm

// Spins until the handler of `vector` ran at least `count` times.
        .macro  WAIT_INTERRUPTS vector, count
9997:   pause
        cmpl    $\count, (GUEST_RESULTS + \vector * 4)
        jb      9997b
        .endm
