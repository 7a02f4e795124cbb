// The PC that an x86-64 guest finds. The table below is the one place that says which devices there
// are, at which addresses; machine_layout.h has the addresses and interrupts by name.
//
// Every row of the table is a trap of the kernel whose key is the row's place in the dispatch map,
// so an exit needs no search. BARs of PCI devices are trapped where the guest puts them, with a key
// of their own.
#include "vmm/monitor/x86_64/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include "vmm/monitor/shown_pages.h"

#define KEY_PCI_MEMORY (UINT64_C(1) << 32)

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
    const mx_handle_t vcpu = machine->guest->vcpus[0].handle;

    (void)input;
    if (vcpu == MX_HANDLE_INVALID)
        return;
    const mx_status_t status =
        mx_vcpu_interrupt(vcpu, level ? MX_VCPU_INTERRUPT_EXTINT : MX_VCPU_INTERRUPT_EXTINT_CLEAR);
    if (status != MX_OK)
        guest_end(machine->guest, VMM_OUTCOME_FAILED, status,
                  "an interrupt cannot be delivered: %s", mx_status_string(status));
}

// What the guest wrote into the I/O APIC may be a message that nobody takes; it is lost then, as on
// a bus.
static void ioapic_send(void *context, uint64_t address, uint32_t data)
{
    struct machine *machine = context;

    if (mx_guest_send_msi(machine->guest->handle, address, data) != MX_OK &&
        !machine->has_lost_message) {
        machine->has_lost_message = true;
        guest_log(machine->guest, "vmm: an I/O APIC message to 0x%llx with 0x%x has no receiver",
                  (unsigned long long)address, data);
    }
}

// --- power --------------------------------------------------------------------------------------

static void power_off(void *context)
{
    struct machine *machine = context;

    guest_end(machine->guest, VMM_OUTCOME_POWER_OFF, MX_OK, "powered off");
}

static void reset(void *context)
{
    struct machine *machine = context;

    guest_end(machine->guest, VMM_OUTCOME_REBOOT, MX_OK, "rebooted");
}

// --- PCI ----------------------------------------------------------------------------------------

// The reset register is a byte in the middle of the host bridge's address register, which is a
// dword.
static uint64_t config_port_read(void *device, uint64_t offset, unsigned width_bytes)
{
    struct machine *machine = device;

    if (offset == PC_RESET_PORT - PCI_CONFIG_PORT && width_bytes == 1)
        return acpi_pm_reset_ops.read(&machine->pm, 0, 1);
    return pci_host_port_ops.read(&machine->pci, offset, width_bytes);
}

static void config_port_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct machine *machine = device;

    if (offset == PC_RESET_PORT - PCI_CONFIG_PORT && width_bytes == 1)
        acpi_pm_reset_ops.write(&machine->pm, 0, 1, value);
    else
        pci_host_port_ops.write(&machine->pci, offset, width_bytes, value);
}

static const struct device_ops config_port_ops = {.read = config_port_read,
                                                  .write = config_port_write};

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
        shown_pci_slot_hide(machine->guest, PC_ECAM_BASE, slot);
}

static const struct pci_host_ops pci_ops = {.bar_moved = bar_moved, .config_hidden = config_hidden};

