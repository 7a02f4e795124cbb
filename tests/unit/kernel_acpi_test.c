// The kernel's ACPI parser on hand-made tables in a small pretend physical memory.
#include "kernel/lib/acpi_tables.h"
#include "tests/test.h"

#define MEMORY_SIZE 0x4000
#include "tests/unit/acpi_fixture.h"

#define RSDP 0x100
#define RSDT 0x200
#define XSDT 0x300
#define MADT 0x400
#define FADT 0x800
#define DSDT 0xa00
#define HPET 0xc00
#define MCFG 0xd00
#define SPCR 0xe00
#define DBG2 0xf00

static struct acpi_machine machine;

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    (void)context;
    if (address > MEMORY_SIZE || size_bytes > MEMORY_SIZE - address)
        return NULL;
    return memory + address;
}

static void seal_rsdp(uint8_t revision)
{
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = revision;
    put(RSDP + 16, 4, RSDT);
    put(RSDP + 20, 4, 36);
    put(RSDP + 24, 8, XSDT);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
}

static size_t add_madt_entry(size_t at, const uint8_t *entry, size_t size)
{
    memcpy(memory + at, entry, size);
    return at + size;
}

static void make_madt(void)
{
    static const uint8_t cpu0[] = {0, 8, 0, 0, 1, 0, 0, 0}, cpu1[] = {0, 8, 1, 5, 1, 0, 0, 0};
    static const uint8_t disabled[] = {0, 8, 2, 6, 0, 0, 0, 0};
    static const uint8_t x2apic[] = {9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t ioapic[] = {1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0};
    static const uint8_t timer[] = {2, 10, 0, 0, 2, 0, 0, 0, 0, 0};
    static const uint8_t sci[] = {2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0};
    size_t at = MADT + 44;

    put(MADT + 36, 4, 0xfee00000);
    at = add_madt_entry(at, cpu0, sizeof(cpu0));
    at = add_madt_entry(at, cpu1, sizeof(cpu1));
    at = add_madt_entry(at, cpu1, sizeof(cpu1));
    at = add_madt_entry(at, disabled, sizeof(disabled));
    at = add_madt_entry(at, x2apic, sizeof(x2apic));
    at = add_madt_entry(at, ioapic, sizeof(ioapic));
    at = add_madt_entry(at, timer, sizeof(timer));
    at = add_madt_entry(at, sci, sizeof(sci));
    seal_table(MADT, "APIC", at - MADT);
}

static void make_fadt(void)
{
    put(FADT + 40, 4, DSDT);
    put(FADT + 64, 4, 0x604);
    memory[FADT + 108] = 0x32;
    put(FADT + 112, 4, 1u << 10);
    memory[FADT + 116] = ACPI_SPACE_IO;
    put(FADT + 120, 8, 0xcf9);
    memory[FADT + 128] = 0x0f;
    seal_table(FADT, "FACP", 244);
}

static void make_dsdt(const uint8_t *aml, size_t size)
{
    memcpy(memory + DSDT + 36, aml, size);
    seal_table(DSDT, "DSDT", 36 + size);
}

static const uint8_t s5_aml[] = {0x10, 0x08, '_',  'S',  '5',  '_',  0x12,
                                 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00};

static void make_machine(uint8_t revision)
{
    static const uint32_t tables[] = {MADT, FADT, HPET, MCFG};

    memset(memory, 0, sizeof(memory));
    make_madt();
    make_fadt();
    make_dsdt(s5_aml, sizeof(s5_aml));
    put(HPET + 44, 8, 0xfed00000);
    seal_table(HPET, "HPET", 56);
    put(MCFG + 44, 8, 0xb0000000);
    memory[MCFG + 55] = 0xff;
    seal_table(MCFG, "MCFG", 60);
    for (size_t i = 0; i < 4; i++) {
        put(RSDT + 36 + 4 * i, 4, tables[i]);
        put(XSDT + 36 + 8 * i, 8, tables[i]);
    }
    seal_table(RSDT, "RSDT", 36 + 16);
    seal_table(XSDT, "XSDT", 36 + 32);
    seal_rsdp(revision);
}

static mx_status_t read(void)
{
    return acpi_read_machine(map, NULL, RSDP, &machine);
}

static void expect_whole_machine(void)
{
    ASSERT_OK(read());
    ASSERT_EQ(machine.cpu_count, 3);
    EXPECT_EQ(machine.cpu_apic_ids[0], 0);
    EXPECT_EQ(machine.cpu_apic_ids[1], 5);
    EXPECT_EQ(machine.cpu_apic_ids[2], 0x12c);
    EXPECT_EQ(machine.local_apic_address, 0xfee00000);
    ASSERT_EQ(machine.ioapic_count, 1);
    EXPECT_EQ(machine.ioapics[0].address, 0xfec00000);
    EXPECT_EQ(machine.ioapics[0].irq_base, 24);
    ASSERT_EQ(machine.override_count, 2);
    EXPECT_EQ(machine.overrides[0].irq, 2);
    EXPECT_FALSE(machine.overrides[0].is_level);
    EXPECT_TRUE(machine.overrides[1].is_level && machine.overrides[1].is_active_low);
    EXPECT_EQ(machine.hpet_address, 0xfed00000);
    ASSERT_EQ(machine.ecam_count, 1);
    EXPECT_EQ(machine.ecams[0].base, 0xb0000000);
    EXPECT_EQ(machine.ecams[0].last_bus, 255);
    EXPECT_EQ(machine.pm1a_control.address, 0x604);
    EXPECT_EQ(machine.pm1b_control.address, 0);
    EXPECT_EQ(machine.reset.address, 0xcf9);
    EXPECT_EQ(machine.reset_value, 0x0f);
    EXPECT_EQ(machine.rtc_century_register, 0x32);
    EXPECT_TRUE(machine.has_s5);
    EXPECT_EQ(machine.s5_type_a, 5);
    EXPECT_EQ(machine.s5_type_b, 1);
}

TEST(machine_is_read_through_rsdt)
{
    make_machine(0);
    expect_whole_machine();
}

TEST(machine_is_read_through_xsdt)
{
    make_machine(2);
    memset(memory + RSDT, 0, 64);
    expect_whole_machine();
}

TEST(broken_xsdt_falls_back_to_rsdt)
{
    make_machine(2);
    memory[XSDT + 20]++;
    expect_whole_machine();
}

TEST(wrong_root_checksum_is_not_found)
{
    make_machine(0);
    memory[RSDP + 10]++;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, read());
}

