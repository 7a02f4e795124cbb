// What a guest's access to a system register that traps to EL2 does: one table for reading and
// writing.
//
// Identification registers show what this hypervisor stands for: fields not named in the table read
// as zero, so what a future CPU has is hidden until somebody has looked at it. Hidden among others:
// EL2 and EL3, SVE, SME, memory tags, RAS, performance counters, profiling, tracing, hardware
// breakpoints beyond the least number there can be. Pointer authentication is passed on.
//
// Arm ARM (DDI 0487), D13.2 and D19 "AArch64 System Register Descriptions"; D19.2.37 "ISS encoding
// for an exception from MSR, MRS, or System instruction execution in AArch64 state".
#pragma once

#include <stdbool.h>
#include <stdint.h>

// A register by its encoding, as the ISS has it without Rt and direction.
#define SYSREG_ID(op0, op1, crn, crm, op2)                                   \
    ((uint32_t)(op0) << 20 | (uint32_t)(op2) << 17 | (uint32_t)(op1) << 14 | \
     (uint32_t)(crn) << 10 | (uint32_t)(crm) << 1)
#define SYSREG_ID_MASK 0x3ffc1eu

struct sysreg_access {
    uint32_t id;
    uint8_t rt; // 31: the zero register
    bool is_read;
};
struct sysreg_access sysreg_access_from_iss(uint32_t iss);

enum sysreg_action {
    SYSREG_UNDEFINED,
    SYSREG_VALUE,     // reads as `value`; writes are ignored
    SYSREG_SGI,       // ICC_SGI1R_EL1
    SYSREG_SGI_OTHER, // ICC_SGI0R_EL1, ICC_ASGI1R_EL1
    SYSREG_SET_WAY,   // cache maintenance by set and way
    SYSREG_STAGE1,    // a register of stage 1, whose writes trap while HCR_EL2.TVM is set; see
                      // sysreg_access.id
    SYSREG_MDSCR,     // MDSCR_EL1, of which the bits MDSCR_GUEST_MASK are the guest's
    SYSREG_CNTP_CTL,
    SYSREG_CNTP_CVAL,
    SYSREG_CNTP_TVAL,
    SYSREG_CNTPCT,
};
// Single step, user access to the debug communication channel, kernel debug, breakpoints; no
// halting debug.
#define MDSCR_GUEST_MASK 0xb001u

struct sysreg_host {
    // An identification register of the CPU: op0 3, op1 0, CRn 0.
    uint64_t (*read_id)(unsigned crm, unsigned op2);
    bool has_gicv3; // the guest's interrupt controller has system registers
    unsigned guest_address_bits;
};

struct sysreg_result {
    enum sysreg_action action;
    uint64_t value;
};

struct sysreg_result sysreg_lookup(const struct sysreg_host *host, struct sysreg_access access);
