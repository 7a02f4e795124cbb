#include "vmm/x86_64/acpi_tables.h"

#include "vmm/chips/acpi_pm.h"
#include "vmm/chips/mc146818.h"
#include "vmm/x86_64/aml.h"

#include <string.h>

#define OEM_ID           "MACHNA"
#define OEM_TABLE_ID     "MACHINA "
#define CREATOR_ID       "MXVM"
#define TABLE_REVISION   1
#define GIB_4            0x100000000ULL
#define BUS_ECAM_BYTES   0x100000ULL
#define PCI_DEVICE_COUNT 32
#define CONFIG_PORT      0xcf8 // to 0xcff: the host bridge's own

#define HEADER_BYTES           36
#define HEADER_LENGTH_OFFSET   4
#define HEADER_CHECKSUM_OFFSET 9

#define RSDP_BYTES         36
#define RSDP_V1_BYTES      20
#define RSDP_CHECKSUM      8
#define RSDP_XSDT          24
#define RSDP_LONG_CHECKSUM 32
#define FACS_BYTES         64
#define FACS_VERSION       2

#define FADT_REVISION       6
#define FADT_MINOR_REVISION 4
#define FADT_BYTES          276
#define MADT_REVISION       5
#define MCFG_REVISION       1
#define XSDT_REVISION       1
#define DSDT_REVISION       2 // 64-bit integers

// Offsets in the FADT.
#define FADT_FIRMWARE_CTRL  36
#define FADT_DSDT           40
#define FADT_SCI_INT        46
#define FADT_PM1A_EVT_BLK   56
#define FADT_PM1A_CNT_BLK   64
#define FADT_PM_TMR_BLK     76
#define FADT_PM1_EVT_LEN    88
#define FADT_PM1_CNT_LEN    89
#define FADT_PM_TMR_LEN     91
#define FADT_P_LVL2_LAT     96
#define FADT_P_LVL3_LAT     98
#define FADT_CENTURY        108
#define FADT_IAPC_BOOT_ARCH 109
#define FADT_FLAGS          112
#define FADT_RESET_REG      116
#define FADT_RESET_VALUE    128
#define FADT_MINOR_VERSION  131
#define FADT_X_DSDT         140
#define FADT_X_PM1A_EVT_BLK 148
#define FADT_X_PM1A_CNT_BLK 172
#define FADT_X_PM_TMR_BLK   208
#define FADT_HYPERVISOR_ID  268

#define FADT_NO_C2_LATENCY 101  // above 100 us: not supported
#define FADT_NO_C3_LATENCY 1001 // above 1000 us: not supported

// There are ISA devices; there is no 8042 to probe for and no VGA.
#define BOOT_ARCH_LEGACY_DEVICES  0x0001
#define BOOT_ARCH_VGA_NOT_PRESENT 0x0004

#define FLAG_WBINVD          (1u << 0)
#define FLAG_PROC_C1         (1u << 2)
#define FLAG_NO_SLEEP_BUTTON (1u << 5) // none in fixed hardware
#define FLAG_RTC_NOT_FIXED   (1u << 6)
#define FLAG_TMR_VAL_EXT     (1u << 8)
#define FLAG_RESET_REG_SUP   (1u << 10)

#define GAS_SYSTEM_IO    1
#define GAS_BYTE_ACCESS  1
#define GAS_WORD_ACCESS  2
#define GAS_DWORD_ACCESS 3

#define MADT_PCAT_COMPAT           1u // there is an 8259 pair
#define MADT_LOCAL_APIC            0
#define MADT_IO_APIC               1
#define MADT_INTERRUPT_OVERRIDE    2
#define MADT_LOCAL_APIC_NMI        4
#define MADT_LOCAL_X2APIC          9
#define MADT_LOCAL_X2APIC_NMI      10
#define MADT_ENABLED               1u
#define MADT_ALL_PROCESSORS        0xff
#define MADT_ALL_X2APIC_PROCESSORS 0xffffffffu
#define MADT_HIGHEST_XAPIC_ID      254
#define MPS_INTI_CONFORMS          0x0
#define MPS_INTI_ACTIVE_HIGH_LEVEL 0xd
#define LINT1                      1
#define PIT_IRQ                    0
#define PIT_INPUT                  2
#define ISA_IRQ_COUNT              16

