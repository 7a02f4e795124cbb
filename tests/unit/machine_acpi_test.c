// The arm64 kernel's reader of ACPI tables on hand-made tables in a small pretend memory: the
// machines of QEMU's virt with either GIC, and what firmware may get wrong.
#include "kernel/arch/arm64/portable/machine_acpi.h"
#include "tests/test.h"

#define MEMORY_SIZE 0x8000
#include "tests/unit/acpi_fixture.h"

#define RSDP        0x100
#define XSDT        0x200
#define FIRST_TABLE 0x400
#define HEADER      36
#define RAM_BASE    0x40000000u
#define RAM_END     0x80000000u

#define GICD     0x08000000u
#define GICC     0x08010000u
#define V2M      0x08020000u
#define GICH     0x08030000u
#define GICV     0x08040000u
#define ITS      0x08080000u
#define GICR     0x080a0000u
#define PL011    0x09000000u
#define ECAM     0x4010000000u
#define UART     33u
#define TIMER    30u
#define VTIMER   27u
#define HTIMER   26u
#define MAINTAIN 25u

static size_t xsdt_size, next_table, table, table_size; // the table that is being made
static struct machine machine;
static char told[64][128];
static uint32_t told_count;

static const void *map(void *context, uint64_t address, size_t size_bytes)
{
    (void)context;
    if (address > MEMORY_SIZE || size_bytes > MEMORY_SIZE - address)
        return NULL;
    return memory + address;
}

static bool is_memory(uint64_t base, uint64_t size_bytes)
{
    return base < RAM_END && base + size_bytes > RAM_BASE;
}

static void tell(const char *name, uint64_t offset, const char *what)
{
    if (told_count < 64)
        snprintf(told[told_count], sizeof(told[0]), "%s 0x%llx: %s", name,
                 (unsigned long long)offset, what);
    told_count++;
}

static bool was_told(const char *text)
{
    for (uint32_t i = 0; i < told_count && i < 64; i++) {
        if (strstr(told[i], text))
            return true;
    }
    return false;
}

static const char *read(void)
{
    static const struct machine_acpi_source source = {
        .memory = {map, NULL},
        .is_memory = is_memory,
        .tell = tell,
        .address_limit = (uint64_t)1 << 48,
    };

    told_count = 0;
    return machine_acpi_read(&source, RSDP, &machine);
}

// --- making tables ------------------------------------------------------------------------------

static void begin(size_t size)
{
    table = next_table;
    table_size = size;
}

static void end(const char *signature)
{
    seal_table(table, signature, table_size);
    put(XSDT + xsdt_size, 8, table);
    xsdt_size += 8;
    seal_table(XSDT, "XSDT", xsdt_size);
    next_table = (table + table_size + 63) & ~(size_t)63;
}

static void start(void)
{
    memset(memory, 0, sizeof(memory));
    xsdt_size = HEADER;
    next_table = FIRST_TABLE;
    seal_table(XSDT, "XSDT", xsdt_size);
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = 2;
    put(RSDP + 20, 4, 36);
    put(RSDP + 24, 8, XSDT);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
}

// An entry of MADT; returns where it is.
static size_t add(uint8_t type, uint8_t size)
{
    size_t at = table + table_size;

    memory[at] = type;
    memory[at + 1] = size;
    table_size += size;
    return at;
}

static size_t add_gicd(uint64_t base, uint8_t version)
{
    size_t at = add(0x0c, 24);

    put(at + 8, 8, base);
    memory[at + 20] = version;
    return at;
}

static size_t add_cpu(uint64_t mpidr)
{
    size_t at = add(0x0b, 80);

    put(at + 12, 4, 1);
    put(at + 56, 4, MAINTAIN);
    put(at + 68, 8, mpidr);
    return at;
}

static size_t add_cpu_v2(uint64_t mpidr)
{
    size_t at = add_cpu(mpidr);

    put(at + 32, 8, GICC);
    put(at + 40, 8, GICV);
    put(at + 48, 8, GICH);
    return at;
}

static size_t add_gicr(uint64_t base, uint64_t size)
{
    size_t at = add(0x0e, 16);

    put(at + 4, 8, base);
    put(at + 12, 4, size);
    return at;
}

