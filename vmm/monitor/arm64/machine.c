// The machine that an arm64 guest finds. The tables below are the one place that says which devices
// there are; vmm/arm64/memory_map.h has their addresses and interrupts, which the device tree tells
// the guest.
//
// Every row of a table is a trap of the kernel whose key is the row's place in the dispatch map, so
// an exit needs no search. BARs of PCI devices are trapped where the guest puts them, with a key of
// their own.
#include "vmm/monitor/arm64/machine.h"

#include <stdlib.h>

#include <machina/syscalls.h>

#include "vmm/monitor/shown_pages.h"

#define KEY_PCI_MEMORY (UINT64_C(1) << 32)

const uint64_t machine_low_ram_bytes = ARM64_LOW_RAM_MAX;
const uint64_t machine_high_ram_base = ARM64_HIGH_RAM_BASE;
const bool machine_has_io_ports = false;

// --- PCI ----------------------------------------------------------------------------------------

// The registers of a device move. Doorbells are moved by the device itself (virtio_device.c).
static void bar_moved(void *context, unsigned slot, unsigned bar_index, bool is_mapped,
                      uint64_t address)
{
    struct machine *machine = context;
    struct pci_trap *trap = &machine->pci_traps[slot];
    mx_status_t status = MX_OK;

    if (bar_index != VIRTIO_PCI_BAR_CONFIG)
        return;
    if (trap->is_set)
        status = mx_guest_clear_trap(machine->guest->handle, MX_TRAP_MEM, trap->address);
    trap->is_set = false;
    if (status == MX_OK && is_mapped) {
        const struct mx_trap description = {
            .kind = MX_TRAP_MEM,
            .addr = address,
            .size_bytes = machine->pci.devices[slot]->bars[bar_index].size_bytes,
            .key = KEY_PCI_MEMORY};
        status = mx_guest_set_trap(machine->guest->handle, &description);
        *trap = (struct pci_trap){.is_set = status == MX_OK, .address = address};
    }
    if (status != MX_OK)
        guest_log(machine->guest, "vmm: PCI slot %u: registers cannot be at 0x%llx: %s", slot,
                  (unsigned long long)address, mx_status_string(status));
}

static void config_hidden(void *context, unsigned slot)
{
    const struct machine *machine = context;

    if (machine->is_config_shown)
        shown_pci_slot_hide(machine->guest, ARM64_ECAM_BASE, slot);
}

static const struct pci_host_ops pci_ops = {.bar_moved = bar_moved, .config_hidden = config_hidden};

mx_status_t machine_add_pci(struct machine *machine, struct pci_device *device)
{
    const unsigned slot = ++machine->last_slot;
    struct irq_line line;

    if (slot >= PCI_SLOT_COUNT)
        return MX_ERR_NO_RESOURCES;
    const uint32_t intid = ARM64_IRQ_PCI_BASE + slot;
    const mx_status_t status = machine_make_line(machine, intid, &line);
    if (status != MX_OK)
        return status;
    pci_device_set_intx(device, line, (uint8_t)intid);
    return pci_host_add(&machine->pci, device, slot);
}

// --- the table of devices -----------------------------------------------------------------------

struct device_row {
    const char *name;
    uint64_t base;
    uint64_t size_bytes; // of each, where there is one for each vCPU
    const struct device_ops *ops;
    size_t offset; // of the device in struct machine
    bool is_per_vcpu;
};

#define DEVICE(member) offsetof(struct machine, member)

static const struct device_row common_rows[] = {
    {"pl011", ARM64_PL011_BASE, PL011_SIZE_BYTES, &pl011_ops, DEVICE(pl011), false},
    {"pl031", ARM64_PL031_BASE, PL031_SIZE_BYTES, &pl031_ops, DEVICE(rtc), false},
    {"pl061", ARM64_PL061_BASE, PL061_SIZE_BYTES, &pl061_ops, DEVICE(gpio), false},
    {"pci ecam", ARM64_ECAM_BASE, ARM64_ECAM_BYTES, &pci_host_ecam_ops, DEVICE(pci), false},
};

static const struct device_row gicv2_rows[] = {
    {"distributor", ARM64_GICD_BASE, ARM64_GICD_V2_BYTES, &gic_distributor_ops, DEVICE(distributor),
     false},
    {"msi frame", ARM64_GICV2M_BASE, ARM64_GICV2M_BYTES, &gicv2m_ops, DEVICE(frame), false},
};

static const struct device_row gicv3_rows[] = {
    {"distributor", ARM64_GICD_BASE, ARM64_GICD_V3_BYTES, &gic_distributor_ops, DEVICE(distributor),
     false},
    {"redistributors", ARM64_GICR_BASE, ARM64_GICR_BYTES, &gic_redistributors_ops,
     DEVICE(redistributors), true},
    {"its", ARM64_ITS_BASE, ARM64_ITS_BYTES, &gic_its_ops, DEVICE(its), false},
};

static mx_status_t place_device(struct machine *machine, const struct device_row *row)
{
    const uint64_t count = row->is_per_vcpu ? machine->guest->config.cpu_count : 1;
    const struct access_row access = {.base = row->base,
                                      .size_bytes = row->size_bytes * count,
                                      .ops = row->ops,
                                      .device = (uint8_t *)machine + row->offset};
    size_t index;

    const mx_status_t status = access_map_add(&machine->memory, &access, &index);
    if (status != MX_OK)
        return status;
    const struct mx_trap trap = {
        .kind = MX_TRAP_MEM, .addr = access.base, .size_bytes = access.size_bytes, .key = index};
    return mx_guest_set_trap(machine->guest->handle, &trap);
}

