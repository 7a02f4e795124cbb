#include "tests/test.h"
#include "vmm/x86_64/acpi_tables.h"

#define BASE 0xe0000u

static uint8_t tables[96 * 1024];
static struct acpi_tables_layout layout;

static struct acpi_tables_config machine(uint32_t cpu_count)
{
    return (struct acpi_tables_config){
        .cpu_count = cpu_count,
        .local_apic_base = 0xfee00000,
        .ioapic_base = 0xfec00000,
        .sci_irq = 9,
        .pm1a_event_port = 0x600,
        .pm1a_control_port = 0x604,
        .pm_timer_port = 0x608,
        .pm_timer_bits = 32,
        .reset_port = 0xcf9,
        .reset_value = 6,
        .uarts = {{0x3f8, 4}, {0x2f8, 3}},
        .uart_count = 2,
        .rtc_port = 0x70,
        .rtc_irq = 8,
        .ecam_base = 0xe0000000,
        .pci_memory32 = {0xc0000000, 0x20000000},
        .pci_memory64 = {0x800000000, 0x800000000},
        .pci_intx_irqs = {10, 11, 10, 11},
    };
}

static mx_status_t build(const struct acpi_tables_config *config)
{
    memset(tables, 0xcc, sizeof(tables));
    return acpi_tables_build(config, BASE, tables, sizeof(tables), &layout);
}

static uint64_t number(const uint8_t *bytes, unsigned size_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size_bytes; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t result = 0;

    for (size_t i = 0; i < size_bytes; i++)
        result += bytes[i];
    return result;
}

static const uint8_t *at(uint64_t address)
{
    static const uint8_t nothing[64];

    return address >= BASE && address - BASE < layout.size_bytes ? tables + (address - BASE)
                                                                 : nothing;
}

// The table that the XSDT lists under this signature, or what holds no signature at all.
static const uint8_t *find(const char *signature)
{
    const uint8_t *xsdt = at(number(tables + 24, 8));
    size_t count = (number(xsdt + 4, 4) - 36) / 8;

    for (size_t i = 0; i < count && i < 16; i++) {
        const uint8_t *table = at(number(xsdt + 36 + 8 * i, 8));
        if (memcmp(table, signature, 4) == 0)
            return table;
    }
    return at(0);
}

static unsigned count_madt_entries(uint8_t type)
{
    const uint8_t *madt = find("APIC");
    size_t size = number(madt + 4, 4);
    unsigned count = 0;

    for (size_t at_byte = 44; at_byte < size && madt[at_byte + 1] > 0; at_byte += madt[at_byte + 1])
        count += madt[at_byte] == type;
    return count;
}

static unsigned count_bytes(const uint8_t *table, const void *pattern, size_t size_bytes)
{
    size_t size = number(table + 4, 4);
    unsigned count = 0;

    for (size_t i = 36; i + size_bytes <= size; i++)
        count += memcmp(table + i, pattern, size_bytes) == 0;
    return count;
}

TEST(acpi_tables_have_right_checksums)
{
    static const char *const signatures[] = {"FACP", "APIC", "MCFG"};
    struct acpi_tables_config config = machine(4);
    const uint8_t *xsdt;
    ASSERT_OK(build(&config));
    EXPECT_EQ(layout.rsdp_address, BASE);
    EXPECT_BYTES_EQ(tables, "RSD PTR ", 8);
    EXPECT_EQ(sum(tables, 20), 0);
    EXPECT_EQ(sum(tables, 36), 0);
    xsdt = at(number(tables + 24, 8));
    EXPECT_BYTES_EQ(xsdt, "XSDT", 4);
    EXPECT_EQ(sum(xsdt, number(xsdt + 4, 4)), 0);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *table = find(signatures[i]);
        EXPECT_BYTES_EQ(table, signatures[i], 4);
        EXPECT_EQ(sum(table, number(table + 4, 4)), 0);
    }
}

TEST(acpi_tables_fadt_names_the_fixed_hardware)
{
    struct acpi_tables_config config = machine(1);
    const uint8_t *fadt, *dsdt, *facs;
    ASSERT_OK(build(&config));
    fadt = find("FACP");
    EXPECT_EQ(number(fadt + 4, 4), 276);
    EXPECT_EQ(fadt[8], 6);
    EXPECT_EQ(number(fadt + 46, 2), 9);
    EXPECT_EQ(number(fadt + 48, 4), 0); // no SMI command
    EXPECT_EQ(number(fadt + 56, 4), 0x600);
    EXPECT_EQ(number(fadt + 148 + 4, 8), 0x600);
    EXPECT_EQ(number(fadt + 172 + 4, 8), 0x604);
    EXPECT_EQ(number(fadt + 208 + 4, 8), 0x608);
    EXPECT_EQ(fadt[108], 0x32);
    EXPECT_EQ(number(fadt + 109, 2) & 2, 0);    // no 8042
    EXPECT_EQ(number(fadt + 112, 4) & 0x10, 0); // the power button is fixed hardware
    EXPECT_EQ(number(fadt + 112, 4) & 0x500, 0x500);
    EXPECT_EQ(number(fadt + 116 + 4, 8), 0xcf9);
    EXPECT_EQ(fadt[128], 6);
    dsdt = at(number(fadt + 140, 8));
    EXPECT_BYTES_EQ(dsdt, "DSDT", 4);
    EXPECT_EQ(number(fadt + 40, 4), number(fadt + 140, 8));
    EXPECT_EQ(sum(dsdt, number(dsdt + 4, 4)), 0);
    facs = at(number(fadt + 36, 4));
    EXPECT_BYTES_EQ(facs, "FACS", 4);
    EXPECT_EQ(number(fadt + 36, 4) % 64, 0);
    EXPECT_EQ(number(facs + 4, 4), 64);
    config.pm_timer_bits = 24;
    ASSERT_OK(build(&config));
    EXPECT_EQ(number(find("FACP") + 112, 4) & 0x100, 0);
}

