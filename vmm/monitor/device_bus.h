// What the machines of all architectures have in common: devices at the places that a table says,
// PCI devices whose BARs the guest moves, the devices' timers, and the serial port that is the
// guest's terminal. A machine (vmm/monitor/ARCH/machine.h) embeds one.
//
// Every row of a table is a trap of the kernel whose key is the row's place in the dispatch map, so
// an exit needs no search. BARs of PCI devices are trapped where the guest puts them, with a key of
// their own.
//
// Calls are made under the machine's lock once vCPUs run, unless said otherwise.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/hypervisor.h>
#include <machina/types.h>

#include "vmm/monitor/guest.h"
#include "vmm/monitor/portable/access_map.h"
#include "vmm/monitor/serial.h"
#include "vmm/monitor/shown_pages.h"
#include "vmm/monitor/system_timer.h"
#include "vmm/pci/pci_host.h"

struct device_bus_trap {
    bool is_set;
    uint64_t address;
};

struct device_bus {
    struct guest *guest;
    struct access_map ports; // empty where the architecture has none
    struct access_map memory;
    struct system_timer timers;

    struct pci_host pci;
    uint64_t ecam_base;
    bool is_config_shown; // configuration space is read without exits
    unsigned last_slot;
    struct device_bus_trap pci_traps[PCI_SLOT_COUNT];

    struct serial *terminal; // the machine's; set before the guest runs
};

MX_MUST_CHECK mx_status_t device_bus_init(struct device_bus *bus, struct guest *guest,
                                          uint64_t ecam_base);

// --- platform devices ---------------------------------------------------------------------------

enum device_space {
    DEVICE_SPACE_MEMORY,
    DEVICE_SPACE_IO,
};

struct device_row {
    const char *name;
    enum device_space space;
    uint64_t base;
    uint64_t size_bytes; // of each, where there is one for each vCPU
    const struct device_ops *ops;
    size_t offset; // of the device in what device_bus_place_devices gets as its machine
    bool is_per_vcpu;
};

// Puts devices and their traps at their places. What fails is logged with the device's name.
MX_MUST_CHECK mx_status_t device_bus_place_devices(struct device_bus *bus, void *machine,
                                                   const struct device_row *rows, size_t count);

// --- PCI devices --------------------------------------------------------------------------------

// The slot of the next device. NO_RESOURCES: no slot is free.
MX_MUST_CHECK mx_status_t device_bus_take_slot(struct device_bus *bus, unsigned *slot);
// Puts a device into a slot that was taken, with its pin on `line`, which the configuration space
// calls `irq`.
MX_MUST_CHECK mx_status_t device_bus_add_pci(struct device_bus *bus, struct pci_device *device,
                                             unsigned slot, struct irq_line line, uint8_t irq);
// Shows configuration space; devices and BARs are in place. Takes SHOWN_PCI_PAGES.
MX_MUST_CHECK mx_status_t device_bus_show_config(struct device_bus *bus, struct shown_pages *pages);

// --- accesses -----------------------------------------------------------------------------------

// By a trap's key or, with any other key, by address alone. Where nothing is, reads give ones.
uint64_t device_bus_memory_read(struct device_bus *bus, uint64_t key, uint64_t address,
                                unsigned width_bytes);
void device_bus_memory_write(struct device_bus *bus, uint64_t key, uint64_t address,
                             unsigned width_bytes, uint64_t value);
uint64_t device_bus_port_read(struct device_bus *bus, uint64_t key, uint64_t port,
                              unsigned width_bytes);
void device_bus_port_write(struct device_bus *bus, uint64_t key, uint64_t port,
                           unsigned width_bytes, uint64_t value);
// Does an access to memory that the kernel has decoded, and answers it.
void device_bus_answer(struct device_bus *bus, uint64_t key, struct mx_packet_mem *access);

// --- by the main thread, lock not held ----------------------------------------------------------

void device_bus_attach_serial(struct device_bus *bus, mx_handle_t stream);
// Gives back the stream that is attached to the serial port, or MX_HANDLE_INVALID.
mx_handle_t device_bus_detach_serial(struct device_bus *bus);
void device_bus_serial_event(struct device_bus *bus, uint64_t key);
void device_bus_timer_event(struct device_bus *bus);
