// The arm64 machine's state and what its files share: machine.c (devices), machine_gic.c
// (interrupts), machine_boot.c (start), machine_vcpu.c (exits), machine_shown.c (registers that are
// read without exits). Addresses and interrupts by name:
// vmm/arm64/memory_map.h.
#pragma once

#include "vmm/arm64/gic_distributor.h"
#include "vmm/arm64/gic_its.h"
#include "vmm/arm64/gic_redistributor.h"
#include "vmm/arm64/gicv2m.h"
#include "vmm/arm64/memory_map.h"
#include "vmm/chips/gpio_button.h"
#include "vmm/chips/pl011.h"
#include "vmm/chips/pl031.h"
#include "vmm/loader/arm64/arm64_boot.h"
#include "vmm/monitor/device_bus.h"
#include "vmm/monitor/machine.h"

// Everything under guest->lock once vCPUs run.
struct machine {
    struct device_bus bus;

    // The interrupt controller, of the version that the host's has.
    bool is_gicv2;
    struct gic_machine gic_machine;
    struct gic_distributor distributor;
    struct gicv2m frame;  // v2
    struct gic_lpis lpis; // v3, and the next two
    struct gic_redistributors redistributors;
    struct gic_its its;
    mx_handle_t lines[ARM64_IRQ_SPI_COUNT_V3]; // of SPIs that a device here or a PCI pin drives

    struct pl011 pl011;
    struct serial serial;
    struct pl031 rtc;
    struct pl061 gpio;
    struct gpio_button button;

    struct arm64_boot_state boot; // of vCPU 0, by machine_load
};

// --- machine_gic.c ------------------------------------------------------------------------------

// Finds out which GIC the guest has and makes its models. NOT_SUPPORTED with a reason: more vCPUs
// than it can have.
MX_MUST_CHECK mx_status_t machine_init_gic(struct machine *machine, char *reason,
                                           size_t reason_bytes);
// An SPI that is asserted while the device holds it so.
MX_MUST_CHECK mx_status_t machine_make_line(struct machine *machine, uint32_t intid,
                                            struct irq_line *line);

// --- machine_shown.c ----------------------------------------------------------------------------

// Lets the guest read PCI configuration space and more without exits. Devices and BARs are in
// place.
MX_MUST_CHECK mx_status_t machine_show_registers(struct machine *machine);
