// The PC that an x86-64 guest finds. The table below is the one place that says which devices there
// are, at which addresses; machine_layout.h has the addresses and interrupts by name.
#include "vmm/monitor/x86_64/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

// --- interrupts ---------------------------------------------------------------------------------

// Interrupt lines are shared: each is asserted while one of its sources is. irq_line.input holds
// both.
#define LINE(source, irq) ((source) << 8 | (irq))

enum line_source {
    SOURCE_PIT,
    SOURCE_I8042,
    SOURCE_COM1,
    SOURCE_COM2,
    SOURCE_COM3,
    SOURCE_COM4,
    SOURCE_RTC,
    SOURCE_PM,
    SOURCE_PCI, // the slot's number is added
};

// Sets or clears one of a line's sources. True: the line itself changes.
static bool set_source(uint64_t *sources, unsigned source, bool level)
{
    const uint64_t before = *sources, bit = UINT64_C(1) << source;

    *sources = level ? before | bit : before & ~bit;
    return (before != 0) != (*sources != 0);
}

static void line_set(void *context, unsigned line, bool level)
{
    struct machine *machine = context;
    const unsigned irq = line & 0xff, source = line >> 8;

    if (!set_source(&machine->line_sources[irq], source, level))
        return;
    i8259_set_input(&machine->pic, irq, level);
    ioapic_set_input(&machine->ioapic, irq == PC_PIT_IRQ ? PC_PIT_INPUT : irq, level);
}

static struct irq_line make_line(struct machine *machine, unsigned source, unsigned irq)
{
    return (struct irq_line){.set = line_set, .context = machine, .input = LINE(source, irq)};
}

// The output of the 8259 pair goes to the boot vCPU, whose local APIC decides by LINT0.
static void intr_set(void *context, unsigned input, bool level)
{
    struct machine *machine = context;
    const mx_handle_t vcpu = machine->bus.guest->vcpus[0].handle;

    (void)input;
    if (vcpu == MX_HANDLE_INVALID)
        return;
    const mx_status_t status =
        mx_vcpu_interrupt(vcpu, level ? MX_VCPU_INTERRUPT_EXTINT : MX_VCPU_INTERRUPT_EXTINT_CLEAR);
    if (status != MX_OK)
        guest_end(machine->bus.guest, VMM_OUTCOME_FAILED, status,
                  "an interrupt cannot be delivered: %s", mx_status_string(status));
}

// What the guest wrote into the I/O APIC may be a message that nobody takes; it is lost then, as on
// a bus.
static void ioapic_send(void *context, uint64_t address, uint32_t data)
{
    struct machine *machine = context;

    if (mx_guest_send_msi(machine->bus.guest->handle, address, data) != MX_OK &&
        !machine->has_lost_message) {
        machine->has_lost_message = true;
        guest_log(machine->bus.guest,
                  "vmm: an I/O APIC message to 0x%llx with 0x%x has no receiver",
                  (unsigned long long)address, data);
    }
}

// --- power --------------------------------------------------------------------------------------

static void power_off(void *context)
{
    struct machine *machine = context;

    guest_power_off(machine->bus.guest);
}

static void reset(void *context)
{
    struct machine *machine = context;

    guest_reboot(machine->bus.guest);
}

// --- PCI ----------------------------------------------------------------------------------------

// The reset register is a byte in the middle of the host bridge's address register, which is a
// dword.
static uint64_t config_port_read(void *device, uint64_t offset, unsigned width_bytes)
{
    struct machine *machine = device;

    if (offset == PC_RESET_PORT - PCI_CONFIG_PORT && width_bytes == 1)
        return acpi_pm_reset_ops.read(&machine->pm, 0, 1);
    return pci_host_port_ops.read(&machine->bus.pci, offset, width_bytes);
}

static void config_port_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct machine *machine = device;

    if (offset == PC_RESET_PORT - PCI_CONFIG_PORT && width_bytes == 1)
        acpi_pm_reset_ops.write(&machine->pm, 0, 1, value);
    else
        pci_host_port_ops.write(&machine->bus.pci, offset, width_bytes, value);
}

static const struct device_ops config_port_ops = {.read = config_port_read,
                                                  .write = config_port_write};

