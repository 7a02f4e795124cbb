// What start-up needs to know of a machine, whoever tells it: its device tree (machine_tree.h) or,
// where there is none, its ACPI tables.
#pragma once

#include "kernel/lib/fdt.h"

#define MACHINE_MEMORY_MAX    64
#define MACHINE_CPU_MAX       64
#define MACHINE_GICR_MAX      MACHINE_CPU_MAX // each may have its own
#define MACHINE_PCI_MAX       8
#define MACHINE_PCI_BUS_SHIFT 20   // ECAM has 1 MiB for each bus
#define MACHINE_INTID_END     1020 // of SPIs
#define MACHINE_INTID_NONE    0

enum machine_gic {
    MACHINE_GIC_NONE,
    MACHINE_GIC_V2,
    MACHINE_GIC_V3,
};

// How firmware is called (Arm DEN 0022, Power State Coordination Interface, 5.2.1).
enum machine_conduit {
    MACHINE_CONDUIT_NONE,
    MACHINE_CONDUIT_SMC,
    MACHINE_CONDUIT_HVC,
};

// The generic timer's interrupts, in the order of the device tree's binding.
enum machine_timer {
    MACHINE_TIMER_SECURE,
    MACHINE_TIMER_PHYSICAL,
    MACHINE_TIMER_VIRTUAL,
    MACHINE_TIMER_HYPERVISOR,
    MACHINE_TIMER_HYPERVISOR_VIRTUAL,
    MACHINE_TIMER_COUNT,
};

struct machine_pci_window {
    uint64_t base, bus_base;
    uint64_t size_bytes; // 0: none
};

// A PCI host bridge ("pci-host-ecam-generic").
struct machine_pci_host {
    struct fdt_range ecam; // of first_bus; holds all buses
    uint32_t segment;
    uint8_t first_bus, last_bus;
    struct machine_pci_window memory32, memory64;
    // "msi-map": what the ITS calls the functions from msi_first_requester on. Count 0: there is no
    // map.
    uint32_t msi_first_requester, msi_first_device, msi_count;
};

struct machine {
    struct fdt_range memory[MACHINE_MEMORY_MAX];
    uint32_t memory_count;
    struct fdt_range reserved[MACHINE_MEMORY_MAX]; // RAM that is somebody else's
    uint32_t reserved_count;

    uint64_t cpu_mpidrs[MACHINE_CPU_MAX]; // affinity fields as in MPIDR_EL1
    uint32_t cpu_count;
    enum machine_conduit conduit;
    uint32_t timer_intids[MACHINE_TIMER_COUNT];

    enum machine_gic gic;
    struct fdt_range gicd;
    struct fdt_range gicc, gich, gicv;       // size 0: absent
    struct fdt_range gicr[MACHINE_GICR_MAX]; // v3: regions of redistributors
    uint32_t gicr_count;
    uint64_t gicr_stride; // between redistributors; 0: as the architecture says
    uint32_t gic_maintenance_intid;
    uint32_t edge_intids[(MACHINE_INTID_END + 31) / 32]; // bit set: some device says edge-triggered

    struct fdt_range its,
        v2m; // what turns devices' messages into interrupts of a v3, of a v2; size 0: absent
    // v2m: its first SPI and their number if the tree says so; count 0: the frame's register does.
    uint32_t v2m_first_spi, v2m_spi_count;

    struct machine_pci_host pci[MACHINE_PCI_MAX];
    uint32_t pci_count;

    struct fdt_range pl011; // size 0: absent
    uint32_t pl011_intid;
    struct fdt_range pl031;
};

static inline bool machine_intid_is_edge(const struct machine *machine, uint32_t intid)
{
    return intid < MACHINE_INTID_END && (machine->edge_intids[intid / 32] >> intid % 32 & 1);
}
