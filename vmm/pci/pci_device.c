// PCI function: see pci_device.h.

#include "vmm/pci/pci_device.h"

#include <string.h>

static const uint32_t bar_type_bits[] = {
    [PCI_BAR_NONE] = 0,
    [PCI_BAR_IO] = 0x1,
    [PCI_BAR_MEMORY32] = 0x0,
    [PCI_BAR_MEMORY64] = 0x4,
};

static uint32_t config_get(const struct pci_device *device, unsigned offset, unsigned width_bytes)
{
    uint32_t value = 0;
    memcpy(&value, &device->config[offset], width_bytes);
    return value;
}

static void config_set(struct pci_device *device, unsigned offset, unsigned width_bytes,
                       uint32_t value)
{
    memcpy(&device->config[offset], &value, width_bytes);
}

static bool ranges_overlap(unsigned a, unsigned a_bytes, unsigned b, unsigned b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

// --- building
// ---------------------------------------------------------------------------------------

void pci_device_init(struct pci_device *device, const struct pci_identity *identity,
                     const struct pci_device_ops *ops, void *context)
{
    memset(device, 0, sizeof(*device));
    device->config = device->own_config;
    device->ops = ops;
    device->context = context;
    device->next_capability = PCI_FIRST_CAPABILITY;
    device->capability_link = PCI_CAPABILITIES;
    config_set(device, PCI_VENDOR_ID, 2, identity->vendor_id);
    config_set(device, PCI_DEVICE_ID, 2, identity->device_id);
    config_set(device, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor_id);
    config_set(device, PCI_SUBSYSTEM_ID, 2, identity->subsystem_id);
    config_set(device, PCI_REVISION_ID, 1, identity->revision_id);
    config_set(device, PCI_CLASS_CODE, 3, identity->class_code);
    pci_device_set_writable(device, PCI_COMMAND, 2,
                            PCI_COMMAND_BUS_MASTER | PCI_COMMAND_INTX_DISABLE);
    pci_device_set_writable(device, PCI_INTERRUPT_LINE, 1, 0xff);
}

void pci_device_set_writable(struct pci_device *device, unsigned offset, unsigned width_bytes,
                             uint32_t mask)
{
    for (unsigned i = 0; i < width_bytes; i++)
        device->write_mask[offset + i] |= (uint8_t)(mask >> (8 * i));
}

static bool bar_size_is_valid(enum pci_bar_kind kind, uint64_t size_bytes)
{
    if (!is_power_of_two(size_bytes))
        return false;
    if (kind == PCI_BAR_IO)
        return size_bytes >= 4 && size_bytes <= 256;
    return size_bytes >= 16 && size_bytes <= UINT64_C(0x80000000);
}

static bool bar_is_free(const struct pci_device *device, unsigned bar_index)
{
    if (bar_index >= PCI_BAR_COUNT || device->bars[bar_index].kind != PCI_BAR_NONE)
        return false;
    return bar_index == 0 || device->bars[bar_index - 1].kind != PCI_BAR_MEMORY64;
}

mx_status_t pci_device_add_bar(struct pci_device *device, unsigned bar_index,
                               enum pci_bar_kind kind, uint64_t size_bytes,
                               const struct device_ops *ops)
{
    const unsigned offset = PCI_BAR0 + 4 * bar_index;
    const uint64_t mask = ~(size_bytes - 1);

    if (kind == PCI_BAR_NONE || !bar_size_is_valid(kind, size_bytes) ||
        !bar_is_free(device, bar_index) ||
        (kind == PCI_BAR_MEMORY64 && !bar_is_free(device, bar_index + 1)))
        return MX_ERR_INVALID_ARGS;
    device->bars[bar_index] = (struct pci_bar){.kind = kind, .size_bytes = size_bytes, .ops = ops};
    config_set(device, offset, 4, bar_type_bits[kind]);
    pci_device_set_writable(device, offset, 4, (uint32_t)mask);
    if (kind == PCI_BAR_MEMORY64)
        pci_device_set_writable(device, offset + 4, 4, (uint32_t)(mask >> 32));
    pci_device_set_writable(device, PCI_COMMAND, 2,
                            kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
    return MX_OK;
}

mx_status_t pci_device_add_capability(struct pci_device *device, uint8_t id, const void *body,
                                      size_t body_bytes, unsigned *offset)
{
    const unsigned start = device->next_capability;

    if (body_bytes + 2 > PCI_CONFIG_BYTES - start)
        return MX_ERR_NO_SPACE;
    device->config[start] = id;
    memcpy(&device->config[start + 2], body, body_bytes);
    device->config[device->capability_link] = (uint8_t)start;
    device->capability_link = start + 1;
    device->next_capability = (unsigned)(start + 2 + body_bytes + 3) & ~3u;
    device->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    *offset = start;
    return MX_OK;
}

static void msix_mask_all(struct pci_device *device)
{
    memset(device->msix.table, 0, sizeof(device->msix.table));
    memset(device->msix.pending, 0, sizeof(device->msix.pending));
    for (unsigned i = 0; i < device->msix.vector_count; i++)
        device->msix.table[i * PCI_MSIX_ENTRY_BYTES + 12] = 1;
}

mx_status_t pci_device_add_msix(struct pci_device *device, unsigned vector_count,
                                unsigned table_bar, uint32_t table_offset, unsigned pba_bar,
                                uint32_t pba_offset)
{
    uint8_t body[10];
    uint16_t control = (uint16_t)(vector_count - 1);
    uint32_t table = table_offset | table_bar, pba = pba_offset | pba_bar;
    unsigned offset;

    if (vector_count == 0 || vector_count > PCI_MSIX_VECTORS_MAX || (table_offset & 7) != 0 ||
        (pba_offset & 7) != 0 || table_bar >= PCI_BAR_COUNT || pba_bar >= PCI_BAR_COUNT)
        return MX_ERR_INVALID_ARGS;
    memcpy(&body[0], &control, 2);
    memcpy(&body[2], &table, 4);
    memcpy(&body[6], &pba, 4);
    mx_status_t status =
        pci_device_add_capability(device, PCI_CAPABILITY_MSIX, body, sizeof(body), &offset);
    if (status != MX_OK)
        return status;
    pci_device_set_writable(device, offset + 2, 2, PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
    device->msix.capability_offset = offset;
    device->msix.vector_count = vector_count;
    msix_mask_all(device);
    return MX_OK;
}

void pci_device_set_intx(struct pci_device *device, struct irq_line line, uint8_t line_number)
{
    device->intx = line;
    device->config[PCI_INTERRUPT_PIN] = 1;
    device->config[PCI_INTERRUPT_LINE] = line_number;
}

// --- decoding
// ---------------------------------------------------------------------------------------

static uint64_t bar_programmed_address(const struct pci_device *device, unsigned bar_index)
{
    const struct pci_bar *bar = &device->bars[bar_index];
    const unsigned offset = PCI_BAR0 + 4 * bar_index;
    uint64_t address = config_get(device, offset, 4);

    if (bar->kind == PCI_BAR_MEMORY64)
        address |= (uint64_t)config_get(device, offset + 4, 4) << 32;
    return address & ~(bar->size_bytes - 1);
}

// Zero is what an unassigned BAR holds and the highest place is what sizing leaves behind: neither
// is decoded, nor is an I/O BAR beyond the 64 KiB of port space.
static bool bar_should_be_mapped(const struct pci_device *device, unsigned bar_index,
                                 uint64_t address)
{
    const struct pci_bar *bar = &device->bars[bar_index];
    const uint32_t command = config_get(device, PCI_COMMAND, 2);

    switch (bar->kind) {
    case PCI_BAR_NONE:
        return false;
    case PCI_BAR_IO:
        return (command & PCI_COMMAND_IO) && address != 0 && address + bar->size_bytes <= 0x10000;
    case PCI_BAR_MEMORY32:
        return (command & PCI_COMMAND_MEMORY) && address != 0 &&
               address + bar->size_bytes <= UINT32_MAX;
    case PCI_BAR_MEMORY64:
        return (command & PCI_COMMAND_MEMORY) && address != 0 && address != ~(bar->size_bytes - 1);
    }
    return false;
}

static void bar_update(struct pci_device *device, unsigned bar_index)
{
    struct pci_bar *bar = &device->bars[bar_index];
    uint64_t address = bar_programmed_address(device, bar_index);
    const bool is_mapped = bar_should_be_mapped(device, bar_index, address);

    if (!is_mapped)
        address = 0;
    if (is_mapped == bar->is_mapped && address == bar->address)
        return;
    bar->is_mapped = is_mapped;
    bar->address = address;
    if (device->ops->bar_moved)
        device->ops->bar_moved(device->context, bar_index, is_mapped, address);
    if (device->bus_ops)
        device->bus_ops->bar_moved(device->bus_context, device, bar_index, is_mapped, address);
}

static void update_bars(struct pci_device *device)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        if (device->bars[i].kind != PCI_BAR_NONE)
            bar_update(device, i);
    }
}

static void update_intx(struct pci_device *device)
{
    const uint32_t command = config_get(device, PCI_COMMAND, 2);
    const bool level = device->intx_level && !pci_msix_is_enabled(device);

    // In one store, since the guest may be looking.
    device->config[PCI_STATUS] = (uint8_t)((device->config[PCI_STATUS] & ~PCI_STATUS_INTERRUPT) |
                                           (level ? PCI_STATUS_INTERRUPT : 0));
    irq_line_set(&device->intx, level && !(command & PCI_COMMAND_INTX_DISABLE));
}

void pci_device_set_intx_level(struct pci_device *device, bool level)
{
    device->intx_level = level;
    update_intx(device);
}

static void notify_msix_changed(struct pci_device *device, uint32_t vector)
{
    if (device->ops->msix_changed)
        device->ops->msix_changed(device->context, vector);
}

void pci_device_reset(struct pci_device *device)
{
    const uint8_t line_number = device->config[PCI_INTERRUPT_LINE];

    for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++)
        device->config[i] &= (uint8_t)~device->write_mask[i];
    device->config[PCI_INTERRUPT_LINE] = line_number;
    msix_mask_all(device);
    update_bars(device);
    pci_device_set_intx_level(device, false);
    notify_msix_changed(device, PCI_MSIX_ALL_VECTORS);
}

