// The first console's start-up; the rest is <arch/console.h>.
#pragma once

#include "kernel/arch/x86_64/portable/console_choice.h"

// The first serial port, before anything is known.
void console_init(void);
// Once the ACPI tables are read, devices can be mapped and the clock runs: takes the console that
// the machine is told to have, and logs what it cannot have. `option`: the value of CONSOLE_OPTION,
// or NULL.
void console_choose(const char *option, const struct zbi_debug_uart *item);
