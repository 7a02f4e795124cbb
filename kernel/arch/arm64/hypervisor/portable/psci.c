// See psci.h.
#include "kernel/arch/arm64/hypervisor/portable/psci.h"

#include "kernel/arch/arm64/hypervisor/portable/mpidr.h"

#define FUNCTION_SMC64 0x40000000u

enum function {
    SMCCC_VERSION = 0x80000000,
    SMCCC_ARCH_FEATURES = 0x80000001,
    FUNCTION_VERSION = 0x84000000,
    FUNCTION_CPU_SUSPEND = 0x84000001,
    FUNCTION_CPU_OFF = 0x84000002,
    FUNCTION_CPU_ON = 0x84000003,
    FUNCTION_AFFINITY_INFO = 0x84000004,
    FUNCTION_MIGRATE_INFO_TYPE = 0x84000006,
    FUNCTION_SYSTEM_OFF = 0x84000008,
    FUNCTION_SYSTEM_RESET = 0x84000009,
    FUNCTION_FEATURES = 0x8400000a,
    FUNCTION_SYSTEM_RESET2 = 0x84000012,
};

#define VERSION_1_1          0x10001
#define MIGRATE_NOT_REQUIRED 2
#define RESET2_WARM_RESET    0

static struct psci_call answer(int64_t result)
{
    return (struct psci_call){.action = PSCI_RETURN, .result = result};
}

// Whether there is the function, also as a 64-bit one.
static bool function_exists(uint32_t function)
{
    switch (function & ~FUNCTION_SMC64) {
    case FUNCTION_CPU_SUSPEND:
    case FUNCTION_CPU_ON:
    case FUNCTION_AFFINITY_INFO:
    case FUNCTION_SYSTEM_RESET2:
        return true;
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES:
    case FUNCTION_VERSION:
    case FUNCTION_CPU_OFF:
    case FUNCTION_MIGRATE_INFO_TYPE:
    case FUNCTION_SYSTEM_OFF:
    case FUNCTION_SYSTEM_RESET:
    case FUNCTION_FEATURES:
        return !(function & FUNCTION_SMC64);
    }
    return false;
}

static struct psci_call cpu_on(const uint64_t *args, uint32_t vcpu_limit, uint64_t memory_limit)
{
    struct psci_call call = {.action = PSCI_CPU_ON, .entry = args[1], .context_id = args[2]};

    if (!mpidr_find_vcpu(args[0], vcpu_limit, &call.vcpu_id))
        return answer(PSCI_INVALID_PARAMETERS);
    // A64 code begins at a multiple of 4.
    if (call.entry % 4 || call.entry >= memory_limit)
        return answer(PSCI_INVALID_ADDRESS);
    return call;
}

static struct psci_call affinity_info(const uint64_t *args, uint32_t vcpu_limit)
{
    struct psci_call call = {.action = PSCI_AFFINITY_INFO};

    // Levels above 0 went out with PSCI 1.0.
    if (args[1] != 0 || !mpidr_find_vcpu(args[0], vcpu_limit, &call.vcpu_id))
        return answer(PSCI_INVALID_PARAMETERS);
    return call;
}

static struct psci_call features(uint64_t asked)
{
    return answer(function_exists((uint32_t)asked) && (uint32_t)asked != SMCCC_ARCH_FEATURES
                      ? PSCI_SUCCESS
                      : PSCI_NOT_SUPPORTED);
}

static struct psci_call arch_features(uint64_t asked)
{
    bool is_there = (uint32_t)asked == SMCCC_VERSION || (uint32_t)asked == SMCCC_ARCH_FEATURES;

    return answer(is_there ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED);
}

struct psci_call psci_decode(const uint64_t x[4], uint16_t immediate, uint32_t vcpu_limit,
                             uint64_t memory_limit)
{
    uint32_t function = (uint32_t)x[0];
    uint64_t mask = function & FUNCTION_SMC64 ? UINT64_MAX : UINT32_MAX;
    const uint64_t args[3] = {x[1] & mask, x[2] & mask, x[3] & mask};

    if (immediate || !function_exists(function))
        return answer(PSCI_NOT_SUPPORTED);
    switch ((enum function)(function & ~FUNCTION_SMC64)) {
    case SMCCC_VERSION:
    case FUNCTION_VERSION:
        return answer(VERSION_1_1);
    case SMCCC_ARCH_FEATURES:
        return arch_features(args[0]);
    case FUNCTION_CPU_SUSPEND:
        // Power-down states would need an entry point; only standby is offered, and any request may
        // be taken as that.
        return (struct psci_call){.action = PSCI_SUSPEND};
    case FUNCTION_CPU_OFF:
        return (struct psci_call){.action = PSCI_CPU_OFF};
    case FUNCTION_CPU_ON:
        return cpu_on(args, vcpu_limit, memory_limit);
    case FUNCTION_AFFINITY_INFO:
        return affinity_info(args, vcpu_limit);
    case FUNCTION_MIGRATE_INFO_TYPE:
        return answer(MIGRATE_NOT_REQUIRED);
    case FUNCTION_SYSTEM_OFF:
        return (struct psci_call){.action = PSCI_SYSTEM_OFF};
    case FUNCTION_SYSTEM_RESET:
        return (struct psci_call){.action = PSCI_SYSTEM_RESET};
    case FUNCTION_SYSTEM_RESET2:
        if (args[0] != RESET2_WARM_RESET)
            return answer(PSCI_INVALID_PARAMETERS);
        return (struct psci_call){.action = PSCI_SYSTEM_RESET};
    case FUNCTION_FEATURES:
        return features(args[0]);
    }
    return answer(PSCI_NOT_SUPPORTED);
}
