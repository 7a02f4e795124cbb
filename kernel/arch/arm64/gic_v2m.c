// The MSI frame beside a GICv2: a write of an SPI's number raises it (Arm Server Base System
// Architecture 6.0, appendix "GICv2m Architecture"). The SPIs are edge-triggered, so what comes
// while one is masked waits in the distributor.
#include <arch/interrupts.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/gic.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/message_interrupts.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"

static uint64_t frame_base;
static uint32_t first_intid, intid_count;
bool gic_v2m_is_taken[LPI_IRQ_BASE];

static bool init(const struct machine *machine, const struct arm64_cpu *boot_cpu, const char **why)
{
    (void)boot_cpu;
    frame_base = machine->v2m.base;
    first_intid = machine->v2m_first_spi;
    intid_count = machine->v2m_spi_count;
    if (intid_count == 0) {
        volatile void *frame = arch_map_device(PADDR(frame_base), V2M_SIZE);

        *why = "no room to map its frame";
        if (!frame)
            return false;
        uint32_t type = mmio_read32(frame, V2M_TYPER);
        first_intid = V2M_TYPER_FIRST(type);
        intid_count = V2M_TYPER_COUNT(type);
    }
    *why = "its interrupts are none of the distributor's";
    return first_intid >= GIC_INTID_SPI_BASE && first_intid < gic_intid_count && intid_count != 0 &&
           intid_count <= gic_intid_count - first_intid;
}

static mx_status_t take(uint32_t requester, uint32_t *irq, struct mx_interrupt_message *message)
{
    (void)requester;
    for (uint32_t intid = first_intid; intid < first_intid + intid_count; intid++) {
        if (gic_v2m_is_taken[intid])
            continue;
        interrupts_configure_edge(intid);
        gic_v2m_is_taken[intid] = true;
        gic->set_enabled(intid, true);
        *irq = intid;
        *message = (struct mx_interrupt_message){.address = frame_base + V2M_SETSPI, .data = intid};
        return MX_OK;
    }
    return MX_ERR_NO_RESOURCES;
}

static void give_back(uint32_t irq)
{
    gic->set_enabled(irq, false);
    gic_v2m_is_taken[irq] = false;
}

const struct message_ops gic_v2m = {
    .name = "GICv2m", .init = init, .take = take, .free = give_back};
