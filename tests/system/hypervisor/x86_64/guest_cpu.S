// Guests that look at the CPU: exceptions, registers, modes, CPUID, MSRs, time.

#include "tests/system/hypervisor/x86_64/guest_macros.h"

        GUEST_BEGIN triple_fault
        pushq   $0
        pushq   $0
        lidt    (%rsp)
        ud2
        GUEST_END triple_fault

// An exception with and one without an error code reach their handlers, and a page fault its address.
        GUEST_BEGIN exception_handlers
        movq    $2, (GUEST_RESULTS + 0x820)
        ud2
        cmpq    $6, (GUEST_RESULTS + 0x828)
        jne     1f
        movq    $3, (GUEST_RESULTS + 0x820)
        movabsq $0x8000000000000000, %rdi
        movq    (%rdi), %rax
        cmpq    $13, (GUEST_RESULTS + 0x828)
        jne     2f
        movabsq $0x123456789000, %rdi
        movq    (%rdi), %rax
        cmpq    $14, (GUEST_RESULTS + 0x828)
        jne     3f
        cmpq    %rdi, (GUEST_RESULTS + 0x810)
        jne     4f
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
        GUEST_END exception_handlers

// GUEST_DATA: count, then numbers; GUEST_DATA + 0x800: for each the vector of the exception or 0, and the value.
        GUEST_BEGIN read_msrs
        movq    $2, (GUEST_RESULTS + 0x820)
        movl    $GUEST_DATA + 8, %esi
        movl    $GUEST_DATA + 0x800, %edi
        movq    (GUEST_DATA), %r8
1:      movq    $0, (GUEST_RESULTS + 0x828)
        movq    (%rsi), %rcx
        xorl    %eax, %eax
        xorl    %edx, %edx
        rdmsr
        shlq    $32, %rdx
        orq     %rdx, %rax
        movq    (GUEST_RESULTS + 0x828), %rdx
        movq    %rdx, (%rdi)
        movq    %rax, 8(%rdi)
        addq    $8, %rsi
        addq    $16, %rdi
        decq    %r8
        jnz     1b
        DONE
        GUEST_END read_msrs

// GUEST_DATA: count, then pairs of number and value; GUEST_DATA + 0x800: for each the vector or 0.
        GUEST_BEGIN write_msrs
        movq    $2, (GUEST_RESULTS + 0x820)
        movl    $GUEST_DATA + 8, %esi
        movl    $GUEST_DATA + 0x800, %edi
        movq    (GUEST_DATA), %r8
1:      movq    $0, (GUEST_RESULTS + 0x828)
        movq    (%rsi), %rcx
        movl    8(%rsi), %eax
        movl    12(%rsi), %edx
        wrmsr
        movq    (GUEST_RESULTS + 0x828), %rdx
        movq    %rdx, (%rdi)
        addq    $16, %rsi
        addq    $8, %rdi
        decq    %r8
        jnz     1b
        DONE
        GUEST_END write_msrs

// GUEST_DATA: count, then leaf and subleaf in 32 bits each; GUEST_DATA + 0x800: eax, ebx, ecx, edx of each.
        GUEST_BEGIN cpuid_list
        movl    $GUEST_DATA + 8, %esi
        movl    $GUEST_DATA + 0x800, %edi
        movq    (GUEST_DATA), %r8
1:      movl    (%rsi), %eax
        movl    4(%rsi), %ecx
        cpuid
        movl    %eax, (%rdi)
        movl    %ebx, 4(%rdi)
        movl    %ecx, 8(%rdi)
        movl    %edx, 12(%rdi)
        addq    $8, %rsi
        addq    $16, %rdi
        decq    %r8
        jnz     1b
        DONE
        GUEST_END cpuid_list

        GUEST_BEGIN xsetbv
        movq    $3, (GUEST_RESULTS + 0x820)
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        movl    $3, %eax
        xsetbv
        cmpq    $6, (GUEST_RESULTS + 0x828)     // not without CR4.OSXSAVE
        jne     1f
        movq    %cr4, %rax
        orl     $0x40000, %eax
        movq    %rax, %cr4
        movq    $0, (GUEST_RESULTS + 0x828)
        movl    $3, %eax
        xsetbv
        cmpq    $0, (GUEST_RESULTS + 0x828)
        jne     2f
        xgetbv
        cmpl    $3, %eax
        jne     3f
        movl    $2, %eax                        // without x87
        xsetbv
        cmpq    $13, (GUEST_RESULTS + 0x828)
        jne     4f
        movq    $0, (GUEST_RESULTS + 0x828)
        movl    $5, %eax                        // AVX without SSE
        xsetbv
        cmpq    $13, (GUEST_RESULTS + 0x828)
        jne     5f
        movq    $0, (GUEST_RESULTS + 0x828)
        movl    $1, %ecx                        // no such register
        movl    $1, %eax
        xsetbv
        cmpq    $13, (GUEST_RESULTS + 0x828)
        jne     6f
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
4:      FAIL    4
5:      FAIL    5
6:      FAIL    6
        GUEST_END xsetbv

// Fills registers from GUEST_DATA, exits, and looks whether they are still so, for ever.
        GUEST_BEGIN vector_registers
        movups  (GUEST_DATA), %xmm0
        movups  (GUEST_DATA + 16), %xmm7
        movups  (GUEST_DATA + 32), %xmm15
        fninit
        fldpi
1:      EXIT    1
        movups  %xmm0, (GUEST_DATA + 64)
        movups  %xmm7, (GUEST_DATA + 80)
        movups  %xmm15, (GUEST_DATA + 96)
        movl    $GUEST_DATA, %esi
        movl    $GUEST_DATA + 64, %edi
        movl    $6, %ecx
        cld
        repe cmpsq
        jne     2f
        fldpi
        fcomip  %st(1), %st
        jne     3f
        jmp     1b
