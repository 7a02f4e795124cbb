// PCI host bridge: see pci_host.h.

#include "vmm/pci/pci_host.h"

#include <string.h>

#define CONFIG_ADDRESS_ENABLE   0x80000000u
#define CONFIG_ADDRESS_WRITABLE 0x80fffffcu

static const struct pci_device_ops bridge_ops = {0};

static unsigned slot_of(const struct pci_host *host, const struct pci_device *device)
{
    unsigned slot = 0;
    while (slot < PCI_SLOT_COUNT - 1 && host->devices[slot] != device)
        slot++;
    return slot;
}

static void host_bar_moved(void *context, struct pci_device *device, unsigned bar_index,
                           bool is_mapped, uint64_t address)
{
    const struct pci_host *host = context;
    if (host->ops && host->ops->bar_moved)
        host->ops->bar_moved(host->context, slot_of(host, device), bar_index, is_mapped, address);
}

static void host_config_hidden(void *context, struct pci_device *device)
{
    const struct pci_host *host = context;
    if (host->ops && host->ops->config_hidden)
        host->ops->config_hidden(host->context, slot_of(host, device));
}

static const struct pci_bus_ops host_bus_ops = {.bar_moved = host_bar_moved,
                                                .config_hidden = host_config_hidden};

void pci_host_init(struct pci_host *host, const struct pci_host_ops *ops, void *context)
{
    static const struct pci_identity identity = {
        .vendor_id = 0x8086,
        .device_id = 0x29c0,
        .subsystem_vendor_id = 0x1af4,
        .subsystem_id = 0x1100,
        .class_code = 0x060000,
    };
    memset(host, 0, sizeof(*host));
    host->ops = ops;
    host->context = context;
    pci_device_init(&host->bridge, &identity, &bridge_ops, host);
    host->devices[0] = &host->bridge;
}

mx_status_t pci_host_add(struct pci_host *host, struct pci_device *device, unsigned slot)
{
    if (slot >= PCI_SLOT_COUNT)
        return MX_ERR_OUT_OF_RANGE;
    if (host->devices[slot])
        return MX_ERR_ALREADY_EXISTS;
    host->devices[slot] = device;
    device->bus_ops = &host_bus_ops;
    device->bus_context = host;
    return MX_OK;
}

void pci_host_reset(struct pci_host *host)
{
    host->config_address = 0;
    for (unsigned slot = 0; slot < PCI_SLOT_COUNT; slot++) {
        if (host->devices[slot])
            pci_device_reset(host->devices[slot]);
    }
}

// --- assignment at start-up
// -------------------------------------------------------------------------

static mx_status_t window_take(struct pci_window *window, uint64_t size_bytes, uint64_t *address)
{
    const uint64_t mask = size_bytes - 1;

    if (window->next > UINT64_MAX - mask)
        return MX_ERR_NO_SPACE;
    *address = (window->next + mask) & ~mask;
    if (*address > window->end || size_bytes > window->end - *address)
        return MX_ERR_NO_SPACE;
    window->next = *address + size_bytes;
    return MX_OK;
}

static mx_status_t assign_bar(struct pci_device *device, unsigned bar_index, struct pci_window *io,
                              struct pci_window *memory)
{
    const struct pci_bar *bar = &device->bars[bar_index];
    const unsigned offset = PCI_BAR0 + 4 * bar_index;
    uint64_t address;

    mx_status_t status =
        window_take(bar->kind == PCI_BAR_IO ? io : memory, bar->size_bytes, &address);
    if (status != MX_OK)
        return status;
    if (bar->kind != PCI_BAR_MEMORY64 && address > UINT32_MAX)
        return MX_ERR_NO_SPACE;
    pci_device_config_write(device, offset, 4, (uint32_t)address);
    if (bar->kind == PCI_BAR_MEMORY64)
        pci_device_config_write(device, offset + 4, 4, (uint32_t)(address >> 32));
    return MX_OK;
}

static mx_status_t assign_device(struct pci_device *device, struct pci_window *io,
                                 struct pci_window *memory)
{
    pci_device_config_write(device, PCI_COMMAND, 2, 0);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        if (device->bars[i].kind == PCI_BAR_NONE)
            continue;
        mx_status_t status = assign_bar(device, i, io, memory);
        if (status != MX_OK)
            return status;
    }
    // Only what the device has a BAR for sticks.
    pci_device_config_write(device, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    return MX_OK;
}

mx_status_t pci_host_assign_bars(struct pci_host *host, struct pci_window *io,
                                 struct pci_window *memory)
{
    for (unsigned slot = 0; slot < PCI_SLOT_COUNT; slot++) {
        if (!host->devices[slot])
            continue;
        mx_status_t status = assign_device(host->devices[slot], io, memory);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

// --- configuration space
// ----------------------------------------------------------------------------

// `routing_id` is bus << 8 | slot << 3 | function.
static struct pci_device *device_at(const struct pci_host *host, uint64_t routing_id)
{
    if (routing_id >= PCI_SLOT_COUNT * 8 || (routing_id & 7) != 0)
        return NULL;
    return host->devices[routing_id >> 3];
}

static uint64_t all_ones(unsigned width_bytes)
{
    return width_bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width_bytes)) - 1;
}

