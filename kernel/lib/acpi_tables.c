// The parser of ACPI tables; see acpi_tables.h.
#include "kernel/lib/acpi_tables.h"

#include <string.h>

#define RSDP_ALIGNMENT     16
#define RSDP_SIZE_V1       20
#define RSDP_SIZE_V2       36
#define RSDP_REVISION      15
#define RSDP_RSDT_ADDRESS  16
#define RSDP_XSDT_ADDRESS  24
#define RSDP_REVISION_XSDT 2

#define HEADER_SIZE   36
#define HEADER_LENGTH 4
// Beyond this a table is taken to be garbage.
#define TABLE_SIZE_MAX ((size_t)4 << 20)
// Beyond these tables a root table is not followed.
#define ROOT_ENTRIES_MAX 256

// Of a list of entries within a table.
#define ENTRY_LENGTH   1
#define ENTRY_SIZE_MIN 2

#define MADT_LOCAL_APIC_ADDRESS 36
#define MADT_TYPE_LOCAL_APIC    0
#define MADT_TYPE_IOAPIC        1
#define MADT_TYPE_OVERRIDE      2
#define MADT_TYPE_ADDRESS       5
#define MADT_TYPE_LOCAL_X2APIC  9
#define MADT_CPU_ENABLED        0x1
#define MADT_POLARITY_MASK      0x3
#define MADT_POLARITY_LOW       0x3
#define MADT_TRIGGER_MASK       0xc
#define MADT_TRIGGER_LEVEL      0xc

#define FADT_DSDT_32        40
#define FADT_PM1A_CONTROL   64
#define FADT_PM1B_CONTROL   68
#define FADT_CENTURY        108
#define FADT_FLAGS          112
#define FADT_FLAG_RESET     (1u << 10)
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE    128
#define FADT_DSDT_64        140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184

#define HPET_ADDRESS 40
#define GAS_SIZE     12

#define SPCR_INTERFACE        36
#define SPCR_REGISTERS        40
#define SPCR_INTERRUPT_TYPE   52
#define SPCR_INTERRUPT_ISA    0x1 // on a pair of 8259s
#define SPCR_INTERRUPT_APIC   0x2
#define SPCR_INTERRUPT_GIC    0x8
#define SPCR_ISA_IRQ          53
#define SPCR_GLOBAL_IRQ       54
#define SPCR_BAUD             58
#define SPCR_SIZE_MIN         59
#define DBG2_DEVICES_OFFSET   36
#define DBG2_DEVICES_COUNT    40
#define DBG2_DEVICE_LENGTH    1
#define DBG2_DEVICE_ADDRESSES 3
#define DBG2_DEVICE_TYPE      12
#define DBG2_DEVICE_SUBTYPE   14
#define DBG2_DEVICE_REGISTERS 18 // offset of the Generic Address Structures
#define DBG2_DEVICE_SIZE_MIN  22
#define DBG2_TYPE_SERIAL      0x8000

#define AML_NAME_OP      0x08
#define AML_PACKAGE_OP   0x12
#define AML_ZERO_OP      0x00
#define AML_ONE_OP       0x01
#define AML_BYTE_PREFIX  0x0a
#define AML_WORD_PREFIX  0x0b
#define AML_DWORD_PREFIX 0x0c

struct reader {
    const struct acpi_memory *memory;
    struct acpi_machine *machine;
};

uint64_t acpi_get(struct acpi_table table, size_t offset, size_t size)
{
    uint64_t value = 0;

    if (offset > table.size || size > table.size - offset)
        return 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)table.bytes[offset + i] << (8 * i);
    return value;
}

