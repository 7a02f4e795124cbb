// The distributor of a GICv2 or GICv3, as its registers show it. What interrupts do is the kernel's
// (gic_state.h); here is only what each SPI's target register reads back.
//
// There is one security state (GICD_CTLR.DS of a GICv3 is set, a GICv2 has no Security Extensions),
// a GICv3 has affinity routing only (ARE is set), and an SPI goes to one vCPU: of the targets that
// a GICv2's guest allows it is the one with the lowest number, and "any of them" of a GICv3 does
// not exist (GICD_TYPER.No1N). After power-on every SPI goes to vCPU 0.
//
// Spec: Arm IHI 0048B, 4.3 "Distributor register descriptions"; IHI 0069, "The GIC Distributor
// register map" and "The GIC Distributor register descriptions".
#pragma once

#include "vmm/arm64/gic_bank.h"
#include "vmm/device.h"

#define GIC_V2_DISTRIBUTOR_SIZE_BYTES 0x1000u
#define GIC_V3_DISTRIBUTOR_SIZE_BYTES 0x10000u

struct gic_distributor_layout;

struct gic_distributor {
    struct gic_bank bank; // GICv2: bank.vcpu_id is the vCPU whose access is being made
    const struct gic_distributor_layout *layout;
    uint32_t typer;
    union {
        uint8_t cpu_targets[GIC_SPIS_MAX]; // GICv2: GICD_ITARGETSRn
        uint32_t routes[GIC_SPIS_MAX];     // GICv3: GICD_IROUTERn, as gic_machine has affinities
    };
};

extern const struct device_ops gic_distributor_ops; // memory-mapped

// Models of a state as after power-on. A GICv2 has at most GIC_V2_VCPUS_MAX vCPUs. `has_lpis`: LPIs
// from GIC_LPI_BASE exist, as there is an ITS.
void gic_distributor_init_v2(struct gic_distributor *gic, const struct gic_machine *machine);
void gic_distributor_init_v3(struct gic_distributor *gic, const struct gic_machine *machine,
                             bool has_lpis);

// GICv2: says which vCPU, below vcpu_count, makes the next accesses, since registers of SGIs and
// PPIs are banked.
static inline void gic_distributor_set_accessor(struct gic_distributor *gic, uint32_t vcpu_id)
{
    gic->bank.vcpu_id = vcpu_id;
}