mx_status_t machine_add_pci(struct machine *machine, struct pci_device *device)
{
    unsigned slot;
    const mx_status_t status = device_bus_take_slot(&machine->bus, &slot);

    if (status != MX_OK)
        return status;
    const unsigned irq = machine_intx_irq(slot); // as the DSDT's _PRT has it, too
    return device_bus_add_pci(&machine->bus, device, slot,
                              make_line(machine, SOURCE_PCI + slot, irq), (uint8_t)irq);
}

bool machine_route_message(const struct machine *machine, const struct pci_device *device,
                           uint64_t address, uint64_t data, struct mx_irq_route *route)
{
    (void)machine;
    (void)device;
    *route = (struct mx_irq_route){.kind = MX_IRQ_ROUTE_MSI, .addr = address, .data = data};
    return true;
}

// --- the table of devices -----------------------------------------------------------------------

#define DEVICE(member) offsetof(struct machine, member)

static const struct device_row device_rows[] = {
    {"pic master", DEVICE_SPACE_IO, PC_PIC_MASTER_PORT, 2, &i8259_master_ops, DEVICE(pic), false},
    {"pic slave", DEVICE_SPACE_IO, PC_PIC_SLAVE_PORT, 2, &i8259_slave_ops, DEVICE(pic), false},
    {"pic elcr", DEVICE_SPACE_IO, PC_ELCR_PORT, 2, &i8259_elcr_ops, DEVICE(pic), false},
    {"pit", DEVICE_SPACE_IO, PC_PIT_PORT, 4, &i8254_ops, DEVICE(pit), false},
    {"port 61", DEVICE_SPACE_IO, PC_PORT61, 1, &i8254_port61_ops, DEVICE(pit), false},
    {"i8042 data", DEVICE_SPACE_IO, PC_I8042_DATA_PORT, 1, &i8042_data_ops, DEVICE(keyboard),
     false},
    {"i8042 command", DEVICE_SPACE_IO, PC_I8042_CMD_PORT, 1, &i8042_command_ops, DEVICE(keyboard),
     false},
    {"rtc", DEVICE_SPACE_IO, PC_RTC_PORT, MC146818_PORT_COUNT, &mc146818_ops, DEVICE(rtc), false},
    {"com1", DEVICE_SPACE_IO, PC_COM1_PORT, NS16550_PORT_COUNT, &ns16550_ops, DEVICE(uarts[0]),
     false},
    {"com2", DEVICE_SPACE_IO, PC_COM2_PORT, NS16550_PORT_COUNT, &ns16550_ops, DEVICE(uarts[1]),
     false},
    {"com3", DEVICE_SPACE_IO, PC_COM3_PORT, NS16550_PORT_COUNT, &ns16550_ops, DEVICE(uarts[2]),
     false},
    {"com4", DEVICE_SPACE_IO, PC_COM4_PORT, NS16550_PORT_COUNT, &ns16550_ops, DEVICE(uarts[3]),
     false},
    {"acpi pm", DEVICE_SPACE_IO, PC_PM_PORT, ACPI_PM_PORT_COUNT, &acpi_pm_ops, DEVICE(pm), false},
    {"ioapic", DEVICE_SPACE_MEMORY, PC_IOAPIC_BASE, IOAPIC_SIZE_BYTES, &ioapic_ops, DEVICE(ioapic),
     false},
    {"pci ecam", DEVICE_SPACE_MEMORY, PC_ECAM_BASE, PCI_ECAM_BUS_BYTES, &pci_host_ecam_ops,
     DEVICE(bus.pci), false},
};

// PCI's ports, which hold the reset register, or that register alone.
static const struct device_row pci_ports_row = {
    "pci ports", DEVICE_SPACE_IO, PCI_CONFIG_PORT, PCI_CONFIG_PORT_COUNT, &config_port_ops, 0,
    false};
static const struct device_row reset_row = {
    "reset", DEVICE_SPACE_IO, PC_RESET_PORT, 1, &acpi_pm_reset_ops, DEVICE(pm), false};