// --- config space accesses
// --------------------------------------------------------------------------

static bool config_access_is_valid(unsigned offset, unsigned width_bytes)
{
    return (width_bytes == 1 || width_bytes == 2 || width_bytes == 4) &&
           (offset & 3) + width_bytes <= 4;
}

void pci_device_show_config(struct pci_device *device, uint8_t *page)
{
    memcpy(page, device->config, PCI_CONFIG_BYTES);
    device->config = page;
}

void pci_device_hide_config(struct pci_device *device)
{
    if (device->is_config_hidden)
        return;
    device->is_config_hidden = true;
    if (device->bus_ops && device->bus_ops->config_hidden)
        device->bus_ops->config_hidden(device->bus_context, device);
}

uint32_t pci_device_config_read(struct pci_device *device, unsigned offset, unsigned width_bytes)
{
    uint32_t value = 0;

    if (!config_access_is_valid(offset, width_bytes))
        return UINT32_MAX;
    if (offset >= PCI_CONFIG_BYTES)
        return 0;
    if (device->ops->config_read &&
        device->ops->config_read(device->context, offset, width_bytes, &value))
        return value;
    return config_get(device, offset, width_bytes);
}

// What follows from the bytes just stored.
static void config_apply(struct pci_device *device, unsigned offset, unsigned width_bytes)
{
    const unsigned msix = device->msix.capability_offset;
    const bool touches_command = ranges_overlap(offset, width_bytes, PCI_COMMAND, 2);

    if (touches_command || ranges_overlap(offset, width_bytes, PCI_BAR0, 4 * PCI_BAR_COUNT))
        update_bars(device);
    if (touches_command)
        update_intx(device);
    if (msix != 0 && ranges_overlap(offset, width_bytes, msix + 2, 2)) {
        update_intx(device);
        notify_msix_changed(device, PCI_MSIX_ALL_VECTORS);
    }
    if (device->ops->config_written)
        device->ops->config_written(device->context, offset, width_bytes);
}

