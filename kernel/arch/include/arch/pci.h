// Contract: PCI host bridges, as firmware tells of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/objects.h>

// False: there are no more than `index`. Constant after start-up.
bool arch_pci_host(uint32_t index, struct mx_info_pci_host *out);

// A word at `offset`, a multiple of 4, of a function's page of configuration space, which
// arch_map_device mapped. All ones: nothing answers.
uint32_t arch_pci_read(const volatile void *config, uint32_t offset);
// What is read afterwards is answered after the function has seen it.
void arch_pci_write(volatile void *config, uint32_t offset, uint32_t value);
