// struct arch_thread on the host port: a coroutine with a stack of its own, larger than a kernel
// stack since sanitizers make frames large.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ucontext.h>

struct arch_thread {
    ucontext_t context; // while switched out
    void *stack;
    size_t stack_bytes;
    bool owns_stack;
    void *fake_stack;    // of the address sanitizer, while switched out
    uint64_t user_stack; // as given to arch_thread_enter_user
    bool is_in_user_mode;
};
