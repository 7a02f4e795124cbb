// Register state of an arm64 vCPU, as mx_vcpu_read_state, mx_vcpu_write_state and exit packets carry it. Names as in the Arm ARM.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MX_ARM64_GPR_COUNT 31 // X0 to X30
#define MX_ARM64_KEY_COUNT 10 // APIAKeyLo_EL1, APIAKeyHi_EL1, the same for IB, DA, DB, GA

// Packets of memory accesses are always decoded; this goes with none of them yet.
struct mx_insn_state {
    uint64_t x[MX_ARM64_GPR_COUNT];
    uint64_t pc, pstate;
};

struct mx_vcpu_state {
    uint64_t x[MX_ARM64_GPR_COUNT];
    uint64_t pc;
    uint64_t pstate; // as in SPSR_EL2
    uint64_t sp_el0, sp_el1, elr_el1, spsr_el1;
    uint64_t sctlr_el1, cpacr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, vbar_el1;
    uint64_t esr_el1, far_el1, afsr0_el1, afsr1_el1, par_el1, contextidr_el1, csselr_el1, mdscr_el1;
    uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
    uint64_t cntkctl_el1, cntv_ctl_el0, cntv_cval_el0;
    uint64_t pauth_keys[MX_ARM64_KEY_COUNT];
};
_Static_assert(sizeof(struct mx_vcpu_state) == 8 * 69, "ABI");

// Answers to MX_VCPU_PACKET_MEM in mem.exception.
#define MX_ARM64_EXCEPTION_ABORT 0 // synchronous external abort, as an access to nothing on a bus

// Reasons that exits are counted under, after the exception class of ESR_EL2.
enum mx_guest_exit {
    MX_GUEST_EXIT_INSTRUCTION_ABORT, // 0x20
    MX_GUEST_EXIT_DATA_ABORT,        // 0x24
    MX_GUEST_EXIT_WFX,               // 0x01
    MX_GUEST_EXIT_SYSTEM,            // 0x18
    MX_GUEST_EXIT_SMC,               // 0x17, and 0x16: HVC
    MX_GUEST_EXIT_INTERRUPT,
    MX_GUEST_EXIT_OTHER,
    MX_GUEST_EXIT_COUNT,
};
