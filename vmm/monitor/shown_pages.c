// See shown_pages.h.
#include "vmm/monitor/shown_pages.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/monitor/guest.h"

#define SLOT_BYTES (8 * (uint64_t)SHOWN_PAGE_BYTES) // a page for each of its functions

mx_status_t shown_pages_create(struct shown_pages *pages, struct guest *guest, unsigned count)
{
    uint64_t address = 0;

    *pages = (struct shown_pages){.guest = guest, .count = count};
    mx_status_t status = mx_vmo_create((uint64_t)count * SHOWN_PAGE_BYTES, &pages->vmo);
    if (status != MX_OK)
        return status;
    status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                           MX_MAP_READ | MX_MAP_WRITE | MX_MAP_COHERENT, pages->vmo, 0,
                           (uint64_t)count * SHOWN_PAGE_BYTES, &address);
    pages->bytes = (uint8_t *)(uintptr_t)address;
    if (status != MX_OK)
        shown_pages_finish(pages);
    return status;
}

void shown_pages_finish(struct shown_pages *pages)
{
    handle_close(pages->vmo);
    pages->vmo = MX_HANDLE_INVALID;
}

static mx_status_t show(const struct shown_pages *pages, const uint8_t *page, uint64_t address)
{
    return mx_aspace_map(pages->guest->aspace,
                         MX_MAP_READ | MX_MAP_SPECIFIC | MX_MAP_POPULATE | MX_MAP_COHERENT,
                         pages->vmo, (uint64_t)(page - pages->bytes), SHOWN_PAGE_BYTES, &address);
}

mx_status_t shown_pages_add(struct shown_pages *pages, uint64_t address, uint8_t **page)
{
    if (pages->used_count == pages->count)
        return MX_ERR_NO_RESOURCES;
    *page = pages->bytes + (size_t)pages->used_count++ * SHOWN_PAGE_BYTES;
    return show(pages, *page, address);
}

// --- PCI ----------------------------------------------------------------------------------------

static uint64_t slot_address(uint64_t ecam_base, unsigned slot)
{
    return ecam_base + slot * SLOT_BYTES;
}

static mx_status_t add_device(struct shown_pages *pages, struct pci_device *device,
                              uint64_t address)
{
    uint8_t *page;
    const mx_status_t status = shown_pages_add(pages, address, &page);

    if (status == MX_OK)
        pci_device_show_config(device, page);
    return status;
}

static mx_status_t add_empty_slot(struct shown_pages *pages, uint8_t **page, uint64_t address)
{
    if (*page)
        return show(pages, *page, address);
    const mx_status_t status = shown_pages_add(pages, address, page);
    if (status == MX_OK)
        memset(*page, 0xff, SHOWN_PAGE_BYTES);
    return status;
}

mx_status_t shown_pages_add_pci(struct shown_pages *pages, const struct pci_host *host,
                                uint64_t ecam_base)
{
    uint8_t *empty_page = NULL;
    mx_status_t status = MX_OK;

    for (unsigned slot = 0; status == MX_OK && slot < PCI_SLOT_COUNT; slot++) {
        struct pci_device *device = host->devices[slot];
        const uint64_t address = slot_address(ecam_base, slot);
        status = device ? add_device(pages, device, address)
                        : add_empty_slot(pages, &empty_page, address);
    }
    return status;
}

void shown_pci_slot_hide(struct guest *guest, uint64_t ecam_base, unsigned slot)
{
    const mx_status_t status =
        mx_aspace_unmap(guest->aspace, slot_address(ecam_base, slot), SHOWN_PAGE_BYTES);

    if (status != MX_OK)
        guest_log(guest, "vmm: PCI slot %u: configuration space cannot be hidden: %s", slot,
                  mx_status_string(status));
}