TEST(no_root_table_is_not_found)
{
    make_machine(2);
    memory[XSDT + 20]++;
    memory[RSDT + 20]++;
    EXPECT_STATUS(MX_ERR_NOT_FOUND, read());
}

TEST(table_with_wrong_checksum_counts_as_absent)
{
    make_machine(2);
    memory[MADT + 50]++;
    ASSERT_OK(read());
    EXPECT_EQ(machine.cpu_count, 0);
    EXPECT_TRUE(machine.has_s5);
}

TEST(table_that_reaches_beyond_memory_counts_as_absent)
{
    make_machine(2);
    put(HPET + 4, 4, MEMORY_SIZE);
    ASSERT_OK(read());
    EXPECT_EQ(machine.hpet_address, 0);
    EXPECT_EQ(machine.cpu_count, 3);
}

TEST(madt_entry_of_length_zero_ends_the_list)
{
    make_machine(2);
    memory[MADT + 44 + 8 + 1] = 0;
    fix_checksum(MADT, memory[MADT + 4] | memory[MADT + 5] << 8, 9);
    ASSERT_OK(read());
    EXPECT_EQ(machine.cpu_count, 1);
}

TEST(madt_entry_shorter_than_its_type_is_passed_over)
{
    static const uint8_t entries[] = {0, 4, 7, 7, 0, 8, 1, 3, 1, 0, 0, 0};

    make_machine(2);
    memcpy(memory + MADT + 44, entries, sizeof(entries));
    seal_table(MADT, "APIC", 44 + sizeof(entries));
    ASSERT_OK(read());
    ASSERT_EQ(machine.cpu_count, 1);
    EXPECT_EQ(machine.cpu_apic_ids[0], 3);
}

TEST(soft_off_name_with_root_prefix_is_found)
{
    static const uint8_t aml[] = {0x08, '\\', '_',  'S',  '5',  '_',  0x12,
                                  0x08, 0x02, 0x0b, 0x07, 0x00, 0x0a, 0x06};

    make_machine(2);
    make_dsdt(aml, sizeof(aml));
    ASSERT_OK(read());
    EXPECT_TRUE(machine.has_s5);
    EXPECT_EQ(machine.s5_type_a, 7);
    EXPECT_EQ(machine.s5_type_b, 6);
}

TEST(soft_off_package_that_is_cut_off_does_not_count)
{
    make_machine(2);
    make_dsdt(s5_aml, 10);
    ASSERT_OK(read());
    EXPECT_FALSE(machine.has_s5);
}