// The device that the address register selects, or NULL; `offset` receives the register's.
static struct pci_device *selected_device(const struct pci_host *host, uint64_t port,
                                          unsigned *offset)
{
    const uint32_t address = host->config_address;

    if (!(address & CONFIG_ADDRESS_ENABLE))
        return NULL;
    *offset = (address & 0xfc) | (port & 3);
    return device_at(host, (address & ~CONFIG_ADDRESS_ENABLE) >> 8);
}

// Only a dword access to the first port reaches the address register; others, such as the byte
// write to the reset control register at 0xcf9, are ordinary port accesses that nobody here
// answers.
static uint64_t host_port_read(void *context, uint64_t port, unsigned width_bytes)
{
    struct pci_host *host = context;
    unsigned offset;

    if (port == 0 && width_bytes == 4)
        return host->config_address;
    if (port < 4)
        return all_ones(width_bytes);
    struct pci_device *device = selected_device(host, port, &offset);
    if (!device)
        return all_ones(width_bytes);
    return pci_device_config_read(device, offset, width_bytes) & all_ones(width_bytes);
}

static void host_port_write(void *context, uint64_t port, unsigned width_bytes, uint64_t value)
{
    struct pci_host *host = context;
    unsigned offset;

    if (port == 0 && width_bytes == 4)
        host->config_address = (uint32_t)value & CONFIG_ADDRESS_WRITABLE;
    if (port < 4)
        return;
    struct pci_device *device = selected_device(host, port, &offset);
    if (device)
        pci_device_config_write(device, offset, width_bytes, (uint32_t)value);
}

static uint64_t host_ecam_read(void *context, uint64_t offset, unsigned width_bytes)
{
    struct pci_device *device = device_at(context, offset >> 12);

    if (!device)
        return all_ones(width_bytes);
    if (width_bytes == 8 && (offset & 7) == 0)
        return pci_device_config_read(device, offset & 0xfff, 4) |
               (uint64_t)pci_device_config_read(device, (offset & 0xfff) + 4, 4) << 32;
    return pci_device_config_read(device, offset & 0xfff, width_bytes) & all_ones(width_bytes);
}

static void host_ecam_write(void *context, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct pci_device *device = device_at(context, offset >> 12);

    if (!device)
        return;
    if (width_bytes == 8 && (offset & 7) == 0) {
        pci_device_config_write(device, offset & 0xfff, 4, (uint32_t)value);
        pci_device_config_write(device, (offset & 0xfff) + 4, 4, (uint32_t)(value >> 32));
        return;
    }
    pci_device_config_write(device, offset & 0xfff, width_bytes, (uint32_t)value);
}

static void host_reset(void *context)
{
    pci_host_reset(context);
}

const struct device_ops pci_host_port_ops = {
    .read = host_port_read,
    .write = host_port_write,
    .reset = host_reset,
};

// Reset goes through the ports' table; a machine has both.
const struct device_ops pci_host_ecam_ops = {
    .read = host_ecam_read,
    .write = host_ecam_write,
    .reset = host_reset,
};

// --- BARs
// -------------------------------------------------------------------------------------------

static bool bar_contains(const struct pci_bar *bar, bool is_io, uint64_t address)
{
    return bar->is_mapped && (bar->kind == PCI_BAR_IO) == is_io && address >= bar->address &&
           address - bar->address < bar->size_bytes;
}

static struct pci_device *find_decoder(const struct pci_host *host, bool is_io, uint64_t address,
                                       unsigned *bar_index)
{
    for (unsigned slot = 0; slot < PCI_SLOT_COUNT; slot++) {
        struct pci_device *device = host->devices[slot];
        for (unsigned i = 0; device && i < PCI_BAR_COUNT; i++) {
            if (bar_contains(&device->bars[i], is_io, address)) {
                *bar_index = i;
                return device;
            }
        }
    }
    return NULL;
}

bool pci_host_bar_read(struct pci_host *host, bool is_io, uint64_t address, unsigned width_bytes,
                       uint64_t *value)
{
    unsigned bar_index;
    struct pci_device *device = find_decoder(host, is_io, address, &bar_index);

    return device &&
           pci_device_bar_read(device, bar_index, address - device->bars[bar_index].address,
                               width_bytes, value);
}

bool pci_host_bar_write(struct pci_host *host, bool is_io, uint64_t address, unsigned width_bytes,
                        uint64_t value)
{
    unsigned bar_index;
    struct pci_device *device = find_decoder(host, is_io, address, &bar_index);

    return device &&
           pci_device_bar_write(device, bar_index, address - device->bars[bar_index].address,
                                width_bytes, value);
}