TEST(acpi_tables_madt_lists_cpus_and_overrides)
{
    struct acpi_tables_config config = machine(4);
    ASSERT_OK(build(&config));
    EXPECT_EQ(count_madt_entries(0), 4);
    EXPECT_EQ(count_madt_entries(9), 0);
    EXPECT_EQ(count_madt_entries(1), 1);
    EXPECT_EQ(count_madt_entries(2), 4);
    EXPECT_EQ(count_bytes(find("APIC"), "\x02\x0a\x00\x00\x02\x00\x00\x00\x00\x00", 10), 1);
    EXPECT_EQ(count_bytes(find("APIC"), "\x02\x0a\x00\x09\x09\x00\x00\x00\x0d\x00", 10), 1);
    EXPECT_EQ(count_bytes(find("APIC"), "\x02\x0a\x00\x0b\x0b\x00\x00\x00\x0d\x00", 10), 1);
    config = machine(300);
    ASSERT_OK(build(&config));
    EXPECT_EQ(count_madt_entries(0), 255);
    EXPECT_EQ(count_madt_entries(9), 45);
    EXPECT_EQ(count_madt_entries(10), 1);
    EXPECT_EQ(count_madt_entries(2), 4);
}

TEST(acpi_tables_dsdt_describes_devices)
{
    struct acpi_tables_config config = machine(3);
    const uint8_t *dsdt;
    ASSERT_OK(build(&config));
    dsdt = at(number(find("FACP") + 140, 8));
    EXPECT_EQ(count_bytes(dsdt, "\x08_S5_", 5), 1);
    EXPECT_EQ(count_bytes(dsdt, "_PRT", 4), 1);
    EXPECT_EQ(count_bytes(dsdt, "\x41\xd0\x0a\x08", 4), 1); // PNP0A08
    EXPECT_EQ(count_bytes(dsdt, "\x41\xd0\x05\x01", 4), 2); // PNP0501
    EXPECT_EQ(count_bytes(dsdt, "\x41\xd0\x0b\x00", 4), 1); // PNP0B00
    EXPECT_EQ(count_bytes(dsdt, "ACPI0007", 9), 3);
    EXPECT_EQ(count_bytes(dsdt, "\x47\x01\xf8\x03\xf8\x03\x01\x08\x22\x10\x00", 11), 1);
    EXPECT_EQ(count_bytes(dsdt, "\x8a\x2b\x00", 3), 1);
    config.pci_memory64.size_bytes = 0;
    ASSERT_OK(build(&config));
    dsdt = at(number(find("FACP") + 140, 8));
    EXPECT_EQ(count_bytes(dsdt, "\x8a\x2b\x00", 3), 0);
}

TEST(acpi_tables_mcfg_names_the_ecam)
{
    struct acpi_tables_config config = machine(1);
    ASSERT_OK(build(&config));
    EXPECT_EQ(number(find("MCFG") + 4, 4), 60);
    EXPECT_EQ(number(find("MCFG") + 44, 8), 0xe0000000);
    EXPECT_EQ(find("MCFG")[55], 0);
}

TEST(acpi_tables_refuse_what_they_cannot_express)
{
    struct acpi_tables_config config = machine(0);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1025);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1);
    config.ecam_base = 0xfff80000;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1);
    config.pci_memory32.size_bytes = 0x40000001;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1);
    config.uart_count = 5;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1);
    config.pci_intx_irqs[3] = 16;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, build(&config));
    config = machine(1);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  acpi_tables_build(&config, BASE + 16, tables, sizeof(tables), &layout));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  acpi_tables_build(&config, 0xffffffc0, tables, sizeof(tables), &layout));
}

TEST(acpi_tables_never_write_beyond_the_buffer)
{
    struct acpi_tables_config config = machine(2);
    size_t size;
    unsigned refused_count = 0;
    ASSERT_OK(build(&config));
    size = layout.size_bytes;
    for (size_t capacity = 0; capacity < size; capacity++) {
        memset(tables, 0xcc, size + 1);
        refused_count +=
            acpi_tables_build(&config, BASE, tables, capacity, &layout) == MX_ERR_BUFFER_TOO_SMALL;
        if (tables[capacity] != 0xcc)
            test_fail(__FILE__, __LINE__, "wrote beyond %zu bytes", capacity);
    }
    EXPECT_EQ(refused_count, size);
    EXPECT_OK(acpi_tables_build(&config, BASE, tables, size, &layout));
}
