// Where everything lies in the machine that an arm64 guest finds: memory, devices, interrupts.
//
// Guests find all of it in the device tree, so no address is a promise. Devices lie between 32 and
// 64 GiB, above what most guests have as RAM and within 36 bits, which the smallest second stage
// has. Nothing but the VMM's device tree and its table of devices uses these names.
#pragma once

#include <stdint.h>

// RAM begins at 0. The loader may fill what lies above the device tree.
#define ARM64_DEVICE_TREE_BASE  0x000100000ull
#define ARM64_DEVICE_TREE_BYTES 0x000100000ull
#define ARM64_LOAD_BASE         0x000200000ull
#define ARM64_LOW_RAM_MAX       0x800000000ull
#define ARM64_HIGH_RAM_BASE     0x1000000000ull

// The interrupt controller: GICv2 or GICv3. The two share the distributor's place.
#define ARM64_GICD_BASE     0x800000000ull
#define ARM64_GICD_V2_BYTES 0x1000ull
#define ARM64_GICD_V3_BYTES 0x10000ull
#define ARM64_GICC_BASE     0x800001000ull // v2: the CPU interface
#define ARM64_GICC_BYTES    0x2000ull
#define ARM64_GICV2M_BASE   0x800003000ull // v2: the frame for message-signalled interrupts
#define ARM64_GICV2M_BYTES  0x1000ull
#define ARM64_GICR_BASE     0x800010000ull // v3: a redistributor for each vCPU, in their order
#define ARM64_GICR_BYTES    0x20000ull     // of each
#define ARM64_ITS_BASE      0x808000000ull // v3
#define ARM64_ITS_BYTES     0x20000ull
#define ARM64_V2_CPUS_MAX   8u
#define ARM64_V3_CPUS_MAX   64u

// PCI: configuration space of bus 0, memory for BARs.
#define ARM64_ECAM_BASE        0x808100000ull
#define ARM64_ECAM_BYTES       0x100000ull
#define ARM64_PCI_MEMORY_BASE  0x808200000ull
#define ARM64_PCI_MEMORY_BYTES 0x100000ull

// Other devices, a page each.
#define ARM64_PL011_BASE   0x808300000ull
#define ARM64_PL031_BASE   0x808301000ull
#define ARM64_PL061_BASE   0x808302000ull
#define ARM64_DEVICE_BYTES 0x1000ull

// Interrupts, by the architecture's numbers (INTIDs).
#define ARM64_IRQ_SPI_BASE         32u
#define ARM64_IRQ_SPI_COUNT_V2     224u // what the distributor has
#define ARM64_IRQ_SPI_COUNT_V3     96u  // no messages; guests set up each SPI by several accesses
#define ARM64_IRQ_PPI_BASE         16u
#define ARM64_IRQ_TIMER_HYPERVISOR 26u
#define ARM64_IRQ_TIMER_VIRTUAL    27u
#define ARM64_IRQ_TIMER_SECURE     29u
#define ARM64_IRQ_TIMER_PHYSICAL   30u
#define ARM64_IRQ_PCI_BASE         32u // INTA of slot n is this plus n: a line for each slot
#define ARM64_IRQ_PCI_COUNT        32u
#define ARM64_IRQ_PL011            111u
#define ARM64_IRQ_PL031            112u
#define ARM64_IRQ_PL061            113u
#define ARM64_IRQ_GICV2M_BASE      128u
#define ARM64_IRQ_GICV2M_COUNT     128u

// The pin of the PL061 that the power button is wired to, high while it is pressed.
#define ARM64_PL061_POWER_PIN 3u

// The affinity fields of a vCPU's MPIDR_EL1: sixteen to a cluster, since one SGI reaches sixteen.
static inline uint32_t arm64_vcpu_affinity(uint32_t vcpu_id)
{
    return (vcpu_id >> 4) << 8 | (vcpu_id & 15u);
}
