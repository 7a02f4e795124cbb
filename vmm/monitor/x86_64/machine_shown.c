// What a guest reads without exits: PCI configuration space and the I/O APIC's registers; see
// shown_pages.h.
#include "vmm/monitor/x86_64/machine.h"

static mx_status_t show_ioapic(struct shown_pages *pages, struct ioapic *ioapic)
{
    uint8_t *page;
    const mx_status_t status = shown_pages_add(pages, PC_IOAPIC_BASE, &page);

    if (status == MX_OK)
        ioapic_show_registers(ioapic, page);
    return status;
}

mx_status_t machine_show_registers(struct machine *machine)
{
    struct shown_pages pages;
    mx_status_t status = shown_pages_create(&pages, machine->bus.guest, 1 + SHOWN_PCI_PAGES);

    if (status != MX_OK)
        return status;
    status = show_ioapic(&pages, &machine->ioapic);
    if (status == MX_OK)
        status = device_bus_show_config(&machine->bus, &pages);
    shown_pages_finish(&pages);
    return status;
}