void pci_device_config_write(struct pci_device *device, unsigned offset, unsigned width_bytes,
                             uint32_t value)
{
    if (!config_access_is_valid(offset, width_bytes) || offset >= PCI_CONFIG_BYTES)
        return;
    for (unsigned i = 0; i < width_bytes; i++) {
        const uint8_t mask = device->write_mask[offset + i];
        const uint8_t byte = (uint8_t)(value >> (8 * i));
        uint8_t *stored = &device->config[offset + i];
        *stored = (uint8_t)((*stored & ~mask) | (byte & mask));
    }
    config_apply(device, offset, width_bytes);
}

// --- BAR accesses
// -----------------------------------------------------------------------------------

static const struct pci_bar *bar_for_access(const struct pci_device *device, unsigned bar_index,
                                            uint64_t offset, unsigned width_bytes)
{
    if (bar_index >= PCI_BAR_COUNT)
        return NULL;
    const struct pci_bar *bar = &device->bars[bar_index];
    if (bar->kind == PCI_BAR_NONE || !is_power_of_two(width_bytes) || width_bytes > 8 ||
        offset >= bar->size_bytes || width_bytes > bar->size_bytes - offset)
        return NULL;
    return bar;
}

bool pci_device_bar_read(struct pci_device *device, unsigned bar_index, uint64_t offset,
                         unsigned width_bytes, uint64_t *value)
{
    const struct pci_bar *bar = bar_for_access(device, bar_index, offset, width_bytes);
    if (!bar)
        return false;
    *value = bar->ops->read(device->context, offset, width_bytes);
    return true;
}