TEST(soft_off_that_is_no_package_of_numbers_does_not_count)
{
    static const uint8_t aml[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0d, 'x', 0, 1};

    make_machine(2);
    make_dsdt(aml, sizeof(aml));
    ASSERT_OK(read());
    EXPECT_FALSE(machine.has_s5);
}

TEST(registers_at_ports_that_do_not_exist_are_none)
{
    make_machine(2);
    put(FADT + 120, 8, 0x10cf9); // the reset register's
    memory[FADT + 172] = ACPI_SPACE_IO;
    put(FADT + 176, 8, 0x10008); // PM1a control's
    seal_table(FADT, "FACP", 244);
    ASSERT_OK(read());
    EXPECT_EQ(machine.reset.address, 0);
    EXPECT_EQ(machine.pm1a_control.address, 0x604);
}

TEST(short_fadt_has_no_reset_register)
{
    make_machine(2);
    seal_table(FADT, "FACP", 116);
    ASSERT_OK(read());
    EXPECT_EQ(machine.reset.address, 0);
    EXPECT_EQ(machine.pm1a_control.address, 0x604);
}

// --- serial ports -------------------------------------------------------------------------------

static void add_table(size_t at)
{
    size_t size = memory[XSDT + 4];

    put(XSDT + size, 8, at);
    seal_table(XSDT, "XSDT", size + 8);
}

static void put_gas(size_t at, uint8_t space, uint8_t width_bits, uint8_t access, uint64_t address)
{
    memory[at] = space;
    memory[at + 1] = width_bits;
    memory[at + 3] = access;
    put(at + 4, 8, address);
}

static void make_spcr(void)
{
    make_machine(2);
    memory[SPCR + 36] = ACPI_SERIAL_16550_PLACED;
    put_gas(SPCR + 40, ACPI_SPACE_MEMORY, 32, ACPI_ACCESS_DWORD, 0xfe001000);
    memory[SPCR + 52] = 3;
    memory[SPCR + 53] = 5;
    put(SPCR + 54, 4, 20);
    memory[SPCR + 58] = ACPI_BAUD_9600;
    seal_table(SPCR, "SPCR", 80);
    add_table(SPCR);
}

TEST(console_is_read_from_spcr)
{
    make_spcr();
    ASSERT_OK(read());
    ASSERT_TRUE(machine.console.is_named);
    EXPECT_EQ(machine.console.interface, ACPI_SERIAL_16550_PLACED);
    EXPECT_EQ(machine.console.registers.space, ACPI_SPACE_MEMORY);
    EXPECT_EQ(machine.console.registers.width_bits, 32);
    EXPECT_EQ(machine.console.registers.access, ACPI_ACCESS_DWORD);
    EXPECT_EQ(machine.console.registers.address, 0xfe001000);
    EXPECT_TRUE(machine.console.has_isa_irq && machine.console.has_irq);
    EXPECT_EQ(machine.console.isa_irq, 5);
    EXPECT_EQ(machine.console.irq, 20);
    EXPECT_EQ(machine.console.baud_code, ACPI_BAUD_9600);
    EXPECT_FALSE(machine.debug_port.is_named);
}

TEST(spcr_that_is_cut_off_names_no_console)
{
    make_spcr();
    seal_table(SPCR, "SPCR", 58);
    ASSERT_OK(read());
    EXPECT_FALSE(machine.console.is_named);
}

static size_t put_debug_device(size_t at, uint16_t type, uint16_t subtype, uint64_t address)
{
    put(at + 1, 2, 34);
    memory[at + 3] = 1;
    put(at + 12, 2, type);
    put(at + 14, 2, subtype);
    put(at + 18, 2, 22);
    put_gas(at + 22, ACPI_SPACE_IO, 8, ACPI_ACCESS_BYTE, address);
    return at + 34;
}

// A USB debug port, then two serial ones.
static void make_dbg2(void)
{
    make_machine(2);
    put(DBG2 + 36, 4, 44);
    put(DBG2 + 40, 4, 3);
    size_t at = put_debug_device(DBG2 + 44, 0x8002, 0, 0x100);
    at = put_debug_device(at, 0x8000, ACPI_SERIAL_16550_DBGP, 0x2f8);
    at = put_debug_device(at, 0x8000, ACPI_SERIAL_16550, 0x3f8);
    seal_table(DBG2, "DBG2", at - DBG2);
    add_table(DBG2);
}