mx_status_t machine_add_pci(struct machine *machine, struct pci_device *device)
{
    const unsigned slot = ++machine->last_slot;
    const unsigned irq = machine_intx_irq(slot); // as the DSDT's _PRT has it, too

    if (slot >= PCI_SLOT_COUNT)
        return MX_ERR_NO_RESOURCES;
    pci_device_set_intx(device, make_line(machine, SOURCE_PCI + slot, irq), (uint8_t)irq);
    return pci_host_add(&machine->pci, device, slot);
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

enum space {
    SPACE_IO,
    SPACE_MEMORY,
};

static const struct device_row {
    const char *name;
    enum space space;
    uint64_t base;
    uint64_t size_bytes;
    const struct device_ops *ops;
    size_t offset; // of the device in struct machine
} device_rows[] = {
    {"pic master", SPACE_IO, PC_PIC_MASTER_PORT, 2, &i8259_master_ops,
     offsetof(struct machine, pic)},
    {"pic slave", SPACE_IO, PC_PIC_SLAVE_PORT, 2, &i8259_slave_ops, offsetof(struct machine, pic)},
    {"pic elcr", SPACE_IO, PC_ELCR_PORT, 2, &i8259_elcr_ops, offsetof(struct machine, pic)},
    {"pit", SPACE_IO, PC_PIT_PORT, 4, &i8254_ops, offsetof(struct machine, pit)},
    {"port 61", SPACE_IO, PC_PORT61, 1, &i8254_port61_ops, offsetof(struct machine, pit)},
    {"i8042 data", SPACE_IO, PC_I8042_DATA_PORT, 1, &i8042_data_ops,
     offsetof(struct machine, keyboard)},
    {"i8042 command", SPACE_IO, PC_I8042_CMD_PORT, 1, &i8042_command_ops,
     offsetof(struct machine, keyboard)},
    {"rtc", SPACE_IO, PC_RTC_PORT, MC146818_PORT_COUNT, &mc146818_ops,
     offsetof(struct machine, rtc)},
    {"com1", SPACE_IO, PC_COM1_PORT, NS16550_PORT_COUNT, &ns16550_ops,
     offsetof(struct machine, uarts[0])},
    {"com2", SPACE_IO, PC_COM2_PORT, NS16550_PORT_COUNT, &ns16550_ops,
     offsetof(struct machine, uarts[1])},
    {"com3", SPACE_IO, PC_COM3_PORT, NS16550_PORT_COUNT, &ns16550_ops,
     offsetof(struct machine, uarts[2])},
    {"com4", SPACE_IO, PC_COM4_PORT, NS16550_PORT_COUNT, &ns16550_ops,
     offsetof(struct machine, uarts[3])},
    {"acpi pm", SPACE_IO, PC_PM_PORT, ACPI_PM_PORT_COUNT, &acpi_pm_ops,
     offsetof(struct machine, pm)},
    {"ioapic", SPACE_MEMORY, PC_IOAPIC_BASE, IOAPIC_SIZE_BYTES, &ioapic_ops,
     offsetof(struct machine, ioapic)},
    {"pci ecam", SPACE_MEMORY, PC_ECAM_BASE, PCI_ECAM_BUS_BYTES, &pci_host_ecam_ops,
     offsetof(struct machine, pci)},
};

// PCI's ports, which hold the reset register, or that register alone.
static const struct device_row pci_ports_row = {
    "pci ports", SPACE_IO, PCI_CONFIG_PORT, PCI_CONFIG_PORT_COUNT, &config_port_ops, 0};
static const struct device_row reset_row = {
    "reset", SPACE_IO, PC_RESET_PORT, 1, &acpi_pm_reset_ops, offsetof(struct machine, pm)};

static mx_status_t place_device(struct machine *machine, const struct device_row *row)
{
    const struct access_row access = {.base = row->base,
                                      .size_bytes = row->size_bytes,
                                      .ops = row->ops,
                                      .device = (uint8_t *)machine + row->offset};
    const bool is_io = row->space == SPACE_IO;
    size_t index;

    mx_status_t status =
        access_map_add(is_io ? &machine->ports : &machine->memory, &access, &index);
    if (status != MX_OK)
        return status;
    const struct mx_trap trap = {.kind = is_io ? MX_TRAP_IO : MX_TRAP_MEM,
                                 .addr = row->base,
                                 .size_bytes = row->size_bytes,
                                 .key = index};
    return mx_guest_set_trap(machine->guest->handle, &trap);
}

static mx_status_t place_device_or_log(struct machine *machine, const struct device_row *row)
{
    const mx_status_t status = place_device(machine, row);

    if (status != MX_OK)
        guest_log(machine->guest, "vmm: %s: %s", row->name, mx_status_string(status));
    return status;
}

static mx_status_t place_devices(struct machine *machine)
{
    mx_status_t status = place_device_or_log(
        machine, machine->guest->config.has_pci_ports ? &pci_ports_row : &reset_row);

    for (size_t i = 0; status == MX_OK && i < sizeof(device_rows) / sizeof(device_rows[0]); i++)
        status = place_device_or_log(machine, &device_rows[i]);
    return status;
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

    for (unsigned i = 0; status == MX_OK && i < PC_COM_COUNT; i++)
        status = serial_init(&machine->com[i], &ns16550_uart_ops, &machine->uarts[i],
                             make_line(machine, ports[i].source, ports[i].irq),
                             i == 0 ? &machine->timers : NULL);
    return status;
}

static mx_status_t init_clocks(struct machine *machine)
{
    const struct guest *guest = machine->guest;
    const mx_time_t now = mx_clock_get_monotonic();
    const struct acpi_pm_host pm_host = {
        .power_off = power_off, .reset = reset, .context = machine};
    struct timer_queue *timers = &machine->timers.queue;
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
    machine->guest = guest;
    mx_status_t status = system_timer_init(&machine->timers, guest);
    if (status != MX_OK)
        return status;
    init_interrupts(machine);
    i8042_init(&machine->keyboard, &keyboard_host,
               make_line(machine, SOURCE_I8042, PC_KEYBOARD_IRQ));
    pci_host_init(&machine->pci, &pci_ops, machine);
    status = init_serial(machine);
    if (status == MX_OK)
        status = init_clocks(machine);
    if (status == MX_OK)
        status = place_devices(machine);
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

uint64_t machine_port_read(struct machine *machine, uint64_t key, uint64_t port,
                           unsigned width_bytes)
{
    return access_map_read(&machine->ports, key, port, width_bytes);
}

void machine_port_write(struct machine *machine, uint64_t key, uint64_t port, unsigned width_bytes,
                        uint64_t value)
{
    // A doorbell that a string instruction rings comes by here.
    if (key >= machine->ports.row_count &&
        pci_host_bar_write(&machine->pci, true, port, width_bytes, value))
        return;
    access_map_write(&machine->ports, key, port, width_bytes, value);
}

// --- from the main thread -----------------------------------------------------------------------

void machine_press_power_button(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    acpi_pm_press_power_button(&machine->pm);
    mutex_unlock(&machine->guest->lock);
}

void machine_attach_serial(struct machine *machine, mx_handle_t stream)
{
    mutex_lock(&machine->guest->lock);
    serial_attach(&machine->com[0], stream);
    mutex_unlock(&machine->guest->lock);
}

mx_handle_t machine_detach_serial(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    const mx_handle_t stream = serial_detach(&machine->com[0]);
    mutex_unlock(&machine->guest->lock);
    return stream;
}

void machine_serial_event(struct machine *machine, uint64_t key)
{
    mutex_lock(&machine->guest->lock);
    serial_event(&machine->com[0], key);
    mutex_unlock(&machine->guest->lock);
}

void machine_timer_event(struct machine *machine)
{
    mutex_lock(&machine->guest->lock);
    system_timer_event(&machine->timers);
    mutex_unlock(&machine->guest->lock);
}
