// PCI configuration space that a guest reads without exits.
//
// The configuration space of each slot is a page that the device model writes and that the guest
// sees read-only in the ECAM window; slots without a device share a page of ones. The window's trap
// stays as it is: writes come to it because the pages do not allow them, and so do reads of
// functions other than 0 and of slots that were hidden again.
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

// The page of a slot: the first is that of all empty ones.
static uint64_t page_offset(const struct machine *machine, unsigned slot)
{
    return machine->pci.devices[slot] ? (uint64_t)(slot + 1) * PAGE_BYTES : 0;
}

static mx_status_t show_slot(struct machine *machine, mx_handle_t vmo, uint8_t *pages,
                             unsigned slot)
{
    struct pci_device *device = machine->pci.devices[slot];
    const uint64_t offset = page_offset(machine, slot);
    uint64_t address = slot_address(slot);

    if (device)
        pci_device_show_config(device, pages + offset);
    return mx_aspace_map(machine->guest->aspace, MX_MAP_READ | MX_MAP_SPECIFIC | MX_MAP_POPULATE,
                         vmo, offset, PAGE_BYTES, &address);
}

mx_status_t machine_show_config_space(struct machine *machine)
{
    const uint64_t size_bytes = (PCI_SLOT_COUNT + 1) * PAGE_BYTES;
    uint64_t address = 0;
    mx_handle_t vmo;

    mx_status_t status = mx_vmo_create(size_bytes, &vmo);
    if (status != MX_OK)
        return status;
    status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                           MX_MAP_READ | MX_MAP_WRITE, vmo, 0, size_bytes, &address);
    if (status == MX_OK)
        memset((void *)(uintptr_t)address, 0xff, PAGE_BYTES);
    for (unsigned slot = 0; status == MX_OK && slot < PCI_SLOT_COUNT; slot++)
        status = show_slot(machine, vmo, (uint8_t *)(uintptr_t)address, slot);
    machine->is_config_shown = status == MX_OK;
    handle_close(vmo);
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
