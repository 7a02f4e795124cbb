// What start-up needs to know of a machine, out of its device tree (Devicetree Specification 0.4;
// the bindings are those of Linux Documentation/devicetree/bindings: arm,gic, arm,gic-v3,
// arm,arch_timer, psci, pl011, cpus, chosen).
//
// The tree comes from firmware; a node that makes no sense counts as absent. Portable, and tested
// on the host.
#pragma once

#include "kernel/lib/fdt.h"

#define MACHINE_MEMORY_MAX 64
#define MACHINE_CPU_MAX    64
#define MACHINE_GICR_MAX   8
#define MACHINE_INTID_END  1020 // of SPIs
#define MACHINE_INTID_NONE 0

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

// The generic timer's interrupts, in the order of the binding.
enum machine_timer {
    MACHINE_TIMER_SECURE,
    MACHINE_TIMER_PHYSICAL,
    MACHINE_TIMER_VIRTUAL,
    MACHINE_TIMER_HYPERVISOR,
    MACHINE_TIMER_HYPERVISOR_VIRTUAL,
    MACHINE_TIMER_COUNT,
};

struct machine_tree {
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

    struct fdt_range pl011; // size 0: absent
    uint32_t pl011_intid;
    struct fdt_range pl031;
};

void machine_tree_read(const struct fdt *fdt, struct machine_tree *machine);

static inline bool machine_intid_is_edge(const struct machine_tree *machine, uint32_t intid)
{
    return intid < MACHINE_INTID_END && (machine->edge_intids[intid / 32] >> intid % 32 & 1);
}
