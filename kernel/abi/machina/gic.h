// The state of a guest's interrupts where its interrupt controller is an Arm GIC: what the VMM's
// register models (distributor, redistributors, ITS) read and change, while the kernel delivers.
// mx_guest_gic_read, mx_guest_gic_write and mx_guest_gic_set_lpi take these.
//
// Interrupts have the numbers of the architecture: SGIs 0 to 15 and PPIs 16 to 31, of which each
// vCPU has its own, SPIs from 32, LPIs from 8192. A guest interrupt line (mx_guest_irq_route,
// MX_IRQ_ROUTE_MSI) with address 0 and an SPI or LPI as data raises it; of a level-triggered SPI,
// it is the level until mx_guest_irq_lower.
//
// Arm IHI 0069 (GICv3) and IHI 0048 (GICv2), "Programmers' Model".
#pragma once

#include <stdint.h>

#define MX_GIC_SGI_COUNT     16u
#define MX_GIC_PRIVATE_COUNT 32u // SGIs and PPIs
#define MX_GIC_SPI_END       992u // SPIs are 32 to 991: whole words of 32, none with a special number
#define MX_GIC_LPI_BASE      8192u
#define MX_GIC_LPI_COUNT     1024u
#define MX_GIC_TARGET_NONE   UINT32_MAX // an interrupt that no vCPU takes stays pending

// What there is of each interrupt. Bits: one for each of the 32 interrupts from `first`, a multiple
// of 32. Bytes: one for each of 4, `first` is a multiple of 4.
enum mx_gic_field {
    MX_GIC_GROUP,    // bits; 1: group 1
    MX_GIC_ENABLE,   // bits
    MX_GIC_PENDING,  // bits; read: with the level of the line. Write 1: as ISPENDR, 0: as ICPENDR
    MX_GIC_ACTIVE,   // bits
    MX_GIC_EDGE,     // bits; 1: edge-triggered
    MX_GIC_PRIORITY, // bytes
    MX_GIC_TARGET,   // one SPI: the number of its vCPU, or MX_GIC_TARGET_NONE
    MX_GIC_CONTROL,  // `first` is 0: bits 0 and 1 are EnableGrp0 and EnableGrp1 of GICD_CTLR
    MX_GIC_SGI_SOURCES, // GICv2, bytes: bit n is "pending from vCPU n", as GICD_SPENDSGIRn
    MX_GIC_VERSION,     // `first` is 0: 2 or 3; cannot be written
    MX_GIC_FIELD_COUNT,
};
