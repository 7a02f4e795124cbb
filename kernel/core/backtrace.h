// What a panic prints, past the log: lines, addresses with the names of their functions, chains of
// callers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// One line or part of it, straight to the console.
void backtrace_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void backtrace_print_address(uint64_t address);

// Addresses of a kernel stack; empty: none.
struct stack_range {
    uint64_t base, end;
};
static inline bool stack_contains(struct stack_range stack, uint64_t address)
{
    return address >= stack.base && address < stack.end;
}

// The return addresses of a chain of frames, each of which begins with the address of its caller's
// frame and its own return address. Frames are followed upwards within the one stack only, and
// while they return to `text_base` or above, so a broken chain ends the walk and faults at nothing.
void backtrace_print_chain(uint64_t frame_pointer, struct stack_range stack, uint64_t text_base);
