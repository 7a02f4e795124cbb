// Handing out the functions of a PCI host bridge; see pci_host.h.
#include "user/drivers/pci_host.h"

#include <stdio.h>
#include <string.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#define FUNCTION_SHIFT 12 // ECAM: 4 KiB for each function, 256 functions for each bus
#define BUS_SHIFT      20

static uint32_t read_config(void *context, uint32_t offset)
{
    return *(const volatile uint32_t *)((const volatile uint8_t *)context +
                                        (offset & (MX_PAGE_SIZE - 4)));
}

static void write_config(void *context, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)((volatile uint8_t *)context + (offset & (MX_PAGE_SIZE - 4))) = value;
}

static uint64_t config_offset(const struct pci_host *host, uint8_t bus, uint8_t slot)
{
    return (uint64_t)(bus - host->info.first_bus) << BUS_SHIFT | (uint64_t)slot << FUNCTION_SHIFT;
}

static void open_config(void *context, uint8_t bus, uint8_t slot, struct pci_config *out)
{
    struct pci_host *host = context;

    *out = (struct pci_config){read_config, write_config,
                               (void *)(uintptr_t)(host->ecam + config_offset(host, bus, slot))};
}

void pci_host_open_config(struct pci_host *host, const struct pci_function *function,
                          struct pci_config *out)
{
    open_config(host, function->bus, function->slot, out);
}

static bool is_wanted(void *context, const struct pci_header *header)
{
    const struct pci_host *host = context;

    return host->is_wanted(header);
}

// What a BAR's registers take of memory objects.
static uint64_t page_bytes(const struct pci_bar *bar)
{
    return bar->size_bytes < MX_PAGE_SIZE ? MX_PAGE_SIZE : bar->size_bytes;
}

static mx_status_t map_physical(const struct pci_authority *authority, uint64_t base,
                                uint64_t size_bytes, uint64_t *address)
{
    mx_handle_t vmo;
    mx_status_t status = mx_vmo_create_physical(authority->memory, 0, base, size_bytes, &vmo);

    if (status != MX_OK)
        return status;
    *address = 0;
    status = mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0),
                           MX_MAP_READ | MX_MAP_WRITE, vmo, 0, size_bytes, address);
    handle_close(vmo);
    return status;
}

// The kernel knows what is memory. Firmware's addresses may be wrong, and the device's own word is
// all there is for the size.
static bool lies_over_memory(const struct pci_authority *authority, const struct pci_host *host,
                             const struct pci_bar *bar)
{
    uint64_t base = pci_cpu_address(&host->info, bar->base);
    mx_handle_t vmo;

    if (bar->kind < PCI_BAR_MEMORY32 || bar->base == 0)
        return false;
    mx_status_t status = mx_vmo_create_physical(
        authority->memory, 0, base & ~(uint64_t)(MX_PAGE_SIZE - 1), page_bytes(bar), &vmo);
    if (status == MX_OK)
        handle_close(vmo);
    return status == MX_ERR_NOT_SUPPORTED;
}

static void refuse_memory(const struct pci_authority *authority, struct pci_host *host)
{
    for (uint32_t i = 0; i < host->scan.count; i++) {
        struct pci_function *function = &host->scan.functions[i];

        for (uint32_t j = 0; function->is_wanted && j < PCI_BAR_COUNT; j++) {
            if (lies_over_memory(authority, host, &function->bars[j]))
                function->refusal = "its registers lie over memory";
        }
    }
}

// All at once and for good: while drivers run, addresses come and go nowhere. An emulator (QEMU
// 7.2) crashes when they do while another CPU accesses a device.
static void show_registers(struct pci_host *host)
{
    for (uint32_t i = 0; i < host->scan.count; i++) {
        const struct pci_function *function = &host->scan.functions[i];
        struct pci_config config;

        if (!function->is_wanted || function->refusal)
            continue;
        pci_host_open_config(host, function, &config);
        pci_show_registers(&config);
    }
}

mx_status_t pci_host_open(const struct pci_authority *authority,
                          const struct mx_info_pci_host *info,
                          bool (*wanted)(const struct pci_header *header), struct pci_host *host)
{
    uint64_t size_bytes = (uint64_t)(info->last_bus - info->first_bus + 1) << BUS_SHIFT, address;
    struct pci_access access = {is_wanted, open_config, host};

    memset(host, 0, sizeof(*host));
    host->info = *info;
    host->is_wanted = wanted;
    mx_status_t status = map_physical(authority, info->ecam_base, size_bytes, &address);
    if (status != MX_OK)
        return status;
    host->ecam = (volatile uint8_t *)(uintptr_t)address;
    pci_scan(&access, info, &host->scan);
    refuse_memory(authority, host);
    show_registers(host);
    return MX_OK;
}

// --- handing out
// -------------------------------------------------------------------------------------

