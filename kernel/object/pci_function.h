// What the kernel itself does with a PCI function: take its access to memory away (PCI Local Bus
// Specification 3.0, section 6.2.2 "Device Control", the bit Bus Master). Everything else about
// devices is their manager's and their drivers' business, but those may end with a device at work,
// and what it writes to must not become somebody else's memory.
#pragma once

#include <stdbool.h>

#include "kernel/lib/types.h"

struct pci_function;

// The function `requester` (segment << 16 | bus << 8 | device << 3 | function), for one holder.
// NOT_FOUND: no host bridge has it, or nothing answers. ALREADY_EXISTS: it is taken. NO_RESOURCES:
// too many functions were ever taken. NO_MEMORY.
MUST_CHECK mx_status_t pci_function_take(uint32_t requester, struct pci_function **out);
void pci_function_give_back(struct pci_function *function);

// Switches it off if it is on. True: it reaches memory no more, nor sends messages, and all that it
// wrote before has arrived. False: it does not obey. May sleep.
MUST_CHECK bool pci_function_silence(struct pci_function *function);

uint32_t pci_function_requester(const struct pci_function *function);