2:      FAIL    2
3:      FAIL    3
        GUEST_END vector_registers

        GUEST_BEGIN hypercall
        movl    $9999, %eax
        vmmcall
        movq    %rax, (GUEST_DATA)
        DONE
        GUEST_END hypercall

// SYSCALL from user mode, a hypercall there, and back by SYSRET.
        GUEST_BEGIN user_mode
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $1, %eax
        wrmsr
        SET_MSR   0xc0000081, 0, 0x2b0008         // STAR: user 0x2b + 16, kernel 8
        leaq    2f(%rip), %rax
        movq    %rax, %rdx
        shrq    $32, %rdx
        movl    $0xc0000082, %ecx
        wrmsr
        SET_MSR   0xc0000084, 0x200
        pushq   $GUEST_USER_DATA
        pushq   $(GUEST_STACK - 0x6000)
        pushq   $2
        pushq   $GUEST_USER_CODE
        leaq    1f(%rip), %rax
        pushq   %rax
        iretq
1:      movl    $9999, %eax
        vmmcall
        movq    %rax, (GUEST_DATA)
        movl    $77, %eax
        syscall
        cmpl    $78, %eax
        jne     3f
        movl    $79, %eax
        syscall
3:      ud2
2:      cmpl    $79, %eax
        je      4f
        incl    %eax
        sysretq
4:      movl    $GUEST_STACK - 8, %esp
        DONE
        GUEST_END user_mode

        GUEST_BEGIN sysenter
        SET_MSR   0x174, GUEST_CODE_SELECTOR
        SET_MSR   0x175, (GUEST_STACK - 8)
        leaq    1f(%rip), %rax
        xorl    %edx, %edx
        movl    $0x176, %ecx
        wrmsr
        movl    $0x174, %ecx
        rdmsr
        cmpl    $GUEST_CODE_SELECTOR, %eax
        jne     2f
        movl    $0x176, %ecx
        rdmsr
        leaq    1f(%rip), %rcx
        cmpq    %rcx, %rax
        jne     2f
        DONE
1:      DONE
2:      FAIL    2
        GUEST_END sysenter

// 32-bit code under long mode, which uses a port.
        GUEST_BEGIN compat_mode
        pushq   $GUEST_COMPAT_SELECTOR
        leaq    1f(%rip), %rax
        pushq   %rax
        lretq
        .code32
1:      movl    $0x80000001, %eax
        movl    %eax, %ecx
        shrl    $31, %ecx
        incl    %eax                            // 40: REX in 64-bit mode
        movl    %eax, (GUEST_DATA)
        EXIT    GUEST_DONE
2:      hlt
        jmp     2b
        .code64
        GUEST_END compat_mode

// Points one large page elsewhere and sees the difference after INVLPG, then after a load of CR3.
        GUEST_BEGIN invlpg
        movl    $0x200000, %edi                 // second large page of RAM
        movl    $0x8000000, %esi                // its alias
        movl    $(GUEST_TABLES + 0x2000 + 64 * 8), %r8d
        movq    $111, (%rdi)
        movq    $0x2000e7, (%r8)
        invlpg  (%rsi)
        cmpq    $111, (%rsi)
        jne     1f
        movq    $222, 0x8(%rdi)
        movq    $0x0000e7, (%r8)                // first large page
        invlpg  (%rsi)
        movq    (GUEST_DATA), %rax
        cmpq    %rax, GUEST_DATA(%rsi)
        jne     2f
        movq    $0x2000e7, (%r8)
        movq    %cr3, %rax
        movq    %rax, %cr3
        cmpq    $222, 8(%rsi)
        jne     3f
        DONE
1:      FAIL    1
2:      FAIL    2
3:      FAIL    3
        GUEST_END invlpg

// CR0.NE, CR4.PGE and CR8 read back as written. (Impossible values give #GP in hardware; emulated CPUs take them, and
// the hypervisor is not asked.)
        GUEST_BEGIN control_registers
        movq    $3, (GUEST_RESULTS + 0x820)
        movq    %cr0, %r8
        movq    %r8, %rax
        xorl    $0x20, %eax
        movq    %rax, %cr0
        movq    %cr0, %rcx
        cmpq    %rax, %rcx
        jne     1f
        movq    %r8, %cr0
        movq    %cr4, %rax
        xorl    $0x80, %eax
        movq    %rax, %cr4
        movq    %cr4, %rcx
        cmpq    %rax, %rcx
        jne     4f
        movl    $9, %eax
        movq    %rax, %cr8
        movq    %cr8, %rcx
        cmpl    %eax, %ecx
        jne     5f
        DONE
1:      FAIL    1
4:      FAIL    4
5:      FAIL    5
        GUEST_END control_registers

// The KVM clock's page at GUEST_DATA + 0x100; between two exits with a time stamp at GUEST_DATA each.
        GUEST_BEGIN clock
        SET_MSR   0x4b564d01, (GUEST_DATA + 0x101)
1:      rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        movq    %rax, (GUEST_DATA)
        EXIT    GUEST_DONE
        jmp     1b
        GUEST_END clock

// The time stamp counter never goes back.
        GUEST_BEGIN time_stamps
        movl    $100000, %r8d
        xorl    %r9d, %r9d
1:      rdtsc
        shlq    $32, %rdx
        orq     %rdx, %rax
        cmpq    %r9, %rax
        jb      2f
        movq    %rax, %r9
        decl    %r8d
        jnz     1b
        DONE
2:      FAIL    2
        GUEST_END time_stamps

        .section .note.GNU-stack, "", @progbits
