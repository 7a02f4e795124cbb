// Calls of firmware: PSCI (Arm DEN 0022F.b) by SMC or HVC, as firmware says.
#pragma once

#include <stdint.h>

#define PSCI_NOT_SUPPORTED (-1)

// NOT_SUPPORTED also without firmware that takes calls.
int64_t psci_call(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3);