static mx_status_t place_devices(struct machine *machine, const struct device_row *rows,
                                 size_t count)
{
    mx_status_t status = MX_OK;

    for (size_t i = 0; status == MX_OK && i < count; i++) {
        status = place_device(machine, &rows[i]);
        if (status != MX_OK)
            guest_log(machine->guest, "vmm: %s: %s", rows[i].name, mx_status_string(status));
    }
    return status;
}

static mx_status_t place_all_devices(struct machine *machine)
{
    const mx_status_t status =
        place_devices(machine, common_rows, sizeof(common_rows) / sizeof(common_rows[0]));

    if (status != MX_OK)
        return status;
    return machine->is_gicv2
               ? place_devices(machine, gicv2_rows, sizeof(gicv2_rows) / sizeof(gicv2_rows[0]))
               : place_devices(machine, gicv3_rows, sizeof(gicv3_rows) / sizeof(gicv3_rows[0]));
}

// --- construction -------------------------------------------------------------------------------

static void rtc_expired(void *device)
{
    pl031_timer_expired(device);
}

static void button_expired(void *device)
{
    gpio_button_timer_expired(device);
}

static mx_status_t init_serial(struct machine *machine)
{
    struct irq_line line;
    const mx_status_t status = machine_make_line(machine, ARM64_IRQ_PL011, &line);

    return status == MX_OK ? serial_init(&machine->serial, &pl011_uart_ops, &machine->pl011, line,
                                         &machine->timers)
                           : status;
}

static mx_status_t init_clock(struct machine *machine)
{
    const mx_time_t now = mx_clock_get_monotonic();
    struct device_timer timer;
    struct irq_line line;

    mx_status_t status =
        timer_queue_add(&machine->timers.queue, rtc_expired, &machine->rtc, &timer);
    if (status == MX_OK)
        status = machine_make_line(machine, ARM64_IRQ_PL031, &line);
    if (status == MX_OK)
        pl031_init(&machine->rtc, line, &timer,
                   (uint64_t)(machine->guest->utc_at_zero_s + now / MX_SEC(1)));
    return status;
}

static mx_status_t init_power_button(struct machine *machine)
{
    struct device_timer timer;
    struct irq_line line;

    mx_status_t status =
        timer_queue_add(&machine->timers.queue, button_expired, &machine->button, &timer);
    if (status == MX_OK)
        status = machine_make_line(machine, ARM64_IRQ_PL061, &line);
    if (status != MX_OK)
        return status;
    pl061_init(&machine->gpio, line);
    gpio_button_init(&machine->button, &machine->gpio, ARM64_PL061_POWER_PIN, &timer);
    return MX_OK;
}

mx_status_t machine_create(struct guest *guest, struct machine **out, char *reason,
                           size_t reason_bytes)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    if (!machine)
        return MX_ERR_NO_MEMORY;
    machine->guest = guest;
    pci_host_init(&machine->pci, &pci_ops, machine);
    mx_status_t status = system_timer_init(&machine->timers, guest);
    if (status == MX_OK)
        status = machine_init_gic(machine, reason, reason_bytes);
    if (status == MX_OK)
        status = init_serial(machine);
    if (status == MX_OK)
        status = init_clock(machine);
    if (status == MX_OK)
        status = init_power_button(machine);
    if (status == MX_OK)
        status = place_all_devices(machine);
    if (status == MX_OK)
        *out = machine;
    return status;
}

// --- accesses -----------------------------------------------------------------------------------

// A key below the number of rows tells the row; with any other the access may be a BAR's.
uint64_t machine_memory_read(struct machine *machine, uint64_t key, uint64_t address,
                             unsigned width_bytes)
{
    uint64_t value;

    if (key >= machine->memory.row_count &&
        pci_host_bar_read(&machine->pci, false, address, width_bytes, &value))
        return value;
    return access_map_read(&machine->memory, key, address, width_bytes);
}

void machine_memory_write(struct machine *machine, uint64_t key, uint64_t address,
                          unsigned width_bytes, uint64_t value)
{
    if (key >= machine->memory.row_count &&
        pci_host_bar_write(&machine->pci, false, address, width_bytes, value))
        return;
    access_map_write(&machine->memory, key, address, width_bytes, value);
}

// --- from the main thread -----------------------------------------------------------------------

void machine_press_power_button(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    gpio_button_press(&machine->button);
    mutex_unlock(&machine->guest->lock);
}

void machine_attach_serial(struct machine *machine, mx_handle_t stream)
{
    mutex_lock(&machine->guest->lock);
    serial_attach(&machine->serial, stream);
    mutex_unlock(&machine->guest->lock);
}

mx_handle_t machine_detach_serial(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    const mx_handle_t stream = serial_detach(&machine->serial);
    mutex_unlock(&machine->guest->lock);
    return stream;
}

void machine_serial_event(struct machine *machine, uint64_t key)
{
    mutex_lock(&machine->guest->lock);
    serial_event(&machine->serial, key);
    mutex_unlock(&machine->guest->lock);
}

void machine_timer_event(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    system_timer_event(&machine->timers);
    mutex_unlock(&machine->guest->lock);
}
