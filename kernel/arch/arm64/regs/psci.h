// Functions of the Power State Coordination Interface (Arm DEN 0022F.b, 5.1), called by the SMC
// Calling Convention (DEN 0028).
#pragma once

#define PSCI_VERSION      0x84000000
#define PSCI_CPU_OFF      0x84000002
#define PSCI_CPU_ON       0xc4000003
#define PSCI_SYSTEM_OFF   0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

#define PSCI_SUCCESS    0
#define PSCI_ALREADY_ON (-4)