TEST(debug_port_is_the_first_serial_one_of_dbg2)
{
    make_dbg2();
    ASSERT_OK(read());
    ASSERT_TRUE(machine.debug_port.is_named);
    EXPECT_EQ(machine.debug_port.interface, ACPI_SERIAL_16550_DBGP);
    EXPECT_EQ(machine.debug_port.registers.address, 0x2f8);
    EXPECT_EQ(machine.debug_port.registers.access, ACPI_ACCESS_BYTE);
    EXPECT_FALSE(machine.debug_port.has_irq || machine.debug_port.has_isa_irq);
    EXPECT_FALSE(machine.console.is_named);
}

TEST(debug_devices_with_lying_lengths_are_left_out)
{
    static const struct {
        size_t at, size;
        uint64_t value;
    } lies[] = {
        {44 + 1, 2, 21},     {44 + 1, 2, 0},        {44 + 1, 2, 0xffff},  {36, 4, 0xfffffff0},
        {40, 4, 1},          {44 + 34 + 18, 2, 23}, {44 + 34 + 18, 2, 0}, {44 + 34 + 18, 2, 0xffff},
        {44 + 34 + 3, 1, 0},
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        make_dbg2();
        put(DBG2 + 44 + 68 + 12, 2, 0); // leaves one that counts
        put(DBG2 + lies[i].at, lies[i].size, lies[i].value);
        fix_checksum(DBG2, 44 + 3 * 34, 9);
        ASSERT_OK(read());
        EXPECT_FALSE(machine.debug_port.is_named);
    }
}

TEST(more_cpus_than_the_table_holds_are_left_out)
{
    size_t at = MADT + 44;
    uint8_t entry[16] = {9, 16};

    make_machine(2);
    memset(memory + RSDT, 0, 64);
    put(XSDT + 36, 8, 0x1000);
    seal_table(XSDT, "XSDT", 44);
    memcpy(memory + 0x1000, memory + MADT, 44);
    at = 0x1000 + 44;
    for (uint32_t i = 0; i < ACPI_CPU_MAX + 10; i++) {
        entry[4] = (uint8_t)i;
        entry[5] = (uint8_t)(i >> 8);
        entry[8] = 1;
        at = add_madt_entry(at, entry, sizeof(entry));
    }
    seal_table(0x1000, "APIC", at - 0x1000);
    ASSERT_OK(read());
    EXPECT_EQ(machine.cpu_count, ACPI_CPU_MAX);
}

TEST(root_pointer_is_found_on_16_byte_boundaries_only)
{
    make_machine(0);
    EXPECT_EQ(acpi_find_rsdp(memory, sizeof(memory)), RSDP);
    EXPECT_EQ(acpi_find_rsdp(memory + 8, sizeof(memory) - 8), SIZE_MAX);
    EXPECT_EQ(acpi_find_rsdp(memory, RSDP + 19), SIZE_MAX);
    EXPECT_EQ(acpi_find_rsdp(memory, 0), SIZE_MAX);
}

// --- the walk -----------------------------------------------------------------------------------

struct walk {
    uint32_t count, refused_count;
    uint64_t refused_at;
    const char *why;
};

static void count_table(void *context, struct acpi_table table)
{
    struct walk *walk = context;

    (void)table;
    walk->count++;
}

static void count_refused(void *context, uint64_t address, const char *why)
{
    struct walk *walk = context;

    walk->refused_count++;
    walk->refused_at = address;
    walk->why = why;
}

static struct walk walk_tables(void)
{
    const struct acpi_memory reached = {map, NULL};
    struct walk walk = {0};
    const struct acpi_visitor visitor = {count_table, count_refused, &walk};

    EXPECT_OK(acpi_visit_tables(&reached, RSDP, &visitor));
    return walk;
}

TEST(tables_that_are_none_are_told_of)
{
    make_machine(2);
    memory[HPET + 40]++;
    struct walk walk = walk_tables();
    EXPECT_EQ(walk.count, 3);
    EXPECT_EQ(walk.refused_count, 1);
    EXPECT_EQ(walk.refused_at, HPET);
    EXPECT_STR_EQ(walk.why, "its checksum is wrong");
}

TEST(root_table_is_not_followed_without_end)
{
    make_machine(2);
    for (size_t i = 0; i < 400; i++)
        put(0x2000 + 36 + 8 * i, 8, MCFG);
    seal_table(0x2000, "XSDT", 36 + 8 * 400);
    put(RSDP + 24, 8, 0x2000);
    fix_checksum(RSDP, 36, 32);
    EXPECT_EQ(walk_tables().count, 256);
}