static void put(uint8_t *bytes, uint64_t value, unsigned size_bytes)
{
    for (unsigned i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint8_t checksum(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size_bytes; i++)
        sum += bytes[i];
    return (uint8_t)-sum;
}

// --- where tables go ----------------------------------------------------------------------------

// One writer over the whole buffer; a table is opened, filled and closed, and the next one starts
// aligned.
struct table_writer {
    struct aml out;
    uint64_t base_address;
};

static void align(struct table_writer *writer, size_t alignment)
{
    while (writer->out.size % alignment != 0 && aml_is_complete(&writer->out))
        aml_put_number(&writer->out, 0, 1);
}

static size_t open_table(struct table_writer *writer, const char *signature, uint8_t revision)
{
    size_t start;

    align(writer, 16);
    start = writer->out.size;
    aml_put_bytes(&writer->out, signature, 4);
    aml_put_number(&writer->out, 0, 4); // length
    aml_put_number(&writer->out, revision, 1);
    aml_put_number(&writer->out, 0, 1); // checksum
    aml_put_bytes(&writer->out, OEM_ID, 6);
    aml_put_bytes(&writer->out, OEM_TABLE_ID, 8);
    aml_put_number(&writer->out, TABLE_REVISION, 4);
    aml_put_bytes(&writer->out, CREATOR_ID, 4);
    aml_put_number(&writer->out, TABLE_REVISION, 4);
    return start;
}

// Completes the header; returns the table's guest address.
static uint64_t close_table(struct table_writer *writer, size_t start)
{
    uint8_t *table = writer->out.bytes + start;
    size_t size = writer->out.size - start;

    if (aml_is_complete(&writer->out)) {
        put(table + HEADER_LENGTH_OFFSET, size, 4);
        table[HEADER_CHECKSUM_OFFSET] = checksum(table, size);
    }
    return writer->base_address + start;
}

// --- DSDT ---------------------------------------------------------------------------------------

static void put_sleep_state_5(struct aml *aml)
{
    struct aml_mark package;

    aml_put_named(aml, "_S5");
    package = aml_open_package(aml, 4);
    aml_put_integer(aml, ACPI_PM_SLP_TYP_S5);
    aml_put_integer(aml, ACPI_PM_SLP_TYP_S5);
    aml_put_integer(aml, 0);
    aml_put_integer(aml, 0);
    aml_close(aml, package);
}

static void put_hardware_id(struct aml *aml, const char *id)
{
    aml_put_named(aml, "_HID");
    aml_put_eisa_id(aml, id);
}

static void put_pci_windows(struct aml *aml, const struct acpi_tables_config *config)
{
    const struct acpi_window *memory32 = &config->pci_memory32;
    const struct acpi_window *memory64 = &config->pci_memory64;
    struct aml_mark resources = aml_open_resources(aml, "_CRS");

    aml_put_bus_window(aml, 0, config->last_bus);
    aml_put_io(aml, CONFIG_PORT, 8);
    aml_put_io_window(aml, 0, CONFIG_PORT - 1);
    aml_put_io_window(aml, CONFIG_PORT + 8, 0xffff);
    if (memory32->size_bytes > 0)
        aml_put_memory32_window(aml, (uint32_t)memory32->base,
                                (uint32_t)(memory32->base + memory32->size_bytes - 1));
    if (memory64->size_bytes > 0)
        aml_put_memory64_window(aml, memory64->base, memory64->base + memory64->size_bytes - 1);
    aml_close_resources(aml, resources);
}

// One row per device and pin: address, pin, no link device, interrupt, which is the same with both controllers.
static void put_pci_routing(struct aml *aml, const struct acpi_tables_config *config)
{
    struct aml_mark table;

    aml_put_named(aml, "_PRT");
    table = aml_open_package(aml, PCI_DEVICE_COUNT * 4);
    for (unsigned i = 0; i < PCI_DEVICE_COUNT * 4; i++) {
        unsigned device = i / 4, pin = i % 4;
        struct aml_mark row = aml_open_package(aml, 4);
        aml_put_integer(aml, (uint64_t)device << 16 | 0xffff);
        aml_put_integer(aml, pin);
        aml_put_integer(aml, 0);
        aml_put_integer(aml, config->pci_intx_irqs[(device + pin) % 4]);
        aml_close(aml, row);
    }
    aml_close(aml, table);
}

static void put_pci_host_bridge(struct aml *aml, const struct acpi_tables_config *config)
{
    struct aml_mark device = aml_open_device(aml, "PCI0");

    put_hardware_id(aml, "PNP0A08");
    aml_put_named(aml, "_CID");
    aml_put_eisa_id(aml, "PNP0A03");
    aml_put_named_integer(aml, "_UID", 0);
    aml_put_named_integer(aml, "_SEG", 0);
    aml_put_named_integer(aml, "_BBN", 0);
    put_pci_windows(aml, config);
    put_pci_routing(aml, config);
    aml_close(aml, device);
}

// What the firmware's tables use and no driver may take; the ECAM counts only if it is reserved
// here.
static void put_board_resources(struct aml *aml, const struct acpi_tables_config *config)
{
    struct aml_mark device = aml_open_device(aml, "MBRD");
    struct aml_mark resources;

    put_hardware_id(aml, "PNP0C02");
    aml_put_named_integer(aml, "_UID", 0);
    resources = aml_open_resources(aml, "_CRS");
    aml_put_memory32(aml, (uint32_t)config->ecam_base,
                     (uint32_t)((config->last_bus + 1) * BUS_ECAM_BYTES));
    aml_put_io(aml, config->pm1a_event_port, 4);
    aml_put_io(aml, config->pm1a_control_port, 2);
    aml_put_io(aml, config->pm_timer_port, 4);
    aml_close_resources(aml, resources);
    aml_close(aml, device);
}

static void put_isa_device(struct aml *aml, const char *name, const char *id, unsigned unit,
                           uint16_t port, uint8_t port_count, uint8_t irq)
{
    struct aml_mark device = aml_open_device(aml, name);
    struct aml_mark resources;

    put_hardware_id(aml, id);
    aml_put_named_integer(aml, "_UID", unit);
    resources = aml_open_resources(aml, "_CRS");
    aml_put_io(aml, port, port_count);
    aml_put_isa_irq(aml, irq);
    aml_close_resources(aml, resources);
    aml_close(aml, device);
}

static void put_uarts(struct aml *aml, const struct acpi_tables_config *config)
{
    char name[] = "COM1";

    for (unsigned i = 0; i < config->uart_count; i++) {
        name[3] = (char)('1' + i);
        put_isa_device(aml, name, "PNP0501", i + 1, config->uarts[i].port, 8, config->uarts[i].irq);
    }
}

static void put_cpus(struct aml *aml, const struct acpi_tables_config *config)
{
    static const char digits[] = "0123456789ABCDEF";

    for (uint32_t i = 0; i < config->cpu_count; i++) {
        char name[] = {'C', digits[i >> 8 & 15], digits[i >> 4 & 15], digits[i & 15], 0};
        struct aml_mark device = aml_open_device(aml, name);
        aml_put_named(aml, "_HID");
        aml_put_string(aml, "ACPI0007");
        aml_put_named_integer(aml, "_UID", i);
        aml_close(aml, device);
    }
}

static uint64_t put_dsdt(struct table_writer *writer, const struct acpi_tables_config *config)
{
    size_t start = open_table(writer, "DSDT", DSDT_REVISION);
    struct aml *aml = &writer->out;
    struct aml_mark scope;

    put_sleep_state_5(aml);
    scope = aml_open_scope(aml, "_SB");
    put_pci_host_bridge(aml, config);
    put_board_resources(aml, config);
    put_uarts(aml, config);
    put_isa_device(aml, "RTC", "PNP0B00", 0, config->rtc_port, MC146818_PORT_COUNT,
                   config->rtc_irq);
    put_cpus(aml, config);
    aml_close(aml, scope);
    return close_table(writer, start);
}

// --- the static tables --------------------------------------------------------------------------

static uint64_t put_facs(struct table_writer *writer)
{
    uint8_t facs[FACS_BYTES] = {'F', 'A', 'C', 'S', FACS_BYTES};
    uint64_t address;

    facs[32] = FACS_VERSION;
    align(writer, FACS_BYTES);
    address = writer->base_address + writer->out.size;
    aml_put_bytes(&writer->out, facs, sizeof(facs));
    return address;
}

// A generic address structure for I/O ports.
static void put_port_address(uint8_t *bytes, uint16_t port, unsigned size_bytes, uint8_t access)
{
    bytes[0] = GAS_SYSTEM_IO;
    bytes[1] = (uint8_t)(size_bytes * 8);
    bytes[2] = 0;
    bytes[3] = access;
    put(bytes + 4, port, 8);
}

static void fill_fadt_registers(uint8_t *fadt, const struct acpi_tables_config *config)
{
    put(fadt + FADT_PM1A_EVT_BLK, config->pm1a_event_port, 4);
    put(fadt + FADT_PM1A_CNT_BLK, config->pm1a_control_port, 4);
    put(fadt + FADT_PM_TMR_BLK, config->pm_timer_port, 4);
    fadt[FADT_PM1_EVT_LEN] = 4;
    fadt[FADT_PM1_CNT_LEN] = 2;
    fadt[FADT_PM_TMR_LEN] = 4;
    put_port_address(fadt + FADT_X_PM1A_EVT_BLK, config->pm1a_event_port, 4, GAS_WORD_ACCESS);
    put_port_address(fadt + FADT_X_PM1A_CNT_BLK, config->pm1a_control_port, 2, GAS_WORD_ACCESS);
    put_port_address(fadt + FADT_X_PM_TMR_BLK, config->pm_timer_port, 4, GAS_DWORD_ACCESS);
    put_port_address(fadt + FADT_RESET_REG, config->reset_port, 1, GAS_BYTE_ACCESS);
    fadt[FADT_RESET_VALUE] = config->reset_value;
}

static uint64_t put_fadt(struct table_writer *writer, const struct acpi_tables_config *config,
                         uint64_t facs_address, uint64_t dsdt_address)
{
    size_t start = open_table(writer, "FACP", FADT_REVISION);
    uint8_t fadt[FADT_BYTES] = {0};
    uint32_t flags = FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_SLEEP_BUTTON | FLAG_RTC_NOT_FIXED |
                     FLAG_RESET_REG_SUP | (config->pm_timer_bits == 32 ? FLAG_TMR_VAL_EXT : 0);

    put(fadt + FADT_FIRMWARE_CTRL, facs_address, 4);
    put(fadt + FADT_DSDT, dsdt_address, 4);
    put(fadt + FADT_X_DSDT, dsdt_address, 8);
    put(fadt + FADT_SCI_INT, config->sci_irq, 2);
    put(fadt + FADT_P_LVL2_LAT, FADT_NO_C2_LATENCY, 2);
    put(fadt + FADT_P_LVL3_LAT, FADT_NO_C3_LATENCY, 2);
    fadt[FADT_CENTURY] = MC146818_CENTURY;
    put(fadt + FADT_IAPC_BOOT_ARCH, BOOT_ARCH_LEGACY_DEVICES | BOOT_ARCH_VGA_NOT_PRESENT, 2);
    put(fadt + FADT_FLAGS, flags, 4);
    fadt[FADT_MINOR_VERSION] = FADT_MINOR_REVISION;
    memcpy(fadt + FADT_HYPERVISOR_ID, OEM_TABLE_ID, 8);
    fill_fadt_registers(fadt, config);
    aml_put_bytes(&writer->out, fadt + HEADER_BYTES, sizeof(fadt) - HEADER_BYTES);
    return close_table(writer, start);
}

static void put_local_apic(struct aml *out, uint32_t id)
{
    if (id <= MADT_HIGHEST_XAPIC_ID) {
        aml_put_number(out, MADT_LOCAL_APIC | 8 << 8, 2);
        aml_put_number(out, id, 1); // ACPI processor UID
        aml_put_number(out, id, 1);
        aml_put_number(out, MADT_ENABLED, 4);
    } else {
        aml_put_number(out, MADT_LOCAL_X2APIC | 16 << 8, 2);
        aml_put_number(out, 0, 2);
        aml_put_number(out, id, 4);
        aml_put_number(out, MADT_ENABLED, 4);
        aml_put_number(out, id, 4); // ACPI processor UID
    }
}

static void put_override(struct aml *out, uint8_t irq, uint32_t input, uint16_t flags)
{
    aml_put_number(out, MADT_INTERRUPT_OVERRIDE | 10 << 8, 2);
    aml_put_number(out, 0, 1); // the ISA bus
    aml_put_number(out, irq, 1);
    aml_put_number(out, input, 4);
    aml_put_number(out, flags, 2);
}

// The PIT's line arrives at input 2; the SCI and PCI interrupts are levels.
static void put_overrides(struct aml *out, const struct acpi_tables_config *config)
{
    put_override(out, PIT_IRQ, PIT_INPUT, MPS_INTI_CONFORMS);
    for (unsigned irq = 1; irq < ISA_IRQ_COUNT; irq++) {
        bool is_level = irq == config->sci_irq;
        for (unsigned i = 0; i < 4; i++)
            is_level = is_level || irq == config->pci_intx_irqs[i];
        if (is_level)
            put_override(out, (uint8_t)irq, irq, MPS_INTI_ACTIVE_HIGH_LEVEL);
    }
}

// LINT1 of every local APIC is the NMI.
static void put_local_nmis(struct aml *out, const struct acpi_tables_config *config)
{
    aml_put_number(out, MADT_LOCAL_APIC_NMI | 6 << 8, 2);
    aml_put_number(out, MADT_ALL_PROCESSORS, 1);
    aml_put_number(out, MPS_INTI_CONFORMS, 2);
    aml_put_number(out, LINT1, 1);
    if (config->cpu_count <= MADT_HIGHEST_XAPIC_ID + 1)
        return;
    aml_put_number(out, MADT_LOCAL_X2APIC_NMI | 12 << 8, 2);
    aml_put_number(out, MPS_INTI_CONFORMS, 2);
    aml_put_number(out, MADT_ALL_X2APIC_PROCESSORS, 4);
    aml_put_number(out, LINT1, 1);
    aml_put_number(out, 0, 3);
}

static uint64_t put_madt(struct table_writer *writer, const struct acpi_tables_config *config)
{
    size_t start = open_table(writer, "APIC", MADT_REVISION);
    struct aml *out = &writer->out;

    aml_put_number(out, config->local_apic_base, 4);
    aml_put_number(out, MADT_PCAT_COMPAT, 4);
    for (uint32_t id = 0; id < config->cpu_count; id++)
        put_local_apic(out, id);
    aml_put_number(out, MADT_IO_APIC | 12 << 8, 2);
    aml_put_number(out, config->ioapic_id, 1);
    aml_put_number(out, 0, 1);
    aml_put_number(out, config->ioapic_base, 4);
    aml_put_number(out, 0, 4); // its first interrupt
    put_overrides(out, config);
    put_local_nmis(out, config);
    return close_table(writer, start);
}

static uint64_t put_mcfg(struct table_writer *writer, const struct acpi_tables_config *config)
{
    size_t start = open_table(writer, "MCFG", MCFG_REVISION);
    struct aml *out = &writer->out;

    aml_put_number(out, 0, 8);
    aml_put_number(out, config->ecam_base, 8);
    aml_put_number(out, 0, 2); // segment
    aml_put_number(out, 0, 1); // first bus
    aml_put_number(out, config->last_bus, 1);
    aml_put_number(out, 0, 4);
    return close_table(writer, start);
}

static uint64_t put_xsdt(struct table_writer *writer, const uint64_t *tables, size_t table_count)
{
    size_t start = open_table(writer, "XSDT", XSDT_REVISION);

    for (size_t i = 0; i < table_count; i++)
        aml_put_number(&writer->out, tables[i], 8);
    return close_table(writer, start);
}

static void fill_rsdp(uint8_t *rsdp, uint64_t xsdt_address)
{
    memset(rsdp, 0, RSDP_BYTES);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, OEM_ID, 6);
    rsdp[15] = 2; // ACPI 2.0 and later
    put(rsdp + 20, RSDP_BYTES, 4);
    put(rsdp + RSDP_XSDT, xsdt_address, 8);
    rsdp[RSDP_CHECKSUM] = checksum(rsdp, RSDP_V1_BYTES);
    rsdp[RSDP_LONG_CHECKSUM] = checksum(rsdp, RSDP_BYTES);
}

