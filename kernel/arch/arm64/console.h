// The first console; the contract is <arch/console.h>.
#pragma once

#include "kernel/lib/types.h"

// From now on the PL011 at this place, with this interrupt, is written to; before, text is dropped.
// False: no room to map it.
bool console_init(paddr_t base, uint32_t intid);