static bool checksum_is_right(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

bool acpi_is(struct acpi_table table, const char *signature)
{
    return memcmp(table.bytes, signature, 4) == 0;
}

size_t acpi_find_rsdp(const uint8_t *area, size_t size_bytes)
{
    for (size_t at = 0; at <= size_bytes && size_bytes - at >= RSDP_SIZE_V1; at += RSDP_ALIGNMENT) {
        if (memcmp(area + at, "RSD PTR ", 8) == 0 && checksum_is_right(area + at, RSDP_SIZE_V1))
            return at;
    }
    return SIZE_MAX;
}

// Returns NULL, or why there is no valid table.
static const char *map_table(const struct acpi_memory *memory, uint64_t address,
                             struct acpi_table *out)
{
    const uint8_t *header = address ? memory->map(memory->context, address, HEADER_SIZE) : NULL;
    struct acpi_table table = {header, HEADER_SIZE};

    if (!header)
        return "there is no memory at its address";
    table.size = (size_t)acpi_get(table, HEADER_LENGTH, 4);
    if (table.size < HEADER_SIZE || table.size > TABLE_SIZE_MAX)
        return "its length cannot be";
    table.bytes = memory->map(memory->context, address, table.size);
    if (!table.bytes)
        return "it is longer than the memory at its address";
    if (!checksum_is_right(table.bytes, table.size))
        return "its checksum is wrong";
    *out = table;
    return NULL;
}

bool acpi_next_entry(struct acpi_table table, size_t *at, struct acpi_table *entry)
{
    size_t left = *at < table.size ? table.size - *at : 0, size;

    if (left < ENTRY_SIZE_MIN)
        return false;
    size = table.bytes[*at + ENTRY_LENGTH];
    if (size < ENTRY_SIZE_MIN || size > left)
        return false;
    *entry = (struct acpi_table){table.bytes + *at, size};
    *at += size;
    return true;
}

// --- MADT, section 5.2.12
// ---------------------------------------------------------------------------

static void add_cpu(struct acpi_machine *machine, uint32_t apic_id, uint32_t flags)
{
    if (!(flags & MADT_CPU_ENABLED) || machine->cpu_count == ACPI_CPU_MAX)
        return;
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (machine->cpu_apic_ids[i] == apic_id)
            return;
    }
    machine->cpu_apic_ids[machine->cpu_count++] = apic_id;
}

static void add_ioapic(struct acpi_machine *machine, struct acpi_table entry)
{
    if (machine->ioapic_count == ACPI_IOAPIC_MAX)
        return;
    machine->ioapics[machine->ioapic_count++] = (struct acpi_ioapic){
        .address = acpi_get(entry, 4, 4),
        .irq_base = (uint32_t)acpi_get(entry, 8, 4),
    };
}

static void add_override(struct acpi_machine *machine, struct acpi_table entry)
{
    uint32_t flags = (uint32_t)acpi_get(entry, 8, 2);

    if (machine->override_count == ACPI_OVERRIDE_MAX)
        return;
    machine->overrides[machine->override_count++] = (struct acpi_override){
        .isa_irq = (uint8_t)acpi_get(entry, 3, 1),
        .irq = (uint32_t)acpi_get(entry, 4, 4),
        .is_active_low = (flags & MADT_POLARITY_MASK) == MADT_POLARITY_LOW,
        .is_level = (flags & MADT_TRIGGER_MASK) == MADT_TRIGGER_LEVEL,
    };
}

static void read_madt_entry(struct acpi_machine *machine, struct acpi_table entry)
{
    static const uint8_t sizes[] = {
        [MADT_TYPE_LOCAL_APIC] = 8, [MADT_TYPE_IOAPIC] = 12,       [MADT_TYPE_OVERRIDE] = 10,
        [MADT_TYPE_ADDRESS] = 12,   [MADT_TYPE_LOCAL_X2APIC] = 16,
    };
    uint8_t type = entry.bytes[0];

    if (type >= sizeof(sizes) || entry.size < sizes[type])
        return;
    switch (type) {
    case MADT_TYPE_LOCAL_APIC:
        if (entry.bytes[3] != 0xff)
            add_cpu(machine, entry.bytes[3], (uint32_t)acpi_get(entry, 4, 4));
        break;
    case MADT_TYPE_LOCAL_X2APIC:
        if (acpi_get(entry, 4, 4) != UINT32_MAX)
            add_cpu(machine, (uint32_t)acpi_get(entry, 4, 4), (uint32_t)acpi_get(entry, 8, 4));
        break;
    case MADT_TYPE_IOAPIC:
        add_ioapic(machine, entry);
        break;
    case MADT_TYPE_OVERRIDE:
        add_override(machine, entry);
        break;
    case MADT_TYPE_ADDRESS:
        machine->local_apic_address = acpi_get(entry, 4, 8);
        break;
    default:
        break;
    }
}

