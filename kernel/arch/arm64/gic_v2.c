// GICv2 (Arm IHI 0048B.b), seen without the Security Extensions or from the Non-secure side: bit 0
// of both control registers enables the interrupts that the host has, whichever it is.
#include <arch/mmu.h>

#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/gic_distributor.h"
#include "kernel/arch/arm64/portable/machine.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/mmio.h"

#define CPU_TARGETS_MAX 8

static volatile void *gicd, *gicc;

static bool init(const struct machine *machine, const char **why)
{
    gicd = arch_map_device(PADDR(machine->gicd.base), GICD_SIZE_V2);
    gicc = arch_map_device(PADDR(machine->gicc.base), GICC_SIZE);
    if (!gicd || !gicc) {
        *why = "no room to map GICv2";
        return false;
    }
    mmio_write32(gicd, GICD_CTLR, 0);
    gic_distributor_reset(gicd);
    mmio_write32(gicd, GICD_CTLR, GICD_CTLR_ENABLE);
    return true;
}

// The targets of SGIs and PPIs read as the bit of the CPU that reads.
static uint8_t own_target(void)
{
    for (uint32_t intid = 0; intid < GIC_INTID_SPI_BASE; intid += 4) {
        uint32_t targets = mmio_read32(gicd, GICD_ITARGETSR(intid));

        targets |= targets >> 16;
        targets |= targets >> 8;
        if (targets & 0xff)
            return (uint8_t)targets;
    }
    return 1; // one CPU only: the registers are zero
}

static bool init_cpu(struct arm64_cpu *cpu)
{
    gic_private_reset(gicd);
    cpu->gic_target = own_target();
    mmio_write32(gicc, GICC_PMR, GIC_PRIORITY_ALL);
    mmio_write32(gicc, GICC_BPR, 0);
    mmio_write32(gicc, GICC_CTLR, GICC_CTLR_ENABLE);
    return true;
}

static uint32_t acknowledge(void)
{
    return mmio_read32(gicc, GICC_IAR);
}

static void end(uint32_t acknowledged)
{
    mmio_write32(gicc, GICC_EOIR, acknowledged);
}

static void send_sgi(const struct arm64_cpu *target, uint32_t sgi)
{
    // The target sees what this CPU wrote before.
    dsb_ishst();
    mmio_write32(gicd, GICD_SGIR, (uint32_t)target->gic_target << GICD_SGIR_LIST_SHIFT | sgi);
}

static void set_enabled(uint32_t intid, bool is_enabled)
{
    gic_frame_set_enabled(gicd, intid, is_enabled);
}

static void configure(uint32_t intid, bool is_edge, const struct arm64_cpu *target)
{
    gic_frame_set_edge(gicd, intid, is_edge);
    mmio_write8(gicd, GICD_ITARGETSR((uint64_t)intid), target->gic_target);
}

const struct gic_ops gic_v2 = {
    .name = "GICv2",
    .init = init,
    .init_cpu = init_cpu,
    .acknowledge = acknowledge,
    .end = end,
    .send_sgi = send_sgi,
    .set_enabled = set_enabled,
    .configure = configure,
};
