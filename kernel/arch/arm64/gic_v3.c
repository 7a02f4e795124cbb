// GICv3 and GICv4 (Arm IHI 0069H.b), with affinity routing and system registers, from the
// Non-secure side.
#include <arch/mmu.h>

#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/gic_distributor.h"
#include "kernel/arch/arm64/portable/machine.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"

// A register write is pending, or a redistributor asleep, for no longer than this many reads.
#define WAIT_LOOPS 1000000

static volatile void *gicd;
static struct {
    volatile uint8_t *registers;
    uint64_t base, size_bytes;
} regions[MACHINE_GICR_MAX];
static uint32_t region_count;
static uint64_t stride;

static bool wait_until_clear(volatile void *base, uint64_t offset, uint32_t bits)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        if (!(mmio_read32(base, offset) & bits))
            return true;
    }
    return false;
}

static bool init_distributor(void)
{
    mmio_write32(gicd, GICD_CTLR, 0);
    if (!wait_until_clear(gicd, GICD_CTLR, GICD_CTLR_RWP))
        return false;
    gic_distributor_reset(gicd);
    for (uint32_t intid = GIC_INTID_SPI_BASE; intid < gic_intid_count; intid += 32)
        mmio_write32(gicd, GICD_IGROUPR(intid / 32), UINT32_MAX);
    mmio_write32(gicd, GICD_CTLR, GICD_CTLR_ARE_NS | GICD_CTLR_ENABLE_G1 | GICD_CTLR_ENABLE_G1A);
    return wait_until_clear(gicd, GICD_CTLR, GICD_CTLR_RWP);
}

static bool init(const struct machine *machine, const char **why)
{
    gicd = arch_map_device(PADDR(machine->gicd.base), GICD_SIZE);
    *why = "no room to map GICv3";
    if (!gicd)
        return false;
    for (uint32_t i = 0; i < machine->gicr_count; i++) {
        regions[i].registers =
            arch_map_device(PADDR(machine->gicr[i].base), machine->gicr[i].size_bytes);
        regions[i].base = machine->gicr[i].base;
        regions[i].size_bytes = machine->gicr[i].size_bytes;
        if (!regions[i].registers)
            return false;
    }
    region_count = machine->gicr_count;
    stride = machine->gicr_stride;
    *why = "the distributor of GICv3 does not answer";
    return init_distributor();
}

// Affinity as GICR_TYPER has it: levels 3 to 0 in four bytes.
static uint32_t packed_affinity(uint64_t mpidr)
{
    return (uint32_t)(MPIDR_AFF3(mpidr) << 24 | (mpidr & 0xffffff));
}

static volatile uint8_t *find_in_region(volatile uint8_t *registers, uint64_t size_bytes,
                                        uint32_t affinity)
{
    for (uint64_t offset = 0; range_is_within(offset, 2 * GICR_FRAME_SIZE, size_bytes);) {
        uint64_t type = mmio_read64(registers, offset + GICR_TYPER);

        if (GICR_TYPER_AFFINITY(type) == affinity)
            return registers + offset;
        if (type & GICR_TYPER_LAST)
            return NULL;
        offset += stride ? stride : (type & GICR_TYPER_VLPIS ? 4 : 2) * (uint64_t)GICR_FRAME_SIZE;
    }
    return NULL;
}

static volatile uint8_t *find_redistributor(uint64_t mpidr)
{
    for (uint32_t i = 0; i < region_count; i++) {
        volatile uint8_t *found =
            find_in_region(regions[i].registers, regions[i].size_bytes, packed_affinity(mpidr));

        if (found)
            return found;
    }
    return NULL;
}

uint64_t gic_v3_redistributor_base(const struct arm64_cpu *cpu)
{
    const volatile uint8_t *gicr = cpu->gicr;

    for (uint32_t i = 0; i < region_count; i++) {
        if (gicr >= regions[i].registers && gicr < regions[i].registers + regions[i].size_bytes)
            return regions[i].base + (uint64_t)(gicr - regions[i].registers);
    }
    return 0;
}

static bool wake(volatile uint8_t *gicr)
{
    uint32_t waker = mmio_read32(gicr, GICR_WAKER);

    mmio_write32(gicr, GICR_WAKER, waker & ~(uint32_t)GICR_WAKER_SLEEP);
    return wait_until_clear(gicr, GICR_WAKER, GICR_WAKER_ASLEEP);
}

static bool init_cpu(struct arm64_cpu *cpu)
{
    volatile uint8_t *gicr = find_redistributor(cpu->mpidr);

    if (!gicr || !wake(gicr))
        return false;
    cpu->gicr = gicr;
    mmio_write32(gicr + GICR_SGI_FRAME, GICD_IGROUPR(0), UINT32_MAX);
    gic_private_reset(gicr + GICR_SGI_FRAME);
    sysreg_write(ICC_SRE_EL1, sysreg_read(ICC_SRE_EL1) | ICC_SRE_SRE);
    isb();
    sysreg_write(ICC_PMR_EL1, GIC_PRIORITY_ALL);
    sysreg_write(ICC_BPR1_EL1, 0);
    sysreg_write(ICC_CTLR_EL1, 0);
    sysreg_write(ICC_IGRPEN1_EL1, 1);
    isb();
    return true;
}

static uint32_t acknowledge(void)
{
    uint64_t intid = sysreg_read(ICC_IAR1_EL1);

    dsb_sy(); // the interrupt is acknowledged before its device is looked at
    return (uint32_t)intid;
}

static void end(uint32_t acknowledged)
{
    sysreg_write(ICC_EOIR1_EL1, acknowledged);
    isb();
}

static void send_sgi(const struct arm64_cpu *target, uint32_t sgi)
{
    uint64_t mpidr = target->mpidr;
    uint64_t value =
        MPIDR_AFF3(mpidr) << ICC_SGI1R_AFF3_SHIFT | MPIDR_AFF2(mpidr) << ICC_SGI1R_AFF2_SHIFT |
        MPIDR_AFF1(mpidr) << ICC_SGI1R_AFF1_SHIFT | (uint64_t)sgi << ICC_SGI1R_INTID_SHIFT |
        MPIDR_AFF0(mpidr) / 16 << ICC_SGI1R_RS_SHIFT | (uint64_t)1 << MPIDR_AFF0(mpidr) % 16;

    // The target sees what this CPU wrote before; a system register is no barrier for memory.
    dsb_ishst();
    sysreg_write(ICC_SGI1R_EL1, value);
    isb();
}

static volatile void *frame_of(uint32_t intid)
{
    return intid < GIC_INTID_SPI_BASE
               ? (volatile uint8_t *)arm64_current_cpu()->gicr + GICR_SGI_FRAME
               : (volatile uint8_t *)gicd;
}

static void set_enabled(uint32_t intid, bool is_enabled)
{
    gic_frame_set_enabled(frame_of(intid), intid, is_enabled);
    // A disabled interrupt is not delivered any more when this returns.
    if (!is_enabled && intid >= GIC_INTID_SPI_BASE)
        (void)wait_until_clear(gicd, GICD_CTLR, GICD_CTLR_RWP);
}

static void configure(uint32_t intid, bool is_edge, const struct arm64_cpu *target)
{
    gic_frame_set_edge(gicd, intid, is_edge);
    mmio_write64(gicd, GICD_IROUTER(intid), target->mpidr);
}

const struct gic_ops gic_v3 = {
    .name = "GICv3",
    .init = init,
    .init_cpu = init_cpu,
    .acknowledge = acknowledge,
    .end = end,
    .send_sgi = send_sgi,
    .set_enabled = set_enabled,
    .configure = configure,
};
