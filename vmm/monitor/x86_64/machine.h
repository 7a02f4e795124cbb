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
#include "vmm/monitor/device_bus.h"
#include "vmm/monitor/machine.h"
#include "vmm/monitor/x86_64/machine_layout.h"

#define PC_COM_COUNT     4
#define PC_PM_TIMER_BITS 32

// Everything under guest->lock once vCPUs run.
struct machine {
    struct device_bus bus;

    struct i8259 pic;
    struct i8254 pit;
    struct i8042 keyboard;
    struct mc146818 rtc;
    struct ns16550 uarts[PC_COM_COUNT];
    struct serial com[PC_COM_COUNT];
    struct acpi_pm pm;
    struct ioapic ioapic;

    uint64_t line_sources[PC_ISA_IRQ_COUNT]; // a bit for each source that asserts the line
    bool has_lost_message;

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
