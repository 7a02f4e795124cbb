// Register state of an arm64 vCPU, as mx_vcpu_read_state, mx_vcpu_write_state and exit packets carry it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MX_ARM64_GPR_COUNT 31

// What is needed to emulate one instruction.
struct mx_insn_state {
    uint64_t x[MX_ARM64_GPR_COUNT];
    uint64_t sp, pc, pstate;
};

struct mx_vcpu_state {
    uint64_t x[MX_ARM64_GPR_COUNT];
    uint64_t sp, pc, pstate;
};

// Reasons that exits are counted under.
enum mx_guest_exit {
    MX_GUEST_EXIT_INSTRUCTION_ABORT,
    MX_GUEST_EXIT_DATA_ABORT,
    MX_GUEST_EXIT_WFX,
    MX_GUEST_EXIT_SYSTEM,
    MX_GUEST_EXIT_SMC, // HVC as well
    MX_GUEST_EXIT_INTERRUPT,
    MX_GUEST_EXIT_OTHER,
    MX_GUEST_EXIT_COUNT,
};
