// The system call instruction of x86-64.
//
// Number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, result in rax. The kernel preserves every other
// register but rcx and r11, which the instruction itself overwrites, and zeroes the argument registers.
#pragma once

#include <stdint.h>

static inline int64_t mx_syscall6(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                  uint64_t a4, uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    register uint64_t r9 __asm__("r9") = a5;
    int64_t result = (int64_t)number;

    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    return result;
}
