// One PCI function as its device model builds it: config space, BARs, capabilities, MSI-X, INTx
// pin.
//
// Config space is a byte array with a write mask of the same size, so that BAR sizing, read-only
// registers and partial writes need no code of their own. The only state besides is where each BAR
// is decoded and the MSI-X table. Every change of a decode is reported once to the device and once
// to the bus, so that whoever holds kernel traps for the BAR can move them.
//
// All accesses are the guest's and are made under the machine's lock; any offset, width and value
// is answered. The host is little-endian, as both architectures are.
//
// PCI Local Bus 3.0: 6.1 "Configuration Space Organization", 6.2.5 "Base Addresses", 6.7
// "Capabilities List", 6.8.2 "MSI-X Capability and Table Structures".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/device.h"

enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_CODE = 0x09, // three bytes: programming interface, subclass, base class
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_FIRST_CAPABILITY = 0x40,
};

#define PCI_COMMAND_IO           (1u << 0)
#define PCI_COMMAND_MEMORY       (1u << 1)
#define PCI_COMMAND_BUS_MASTER   (1u << 2)
#define PCI_COMMAND_INTX_DISABLE (1u << 10)
#define PCI_STATUS_INTERRUPT     (1u << 3)
#define PCI_STATUS_CAPABILITIES  (1u << 4)

#define PCI_CAPABILITY_VENDOR  0x09
#define PCI_CAPABILITY_MSIX    0x11
#define PCI_MSIX_ENABLE        (1u << 15)
#define PCI_MSIX_FUNCTION_MASK (1u << 14)

#define PCI_CONFIG_BYTES     256u
#define PCI_BAR_COUNT        6u
#define PCI_MSIX_VECTORS_MAX 128u
#define PCI_MSIX_ENTRY_BYTES 16u
#define PCI_MSIX_ALL_VECTORS UINT32_MAX

enum pci_bar_kind {
    PCI_BAR_NONE,
    PCI_BAR_IO,
    PCI_BAR_MEMORY32,
    PCI_BAR_MEMORY64, // takes the next index too
};

// Where a message-signalled interrupt goes, or that its vector is masked by entry or function.
struct pci_msix_message {
    uint64_t address;
    uint32_t data;
    bool is_masked;
};

// What a device model is told; any member may be NULL. Called under the machine's lock.
struct pci_device_ops {
    // Answers a read of at most four bytes instead of the stored config space; false: not answered.
    bool (*config_read)(void *context, unsigned offset, unsigned width_bytes, uint32_t *value);
    // The bytes [offset, offset + width_bytes) were written, already under the write mask.
    void (*config_written)(void *context, unsigned offset, unsigned width_bytes);
    // A BAR began, moved or ended being decoded; `address` is zero when it is not mapped.
    void (*bar_moved)(void *context, unsigned bar_index, bool is_mapped, uint64_t address);
    // The message or mask of one vector changed, or with PCI_MSIX_ALL_VECTORS the whole function's.
    void (*msix_changed)(void *context, uint32_t vector);
};

struct pci_device;

// What the bus is told about each device on it, after the device itself.
struct pci_bus_ops {
    void (*bar_moved)(void *context, struct pci_device *device, unsigned bar_index, bool is_mapped,
                      uint64_t address);
    // From now on ops->config_read has a say in what reads show. May be NULL.
    void (*config_hidden)(void *context, struct pci_device *device);
};

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size_bytes;
    const struct device_ops *ops;
    bool is_mapped;
    uint64_t address; // of the present mapping
};

struct pci_msix {
    unsigned capability_offset; // zero: the device has none
    unsigned vector_count;
    uint8_t table[PCI_MSIX_VECTORS_MAX * PCI_MSIX_ENTRY_BYTES];
    uint8_t pending[PCI_MSIX_VECTORS_MAX / 8];
};

// Embedded in the device model; touched only through the functions below.
struct pci_device {
    uint8_t *config; // own_config, or where the guest can see it without asking
    uint8_t own_config[PCI_CONFIG_BYTES];
    uint8_t write_mask[PCI_CONFIG_BYTES];
    struct pci_bar bars[PCI_BAR_COUNT];
    struct pci_msix msix;
    unsigned next_capability; // offset of the first free byte
    unsigned capability_link; // offset of the byte that will point to the next capability
    struct irq_line intx;
    bool intx_level; // what the device asserts, before any disable bit
    bool is_config_hidden;
    const struct pci_device_ops *ops;
    void *context; // for ops and for the operations of every BAR
    const struct pci_bus_ops *bus_ops;
    void *bus_context;
};

