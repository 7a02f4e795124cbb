// Reads what a PCI function says of itself (PCI Local Bus Specification 3.0, chapter 6
// "Configuration Space"; PCI Express Base Specification 5.0, chapter 7) and sets up what a driver
// needs: addresses, bus mastering, one message-signalled interrupt.
//
// A device may answer with anything, and with all ones once it is gone: walks are bounded, and what
// makes no sense counts as absent.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/objects.h>

#define PCI_BAR_COUNT 6

// Configuration space of one function, in words of 32 bits at multiples of 4 below 4096.
struct pci_config {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
};

#define PCI_CAPABILITY_MSI    0x05
#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11

enum pci_bar_kind {
    PCI_BAR_NONE, // also: the upper half of the one before, or nonsense
    PCI_BAR_PORTS,
    PCI_BAR_MEMORY32,
    PCI_BAR_MEMORY64,
};

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t base;       // on the bus; 0: none was given
    uint64_t size_bytes; // a power of two
};

struct pci_header {
    uint16_t vendor, device;
    uint8_t class_code, subclass, interface;
    bool is_multifunction;
    bool is_bridge;
};

uint8_t pci_read8(const struct pci_config *config, uint32_t offset);
uint16_t pci_read16(const struct pci_config *config, uint32_t offset);
void pci_write16(const struct pci_config *config, uint32_t offset, uint16_t value);

// False: there is no function, or one of a kind that is neither a device nor a bridge.
bool pci_read_header(const struct pci_config *config, struct pci_header *out);
// The offset of the first capability `id` behind `after` (0: from the start); 0: there is none.
uint32_t pci_find_capability(const struct pci_config *config, uint8_t id, uint32_t after);

// Kinds and addresses only, which changes nothing; sizes are 0. A bridge has PCI_BRIDGE_BAR_COUNT.
#define PCI_BRIDGE_BAR_COUNT 2
void pci_read_bases(const struct pci_config *config, uint32_t count,
                    struct pci_bar bars[PCI_BAR_COUNT]);
// Measures the registers with the function switched off, which it stays.
void pci_read_bars(const struct pci_config *config, struct pci_bar bars[PCI_BAR_COUNT]);
void pci_set_bar(const struct pci_config *config, uint32_t index, struct pci_bar *bar,
                 uint64_t base);
// Lets the function answer to its memory addresses.
void pci_show_registers(const struct pci_config *config);
// The same, and lets it reach memory itself; its pin is switched off.
void pci_enable(const struct pci_config *config);
// It reaches memory no more, and sends no messages. It still answers to its addresses.
void pci_disable(const struct pci_config *config);

// Where the first entry of the MSI-X table is. False: the function has none that makes sense.
bool pci_find_msix(const struct pci_config *config, const struct pci_bar bars[PCI_BAR_COUNT],
                   uint32_t *bar_index, uint64_t *offset);
#define PCI_MSIX_ENTRY_WORDS 4
// Writes the message into an entry of the table, not masked.
void pci_write_msix_entry(volatile uint32_t entry[PCI_MSIX_ENTRY_WORDS],
                          const struct mx_interrupt_message *message);
void pci_enable_msix(const struct pci_config *config);
// One message by the capability MSI. False: it has none, or cannot reach the address.
bool pci_enable_msi(const struct pci_config *config, const struct mx_interrupt_message *message);
