// The redistributors of a GICv3, one for each vCPU, in one range: an RD frame and an SGI frame
// each.
//
// Reads of GICR_CTLR never show a write in progress, since every write is done when it returns.
// LPIs can be disabled again (CES), and single ones invalidated by register (IR). A redistributor
// that is put to sleep says so, and interrupts wake the vCPU as ever.
//
// Spec: Arm IHI 0069, "The GIC Redistributor register map" and "The GIC Redistributor register
// descriptions".
#pragma once

#include "vmm/arm64/gic_bank.h"
#include "vmm/arm64/gic_lpi.h"
#include "vmm/device.h"

#define GIC_REDISTRIBUTOR_STRIDE_BYTES 0x20000u // of them there are vcpu_count
#define GIC_REDISTRIBUTOR_SHOWN_BYTES  0x1000u

struct gic_redistributors {
    struct gic_bank bank;  // bank.vcpu_id is the one whose frame is accessed
    struct gic_lpis *lpis; // NULL: there are no LPIs
    bool is_asleep[GIC_VCPUS_MAX];
    uint8_t *shown[GIC_VCPUS_MAX]; // pages that have what a read would give; NULL: none
};

extern const struct device_ops gic_redistributors_ops; // memory-mapped

// Models of a state as after power-on. `lpis` may be NULL and must outlive it.
void gic_redistributors_init(struct gic_redistributors *gic, const struct gic_machine *machine,
                             struct gic_lpis *lpis);

// Keeps in `page`, GIC_REDISTRIBUTOR_SHOWN_BYTES of zeros, what reads of the first page of a vCPU's
// RD frame give, so that a guest who can read it there needs no exit. It is told of writes as ever.
void gic_redistributors_show(struct gic_redistributors *gic, uint32_t vcpu_id, uint8_t *page);
