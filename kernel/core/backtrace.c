// See backtrace.h.

#include "kernel/core/backtrace.h"

#include <arch/console.h>

#include "kernel/core/symbols.h"
#include "kernel/lib/print.h"

#define FRAMES_MAX 32

void backtrace_print(const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    int size = print_format_args(line, sizeof(line), format, args);
    va_end(args);
    if (size > 0)
        arch_console_write(line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

void backtrace_print_address(uint64_t address)
{
    uint64_t offset = 0;
    const char *name = symbol_find(address, &offset);

    if (name != NULL)
        backtrace_print("  %016lx %s+0x%lx\n", address, name, offset);
    else
        backtrace_print("  %016lx\n", address);
}

void backtrace_print_chain(uint64_t frame_pointer, struct stack_range stack, uint64_t text_base)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        const uint64_t *frame = (const uint64_t *)(uintptr_t)frame_pointer;

        if (!stack_contains(stack, frame_pointer) ||
            stack.end - frame_pointer < 2 * sizeof(frame[0]) ||
            frame_pointer % sizeof(frame[0]) != 0 || frame[1] < text_base)
            return;
        backtrace_print_address(frame[1]);
        stack.base = frame_pointer + 2 * sizeof(frame[0]);
        frame_pointer = frame[0];
    }
}
