// Contract: the first console, used for the kernel's log until a user process drives the hardware, and by a panic.
#pragma once

#include <stddef.h>

#include <machina/objects.h>

// Any context; never blocks for ever. A line feed goes out as carriage return and line feed.
void arch_console_write(const char *text, size_t size_bytes);
// Where it is. Constant after start-up.
void arch_console_describe(struct mx_info_console *out);