struct pci_identity {
    uint16_t vendor_id;
    uint16_t device_id;
    uint16_t subsystem_vendor_id;
    uint16_t subsystem_id;
    uint8_t revision_id;
    uint32_t class_code; // base class << 16 | subclass << 8 | programming interface
};

// Makes a function with no BARs, capabilities or interrupt pin. `ops` and `context` must outlive
// it.
void pci_device_init(struct pci_device *device, const struct pci_identity *identity,
                     const struct pci_device_ops *ops, void *context);

// Adds a BAR. Accesses that the bus decodes for it reach `ops` with the device's context and the
// offset in the BAR. INVALID_ARGS: an index that is taken or beyond the last, or a size that is not
// a power of two of at least 4 (I/O, at most 256) or 16 (memory, at most 2 GiB).
MX_MUST_CHECK mx_status_t pci_device_add_bar(struct pci_device *device, unsigned bar_index,
                                             enum pci_bar_kind kind, uint64_t size_bytes,
                                             const struct device_ops *ops);

// Appends a capability: the two bytes of id and link, then `body`. Read-only unless made writable
// below. `offset` receives where it starts. NO_SPACE: config space is full.
MX_MUST_CHECK mx_status_t pci_device_add_capability(struct pci_device *device, uint8_t id,
                                                    const void *body, size_t body_bytes,
                                                    unsigned *offset);

// Lets the guest write the bits of `mask` at an offset that lies in config space.
void pci_device_set_writable(struct pci_device *device, unsigned offset, unsigned width_bytes,
                             uint32_t mask);

// Appends the MSI-X capability; the device model lets pci_msix_* answer the two places in its BARs.
// INVALID_ARGS: no or too many vectors, an offset not a multiple of eight. NO_SPACE: config space
// is full.
MX_MUST_CHECK mx_status_t pci_device_add_msix(struct pci_device *device, unsigned vector_count,
                                              unsigned table_bar, uint32_t table_offset,
                                              unsigned pba_bar, uint32_t pba_offset);

// Gives the device the pin INTA and the line that it drives; `line_number` is what the interrupt
// line register shows until the guest writes it.
void pci_device_set_intx(struct pci_device *device, struct irq_line line, uint8_t line_number);

// To the state after power-on: every writable bit zero, no BAR decoded, every vector masked.
void pci_device_reset(struct pci_device *device);

// Config space accesses of 1, 2 or 4 bytes within one aligned dword; anything else reads all ones
// and is ignored when written. Offsets from 256 on read zero: there are no extended capabilities.
uint32_t pci_device_config_read(struct pci_device *device, unsigned offset, unsigned width_bytes);
void pci_device_config_write(struct pci_device *device, unsigned offset, unsigned width_bytes,
                             uint32_t value);

// Moves config space to `page`, PCI_CONFIG_BYTES long, which the guest may be shown read-only: it
// holds what a read would return until the device hides it. `page` must outlive the device.
void pci_device_show_config(struct pci_device *device, uint8_t *page);
// For a device whose config_read begins to answer: has reads come here again, for good.
void pci_device_hide_config(struct pci_device *device);

// An access to a BAR that need not be mapped, as the bus and the virtio access window make it.
// False: no such BAR, or not wholly inside it; then `value` is untouched.
bool pci_device_bar_read(struct pci_device *device, unsigned bar_index, uint64_t offset,
                         unsigned width_bytes, uint64_t *value);
bool pci_device_bar_write(struct pci_device *device, unsigned bar_index, uint64_t offset,
                          unsigned width_bytes, uint64_t value);

// Asserts or releases INTA. What reaches the line also depends on the command register, and it is
// low while MSI-X is enabled.
void pci_device_set_intx_level(struct pci_device *device, bool level);

bool pci_msix_is_enabled(const struct pci_device *device);

// The message of a vector. False: no such vector.
bool pci_msix_message(const struct pci_device *device, unsigned vector,
                      struct pci_msix_message *message);

// Accesses to the table and the pending bits, offsets relative to each. Beyond the last entry they
// read zero and ignore writes.
uint64_t pci_msix_table_read(const struct pci_device *device, uint64_t offset,
                             unsigned width_bytes);
void pci_msix_table_write(struct pci_device *device, uint64_t offset, unsigned width_bytes,
                          uint64_t value);
uint64_t pci_msix_pending_read(const struct pci_device *device, uint64_t offset,
                               unsigned width_bytes);

// Shows in the pending bit array that a masked vector has an interrupt waiting, or no longer has.
void pci_msix_set_pending(struct pci_device *device, unsigned vector, bool is_pending);