static size_t add_its(uint32_t id, uint64_t base)
{
    size_t at = add(0x0f, 20);

    put(at + 4, 4, id);
    put(at + 8, 8, base);
    return at;
}

static size_t add_v2m(uint64_t base, uint32_t flags, uint16_t count, uint16_t first)
{
    size_t at = add(0x0d, 24);

    put(at + 8, 8, base);
    put(at + 16, 4, flags);
    put(at + 20, 2, count);
    put(at + 22, 2, first);
    return at;
}

static void add_gtdt(void)
{
    begin(104);
    put(table + 48, 4, 29);
    put(table + 56, 4, TIMER);
    put(table + 64, 4, VTIMER);
    put(table + 72, 4, HTIMER);
    end("GTDT");
}

static void add_fadt(uint16_t arm_flags)
{
    begin(276);
    put(table + 129, 2, arm_flags);
    end("FACP");
}

static void add_spcr(uint8_t interface, uint64_t base, uint32_t irq)
{
    begin(80);
    memory[table + 36] = interface;
    memory[table + 41] = 32;
    memory[table + 43] = 3;
    put(table + 44, 8, base);
    memory[table + 52] = 8;
    put(table + 54, 4, irq);
    end("SPCR");
}

static void add_dbg2(uint16_t subtype, uint64_t base)
{
    begin(44 + 38);
    put(table + 36, 4, 44);
    put(table + 40, 4, 1);
    put(table + 45, 2, 38);
    memory[table + 47] = 1;
    put(table + 56, 2, 0x8000);
    put(table + 58, 2, subtype);
    put(table + 62, 2, 22);
    put(table + 44 + 26, 8, base);
    end("DBG2");
}

static void put_ecam(size_t at, uint64_t base, uint16_t segment, uint8_t first, uint8_t last)
{
    put(at, 8, base);
    put(at + 8, 2, segment);
    memory[at + 10] = first;
    memory[at + 11] = last;
}

static void add_mcfg(void)
{
    begin(60);
    put_ecam(table + 44, ECAM, 0, 0, 255);
    end("MCFG");
}

#define IORT_ITS  48u
#define IORT_ROOT 72u
#define IORT_SMMU 136u

static void put_map(size_t at, uint32_t input, uint32_t count, uint32_t output, uint32_t node)
{
    put(at, 4, input);
    put(at + 4, 4, count - 1);
    put(at + 8, 4, output);
    put(at + 12, 4, node);
}

static void put_node(size_t at, uint8_t type, uint16_t size, uint32_t maps, uint32_t maps_at)
{
    memory[at] = type;
    put(at + 1, 2, size);
    put(at + 8, 4, maps);
    put(at + 12, 4, maps_at);
}

// An ITS group with ITS `its`, and segment 0's root complex, whose numbers go to it.
static void add_iort(uint32_t its)
{
    begin(IORT_SMMU);
    put(table + 36, 4, 2);
    put(table + 40, 4, IORT_ITS);
    put_node(table + IORT_ITS, 0, 24, 0, 0);
    put(table + IORT_ITS + 16, 4, 1);
    put(table + IORT_ITS + 20, 4, its);
    put_node(table + IORT_ROOT, 2, 64, 1, 40);
    put_map(table + IORT_ROOT + 40, 0, 0x10000, 0x20000, IORT_ITS);
    end("IORT");
}

static void add_rest(void)
{
    add_gtdt();
    add_fadt(1);
    add_spcr(3, PL011, UART);
    add_mcfg();
}

static void begin_madt(void)
{
    start();
    begin(44);
}

static void end_madt(void)
{
    end("APIC");
    add_rest();
}

static void make_v3(void)
{
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_cpu(1);
    add_cpu(0x100000003);
    add_gicr(GICR, 0xf60000);
    add_its(0, ITS);
    end_madt();
    add_iort(0);
}

static void make_v2(void)
{
    begin_madt();
    add_gicd(GICD, 2);
    add_cpu_v2(0);
    add_cpu_v2(1);
    add_v2m(V2M, 1, 64, 80);
    end_madt();
}

