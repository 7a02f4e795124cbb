// String instructions of the emulator: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS with and without
// repetition.
#pragma once

#include "vmm/x86_64/emulator.h"

// Performs up to X86_EMULATE_REPEAT_MAX iterations. STEP_AGAIN: more are left, or the port's
// permission has to be judged by the CPU; registers are those after the last finished iteration.
enum step emulate_string(struct emulator *emulator) MX_MUST_CHECK;
