// LPIs: where each goes, as the ITS says, and its priority and enable bit, which a guest keeps in a
// table in its memory. A redistributor may hold a copy of the table until it is told to invalidate
// it; the copy is the kernel's state here.
//
// The redistributors' pending tables are neither read nor written: what is pending stays with the
// kernel, and moves along when the LPI is sent to another vCPU.
//
// Spec: Arm IHI 0069, "LPI Configuration tables", "LPI Pending tables", GICR_CTLR, GICR_PROPBASER,
// GICR_PENDBASER.
#pragma once

#include "vmm/arm64/gic_state.h"
#include "vmm/memory/guest_memory.h"

// GICR_CTLR, GICR_PROPBASER and GICR_PENDBASER of one redistributor.
struct gic_lpi_redistributor {
    uint64_t propbaser, pendbaser;
    bool is_enabled;
};

struct gic_lpi {
    uint8_t vcpu_id; // where it goes, or went last
    uint8_t priority;
    bool is_routed;
    bool is_enabled; // as the kernel has been told, like the priority
};

struct gic_lpis {
    const struct gic_machine *machine;
    const struct guest_memory *memory;
    struct gic_lpi_redistributor redistributors[GIC_VCPUS_MAX];
    struct gic_lpi lpis[GIC_LPI_COUNT];
};

static inline bool gic_lpi_exists(uint32_t intid)
{
    return intid - GIC_LPI_BASE < GIC_LPI_COUNT;
}

// None is routed, no redistributor has them enabled. `memory` must outlive it.
void gic_lpis_init(struct gic_lpis *lpis, const struct gic_machine *machine,
                   const struct guest_memory *memory);

// Below, `intid` exists and `vcpu_id` is below vcpu_count.

// Sends an LPI to a vCPU, with what the guest's table says of it now.
void gic_lpis_route(struct gic_lpis *lpis, uint32_t intid, uint32_t vcpu_id);
// Nobody sends it any more; it is not pending any more.
void gic_lpis_drop(struct gic_lpis *lpis, uint32_t intid);
void gic_lpis_set_pending(const struct gic_lpis *lpis, uint32_t intid, bool is_pending);

// Has the table read again for one LPI if it is routed, or for all that go to a vCPU.
void gic_lpis_invalidate(struct gic_lpis *lpis, uint32_t intid);
void gic_lpis_invalidate_vcpu(struct gic_lpis *lpis, uint32_t vcpu_id);