// --- what is there ------------------------------------------------------------------------------

TEST(machine_with_gicv3_is_read)
{
    make_v3();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(told_count, 0);
    EXPECT_EQ(machine.gic, MACHINE_GIC_V3);
    EXPECT_EQ(machine.gicd.base, GICD);
    EXPECT_EQ(machine.gicd.size_bytes, 0x10000);
    ASSERT_EQ(machine.gicr_count, 1);
    EXPECT_EQ(machine.gicr[0].base, GICR);
    EXPECT_EQ(machine.gicr[0].size_bytes, 0xf60000);
    EXPECT_EQ(machine.gic_maintenance_intid, MAINTAIN);
    ASSERT_EQ(machine.cpu_count, 3);
    EXPECT_EQ(machine.cpu_mpidrs[2], 0x100000003);
    EXPECT_EQ(machine.conduit, MACHINE_CONDUIT_SMC);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_SECURE], 29);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_PHYSICAL], TIMER);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_VIRTUAL], VTIMER);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_HYPERVISOR], HTIMER);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_HYPERVISOR_VIRTUAL], MACHINE_INTID_NONE);
    EXPECT_EQ(machine.pl011.base, PL011);
    EXPECT_EQ(machine.pl011_intid, UART);
    EXPECT_EQ(machine.its.base, ITS);
    EXPECT_EQ(machine.memory_count, 0);
}

TEST(pci_host_and_its_numbers_are_read)
{
    make_v3();
    ASSERT_TRUE(read() == NULL);
    ASSERT_EQ(machine.pci_count, 1);
    EXPECT_EQ(machine.pci[0].ecam.base, ECAM);
    EXPECT_EQ(machine.pci[0].ecam.size_bytes, 256u << 20);
    EXPECT_EQ(machine.pci[0].last_bus, 255);
    EXPECT_EQ(machine.pci[0].memory32.size_bytes, 0);
    EXPECT_EQ(machine.pci[0].msi_first_requester, 0);
    EXPECT_EQ(machine.pci[0].msi_first_device, 0x20000);
    EXPECT_EQ(machine.pci[0].msi_count, 0x10000);
}

TEST(machine_with_gicv2_is_read)
{
    make_v2();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(told_count, 0);
    EXPECT_EQ(machine.gic, MACHINE_GIC_V2);
    EXPECT_EQ(machine.gicd.size_bytes, 0x1000);
    EXPECT_EQ(machine.gicc.base, GICC);
    EXPECT_EQ(machine.gich.base, GICH);
    EXPECT_EQ(machine.gicv.base, GICV);
    EXPECT_EQ(machine.gicv.size_bytes, 0x2000);
    EXPECT_EQ(machine.gicr_count, 0);
    EXPECT_EQ(machine.cpu_count, 2);
    EXPECT_EQ(machine.v2m.base, V2M);
    EXPECT_EQ(machine.v2m_first_spi, 80);
    EXPECT_EQ(machine.v2m_spi_count, 64);
}

TEST(msi_frame_without_the_flag_tells_its_interrupts_itself)
{
    begin_madt();
    add_gicd(GICD, 2);
    add_cpu_v2(0);
    add_v2m(V2M, 0, 64, 80);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.v2m.base, V2M);
    EXPECT_EQ(machine.v2m_spi_count, 0);
}

TEST(version_that_is_not_told_is_known_by_what_is_there)
{
    begin_madt();
    add_gicd(GICD, 0);
    add_cpu_v2(0);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.gic, MACHINE_GIC_V2);
    begin_madt();
    add_gicd(GICD, 0);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.gic, MACHINE_GIC_V3);
}

TEST(each_cpu_can_have_a_redistributor_of_its_own)
{
    begin_madt();
    add_gicd(GICD, 0);
    for (uint32_t i = 0; i < 12; i++)
        put(add_cpu(i) + 60, 8, GICR + (uint64_t)i * 0x40000);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.gic, MACHINE_GIC_V3);
    EXPECT_EQ(machine.cpu_count, 12);
    ASSERT_EQ(machine.gicr_count, 12);
    EXPECT_EQ(machine.gicr[11].base, GICR + 11 * 0x40000);
    EXPECT_EQ(machine.gicr[11].size_bytes, 0x20000);
}