static mx_status_t place_devices(struct machine *machine)
{
    const struct device_row *pci_row =
        machine->bus.guest->config.has_pci_ports ? &pci_ports_row : &reset_row;
    const mx_status_t status = device_bus_place_devices(&machine->bus, machine, pci_row, 1);

    return status == MX_OK ? device_bus_place_devices(&machine->bus, machine, device_rows,
                                                      sizeof(device_rows) / sizeof(device_rows[0]))
                           : status;
}

// --- construction -------------------------------------------------------------------------------

static void pit_expired(void *device)
{
    i8254_timer_expired(device);
}

static void rtc_expired(void *device)
{
    mc146818_timer_expired(device);
}

static void pm_expired(void *device)
{
    acpi_pm_timer_expired(device);
}

static void init_interrupts(struct machine *machine)
{
    const struct ioapic_host ioapic_host = {.send_message = ioapic_send, .context = machine};
    const struct irq_line intr = {.set = intr_set, .context = machine};

    i8259_init(&machine->pic, intr);
    // PCI's interrupts are levels, as firmware says before the guest starts.
    i8259_elcr_ops.write(&machine->pic, 0, 2, ((1u << PC_INTX_IRQ_COUNT) - 1) << PC_INTX_IRQ);
    ioapic_init(&machine->ioapic, &ioapic_host);
}

static mx_status_t init_serial(struct machine *machine)
{
    static const struct {
        enum line_source source;
        unsigned irq;
    } ports[PC_COM_COUNT] = {{SOURCE_COM1, PC_COM1_IRQ},
                             {SOURCE_COM2, PC_COM2_IRQ},
                             {SOURCE_COM3, PC_COM1_IRQ},
                             {SOURCE_COM4, PC_COM2_IRQ}};
    mx_status_t status = MX_OK;

    machine->bus.terminal = &machine->com[0];
    for (unsigned i = 0; status == MX_OK && i < PC_COM_COUNT; i++)
        status = serial_init(&machine->com[i], &ns16550_uart_ops, &machine->uarts[i],
                             make_line(machine, ports[i].source, ports[i].irq),
                             i == 0 ? &machine->bus.timers : NULL);
    return status;
}

static mx_status_t init_clocks(struct machine *machine)
{
    const struct guest *guest = machine->bus.guest;
    const mx_time_t now = mx_clock_get_monotonic();
    const struct acpi_pm_host pm_host = {
        .power_off = power_off, .reset = reset, .context = machine};
    struct timer_queue *timers = &machine->bus.timers.queue;
    struct device_timer timer;

    mx_status_t status = timer_queue_add(timers, pit_expired, &machine->pit, &timer);
    if (status != MX_OK)
        return status;
    i8254_init(&machine->pit, make_line(machine, SOURCE_PIT, PC_PIT_IRQ), &timer);
    status = timer_queue_add(timers, rtc_expired, &machine->rtc, &timer);
    if (status != MX_OK)
        return status;
    mc146818_init(&machine->rtc, make_line(machine, SOURCE_RTC, PC_RTC_IRQ), &timer,
                  (uint64_t)(guest->utc_at_zero_s + now / MX_SEC(1)), guest->low_bytes,
                  guest->high_bytes);
    status = timer_queue_add(timers, pm_expired, &machine->pm, &timer);
    if (status == MX_OK)
        acpi_pm_init(&machine->pm, &pm_host, make_line(machine, SOURCE_PM, PC_SCI_IRQ), &timer,
                     PC_PM_TIMER_BITS);
    return status;
}

mx_status_t machine_create(struct guest *guest, struct machine **out, char *reason,
                           size_t reason_bytes)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    const struct i8042_host keyboard_host = {.reset = reset, .context = machine};

    (void)reason;
    (void)reason_bytes;
    if (!machine)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = device_bus_init(&machine->bus, guest, PC_ECAM_BASE);
    if (status != MX_OK)
        return status;
    init_interrupts(machine);
    i8042_init(&machine->keyboard, &keyboard_host,
               make_line(machine, SOURCE_I8042, PC_KEYBOARD_IRQ));
    status = init_serial(machine);
    if (status == MX_OK)
        status = init_clocks(machine);
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
    acpi_pm_press_power_button(&machine->pm);
    mutex_unlock(&machine->bus.guest->lock);
}
