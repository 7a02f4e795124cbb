// Calls of firmware; see psci.h. SMC Calling Convention (Arm DEN 0028F), 2.6: x0 to x17 may change.
#include "kernel/arch/arm64/psci.h"

#include "kernel/arch/arm64/boot.h"

#define PSCI_CALL(instruction)                                                                \
    __asm__ volatile(instruction                                                              \
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                 \
                     :                                                                        \
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
                       "x15", "x16", "x17", "memory")

int64_t psci_call(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    enum machine_conduit conduit = boot_machine()->conduit;
    // No call from here on: it would use the registers.
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;

    switch (conduit) {
    case MACHINE_CONDUIT_SMC:
        PSCI_CALL("smc #0");
        break;
    case MACHINE_CONDUIT_HVC:
        PSCI_CALL("hvc #0");
        break;
    case MACHINE_CONDUIT_NONE:
        return PSCI_NOT_SUPPORTED;
    }
    return (int64_t)x0;
}
