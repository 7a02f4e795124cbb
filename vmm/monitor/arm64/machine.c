// The machine that an arm64 guest finds. The tables below are the one place that says which devices
// there are; vmm/arm64/memory_map.h has their addresses and interrupts, which the device tree tells
// the guest.
#include "vmm/monitor/arm64/machine.h"

#include <stdlib.h>

#include <machina/syscalls.h>

const uint64_t machine_low_ram_bytes = ARM64_LOW_RAM_MAX;
const uint64_t machine_high_ram_base = ARM64_HIGH_RAM_BASE;
const bool machine_has_io_ports = false;

// --- PCI ----------------------------------------------------------------------------------------

mx_status_t machine_add_pci(struct machine *machine, struct pci_device *device)
{
    struct irq_line line;
    unsigned slot;

    mx_status_t status = device_bus_take_slot(&machine->bus, &slot);
    if (status != MX_OK)
        return status;
    const uint32_t intid = ARM64_IRQ_PCI_BASE + slot;
    status = machine_make_line(machine, intid, &line);
    return status == MX_OK ? device_bus_add_pci(&machine->bus, device, slot, line, (uint8_t)intid)
                           : status;
}

// --- the table of devices -----------------------------------------------------------------------

#define DEVICE(member) offsetof(struct machine, member)

static const struct device_row common_rows[] = {
    {"pl011", DEVICE_SPACE_MEMORY, ARM64_PL011_BASE, PL011_SIZE_BYTES, &pl011_ops, DEVICE(pl011),
     false},
    {"pl031", DEVICE_SPACE_MEMORY, ARM64_PL031_BASE, PL031_SIZE_BYTES, &pl031_ops, DEVICE(rtc),
     false},
    {"pl061", DEVICE_SPACE_MEMORY, ARM64_PL061_BASE, PL061_SIZE_BYTES, &pl061_ops, DEVICE(gpio),
     false},
    {"pci ecam", DEVICE_SPACE_MEMORY, ARM64_ECAM_BASE, ARM64_ECAM_BYTES, &pci_host_ecam_ops,
     DEVICE(bus.pci), false},
};

static const struct device_row gicv2_rows[] = {
    {"distributor", DEVICE_SPACE_MEMORY, ARM64_GICD_BASE, ARM64_GICD_V2_BYTES, &gic_distributor_ops,
     DEVICE(distributor), false},
    {"msi frame", DEVICE_SPACE_MEMORY, ARM64_GICV2M_BASE, ARM64_GICV2M_BYTES, &gicv2m_ops,
     DEVICE(frame), false},
};

static const struct device_row gicv3_rows[] = {
    {"distributor", DEVICE_SPACE_MEMORY, ARM64_GICD_BASE, ARM64_GICD_V3_BYTES, &gic_distributor_ops,
     DEVICE(distributor), false},
    {"redistributors", DEVICE_SPACE_MEMORY, ARM64_GICR_BASE, ARM64_GICR_BYTES,
     &gic_redistributors_ops, DEVICE(redistributors), true},
    {"its", DEVICE_SPACE_MEMORY, ARM64_ITS_BASE, ARM64_ITS_BYTES, &gic_its_ops, DEVICE(its), false},
};

static mx_status_t place_devices(struct machine *machine)
{
    const mx_status_t status = device_bus_place_devices(
        &machine->bus, machine, common_rows, sizeof(common_rows) / sizeof(common_rows[0]));

    if (status != MX_OK)
        return status;
    return machine->is_gicv2 ? device_bus_place_devices(&machine->bus, machine, gicv2_rows,
                                                        sizeof(gicv2_rows) / sizeof(gicv2_rows[0]))
                             : device_bus_place_devices(&machine->bus, machine, gicv3_rows,
                                                        sizeof(gicv3_rows) / sizeof(gicv3_rows[0]));
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

    machine->bus.terminal = &machine->serial;
    return status == MX_OK ? serial_init(&machine->serial, &pl011_uart_ops, &machine->pl011, line,
                                         &machine->bus.timers)
                           : status;
}

static mx_status_t init_clock(struct machine *machine)
{
    const mx_time_t now = mx_clock_get_monotonic();
    struct device_timer timer;
    struct irq_line line;

    mx_status_t status =
        timer_queue_add(&machine->bus.timers.queue, rtc_expired, &machine->rtc, &timer);
    if (status == MX_OK)
        status = machine_make_line(machine, ARM64_IRQ_PL031, &line);
    if (status == MX_OK)
        pl031_init(&machine->rtc, line, &timer,
                   (uint64_t)(machine->bus.guest->utc_at_zero_s + now / MX_SEC(1)));
    return status;
}

static mx_status_t init_power_button(struct machine *machine)
{
    struct device_timer timer;
    struct irq_line line;

    mx_status_t status =
        timer_queue_add(&machine->bus.timers.queue, button_expired, &machine->button, &timer);
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
    mx_status_t status = device_bus_init(&machine->bus, guest, ARM64_ECAM_BASE);
    if (status == MX_OK)
        status = machine_init_gic(machine, reason, reason_bytes);
    if (status == MX_OK)
        status = init_serial(machine);
    if (status == MX_OK)
        status = init_clock(machine);
    if (status == MX_OK)
        status = init_power_button(machine);
    if (status == MX_OK)
        status = place_devices(machine);
    if (status == MX_OK)
        *out = machine;
    return status;
}

struct device_bus *machine_bus(struct machine *machine)
{
    return &machine->bus;
}

void machine_press_power_button(struct machine *machine)
{
    mutex_lock(&machine->bus.guest->lock);
    gpio_button_press(&machine->button);
    mutex_unlock(&machine->bus.guest->lock);
}
