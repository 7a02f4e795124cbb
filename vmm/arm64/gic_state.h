// The state of a guest's interrupts, as the register models of its GIC read and change it.
//
// The state itself is elsewhere: in the kernel, since device processes raise lines straight into
// vCPUs. The models (distributor, redistributors, ITS, MSI frame) decode what a guest reads and
// writes into calls of this table, and keep only what no interrupt's delivery depends on. The VMM
// implements it by system calls, unit tests by a fake.
//
// Interrupts have the numbers of the architecture: SGIs 0 to 15 and PPIs 16 to 31, which each vCPU
// has for itself, SPIs from 32, LPIs from 8192.
//
// Spec: Arm IHI 0048B (GICv2) and IHI 0069 (GICv3), "Programmers' Model".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GIC_VCPUS_MAX    64u
#define GIC_V2_VCPUS_MAX 8u

#define GIC_SGI_COUNT     16u
#define GIC_PRIVATE_COUNT 32u // SGIs and PPIs
#define GIC_SPI_BASE      32u
#define GIC_SPIS_MAX      960u // the last SPIs of a word of 32 would be special numbers
#define GIC_LPI_BASE      8192u
#define GIC_LPI_COUNT     1024u

// The vCPU number in GIC_TARGET of an interrupt that no vCPU takes: it stays pending.
#define GIC_TARGET_NONE UINT32_MAX

// What there is of each interrupt. After power-on all of it is zero, but that SGIs are
// edge-triggered. With the order and meaning of the kernel's enum mx_gic_field. `first` names the
// first interrupt of a word.
enum gic_field {
    // One bit for each of 32 interrupts, `first` is a multiple of 32.
    GIC_GROUP,   // 1: group 1
    GIC_ENABLE,  // 1: forwarded to the vCPU
    GIC_PENDING, // read: including the level of the line; write 1: as ISPENDR, 0: as ICPENDR
    GIC_ACTIVE,
    GIC_EDGE, // 1: edge-triggered
    // One byte for each of 4 interrupts, `first` is a multiple of 4.
    GIC_PRIORITY,
    // One interrupt, an SPI: the number of the vCPU that takes it, or GIC_TARGET_NONE.
    GIC_TARGET,
    // `first` is 0: bits 0 and 1 are EnableGrp0 and EnableGrp1 of GICD_CTLR.
    GIC_CONTROL,
    // GICv2, one byte for each of 4 SGIs, `first` is a multiple of 4: bit n is "pending from vCPU
    // n", as in GICD_SPENDSGIRn; write 1: becomes pending, 0: does not stay so.
    GIC_SGI_SOURCES,
};

// `vcpu_id` chooses the bank for interrupts below 32 and is ignored for others. A write changes the
// bits that are set in `mask`, at once as far as vCPUs that run can tell. What is asked for is
// always within the guest's vCPUs and interrupts; an implementation that fails all the same ends
// the guest.
struct gic_state_ops {
    uint32_t (*read)(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first);
    void (*write)(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first,
                  uint32_t value, uint32_t mask);
    // Where an LPI goes and with which priority; GIC_PENDING of it survives.
    void (*set_lpi)(void *context, uint32_t intid, uint32_t vcpu_id, uint8_t priority,
                    bool is_enabled);
};

// The machine that a GIC is in. Constant while the models live, which keep a pointer to it.
struct gic_machine {
    const struct gic_state_ops *ops;
    void *context; // for ops
    uint32_t vcpu_count;
    uint32_t spi_count; // a multiple of 32, at most GIC_SPIS_MAX
    // Of each vCPU what identifies it in MPIDR_EL1: Aff3 << 24 | Aff2 << 16 | Aff1 << 8 | Aff0.
    uint32_t affinities[GIC_VCPUS_MAX];
};

static inline uint32_t gic_state_read(const struct gic_machine *machine, uint32_t vcpu_id,
                                      enum gic_field field, uint32_t first)
{
    return machine->ops->read(machine->context, vcpu_id, field, first);
}

static inline void gic_state_write(const struct gic_machine *machine, uint32_t vcpu_id,
                                   enum gic_field field, uint32_t first, uint32_t value,
                                   uint32_t mask)
{
    machine->ops->write(machine->context, vcpu_id, field, first, value, mask);
}
