// Under what a synchronous exit is counted: by the exception class of ESR_EL2.
#pragma once

#include <stdint.h>

// By its path, as the host's tests see the types of another architecture under <machina/arch/>.
#include "kernel/abi/arm64/machina/arch/vcpu_state.h"

enum mx_guest_exit exit_reason(uint64_t esr);
