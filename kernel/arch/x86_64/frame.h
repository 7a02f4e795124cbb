// What the entry code pushes for an exception or interrupt (entry.S).
#pragma once

#include <stdint.h>

struct x86_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct x86_frame) == 176, "entry.S");