// --- parameters ---------------------------------------------------------------------------------

static bool is_below_4g(uint64_t base, uint64_t size_bytes)
{
    return base < GIB_4 && size_bytes <= GIB_4 - base;
}

static bool are_interrupts_valid(const struct acpi_tables_config *config)
{
    if (config->sci_irq == 0 || config->sci_irq >= ISA_IRQ_COUNT ||
        config->rtc_irq >= ISA_IRQ_COUNT || config->uart_count > ACPI_TABLES_UART_COUNT)
        return false;
    for (unsigned i = 0; i < config->uart_count; i++) {
        if (config->uarts[i].irq >= ISA_IRQ_COUNT)
            return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (config->pci_intx_irqs[i] >= ISA_IRQ_COUNT)
            return false;
    }
    return true;
}

static bool are_addresses_valid(const struct acpi_tables_config *config)
{
    const struct acpi_window *memory64 = &config->pci_memory64;

    return is_below_4g(config->local_apic_base, 0x1000) &&
           is_below_4g(config->ioapic_base, 0x1000) &&
           is_below_4g(config->ecam_base, (config->last_bus + 1) * BUS_ECAM_BYTES) &&
           is_below_4g(config->pci_memory32.base, config->pci_memory32.size_bytes) &&
           memory64->size_bytes <= UINT64_MAX - memory64->base;
}