TEST(cpu_that_is_only_capable_of_coming_online_does_not_count)
{
    begin_madt();
    add_gicd(GICD, 3);
    put(add_cpu(0) + 12, 4, 0);
    put(add_cpu(1) + 12, 4, 8);
    add_cpu(2);
    add_gicr(GICR, 0x100000);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    ASSERT_EQ(machine.cpu_count, 1);
    EXPECT_EQ(machine.cpu_mpidrs[0], 2);
}

TEST(firmware_is_called_as_fadt_says)
{
    static const enum machine_conduit conduits[] = {MACHINE_CONDUIT_NONE, MACHINE_CONDUIT_SMC,
                                                    MACHINE_CONDUIT_NONE, MACHINE_CONDUIT_HVC};

    for (uint16_t flags = 0; flags < 4; flags++) {
        start();
        add_fadt(flags);
        (void)read();
        EXPECT_EQ(machine.conduit, conduits[flags]);
        EXPECT_EQ(was_told("FACP 0x81: firmware has no PSCI"),
                  conduits[flags] == MACHINE_CONDUIT_NONE);
    }
}

TEST(short_fadt_has_no_psci)
{
    start();
    add_fadt(1);
    seal_table(table, "FACP", 129);
    (void)read();
    EXPECT_EQ(machine.conduit, MACHINE_CONDUIT_NONE);
}

TEST(buses_that_do_not_begin_at_zero_lie_behind_the_address)
{
    start();
    begin(60);
    put_ecam(table + 44, 0x70000000000, 3, 0x10, 0x1f);
    end("MCFG");
    (void)read();
    ASSERT_EQ(machine.pci_count, 1);
    EXPECT_EQ(machine.pci[0].ecam.base, 0x70001000000);
    EXPECT_EQ(machine.pci[0].ecam.size_bytes, 16u << 20);
    EXPECT_EQ(machine.pci[0].segment, 3);
    EXPECT_EQ(machine.pci[0].first_bus, 0x10);
}

TEST(numbers_go_through_an_smmu)
{
    make_v3();
    put_map(table + IORT_ROOT + 40, 0x100, 0x200, 0x1000, IORT_SMMU);
    put_node(table + IORT_SMMU, 4, 96, 2, 56);
    put_map(table + IORT_SMMU + 56, 0, 1, 0x77, IORT_ITS);
    put(table + IORT_SMMU + 56 + 16, 4, 1);
    put_map(table + IORT_SMMU + 76, 0x800, 0x900, 0x5000, IORT_ITS);
    put(table + 36, 4, 3);
    seal_table(table, "IORT", IORT_SMMU + 96);
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(told_count, 0);
    EXPECT_EQ(machine.pci[0].msi_first_requester, 0x100);
    EXPECT_EQ(machine.pci[0].msi_first_device, 0x5800);
    EXPECT_EQ(machine.pci[0].msi_count, 0x100);
}

TEST(numbers_end_where_those_of_pci_functions_do)
{
    make_v3();
    put_map(table + IORT_ROOT + 40, 0x8000, 0xffff, 0, IORT_ITS);
    seal_table(table, "IORT", IORT_SMMU);
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.pci[0].msi_first_requester, 0x8000);
    EXPECT_EQ(machine.pci[0].msi_count, 0x8000);
}

TEST(its_of_the_bridges_is_the_one_used)
{
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    add_its(4, 0x30000000);
    add_its(5, ITS);
    end_madt();
    add_iort(5);
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.its.base, ITS);
}

TEST(edge_triggered_timer_is_noted)
{
    start();
    add_gtdt();
    put(table + 72 + 4, 4, 1);
    seal_table(table, "GTDT", 104);
    (void)read();
    EXPECT_TRUE(machine_intid_is_edge(&machine, HTIMER));
    EXPECT_FALSE(machine_intid_is_edge(&machine, VTIMER));
}

// --- the console --------------------------------------------------------------------------------

