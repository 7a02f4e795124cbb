// The floating-point and vector registers, filled and looked at without the compiler's knowledge;
// one implementation per architecture.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Fills every vector register, and the control word, with what follows from `seed`.
void vector_state_load(uint64_t seed);
bool vector_state_is(uint64_t seed);
// Whether the registers are as in a new thread: zero, default control word.
bool vector_state_is_initial(void);

// Makes system calls with known values in all other registers and looks at them afterwards.
bool syscall_keeps_registers(void);
