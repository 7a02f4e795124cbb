// See exit_reason.h. Arm ARM DDI 0487J.a, D19.2.37.
#include "kernel/arch/arm64/hypervisor/portable/exit_reason.h"

#include "kernel/arch/arm64/regs/exception.h"

enum mx_guest_exit exit_reason(uint64_t esr)
{
    switch (ESR_EC(esr)) {
    case ESR_EC_WFX:
        return MX_GUEST_EXIT_WFX;
    case ESR_EC_HVC64:
    case ESR_EC_SMC64:
        return MX_GUEST_EXIT_SMC;
    case ESR_EC_SYSREG:
        return MX_GUEST_EXIT_SYSTEM;
    case ESR_EC_FETCH_LOWER:
        return MX_GUEST_EXIT_INSTRUCTION_ABORT;
    case ESR_EC_DATA_LOWER:
        return MX_GUEST_EXIT_DATA_ABORT;
    default:
        return MX_GUEST_EXIT_OTHER;
    }
}