TEST(console_is_found_even_where_the_rest_is_missing)
{
    start();
    add_spcr(0x0e, PL011, UART);
    EXPECT_TRUE(strstr(read(), "APIC") != NULL);
    EXPECT_EQ(machine.pl011.base, PL011);
}

TEST(console_of_dbg2_comes_after_that_of_spcr)
{
    make_v3();
    add_dbg2(3, 0x09040000);
    (void)read();
    EXPECT_EQ(machine.pl011.base, PL011);
    start();
    add_spcr(0x12, PL011, UART);
    add_dbg2(3, 0x09040000);
    (void)read();
    EXPECT_TRUE(was_told("SPCR 0x0: its port is not of a type"));
    EXPECT_EQ(machine.pl011.base, 0x09040000);
    EXPECT_EQ(machine.pl011_intid, MACHINE_INTID_NONE);
}

TEST(console_that_cannot_be_is_told_of)
{
    static const struct {
        uint64_t base;
        uint32_t irq;
        uint8_t space;
        const char *what;
    } wrong[] = {
        {0, UART, 0, "SPCR 0x0: its address is zero"},
        {RAM_BASE, UART, 0, "SPCR 0x0: its address is in RAM"},
        {PL011 + 4, UART, 0, "SPCR 0x0: its address is not that of a page"},
        {0xfffffffffffff000, UART, 0, "SPCR 0x0: its address is beyond"},
        {GICD, UART, 0, "SPCR 0x0: it lies over another device"},
        {PL011, UART, 1, "SPCR 0x0: its port's registers are not in memory"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin_madt();
        add_gicd(GICD, 3);
        add_cpu(0);
        add_gicr(GICR, 0x20000);
        end("APIC");
        add_gtdt();
        add_fadt(1);
        add_spcr(3, wrong[i].base, wrong[i].irq);
        memory[table + 40] = wrong[i].space;
        seal_table(table, "SPCR", 80);
        EXPECT_TRUE(read() == NULL);
        EXPECT_EQ(machine.pl011.size_bytes, 0);
        EXPECT_TRUE(was_told(wrong[i].what));
    }
}

TEST(console_with_an_interrupt_that_is_no_spi_is_polled)
{
    static const uint32_t irqs[] = {0, 31, 1020, UINT32_MAX};

    for (size_t i = 0; i < 4; i++) {
        start();
        add_spcr(3, PL011, irqs[i]);
        (void)read();
        EXPECT_EQ(machine.pl011.base, PL011);
        EXPECT_EQ(machine.pl011_intid, MACHINE_INTID_NONE);
        EXPECT_TRUE(was_told("SPCR 0x0: its port's interrupt is no SPI"));
    }
}

// --- what is wrong ------------------------------------------------------------------------------

TEST(root_that_is_none_is_refused)
{
    make_v3();
    memory[RSDP + 9]++;
    EXPECT_TRUE(strstr(read(), "no valid root") != NULL);
}

TEST(broken_table_is_told_of_with_its_address)
{
    make_v3();
    memory[FIRST_TABLE + 50]++;
    EXPECT_TRUE(strstr(read(), "no valid ACPI table APIC") != NULL);
    EXPECT_TRUE(was_told("ROOT 0x400: its checksum is wrong"));
    make_v3();
    put(XSDT + HEADER, 8, MEMORY_SIZE - 8);
    seal_table(XSDT, "XSDT", xsdt_size);
    EXPECT_TRUE(read() != NULL);
    EXPECT_TRUE(was_told("ROOT 0x7ff8: there is no memory at its address"));
}

TEST(second_table_of_a_kind_does_not_count)
{
    make_v3();
    add_spcr(3, 0x09040000, 40);
    EXPECT_TRUE(read() == NULL);
    EXPECT_EQ(machine.pl011.base, PL011);
    EXPECT_TRUE(was_told("SPCR 0x0: there is another table of this kind before"));
}

TEST(machine_without_timers_is_refused)
{
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    end("APIC");
    EXPECT_TRUE(strstr(read(), "GTDT") != NULL);
    begin(79);
    end("GTDT");
    EXPECT_TRUE(strstr(read(), "GTDT") != NULL);
}

TEST(timer_interrupts_that_cannot_be_do_not_count)
{
    static const uint32_t wrong[] = {15, 32, 1020, UINT32_MAX};

    for (size_t i = 0; i < 4; i++) {
        start();
        add_gtdt();
        put(table + 64, 4, wrong[i]);
        seal_table(table, "GTDT", 104);
        (void)read();
        EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_VIRTUAL], MACHINE_INTID_NONE);
        EXPECT_TRUE(was_told("GTDT 0x40: its interrupt is no PPI"));
    }
    start();
    add_gtdt();
    put(table + 48, 4, HTIMER);
    seal_table(table, "GTDT", 104);
    (void)read();
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_HYPERVISOR], HTIMER);
    EXPECT_EQ(machine.timer_intids[MACHINE_TIMER_SECURE], MACHINE_INTID_NONE);
    EXPECT_TRUE(was_told("GTDT 0x30: two timers have one interrupt"));
}

