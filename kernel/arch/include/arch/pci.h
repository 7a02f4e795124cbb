// Contract: PCI host bridges, as firmware tells of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/objects.h>

// False: there are no more than `index`. Constant after start-up.
bool arch_pci_host(uint32_t index, struct mx_info_pci_host *out);
