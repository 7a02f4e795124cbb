// Finds the functions behind a PCI host bridge, through PCI-to-PCI bridges (PCI-to-PCI Bridge
// Architecture Specification 1.2, chapter 3; PCI Express bridges look the same), and gives
// addresses to what firmware left without.
//
// Where firmware numbered the buses behind a bridge, its numbers and windows are taken as they are;
// where it did not, as on machines that start without any, this does both, if the host bridge's
// windows are known. Each bus is looked at once, so that bridges that lie lead nowhere. Functions
// that nobody wants stay as firmware left them: the screen may be one.
//
// A driver maps whole pages, so registers that are handed out have theirs to themselves: where
// another function's begin in one of them, they get another place if they are smaller than a page
// and there is one, and the function is refused otherwise.
#pragma once

#include "user/drivers/portable/pci_config.h"

#define PCI_FUNCTIONS_MAX 64

struct pci_function {
    uint8_t bus, slot; // slot: device << 3 | function
    struct pci_header header;
    bool is_wanted;
    const char *refusal;                // why a wanted one cannot be handed out; NULL: it can
    struct pci_bar bars[PCI_BAR_COUNT]; // of a wanted one; size 0 where no address was to be had
};

// How the scan reaches the configuration space of a function of the host bridge's buses.
struct pci_access {
    // Whether there is a driver.
    bool (*is_wanted)(void *context, const struct pci_header *header);
    void (*open)(void *context, uint8_t bus, uint8_t slot, struct pci_config *out);
    void *context;
};

// Where registers begin: all of them, wanted or not, bridges' too.
#define PCI_PLACES_MAX 1024
struct pci_places {
    struct {
        uint64_t base;
        uint16_t function; // bus << 8 | slot
    } places[PCI_PLACES_MAX];
    uint32_t count;
    bool has_more; // for which there was no room
};

struct pci_scan {
    struct pci_places before, after; // as firmware left them, as they are now
    struct pci_function
        functions[PCI_FUNCTIONS_MAX]; // that are no bridges; wanted ones are switched off
    uint32_t count;
    uint32_t left_out_count;   // for which there was no room in the table
    uint32_t no_address_count; // registers that got no address
};

void pci_scan(const struct pci_access *access, const struct mx_info_pci_host *host,
              struct pci_scan *out);
// The CPU's address of an address on the bus; equal where no window says otherwise.
uint64_t pci_cpu_address(const struct mx_info_pci_host *host, uint64_t bus_address);