// Reads a GICv3 machine with one entry more than it needs; returns where that is in the table.
static size_t read_with_entry(void (*add_entry)(void))
{
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    size_t offset = table_size;
    add_entry();
    add_its(0, ITS);
    end_madt();
    add_iort(0);
    EXPECT_TRUE(read() == NULL);
    EXPECT_EQ(machine.cpu_count, 1);
    EXPECT_EQ(machine.gicr_count, 1);
    EXPECT_EQ(machine.gicd.base, GICD);
    EXPECT_EQ(told_count, 1);
    return offset;
}

static void expect_told_at(size_t offset, const char *what)
{
    char text[128];

    snprintf(text, sizeof(text), "APIC 0x%zx: %s", offset, what);
    EXPECT_TRUE(was_told(text));
}

static void add_unknown(void)
{
    add(0x42, 8);
}

static void add_short_cpu(void)
{
    add(0x0b, 40);
}

static void add_second_cpu(void)
{
    add_cpu(0);
}

static void add_strange_cpu(void)
{
    add_cpu(0x80000001);
}

static void add_second_distributor(void)
{
    add_gicd(0x20000000, 3);
}

static void add_redistributors_in_ram(void)
{
    add_gicr(RAM_BASE - 0x10000, 0x20000);
}

static void add_redistributors_over_others(void)
{
    add_gicr(GICR + 0x10000, 0x20000);
}

static void add_small_redistributors(void)
{
    add_gicr(0x20000000, 0x1ffff);
}

static void add_redistributors_beyond(void)
{
    add_gicr(0xfffffffffffff000, 0x20000);
}

