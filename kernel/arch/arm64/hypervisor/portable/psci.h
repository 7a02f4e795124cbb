// What a guest's HVC or SMC asks of the firmware that it believes to be there: PSCI 1.1 and
// SMCCC 1.1, as data. Arguments are checked as far as they can be without knowing the guest; all
// else about the result is the caller's.
//
// Arm DEN 0022 "Power State Coordination Interface", section 5; Arm DEN 0028 "SMC Calling
// Convention", sections 2 and 7.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PSCI_SUCCESS            ((int64_t)0)
#define PSCI_NOT_SUPPORTED      ((int64_t)-1)
#define PSCI_INVALID_PARAMETERS ((int64_t)-2)
#define PSCI_DENIED             ((int64_t)-3)
#define PSCI_ALREADY_ON         ((int64_t)-4)
#define PSCI_ON_PENDING         ((int64_t)-5)
#define PSCI_INVALID_ADDRESS    ((int64_t)-9)

// AFFINITY_INFO
#define PSCI_AFFINITY_ON      ((int64_t)0)
#define PSCI_AFFINITY_OFF     ((int64_t)1)
#define PSCI_AFFINITY_PENDING ((int64_t)2)

enum psci_action {
    PSCI_RETURN,  // `result` in X0, nothing else
    PSCI_CPU_ON,  // starts `vcpu_id` at `entry` with `context_id` in X0; the result is the caller's
    PSCI_CPU_OFF, // does not return
    PSCI_SUSPEND, // as WFI, then PSCI_SUCCESS
    PSCI_AFFINITY_INFO,
    PSCI_SYSTEM_OFF,   // does not return
    PSCI_SYSTEM_RESET, // does not return
};

struct psci_call {
    enum psci_action action;
    int64_t result;
    uint32_t vcpu_id;
    uint64_t entry, context_id;
};

// `x` are X0 to X3, `immediate` that of the instruction. vCPUs have ids below `vcpu_limit`, memory
// ends at `memory_limit`.
struct psci_call psci_decode(const uint64_t x[4], uint16_t immediate, uint32_t vcpu_limit,
                             uint64_t memory_limit);
