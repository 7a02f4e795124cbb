// What a guest reads without exits: PCI configuration space and, on GICv3, the registers of the ITS
// and of the redistributors that Linux waits for; see shown_pages.h.
#include "vmm/monitor/arm64/machine.h"

static mx_status_t show_its(struct shown_pages *pages, struct gic_its *its)
{
    uint8_t *page;
    const mx_status_t status = shown_pages_add(pages, ARM64_ITS_BASE, &page);

    if (status == MX_OK)
        gic_its_show_registers(its, page);
    return status;
}

static mx_status_t show_redistributor(struct shown_pages *pages, struct gic_redistributors *gic,
                                      uint32_t vcpu_id)
{
    uint8_t *page;
    const mx_status_t status =
        shown_pages_add(pages, ARM64_GICR_BASE + vcpu_id * ARM64_GICR_BYTES, &page);

    if (status == MX_OK)
        gic_redistributors_show(gic, vcpu_id, page);
    return status;
}

static mx_status_t show_gicv3(struct shown_pages *pages, struct machine *machine)
{
    mx_status_t status = show_its(pages, &machine->its);

    for (uint32_t i = 0; status == MX_OK && i < machine->bus.guest->config.cpu_count; i++)
        status = show_redistributor(pages, &machine->redistributors, i);
    return status;
}

mx_status_t machine_show_registers(struct machine *machine)
{
    const unsigned gic_pages = machine->is_gicv2 ? 0 : 1 + machine->bus.guest->config.cpu_count;
    struct shown_pages pages;
    mx_status_t status =
        shown_pages_create(&pages, machine->bus.guest, gic_pages + SHOWN_PCI_PAGES);

    if (status != MX_OK)
        return status;
    if (!machine->is_gicv2)
        status = show_gicv3(&pages, machine);
    if (status == MX_OK)
        status = device_bus_show_config(&machine->bus, &pages);
    shown_pages_finish(&pages);
    return status;
}