TEST(entries_that_make_no_sense_are_told_of_and_passed_over)
{
    static const struct {
        void (*add)(void);
        const char *what;
    } cases[] = {
        {add_unknown, "an entry of a type that is not known here"},
        {add_short_cpu, "an entry that is too short for its type"},
        {add_second_cpu, "a second CPU of the same MPIDR"},
        {add_strange_cpu, "its MPIDR has bits that are no affinity"},
        {add_second_distributor, "a second distributor"},
        {add_redistributors_in_ram, "its address is in RAM"},
        {add_redistributors_over_others, "it lies over another device"},
        {add_small_redistributors, "no redistributor fits there"},
        {add_redistributors_beyond, "its address is beyond what this CPU can reach"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_told_at(read_with_entry(cases[i].add), cases[i].what);
        EXPECT_EQ(machine.its.base, ITS); // what follows is read
    }
}

TEST(entries_that_are_the_vendors_own_are_nobodys_fault)
{
    make_v3();
    begin_madt();
    add_gicd(GICD, 3);
    add(0x80, 8);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    add_its(0, ITS);
    end_madt();
    add_iort(0);
    EXPECT_TRUE(read() == NULL);
    EXPECT_EQ(told_count, 0);
}

TEST(entry_with_a_wrong_length_ends_the_list)
{
    static const uint8_t lengths[] = {0, 1, 255};

    for (size_t i = 0; i < sizeof(lengths); i++) {
        begin_madt();
        add_gicd(GICD, 3);
        add_cpu(0);
        add_gicr(GICR, 0x20000);
        size_t offset = table_size;
        memory[add_cpu(1) + 1] = lengths[i];
        end_madt();
        ASSERT_TRUE(read() == NULL);
        EXPECT_EQ(machine.cpu_count, 1);
        expect_told_at(offset, "an entry's length is wrong: what follows is not read");
    }
}

TEST(machine_without_a_usable_gic_is_refused)
{
    static const uint64_t bases[] = {0, GICD + 1, RAM_BASE, (uint64_t)1 << 48};

    for (size_t i = 0; i < 4; i++) {
        begin_madt();
        add_gicd(bases[i], 3);
        add_cpu(0);
        add_gicr(GICR, 0x20000);
        end_madt();
        EXPECT_TRUE(strstr(read(), "no GIC that can be used") != NULL);
        EXPECT_EQ(machine.gic, MACHINE_GIC_NONE);
        expect_told_at(44, "its address");
    }
    begin_madt();
    add_gicd(GICD, 5);
    end_madt();
    EXPECT_TRUE(read() != NULL);
    expect_told_at(44, "a distributor of a version that is not known here");
    begin_madt();
    add_gicd(GICD, 2);
    add_cpu(0); // without an interface
    end_madt();
    EXPECT_TRUE(read() != NULL);
    begin_madt();
    end_madt();
    EXPECT_TRUE(read() != NULL);
}

TEST(cpu_whose_interface_is_elsewhere_does_not_count)
{
    begin_madt();
    add_gicd(GICD, 2);
    add_cpu_v2(0);
    size_t offset = table_size;
    put(add_cpu_v2(1) + 32, 8, GICC + 0x2000);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.cpu_count, 1);
    expect_told_at(offset, "its interface is not where the others have it");
}

TEST(maintenance_interrupt_that_cannot_be_does_not_count)
{
    static const uint32_t wrong[] = {15, 32, UINT32_MAX, HTIMER};

    for (size_t i = 0; i < 4; i++) {
        begin_madt();
        add_gicd(GICD, 3);
        put(add_cpu(0) + 56, 4, wrong[i]);
        add_gicr(GICR, 0x20000);
        end_madt();
        ASSERT_TRUE(read() == NULL);
        EXPECT_EQ(machine.gic_maintenance_intid, MACHINE_INTID_NONE);
        EXPECT_TRUE(was_told("its maintenance interrupt is"));
    }
}

TEST(more_cpus_than_can_be_used_are_left_out)
{
    begin_madt();
    add_gicd(GICD, 3);
    for (uint32_t i = 0; i < MACHINE_CPU_MAX + 2; i++)
        add_cpu(i);
    add_gicr(GICR, 0x1000000);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.cpu_count, MACHINE_CPU_MAX);
    EXPECT_TRUE(was_told("there are more CPUs than can be used"));
}

TEST(log_of_what_is_wrong_has_an_end)
{
    begin_madt();
    for (uint32_t i = 0; i < 1000; i++)
        add(0x42, 2);
    end_madt();
    EXPECT_TRUE(read() != NULL);
    EXPECT_EQ(told_count, MACHINE_ACPI_TELL_MAX);
    EXPECT_TRUE(was_told("there is more that is wrong"));
}

TEST(pci_hosts_that_cannot_be_do_not_count)
{
    static const struct {
        uint64_t base;
        uint16_t segment;
        uint8_t first, last;
        const char *what;
    } wrong[] = {
        {0x70000000000, 1, 9, 8, "its last bus is before its first"},
        {0x70000000000, 0, 255, 255, "another entry has its buses"},
        {0, 1, 0, 1, "its address makes no sense"},
        {0xffffffffff000000, 1, 0xff, 0xff, "its address makes no sense"},
        {0xffffffffff000000, 1, 0, 1, "its address is beyond"},
        {0x70000000800, 1, 0, 1, "its address is not that of a page"},
        {RAM_END - 0x100000, 1, 0, 1, "its address is in RAM"},
        {ECAM + 0x100000, 1, 0, 1, "it lies over another device"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128];
        start();
        begin(76);
        put_ecam(table + 44, ECAM, 0, 0, 255);
        put_ecam(table + 60, wrong[i].base, wrong[i].segment, wrong[i].first, wrong[i].last);
        end("MCFG");
        (void)read();
        EXPECT_EQ(machine.pci_count, 1);
        snprintf(text, sizeof(text), "MCFG 0x3c: %s", wrong[i].what);
        EXPECT_TRUE(was_told(text));
    }
}

