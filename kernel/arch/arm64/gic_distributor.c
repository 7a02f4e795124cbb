// The registers that GICv2's distributor, GICv3's distributor and its redistributors share; see
// gic_distributor.h.
#include "kernel/arch/arm64/gic_distributor.h"

#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/mmio.h"

#define PRIORITY_WORD ((uint32_t)GIC_PRIORITY * 0x01010101u)
#define SGI_BITS      0x0000ffffu
#define PPI_BITS      0xffff0000u

uint32_t gic_intid_count;

void gic_distributor_reset(volatile void *gicd)
{
    uint32_t lines = (mmio_read32(gicd, GICD_TYPER) & GICD_TYPER_LINES_MASK) + 1;

    gic_intid_count = lines * 32 < GIC_INTID_SPI_END ? lines * 32 : GIC_INTID_SPI_END;
    for (uint32_t i = 1; i < lines; i++) {
        mmio_write32(gicd, GICD_ICENABLER(i), UINT32_MAX);
        mmio_write32(gicd, GICD_ICPENDR(i), UINT32_MAX);
        mmio_write32(gicd, GICD_ICACTIVER(i), UINT32_MAX);
    }
    for (uint32_t intid = GIC_INTID_SPI_BASE; intid < gic_intid_count; intid += 4)
        mmio_write32(gicd, GICD_IPRIORITYR(intid / 4), PRIORITY_WORD);
    for (uint32_t intid = GIC_INTID_SPI_BASE; intid < gic_intid_count; intid += 16)
        mmio_write32(gicd, GICD_ICFGR(intid / 16), 0);
}

void gic_private_reset(volatile void *frame)
{
    mmio_write32(frame, GICD_ICENABLER(0), PPI_BITS);
    mmio_write32(frame, GICD_ICACTIVER(0), UINT32_MAX);
    for (uint32_t intid = 0; intid < GIC_INTID_SPI_BASE; intid += 4)
        mmio_write32(frame, GICD_IPRIORITYR(intid / 4), PRIORITY_WORD);
    mmio_write32(frame, GICD_ISENABLER(0), SGI_BITS);
}

void gic_frame_set_enabled(volatile void *frame, uint32_t intid, bool is_enabled)
{
    uint64_t bank =
        is_enabled ? GICD_ISENABLER((uint64_t)intid / 32) : GICD_ICENABLER((uint64_t)intid / 32);

    mmio_write32(frame, bank, (uint32_t)1 << intid % 32);
}

void gic_frame_set_edge(volatile void *frame, uint32_t intid, bool is_edge)
{
    uint64_t offset = GICD_ICFGR((uint64_t)intid / 16);
    uint32_t bit = GICD_ICFGR_EDGE << intid % 16 * 2;
    uint32_t value = mmio_read32(frame, offset);

    mmio_write32(frame, offset, is_edge ? value | bit : value & ~bit);
}