bool pci_device_bar_write(struct pci_device *device, unsigned bar_index, uint64_t offset,
                          unsigned width_bytes, uint64_t value)
{
    const struct pci_bar *bar = bar_for_access(device, bar_index, offset, width_bytes);
    if (!bar)
        return false;
    bar->ops->write(device->context, offset, width_bytes, value);
    return true;
}

// --- MSI-X
// ------------------------------------------------------------------------------------------

bool pci_msix_is_enabled(const struct pci_device *device)
{
    const unsigned offset = device->msix.capability_offset;
    return offset != 0 && (config_get(device, offset + 2, 2) & PCI_MSIX_ENABLE);
}

bool pci_msix_message(const struct pci_device *device, unsigned vector,
                      struct pci_msix_message *message)
{
    const struct pci_msix *msix = &device->msix;

    if (vector >= msix->vector_count)
        return false;
    const uint8_t *entry = &msix->table[vector * (size_t)PCI_MSIX_ENTRY_BYTES];
    memcpy(&message->address, entry, 8);
    memcpy(&message->data, entry + 8, 4);
    message->is_masked =
        (entry[12] & 1) != 0 ||
        (config_get(device, msix->capability_offset + 2, 2) & PCI_MSIX_FUNCTION_MASK) != 0;
    return true;
}

static uint64_t array_read(const uint8_t *bytes, size_t size, uint64_t offset, unsigned width_bytes)
{
    uint64_t value = 0;
    if (width_bytes <= 8 && offset < size && width_bytes <= size - offset)
        memcpy(&value, bytes + offset, width_bytes);
    return value;
}

uint64_t pci_msix_table_read(const struct pci_device *device, uint64_t offset, unsigned width_bytes)
{
    return array_read(device->msix.table, device->msix.vector_count * (size_t)PCI_MSIX_ENTRY_BYTES,
                      offset, width_bytes);
}

uint64_t pci_msix_pending_read(const struct pci_device *device, uint64_t offset,
                               unsigned width_bytes)
{
    return array_read(device->msix.pending, sizeof(device->msix.pending), offset, width_bytes);
}

void pci_msix_table_write(struct pci_device *device, uint64_t offset, unsigned width_bytes,
                          uint64_t value)
{
    struct pci_msix *msix = &device->msix;
    const size_t size = msix->vector_count * (size_t)PCI_MSIX_ENTRY_BYTES;

    // Only aligned dwords and qwords are defined (6.8.2), so a write touches a single entry.
    if ((width_bytes != 4 && width_bytes != 8) || (offset & (width_bytes - 1)) != 0 ||
        offset >= size)
        return;
    const unsigned vector = (unsigned)(offset / PCI_MSIX_ENTRY_BYTES);
    uint8_t *control = &msix->table[vector * (size_t)PCI_MSIX_ENTRY_BYTES + 12];
    memcpy(&msix->table[offset], &value, width_bytes);
    control[0] &= 1; // every other bit of the vector control is reserved
    memset(control + 1, 0, 3);
    notify_msix_changed(device, vector);
}

void pci_msix_set_pending(struct pci_device *device, unsigned vector, bool is_pending)
{
    if (vector >= device->msix.vector_count)
        return;
    const uint8_t bit = (uint8_t)(1u << (vector % 8));
    uint8_t *byte = &device->msix.pending[vector / 8];
    *byte = (uint8_t)(is_pending ? *byte | bit : *byte & ~bit);
}
