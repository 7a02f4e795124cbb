// From a kernel file to the first instruction: memory map, ACPI tables, and vCPU 0's registers.
#include "vmm/monitor/x86_64/machine.h"

#include <string.h>

#include <machina/syscalls.h>

#include "vmm/loader/x86_64/kernel_image.h"
#include "vmm/loader/x86_64/x86_boot_tables.h"
#include "vmm/x86_64/acpi_tables.h"
#include "vmm/x86_64/vcpu_regs.h"

const uint64_t machine_low_ram_bytes = PC_LOW_RAM_MAX;
const uint64_t machine_high_ram_base = PC_HIGH_RAM_BASE;
const bool machine_has_io_ports = true;

#define CR0_NE (UINT64_C(1) << 5)
#define CR0_ET (UINT64_C(1) << 4)

// Segment attributes as in struct mx_x86_segment_register.
#define ATTRIBUTES_CODE_64 0xa9b // present, code, readable, accessed, long, granularity
#define ATTRIBUTES_CODE_32 0xc9b
#define ATTRIBUTES_DATA    0xc93
#define ATTRIBUTES_TSS     0x08b // busy
#define ATTRIBUTES_LDT     0x082
#define TSS_LIMIT          0x67
#define RFLAGS_RESERVED    0x2

#define E820_COUNT_MAX 5

// --- loading ------------------------------------------------------------------------------------

static mx_status_t build_acpi(struct machine *machine, uint64_t *rsdp)
{
    const struct guest *guest = machine->bus.guest;
    const struct acpi_tables_config config = {
        .cpu_count = guest->config.cpu_count,
        .local_apic_base = PC_LOCAL_APIC_BASE,
        .ioapic_base = PC_IOAPIC_BASE,
        .ioapic_id = 0,
        .sci_irq = PC_SCI_IRQ,
        .pm1a_event_port = PC_PM_PORT + ACPI_PM_PM1A_EVT,
        .pm1a_control_port = PC_PM_PORT + ACPI_PM_PM1A_CNT,
        .pm_timer_port = PC_PM_PORT + ACPI_PM_PM_TMR,
        .pm_timer_bits = PC_PM_TIMER_BITS,
        .reset_port = PC_RESET_PORT,
        .reset_value = ACPI_PM_RESET_VALUE,
        .uarts = {{PC_COM1_PORT, PC_COM1_IRQ},
                  {PC_COM2_PORT, PC_COM2_IRQ},
                  {PC_COM3_PORT, PC_COM1_IRQ},
                  {PC_COM4_PORT, PC_COM2_IRQ}},
        .uart_count = PC_COM_COUNT,
        .rtc_port = PC_RTC_PORT,
        .rtc_irq = PC_RTC_IRQ,
        .ecam_base = PC_ECAM_BASE,
        .last_bus = 0,
        .pci_memory32 = {PC_PCI_MEMORY_BASE, PC_PCI_MEMORY_END - PC_PCI_MEMORY_BASE},
        .pci_intx_irqs = {machine_intx_irq(0), machine_intx_irq(1), machine_intx_irq(2),
                          machine_intx_irq(3)},
    };
    struct acpi_tables_layout layout;
    void *buffer = guest_memory_map(&guest->memory, PC_ACPI_BASE, PC_ACPI_BYTES);

    if (!buffer)
        return MX_ERR_OUT_OF_RANGE;
    const mx_status_t status =
        acpi_tables_build(&config, PC_ACPI_BASE, buffer, PC_ACPI_BYTES, &layout);
    if (status == MX_OK)
        *rsdp = layout.rsdp_address;
    return status;
}

static size_t fill_e820(const struct guest *guest, struct boot_e820_entry entries[E820_COUNT_MAX])
{
    size_t count = 0;

    entries[count++] = (struct boot_e820_entry){0, PC_RESERVED_BASE, BOOT_E820_RAM};
    entries[count++] = (struct boot_e820_entry){
        PC_RESERVED_BASE, PC_LOW_RAM_BASE - PC_RESERVED_BASE, BOOT_E820_RESERVED};
    if (guest->low_bytes > PC_LOW_RAM_BASE)
        entries[count++] = (struct boot_e820_entry){
            PC_LOW_RAM_BASE, guest->low_bytes - PC_LOW_RAM_BASE, BOOT_E820_RAM};
    entries[count++] =
        (struct boot_e820_entry){PC_ECAM_BASE, PCI_ECAM_BUS_BYTES, BOOT_E820_RESERVED};
    if (guest->high_bytes > 0)
        entries[count++] =
            (struct boot_e820_entry){PC_HIGH_RAM_BASE, guest->high_bytes, BOOT_E820_RAM};
    return count;
}