static bool is_config_valid(const struct acpi_tables_config *config)
{
    return config->cpu_count > 0 && config->cpu_count <= ACPI_TABLES_HIGHEST_CPU_COUNT &&
           (config->pm_timer_bits == 24 || config->pm_timer_bits == 32) &&
           are_interrupts_valid(config) && are_addresses_valid(config);
}

mx_status_t acpi_tables_build(const struct acpi_tables_config *config, uint64_t base_address,
                              void *buffer, size_t capacity, struct acpi_tables_layout *layout)
{
    static const uint8_t rsdp_room[RSDP_BYTES];
    struct table_writer writer = {.base_address = base_address};
    uint64_t tables[3], facs_address, dsdt_address, xsdt_address;

    if (!is_config_valid(config))
        return MX_ERR_INVALID_ARGS;
    if (base_address % ACPI_TABLES_ALIGNMENT != 0 || base_address >= GIB_4)
        return MX_ERR_OUT_OF_RANGE;
    aml_init(&writer.out, buffer, capacity);
    aml_put_bytes(&writer.out, rsdp_room, sizeof(rsdp_room));
    facs_address = put_facs(&writer);
    dsdt_address = put_dsdt(&writer, config);
    tables[0] = put_fadt(&writer, config, facs_address, dsdt_address);
    tables[1] = put_madt(&writer, config);
    tables[2] = put_mcfg(&writer, config);
    xsdt_address = put_xsdt(&writer, tables, 3);
    if (!aml_is_complete(&writer.out))
        return MX_ERR_BUFFER_TOO_SMALL;
    if (!is_below_4g(base_address, writer.out.size))
        return MX_ERR_OUT_OF_RANGE;
    fill_rsdp(buffer, xsdt_address);
    layout->rsdp_address = base_address;
    layout->size_bytes = writer.out.size;
    return MX_OK;
}
