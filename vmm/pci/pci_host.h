// The PCI host bridge: bus 0 with function 0 of 32 slots, reached by configuration mechanism #1 and
// by the enhanced configuration access mechanism (ECAM).
//
// Slot 0 is a Q35 host bridge (8086:29c0), which guests know. What is not there reads all ones and
// ignores writes. The bridge also finds which device decodes an address, and tells its owner when a
// BAR moves, so that the owner can move the trap that covers it.
//
// All calls are made under the machine's lock. Nothing a guest does fails.
//
// PCI Local Bus 3.0: 3.2.2.3.2 "Software Generation of Configuration Transactions".
// PCI Express Base 5.0: 7.2.2 "PCI Express Enhanced Configuration Access Mechanism".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/device.h"
#include "vmm/pci/pci_device.h"

#define PCI_SLOT_COUNT        32u
#define PCI_CONFIG_PORT       0xcf8u
#define PCI_CONFIG_PORT_COUNT 8u
#define PCI_ECAM_BUS_BYTES    0x100000u // one bus; a window of more buses reads as empty beyond it

// Told about every BAR of every device; `address` is zero when the BAR is no longer decoded. A move
// from one address to another is one call.
struct pci_host_ops {
    void (*bar_moved)(void *context, unsigned slot, unsigned bar_index, bool is_mapped,
                      uint64_t address);
    // The guest must not see the slot's config space but through accesses; once for each. May be
    // NULL.
    void (*config_hidden)(void *context, unsigned slot);
};

struct pci_host {
    struct pci_device *devices[PCI_SLOT_COUNT];
    struct pci_device bridge;
    uint32_t config_address;
    const struct pci_host_ops *ops;
    void *context;
};

// The address windows that start-up may hand out to BARs; `next` moves up as they are taken.
struct pci_window {
    uint64_t next;
    uint64_t end;
};

// An empty bus with its bridge. `ops` may be NULL.
void pci_host_init(struct pci_host *host, const struct pci_host_ops *ops, void *context);

// Puts a device, with all its BARs and capabilities, into a slot; it must outlive the host.
// OUT_OF_RANGE: no such slot. ALREADY_EXISTS: the slot is taken.
MX_MUST_CHECK mx_status_t pci_host_add(struct pci_host *host, struct pci_device *device,
                                       unsigned slot);

// Does what firmware does: gives every BAR a place and turns decoding on. NO_SPACE: a window is
// full.
MX_MUST_CHECK mx_status_t pci_host_assign_bars(struct pci_host *host, struct pci_window *io,
                                               struct pci_window *memory);

// To the state after power-on, with every device on the bus; no BAR is decoded afterwards.
void pci_host_reset(struct pci_host *host);

// Ports 0xcf8 to 0xcff and the ECAM window, for the machine's dispatch; the device is the pci_host.
extern const struct device_ops pci_host_port_ops;
extern const struct device_ops pci_host_ecam_ops;

// Accesses to the windows that BARs live in. False: no device decodes the whole access; a read then
// leaves `value` alone.
bool pci_host_bar_read(struct pci_host *host, bool is_io, uint64_t address, unsigned width_bytes,
                       uint64_t *value);
bool pci_host_bar_write(struct pci_host *host, bool is_io, uint64_t address, unsigned width_bytes,
                        uint64_t value);