static mx_status_t assign_bars(struct machine *machine)
{
    struct pci_window io = {PC_PCI_IO_BASE, PC_PCI_IO_END};
    struct pci_window memory = {PC_PCI_MEMORY_BASE, PC_PCI_MEMORY_END};

    return pci_host_assign_bars(&machine->bus.pci, &io, &memory);
}

static void set_ram(const struct guest *guest, struct boot_request *request)
{
    if (guest->low_bytes > PC_LOW_RAM_BASE)
        request->low_ram = (struct boot_range){PC_LOW_RAM_BASE, guest->low_bytes - PC_LOW_RAM_BASE};
    if (guest->high_bytes > 0)
        request->high_ram = (struct boot_range){PC_HIGH_RAM_BASE, guest->high_bytes};
}

mx_status_t machine_load(struct machine *machine, struct boot_request *request)
{
    const struct guest *guest = machine->bus.guest;
    struct boot_e820_entry e820[E820_COUNT_MAX];
    struct x86_boot_map map = {
        .tables = {PC_BOOT_TABLES_BASE, PC_BOOT_TABLES_END - PC_BOOT_TABLES_BASE},
        .e820 = e820,
        .e820_count = fill_e820(guest, e820),
        .uart = {PC_COM1_PORT, PC_COM1_IRQ},
    };

    mx_status_t status = assign_bars(machine);
    if (status == MX_OK)
        status = machine_show_registers(machine);
    if (status == MX_OK)
        status = build_acpi(machine, &map.rsdp);
    if (status != MX_OK)
        return boot_fail(request, status, "the machine cannot be described to the guest: %s",
                         mx_status_string(status));
    set_ram(guest, request);
    return kernel_image_load(request, &map, &machine->boot);
}

// --- registers ----------------------------------------------------------------------------------

static struct mx_x86_segment_register flat_segment(uint16_t selector, uint16_t attributes)
{
    return (struct mx_x86_segment_register){
        .selector = selector, .attributes = attributes, .limit = UINT32_MAX};
}

static void set_segments(const struct x86_boot_state *boot, struct mx_vcpu_state *state)
{
    const bool is_long = boot->mode == X86_BOOT_MODE_LONG;

    for (unsigned i = MX_X86_ES; i <= MX_X86_GS; i++)
        state->segment[i] = flat_segment(boot->data_selector, ATTRIBUTES_DATA);
    state->segment[MX_X86_CS] =
        flat_segment(boot->code_selector, is_long ? ATTRIBUTES_CODE_64 : ATTRIBUTES_CODE_32);
    state->segment[MX_X86_LDTR] = (struct mx_x86_segment_register){.attributes = ATTRIBUTES_LDT};
    state->segment[MX_X86_TR] = (struct mx_x86_segment_register){
        .selector = X86_BOOT_TSS_SELECTOR, .attributes = ATTRIBUTES_TSS, .limit = TSS_LIMIT};
    state->gdt_base = boot->gdt;
    state->gdt_limit = boot->gdt_limit;
    state->idt_base = 0;
    state->idt_limit = 0;
}

static void set_mode(const struct x86_boot_state *boot, struct mx_vcpu_state *state)
{
    state->cr0 = X86_CR0_PE | CR0_ET | CR0_NE;
    state->cr3 = 0;
    state->cr4 = 0;
    state->efer = 0;
    if (boot->mode != X86_BOOT_MODE_LONG)
        return;
    state->cr0 |= X86_CR0_PG;
    state->cr3 = boot->cr3;
    state->cr4 = X86_CR4_PAE;
    state->efer = X86_EFER_LME | X86_EFER_LMA;
}

mx_status_t machine_start_vcpu(struct machine *machine, struct guest_vcpu *vcpu)
{
    const struct x86_boot_state *boot = &machine->boot;
    struct mx_vcpu_state state;

    if (vcpu->id != 0)
        return MX_OK;
    mx_status_t status =
        mx_vcpu_read_state(vcpu->handle, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    if (status != MX_OK)
        return status;
    memset(state.gpr, 0, sizeof(state.gpr));
    state.gpr[MX_X86_RSI] = boot->rsi;
    state.gpr[MX_X86_RBX] = boot->rbx;
    state.rip = boot->rip;
    state.rflags = RFLAGS_RESERVED;
    set_mode(boot, &state);
    set_segments(boot, &state);
    return mx_vcpu_write_state(vcpu->handle, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}
