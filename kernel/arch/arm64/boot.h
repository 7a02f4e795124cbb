// What start-up has found out.
#pragma once

#include "kernel/arch/arm64/portable/machine.h"

const struct machine *boot_machine(void);
// This CPU takes exceptions from now on.
void boot_init_vectors(void);
