// What a guest reads without exits: PCI configuration space and the I/O APIC's registers.
//
// Each is a page that the device model writes and that the guest sees read-only in its place; PCI
// slots without a device share a page of ones. The traps stay as they are: writes come to them
// because the pages do not allow them, and so do reads of functions other than 0 and of slots that
// were hidden again.
#include "vmm/monitor/x86_64/machine.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#define PAGE_BYTES 4096u
#define SLOT_BYTES (8 * PAGE_BYTES) // a page for each of its functions

static uint64_t slot_address(unsigned slot)
{
    return PC_ECAM_BASE + (uint64_t)slot * SLOT_BYTES;
}

// The pages, in their memory object: that of all empty slots, that of the I/O APIC, one a slot.
enum shown_page {
    PAGE_EMPTY_SLOT,
    PAGE_IOAPIC,
    PAGE_SLOTS,
    PAGE_COUNT = PAGE_SLOTS + PCI_SLOT_COUNT,
};

struct shown {
    struct machine *machine;
    mx_handle_t vmo;
    uint8_t *bytes; // of all pages
};

static mx_status_t show_page(const struct shown *shown, unsigned page, uint64_t address)
{
    return mx_aspace_map(shown->machine->guest->aspace,
                         MX_MAP_READ | MX_MAP_SPECIFIC | MX_MAP_POPULATE, shown->vmo,
                         (uint64_t)page * PAGE_BYTES, PAGE_BYTES, &address);
}

static mx_status_t show_slot(const struct shown *shown, unsigned slot)
{
    struct pci_device *device = shown->machine->pci.devices[slot];
    const unsigned page = device ? PAGE_SLOTS + slot : PAGE_EMPTY_SLOT;

    if (device)
        pci_device_show_config(device, shown->bytes + page * PAGE_BYTES);
    return show_page(shown, page, slot_address(slot));
}

static mx_status_t show_pages(const struct shown *shown)
{
    memset(shown->bytes + PAGE_EMPTY_SLOT * PAGE_BYTES, 0xff, PAGE_BYTES);
    ioapic_show_registers(&shown->machine->ioapic, shown->bytes + PAGE_IOAPIC * PAGE_BYTES);
    mx_status_t status = show_page(shown, PAGE_IOAPIC, PC_IOAPIC_BASE);
    for (unsigned slot = 0; status == MX_OK && slot < PCI_SLOT_COUNT; slot++)
        status = show_slot(shown, slot);
    return status;
}

mx_status_t machine_show_registers(struct machine *machine)
{
    struct shown shown = {.machine = machine};
    uint64_t address = 0;

    mx_status_t status = mx_vmo_create(PAGE_COUNT * PAGE_BYTES, &shown.vmo);
    if (status != MX_OK)
        return status;
    status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                           MX_MAP_READ | MX_MAP_WRITE, shown.vmo, 0, PAGE_COUNT * PAGE_BYTES,
                           &address);
    shown.bytes = (uint8_t *)(uintptr_t)address;
    if (status == MX_OK)
        status = show_pages(&shown);
    machine->is_config_shown = status == MX_OK;
    handle_close(shown.vmo);
    return status;
}

void machine_hide_config_space(struct machine *machine, unsigned slot)
{
    if (!machine->is_config_shown)
        return;
    const mx_status_t status =
        mx_aspace_unmap(machine->guest->aspace, slot_address(slot), PAGE_BYTES);
    if (status != MX_OK)
        guest_log(machine->guest, "vmm: PCI slot %u: configuration space cannot be hidden: %s",
                  slot, mx_status_string(status));
}
