// The PC's state and what its files share: machine.c (devices), machine_boot.c (start),
// machine_vcpu.c (exits), machine_shown.c (registers that are read without exits).
#pragma once

#include "vmm/chips/acpi_pm.h"
#include "vmm/chips/i8042.h"
#include "vmm/chips/i8254.h"
#include "vmm/chips/i8259.h"
#include "vmm/chips/ioapic.h"
#include "vmm/chips/mc146818.h"
#include "vmm/chips/ns16550.h"
#include "vmm/loader/x86_64/x86_boot.h"
#include "vmm/monitor/machine.h"
#include "vmm/monitor/portable/access_map.h"
#include "vmm/monitor/serial.h"
#include "vmm/monitor/x86_64/machine_layout.h"
#include "vmm/pci/pci_host.h"
#include "vmm/virtio/virtio_pci.h"

#define PC_COM_COUNT     4
#define PC_PM_TIMER_BITS 32

struct pci_trap {
    bool is_set;
    uint64_t address;
};

// Everything under guest->lock once vCPUs run.
struct machine {
    struct guest *guest;
    struct access_map ports;
    struct access_map memory;
    struct system_timer timers;

    struct i8259 pic;
    struct i8254 pit;
    struct i8042 keyboard;
    struct mc146818 rtc;
    struct ns16550 uarts[PC_COM_COUNT];
    struct serial com[PC_COM_COUNT];
    struct acpi_pm pm;
    struct ioapic ioapic;
    struct pci_host pci;

    uint64_t line_sources[PC_ISA_IRQ_COUNT]; // a bit for each source that asserts the line
    bool has_lost_message;
    unsigned last_slot;
    struct pci_trap pci_traps[PCI_SLOT_COUNT];
    bool is_config_shown;

    struct x86_boot_state boot; // of vCPU 0, by machine_load
};

// The interrupt of INTA of the device in a slot.
static inline unsigned machine_intx_irq(unsigned slot)
{
    return PC_INTX_IRQ + slot % PC_INTX_IRQ_COUNT;
}

// Lets the guest read PCI configuration space and the I/O APIC without exits; devices and BARs are
// in place.
MX_MUST_CHECK mx_status_t machine_show_registers(struct machine *machine);

// Accesses by a trap's key or, with any other key, by address alone. Lock held.
uint64_t machine_memory_read(struct machine *machine, uint64_t key, uint64_t address,
                             unsigned width_bytes);
void machine_memory_write(struct machine *machine, uint64_t key, uint64_t address,
                          unsigned width_bytes, uint64_t value);
uint64_t machine_port_read(struct machine *machine, uint64_t key, uint64_t port,
                           unsigned width_bytes);
void machine_port_write(struct machine *machine, uint64_t key, uint64_t port, unsigned width_bytes,
                        uint64_t value);