static void read_madt(const struct reader *reader, struct acpi_table table)
{
    size_t at = ACPI_MADT_ENTRIES;
    struct acpi_table entry;

    reader->machine->local_apic_address = acpi_get(table, MADT_LOCAL_APIC_ADDRESS, 4);
    while (acpi_next_entry(table, &at, &entry))
        read_madt_entry(reader->machine, entry);
}

// --- FADT and DSDT, sections 5.2.9, 7.4.2 and 20.2
// ------------------------------------------------------

static struct acpi_register get_register(struct acpi_table table, size_t offset)
{
    return (struct acpi_register){
        .space = (uint8_t)acpi_get(table, offset, 1),
        .width_bits = (uint8_t)acpi_get(table, offset + 1, 1),
        .access = (uint8_t)acpi_get(table, offset + 3, 1),
        .address = acpi_get(table, offset + 4, 8),
    };
}

// An integer constant of a package; false if it is anything else. Advances *at.
static bool read_aml_integer(struct acpi_table dsdt, size_t *at, uint8_t *value)
{
    uint8_t op;

    if (*at >= dsdt.size)
        return false;
    op = dsdt.bytes[(*at)++];
    *value = (uint8_t)acpi_get(dsdt, *at, 1);
    switch (op) {
    case AML_ZERO_OP:
    case AML_ONE_OP:
        *value = op;
        return true;
    case AML_BYTE_PREFIX:
        *at += 1;
        break;
    case AML_WORD_PREFIX:
        *at += 2;
        break;
    case AML_DWORD_PREFIX:
        *at += 4;
        break;
    default:
        return false;
    }
    return *at <= dsdt.size;
}

// The package after the name at `at`: PackageOp, length of one to four bytes, number of elements,
// elements.
static bool read_s5_package(struct acpi_table dsdt, size_t at, struct acpi_machine *machine)
{
    if (acpi_get(dsdt, at, 1) != AML_PACKAGE_OP)
        return false;
    at += 2 + (size_t)(acpi_get(dsdt, at + 1, 1) >> 6);
    if (acpi_get(dsdt, at++, 1) < 2)
        return false;
    return read_aml_integer(dsdt, &at, &machine->s5_type_a) &&
           read_aml_integer(dsdt, &at, &machine->s5_type_b);
}

// Looks for the object \_S5_ by its name, without interpreting what comes before.
static void read_dsdt(const struct reader *reader, struct acpi_table dsdt)
{
    for (size_t at = HEADER_SIZE + 1; at < dsdt.size && dsdt.size - at >= 4; at++) {
        bool is_named = dsdt.bytes[at - 1] == AML_NAME_OP ||
                        (dsdt.bytes[at - 1] == '\\' && dsdt.bytes[at - 2] == AML_NAME_OP);

        if (is_named && memcmp(dsdt.bytes + at, "_S5_", 4) == 0 &&
            read_s5_package(dsdt, at + 4, reader->machine)) {
            reader->machine->has_s5 = true;
            return;
        }
    }
}

// Ports have 16 bits.
static bool register_can_be(struct acpi_register reg)
{
    return reg.address != 0 && (reg.space != ACPI_SPACE_IO || reg.address <= UINT16_MAX);
}

static struct acpi_register get_pm_control(struct acpi_table fadt, size_t extended, size_t legacy)
{
    struct acpi_register reg = get_register(fadt, extended);

    if (!register_can_be(reg))
        reg = (struct acpi_register){
            .space = ACPI_SPACE_IO, .width_bits = 16, .address = acpi_get(fadt, legacy, 4)};
    return reg;
}