TEST(numbers_that_lead_nowhere_give_no_interrupts)
{
    static const struct {
        size_t at, size;
        uint64_t value;
    } lies[] = {
        {IORT_ROOT + 40 + 12, 4, 0},
        {IORT_ROOT + 40 + 12, 4, 0xffffffff},
        {IORT_ROOT + 40 + 12, 4, IORT_ROOT},
        {IORT_ROOT + 40 + 16, 4, 1},
        {IORT_ROOT + 40, 4, 0x10000},
        {IORT_ROOT + 40 + 8, 4, 0xffffffff},
        {IORT_ROOT + 8, 4, 0},
        {IORT_ROOT + 12, 4, 0xffffffff},
        {IORT_ROOT + 12, 4, 45},
        {IORT_ROOT + 12, 4, 0},
        {IORT_ROOT + 1, 2, 15},
        {IORT_ROOT + 1, 2, 0xffff},
        {IORT_ROOT + 28, 4, 7},
        {IORT_ITS + 16, 4, 0},
        {IORT_ITS + 1, 2, 0},
        {40, 4, 0xfffffff0},
        {36, 4, 0},
        {IORT_ITS + 20, 4, 9},
        {IORT_ITS, 1, 4},
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        make_v3();
        put(table + lies[i].at, lies[i].size, lies[i].value);
        seal_table(table, "IORT", IORT_SMMU);
        ASSERT_TRUE(read() == NULL);
        EXPECT_EQ(machine.its.size_bytes, 0);
        EXPECT_TRUE(was_told("IORT 0x0: it leads to no ITS"));
    }
}

TEST(only_the_first_of_what_is_used_once_counts)
{
    begin_madt();
    add_gicd(GICD, 2);
    add_cpu_v2(0);
    add_v2m(V2M, 1, 64, 80);
    size_t offset = table_size;
    add_v2m(V2M + 0x1000, 1, 32, 160);
    end_madt();
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.v2m_first_spi, 80);
    expect_told_at(offset, "only one MSI frame is used");
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    add_its(0, ITS);
    offset = table_size;
    add_its(0, 0x30000000);
    end_madt();
    add_iort(0);
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.its.base, ITS);
    expect_told_at(offset, "a second ITS of the same number");
}

// A second host bridge, of segment 1, whose numbers go to an ITS of its own.
TEST(bridge_of_another_its_has_no_interrupts)
{
    begin_madt();
    add_gicd(GICD, 3);
    add_cpu(0);
    add_gicr(GICR, 0x20000);
    add_its(7, 0x30000000);
    add_its(0, ITS);
    end("APIC");
    add_gtdt();
    add_fadt(1);
    begin(76);
    put_ecam(table + 44, ECAM, 0, 0, 255);
    put_ecam(table + 60, 0x5000000000, 1, 0, 255);
    end("MCFG");
    add_iort(0);
    size_t root = table + IORT_SMMU, its = root + 64;
    memcpy(memory + root, memory + table + IORT_ROOT, 64);
    put(root + 28, 4, 1);
    put_map(root + 40, 0, 0x10000, 0, (uint32_t)(its - table));
    memcpy(memory + its, memory + table + IORT_ITS, 24);
    put(its + 20, 4, 7);
    put(table + 36, 4, 4);
    seal_table(table, "IORT", its + 24 - table);
    ASSERT_TRUE(read() == NULL);
    EXPECT_EQ(machine.its.base, ITS);
    ASSERT_EQ(machine.pci_count, 2);
    EXPECT_EQ(machine.pci[0].msi_count, 0x10000);
    EXPECT_EQ(machine.pci[1].msi_count, 0);
    EXPECT_TRUE(was_told("IORT 0x88: its ITS is another than that of the bridge before"));
}
