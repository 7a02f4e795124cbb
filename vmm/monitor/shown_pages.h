// Pages that device models write and that the guest sees read-only in the place of their registers,
// so that reading those needs no exit.
//
// The traps stay as they are: writes come to them because the pages do not allow them, and so do
// reads of what is not shown. The guest takes the pages for devices, so they are mapped to be seen
// alike past the caches, too (MX_MAP_COHERENT).
#pragma once

#include <stdint.h>

#include <machina/types.h>

#include "vmm/pci/pci_host.h"

#define SHOWN_PAGE_BYTES 4096u

struct guest;

struct shown_pages {
    struct guest *guest;
    mx_handle_t vmo;
    uint8_t *bytes;
    unsigned count, used_count;
};

// Room for so many pages, which stays for the life of the process.
MX_MUST_CHECK mx_status_t shown_pages_create(struct shown_pages *pages, struct guest *guest,
                                             unsigned count);
// What only the making needs.
void shown_pages_finish(struct shown_pages *pages);

// The next page, of zeros, shown at the guest's `address`. NO_RESOURCES: no more room.
MX_MUST_CHECK mx_status_t shown_pages_add(struct shown_pages *pages, uint64_t address,
                                          uint8_t **page);

// Configuration space of function 0 of each slot of a PCI bus; devices and BARs are in place. Takes
// this many pages: one a slot, and one for all slots without a device.
#define SHOWN_PCI_PAGES (1 + PCI_SLOT_COUNT)
MX_MUST_CHECK mx_status_t shown_pages_add_pci(struct shown_pages *pages,
                                              const struct pci_host *host, uint64_t ecam_base);
// Has reads of a slot's configuration space exit again.
void shown_pci_slot_hide(struct guest *guest, uint64_t ecam_base, unsigned slot);
