// A PCI host bridge's configuration space, mapped, and what a driver gets of one of its functions.
// For the device manager, which alone has the authority.
#pragma once

#include "user/drivers/lib/driver.h"
#include "user/drivers/portable/pci_scan.h"

struct pci_host {
    struct mx_info_pci_host info;
    bool (*is_wanted)(const struct pci_header *header);
    volatile uint8_t *ecam;
    struct pci_scan scan;
};

// What it takes to hand out devices.
struct pci_authority {
    mx_handle_t memory; // MX_RESOURCE_MMIO for everything
    mx_handle_t irqs;   // MX_RESOURCE_IRQ that covers MX_IRQ_MESSAGES
    mx_handle_t dma;    // MX_RESOURCE_DMA
};

// Maps configuration space and looks for functions; those that are `wanted` answer to their
// addresses and do nothing else. Those that cannot be handed out do not even that.
MX_MUST_CHECK mx_status_t pci_host_open(const struct pci_authority *authority,
                                        const struct mx_info_pci_host *info,
                                        bool (*wanted)(const struct pci_header *header),
                                        struct pci_host *host);

// Configuration space of a function that the scan found.
void pci_host_open_config(struct pci_host *host, const struct pci_function *function,
                          struct pci_config *out);

// A function that is in use.
struct pci_grant {
    struct driver_device device; // for the driver, but for `service` and the mapped registers
    mx_handle_t config_page;     // for the driver: read only
    mx_handle_t dma;             // stays: keeps the memory until the device is off
};
// Makes what a driver gets, sets the interrupt up and switches the function on. On failure nothing
// is left, and *what says in which step, or why the function is refused.
MX_MUST_CHECK mx_status_t pci_grant_function(const struct pci_authority *authority,
                                             struct pci_host *host,
                                             const struct pci_function *function,
                                             struct pci_grant *grant, const char **what);
// Switches the function off and only then lets its memory go. What is still in `grant` is closed.
void pci_revoke_function(struct pci_host *host, const struct pci_function *function,
                         struct pci_grant *grant);
