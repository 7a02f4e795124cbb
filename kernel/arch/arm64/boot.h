// What start-up has found out.
#pragma once

#include "kernel/arch/arm64/portable/machine_tree.h"

const struct machine_tree *boot_machine(void);
// This CPU takes exceptions from now on.
void boot_init_vectors(void);