static void read_fadt(const struct reader *reader, struct acpi_table table)
{
    struct acpi_machine *machine = reader->machine;
    uint64_t dsdt_address = acpi_get(table, FADT_DSDT_64, 8);
    struct acpi_table dsdt;

    machine->pm1a_control = get_pm_control(table, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
    machine->pm1b_control = get_pm_control(table, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
    machine->rtc_century_register = (uint8_t)acpi_get(table, FADT_CENTURY, 1);
    if (acpi_get(table, FADT_FLAGS, 4) & FADT_FLAG_RESET) {
        struct acpi_register reset = get_register(table, FADT_RESET_REGISTER);
        if (register_can_be(reset))
            machine->reset = reset;
        machine->reset_value = (uint8_t)acpi_get(table, FADT_RESET_VALUE, 1);
    }
    if (!dsdt_address)
        dsdt_address = acpi_get(table, FADT_DSDT_32, 4);
    if (!map_table(reader->memory, dsdt_address, &dsdt) && acpi_is(dsdt, "DSDT"))
        read_dsdt(reader, dsdt);
}

// --- HPET, MCFG
// ---------------------------------------------------------------------------------------

static void read_hpet(const struct reader *reader, struct acpi_table table)
{
    struct acpi_register reg = get_register(table, HPET_ADDRESS);

    if (reg.space == ACPI_SPACE_MEMORY)
        reader->machine->hpet_address = reg.address;
}

bool acpi_mcfg_entry(struct acpi_table table, uint32_t index, struct acpi_ecam *out)
{
    size_t at = ACPI_MCFG_ENTRIES + (size_t)index * ACPI_MCFG_ENTRY_SIZE;

    if (at > table.size || table.size - at < ACPI_MCFG_ENTRY_SIZE)
        return false;
    *out = (struct acpi_ecam){
        .base = acpi_get(table, at, 8),
        .segment = (uint16_t)acpi_get(table, at + 8, 2),
        .first_bus = table.bytes[at + 10],
        .last_bus = table.bytes[at + 11],
    };
    return true;
}

static void read_mcfg(const struct reader *reader, struct acpi_table table)
{
    struct acpi_machine *machine = reader->machine;
    struct acpi_ecam ecam;

    for (uint32_t i = 0; acpi_mcfg_entry(table, i, &ecam); i++) {
        if (machine->ecam_count < ACPI_ECAM_MAX && ecam.first_bus <= ecam.last_bus)
            machine->ecams[machine->ecam_count++] = ecam;
    }
}

// --- SPCR, DBG2
// ---------------------------------------------------------------------------------------

bool acpi_spcr_port(struct acpi_table table, struct acpi_serial_port *out)
{
    uint8_t kinds = (uint8_t)acpi_get(table, SPCR_INTERRUPT_TYPE, 1);

    if (table.size < SPCR_SIZE_MIN)
        return false;
    *out = (struct acpi_serial_port){
        .is_named = true,
        .interface = (uint8_t)acpi_get(table, SPCR_INTERFACE, 1),
        .registers = get_register(table, SPCR_REGISTERS),
        .has_isa_irq = kinds & SPCR_INTERRUPT_ISA,
        .has_irq = kinds & SPCR_INTERRUPT_APIC,
        .has_gic_irq = kinds & SPCR_INTERRUPT_GIC,
        .isa_irq = (uint8_t)acpi_get(table, SPCR_ISA_IRQ, 1),
        .irq = (uint32_t)acpi_get(table, SPCR_GLOBAL_IRQ, 4),
        .baud_code = (uint8_t)acpi_get(table, SPCR_BAUD, 1),
    };
    return true;
}

// The table has no interrupts.
static bool read_dbg2_device(struct acpi_table device, struct acpi_serial_port *out)
{
    size_t registers = (size_t)acpi_get(device, DBG2_DEVICE_REGISTERS, 2);

    if (acpi_get(device, DBG2_DEVICE_TYPE, 2) != DBG2_TYPE_SERIAL ||
        acpi_get(device, DBG2_DEVICE_ADDRESSES, 1) == 0 || registers < DBG2_DEVICE_SIZE_MIN ||
        registers > device.size || GAS_SIZE > device.size - registers)
        return false;
    *out = (struct acpi_serial_port){
        .is_named = true,
        .interface = (uint16_t)acpi_get(device, DBG2_DEVICE_SUBTYPE, 2),
        .registers = get_register(device, registers),
    };
    return true;
}

bool acpi_dbg2_port(struct acpi_table table, struct acpi_serial_port *out)
{
    size_t at = (size_t)acpi_get(table, DBG2_DEVICES_OFFSET, 4);
    size_t count = (size_t)acpi_get(table, DBG2_DEVICES_COUNT, 4);

    for (; count > 0 && at < table.size && table.size - at >= DBG2_DEVICE_SIZE_MIN; count--) {
        struct acpi_table device = {table.bytes + at,
                                    (size_t)acpi_get(table, at + DBG2_DEVICE_LENGTH, 2)};
        if (device.size < DBG2_DEVICE_SIZE_MIN || device.size > table.size - at)
            return false;
        if (read_dbg2_device(device, out))
            return true;
        at += device.size;
    }
    return false;
}

static void read_spcr(const struct reader *reader, struct acpi_table table)
{
    (void)acpi_spcr_port(table, &reader->machine->console);
}

static void read_dbg2(const struct reader *reader, struct acpi_table table)
{
    if (!reader->machine->debug_port.is_named)
        (void)acpi_dbg2_port(table, &reader->machine->debug_port);
}

// --- the root
// -----------------------------------------------------------------------------------------

static mx_status_t visit_root(const struct acpi_memory *memory, uint64_t address,
                              const char *signature, size_t entry_size,
                              const struct acpi_visitor *visitor)
{
    struct acpi_table root, table;
    size_t at = HEADER_SIZE;

    if (map_table(memory, address, &root) || !acpi_is(root, signature))
        return MX_ERR_NOT_FOUND;
    for (size_t i = 0; i < ROOT_ENTRIES_MAX && root.size - at >= entry_size;
         i++, at += entry_size) {
        address = acpi_get(root, at, entry_size);
        const char *why = map_table(memory, address, &table);
        if (!why)
            visitor->visit(visitor->context, table);
        else if (visitor->refuse)
            visitor->refuse(visitor->context, address, why);
    }
    return MX_OK;
}

mx_status_t acpi_visit_tables(const struct acpi_memory *memory, uint64_t rsdp_address,
                              const struct acpi_visitor *visitor)
{
    struct acpi_table rsdp = {memory->map(memory->context, rsdp_address, RSDP_SIZE_V1),
                              RSDP_SIZE_V1};

    if (!rsdp.bytes || acpi_find_rsdp(rsdp.bytes, rsdp.size) != 0)
        return MX_ERR_NOT_FOUND;
    if (rsdp.bytes[RSDP_REVISION] >= RSDP_REVISION_XSDT) {
        struct acpi_table extended = {memory->map(memory->context, rsdp_address, RSDP_SIZE_V2),
                                      RSDP_SIZE_V2};
        if (extended.bytes && checksum_is_right(extended.bytes, extended.size) &&
            visit_root(memory, acpi_get(extended, RSDP_XSDT_ADDRESS, 8), "XSDT", 8, visitor) ==
                MX_OK)
            return MX_OK;
    }
    return visit_root(memory, acpi_get(rsdp, RSDP_RSDT_ADDRESS, 4), "RSDT", 4, visitor);
}

static void read_table(void *context, struct acpi_table table)
{
    static const struct {
        const char *signature;
        void (*read)(const struct reader *reader, struct acpi_table table);
    } known[] = {{"APIC", read_madt}, {"FACP", read_fadt}, {"HPET", read_hpet},
                 {"MCFG", read_mcfg}, {"SPCR", read_spcr}, {"DBG2", read_dbg2}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (acpi_is(table, known[i].signature))
            known[i].read(context, table);
    }
}

mx_status_t acpi_read_machine(acpi_map_function map, void *context, uint64_t rsdp_address,
                              struct acpi_machine *machine)
{
    const struct acpi_memory memory = {map, context};
    struct reader reader = {&memory, machine};
    const struct acpi_visitor visitor = {.visit = read_table, .context = &reader};

    memset(machine, 0, sizeof(*machine));
    return acpi_visit_tables(&memory, rsdp_address, &visitor);
}
