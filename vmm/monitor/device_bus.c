// See device_bus.h.
#include "vmm/monitor/device_bus.h"

#include <machina/syscalls.h>

#include "vmm/virtio/virtio_pci.h"

#define KEY_PCI_MEMORY (UINT64_C(1) << 32)

// --- PCI ----------------------------------------------------------------------------------------

// The registers of a device move. Doorbells are moved by the device itself (virtio_device.c).
static void bar_moved(void *context, unsigned slot, unsigned bar_index, bool is_mapped,
                      uint64_t address)
{
    struct device_bus *bus = context;
    struct device_bus_trap *trap = &bus->pci_traps[slot];
    mx_status_t status = MX_OK;

    if (bar_index != VIRTIO_PCI_BAR_CONFIG)
        return;
    if (trap->is_set)
        status = mx_guest_clear_trap(bus->guest->handle, MX_TRAP_MEM, trap->address);
    trap->is_set = false;
    if (status == MX_OK && is_mapped) {
        const struct mx_trap description = {.kind = MX_TRAP_MEM,
                                            .addr = address,
                                            .size_bytes =
                                                bus->pci.devices[slot]->bars[bar_index].size_bytes,
                                            .key = KEY_PCI_MEMORY};
        status = mx_guest_set_trap(bus->guest->handle, &description);
        *trap = (struct device_bus_trap){.is_set = status == MX_OK, .address = address};
    }
    if (status != MX_OK)
        guest_log(bus->guest, "vmm: PCI slot %u: registers cannot be at 0x%llx: %s", slot,
                  (unsigned long long)address, mx_status_string(status));
}

static void config_hidden(void *context, unsigned slot)
{
    const struct device_bus *bus = context;

    if (bus->is_config_shown)
        shown_pci_slot_hide(bus->guest, bus->ecam_base, slot);
}

static const struct pci_host_ops pci_ops = {.bar_moved = bar_moved, .config_hidden = config_hidden};

mx_status_t device_bus_take_slot(struct device_bus *bus, unsigned *slot)
{
    if (bus->last_slot + 1 >= PCI_SLOT_COUNT)
        return MX_ERR_NO_RESOURCES;
    *slot = ++bus->last_slot;
    return MX_OK;
}

mx_status_t device_bus_add_pci(struct device_bus *bus, struct pci_device *device, unsigned slot,
                               struct irq_line line, uint8_t irq)
{
    pci_device_set_intx(device, line, irq);
    return pci_host_add(&bus->pci, device, slot);
}

mx_status_t device_bus_show_config(struct device_bus *bus, struct shown_pages *pages)
{
    const mx_status_t status = shown_pages_add_pci(pages, &bus->pci, bus->ecam_base);

    bus->is_config_shown = status == MX_OK;
    return status;
}

// --- construction -------------------------------------------------------------------------------

mx_status_t device_bus_init(struct device_bus *bus, struct guest *guest, uint64_t ecam_base)
{
    bus->guest = guest;
    bus->ecam_base = ecam_base;
    pci_host_init(&bus->pci, &pci_ops, bus);
    return system_timer_init(&bus->timers, guest);
}

static mx_status_t place_device(struct device_bus *bus, void *machine, const struct device_row *row)
{
    const bool is_io = row->space == DEVICE_SPACE_IO;
    const uint64_t count = row->is_per_vcpu ? bus->guest->config.cpu_count : 1;
    const struct access_row access = {.base = row->base,
                                      .size_bytes = row->size_bytes * count,
                                      .ops = row->ops,
                                      .device = (uint8_t *)machine + row->offset};
    size_t index;

    const mx_status_t status = access_map_add(is_io ? &bus->ports : &bus->memory, &access, &index);
    if (status != MX_OK)
        return status;
    const struct mx_trap trap = {.kind = is_io ? MX_TRAP_IO : MX_TRAP_MEM,
                                 .addr = access.base,
                                 .size_bytes = access.size_bytes,
                                 .key = index};
    return mx_guest_set_trap(bus->guest->handle, &trap);
}

mx_status_t device_bus_place_devices(struct device_bus *bus, void *machine,
                                     const struct device_row *rows, size_t count)
{
    mx_status_t status = MX_OK;

    for (size_t i = 0; status == MX_OK && i < count; i++) {
        status = place_device(bus, machine, &rows[i]);
        if (status != MX_OK)
            guest_log(bus->guest, "vmm: %s: %s", rows[i].name, mx_status_string(status));
    }
    return status;
}

// --- accesses -----------------------------------------------------------------------------------

// A key below the number of rows tells the row; with any other the access may be a BAR's.
uint64_t device_bus_memory_read(struct device_bus *bus, uint64_t key, uint64_t address,
                                unsigned width_bytes)
{
    uint64_t value;

    if (key >= bus->memory.row_count &&
        pci_host_bar_read(&bus->pci, false, address, width_bytes, &value))
        return value;
    return access_map_read(&bus->memory, key, address, width_bytes);
}

void device_bus_memory_write(struct device_bus *bus, uint64_t key, uint64_t address,
                             unsigned width_bytes, uint64_t value)
{
    if (key >= bus->memory.row_count &&
        pci_host_bar_write(&bus->pci, false, address, width_bytes, value))
        return;
    access_map_write(&bus->memory, key, address, width_bytes, value);
}

uint64_t device_bus_port_read(struct device_bus *bus, uint64_t key, uint64_t port,
                              unsigned width_bytes)
{
    return access_map_read(&bus->ports, key, port, width_bytes);
}

void device_bus_port_write(struct device_bus *bus, uint64_t key, uint64_t port,
                           unsigned width_bytes, uint64_t value)
{
    // A doorbell that a string instruction rings comes by here.
    if (key >= bus->ports.row_count &&
        pci_host_bar_write(&bus->pci, true, port, width_bytes, value))
        return;
    access_map_write(&bus->ports, key, port, width_bytes, value);
}

void device_bus_answer(struct device_bus *bus, uint64_t key, struct mx_packet_mem *access)
{
    if (access->is_write)
        device_bus_memory_write(bus, key, access->addr, access->width_bytes, access->data);
    else
        access->data = device_bus_memory_read(bus, key, access->addr, access->width_bytes);
    access->exception = MX_VCPU_NO_EXCEPTION;
}

// --- from the main thread -----------------------------------------------------------------------

void device_bus_attach_serial(struct device_bus *bus, mx_handle_t stream)
{
    mutex_lock(&bus->guest->lock);
    serial_attach(bus->terminal, stream);
    mutex_unlock(&bus->guest->lock);
}

mx_handle_t device_bus_detach_serial(struct device_bus *bus)
{
    mutex_lock(&bus->guest->lock);
    const mx_handle_t stream = serial_detach(bus->terminal);
    mutex_unlock(&bus->guest->lock);
    return stream;
}

void device_bus_serial_event(struct device_bus *bus, uint64_t key)
{
    mutex_lock(&bus->guest->lock);
    serial_event(bus->terminal, key);
    mutex_unlock(&bus->guest->lock);
}

void device_bus_timer_event(struct device_bus *bus)
{
    mutex_lock(&bus->guest->lock);
    system_timer_event(&bus->timers);
    mutex_unlock(&bus->guest->lock);
}