static mx_status_t grant_bars(const struct pci_authority *authority, const struct pci_host *host,
                              const struct pci_function *function, struct pci_grant *grant)
{
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *bar = &function->bars[i];
        uint64_t base = pci_cpu_address(&host->info, bar->base);
        uint64_t size = page_bytes(bar);

        // Registers that share their page with somebody else's are not handed out.
        if (bar->kind < PCI_BAR_MEMORY32 || bar->base == 0 || base % MX_PAGE_SIZE != 0)
            continue;
        mx_status_t status =
            mx_vmo_create_physical(authority->memory, 0, base, size, &grant->device.bars[i].vmo);
        if (status != MX_OK)
            return status;
        grant->device.bars[i].size_bytes = size;
    }
    return MX_OK;
}

static mx_status_t grant_config(const struct pci_authority *authority, const struct pci_host *host,
                                const struct pci_function *function, struct pci_grant *grant)
{
    mx_handle_t vmo;
    uint64_t base = host->info.ecam_base + config_offset(host, function->bus, function->slot);
    mx_status_t status = mx_vmo_create_physical(authority->memory, 0, base, MX_PAGE_SIZE, &vmo);

    if (status != MX_OK)
        return status;
    status =
        mx_handle_replace(vmo, MX_RIGHT_READ | MX_RIGHT_MAP | MX_RIGHT_TRANSFER | MX_RIGHT_INSPECT,
                          &grant->config_page);
    if (status != MX_OK)
        handle_close(vmo);
    return status;
}

static uint32_t requester_of(const struct pci_host *host, const struct pci_function *function)
{
    return host->info.segment << 16 | (uint32_t)function->bus << 8 | function->slot;
}

static mx_status_t grant_dma(const struct pci_authority *authority, const struct pci_host *host,
                             const struct pci_function *function, struct pci_grant *grant)
{
    mx_status_t status = mx_dma_create(authority->dma, requester_of(host, function), &grant->dma);

    if (status != MX_OK)
        return status;
    return mx_handle_duplicate(grant->dma, MX_RIGHT_SAME, &grant->device.dma);
}

static mx_status_t write_msix(const struct pci_authority *authority, const struct pci_host *host,
                              const struct pci_bar *bar, uint64_t offset,
                              const struct mx_interrupt_message *message)
{
    uint64_t base = pci_cpu_address(&host->info, bar->base) + offset,
             page = base & ~(uint64_t)(MX_PAGE_SIZE - 1);
    uint64_t address;
    mx_status_t status = map_physical(authority, page, MX_PAGE_SIZE, &address);

    if (status != MX_OK)
        return status;
    pci_write_msix_entry((volatile uint32_t *)(uintptr_t)(address + (base - page)), message);
    return mx_aspace_unmap(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0), address, MX_PAGE_SIZE);
}

static mx_status_t grant_interrupt(const struct pci_authority *authority,
                                   const struct pci_host *host, const struct pci_config *config,
                                   const struct pci_function *function, struct pci_grant *grant)
{
    struct mx_interrupt_message message;
    uint32_t bar;
    uint64_t offset;
    mx_status_t status = mx_interrupt_create_message(authority->irqs, requester_of(host, function),
                                                     &grant->device.interrupt, &message);

    if (status != MX_OK)
        return status;
    pci_enable(config);
    if (pci_find_msix(config, function->bars, &bar, &offset) && function->bars[bar].base != 0) {
        status = write_msix(authority, host, &function->bars[bar], offset, &message);
        if (status == MX_OK)
            pci_enable_msix(config);
        return status;
    }
    return pci_enable_msi(config, &message) ? MX_OK : MX_ERR_NOT_SUPPORTED;
}

mx_status_t pci_grant_function(const struct pci_authority *authority, struct pci_host *host,
                               const struct pci_function *function, struct pci_grant *grant,
                               const char **what)
{
    struct pci_config config;

    memset(grant, 0, sizeof(*grant));
    *what = function->refusal;
    if (function->refusal)
        return MX_ERR_ACCESS_DENIED;
    pci_host_open_config(host, function, &config);
    snprintf(grant->device.name, sizeof(grant->device.name), "%04x:%02x:%02x.%u",
             host->info.segment & 0xffffu, function->bus, function->slot >> 3, function->slot & 7u);
    *what = "its registers";
    mx_status_t status = grant_bars(authority, host, function, grant);
    if (status == MX_OK)
        status = grant_config(authority, host, function, grant);
    if (status == MX_OK) {
        *what = "its memory";
        status = grant_dma(authority, host, function, grant);
    }
    if (status == MX_OK) {
        *what = "a message-signalled interrupt";
        status = grant_interrupt(authority, host, &config, function, grant);
    }
    if (status != MX_OK)
        pci_revoke_function(host, function, grant);
    return status;
}

void pci_revoke_function(struct pci_host *host, const struct pci_function *function,
                         struct pci_grant *grant)
{
    struct pci_config config;

    pci_host_open_config(host, function, &config);
    pci_disable(&config);
    // The write has arrived when the read is answered.
    (void)pci_read16(&config, 0);
    driver_close(&grant->device);
    handle_close(grant->config_page);
    handle_close(grant->dma);
    memset(grant, 0, sizeof(*grant));
}
