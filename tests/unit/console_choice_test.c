// Which UART a PC's console is: what each source says, and what is refused.
#include "kernel/arch/x86_64/portable/console_choice.h"
#include "kernel/memory/boot_memory.h"
#include "tests/test.h"

static struct acpi_machine acpi;
static struct zbi_debug_uart item;
static struct console_sources sources;
static struct console_uart uart;
static const char *reason;

static void set_up(void)
{
    memset(&acpi, 0, sizeof(acpi));
    memset(&item, 0, sizeof(item));
    boot_memory_add_ram(0x100000, 0x7ff00000);
    boot_memory_add_ram(0x100000000, 0x80000000);
    boot_memory_leave_to_firmware(0x7fe00000, 0x100000);
    acpi.local_apic_address = 0xfee00000;
    acpi.ioapics[0].address = 0xfec00000;
    acpi.ioapic_count = 1;
    acpi.hpet_address = 0xfed00000;
    acpi.ecams[0] = (struct acpi_ecam){.base = 0xb0000000, .first_bus = 0, .last_bus = 255};
    acpi.ecam_count = 1;
    acpi.pm1a_control = (struct acpi_register){.space = ACPI_SPACE_IO, .address = 0x604};
    sources =
        (struct console_sources){.item = &item, .acpi = &acpi, .address_limit = (uint64_t)1 << 40};
}

static enum console_verdict ask(enum console_source source)
{
    memset(&uart, 0xcc, sizeof(uart));
    reason = NULL;
    return console_source_read(&sources, source, &uart, &reason);
}

static void expect_uart(enum console_source source, bool is_memory, uint64_t base,
                        uint32_t stride_bytes, uint32_t irq)
{
    ASSERT_EQ(ask(source), CONSOLE_FOUND);
    EXPECT_EQ(uart.is_memory, is_memory);
    EXPECT_EQ(uart.base, base);
    EXPECT_EQ(uart.stride_bytes, stride_bytes);
    EXPECT_EQ(uart.irq, irq);
}

static void expect_refused(enum console_source source, const char *why)
{
    ASSERT_EQ(ask(source), CONSOLE_REFUSED);
    ASSERT_TRUE(reason != NULL);
    EXPECT_STR_EQ(reason, why);
}

static void set_option(const char *option)
{
    set_up();
    sources.option = option;
}

// An SPCR on I/O ports.
static void set_spcr(uint64_t port)
{
    set_up();
    acpi.console = (struct acpi_serial_port){
        .is_named = true,
        .registers = {.space = ACPI_SPACE_IO, .width_bits = 8, .address = port},
        .has_isa_irq = true,
        .isa_irq = 3,
        .baud_code = ACPI_BAUD_115200,
    };
}

static void set_spcr_in_memory(uint64_t address, uint8_t width_bits, uint8_t access)
{
    set_spcr(0);
    acpi.console.interface = ACPI_SERIAL_16550_PLACED;
    acpi.console.registers = (struct acpi_register){
        .space = ACPI_SPACE_MEMORY, .width_bits = width_bits, .access = access, .address = address};
}

TEST(nobody_says_anything_and_it_is_the_first_serial_port)
{
    set_up();
    for (unsigned source = 0; source < CONSOLE_BY_DEFAULT; source++)
        EXPECT_EQ(ask((enum console_source)source), CONSOLE_NOT_TOLD);
    expect_uart(CONSOLE_BY_DEFAULT, false, 0x3f8, 1, 4);
    EXPECT_EQ(uart.divisor, 1);
    EXPECT_EQ(uart.access_bytes, 1);
}

TEST(sources_are_asked_in_their_order)
{
    EXPECT_LT(CONSOLE_BY_OPTION, CONSOLE_BY_ITEM);
    EXPECT_LT(CONSOLE_BY_ITEM, CONSOLE_BY_SPCR);
    EXPECT_LT(CONSOLE_BY_SPCR, CONSOLE_BY_DBG2);
    EXPECT_LT(CONSOLE_BY_DBG2, CONSOLE_BY_DEFAULT);
    for (unsigned source = 0; source < CONSOLE_SOURCE_COUNT; source++)
        EXPECT_TRUE(console_source_name((enum console_source)source) != NULL);
}

TEST(option_names_ports)
{
    set_option("ioport,0x2f8,3");
    expect_uart(CONSOLE_BY_OPTION, false, 0x2f8, 1, 3);
    EXPECT_EQ(uart.divisor, 1);
    set_option("ioport,1016");
    expect_uart(CONSOLE_BY_OPTION, false, 0x3f8, 1, CONSOLE_NO_IRQ);
    set_option("ioport,0x2F8,0");
    expect_uart(CONSOLE_BY_OPTION, false, 0x2f8, 1, CONSOLE_NO_IRQ);
    set_option("legacy");
    expect_uart(CONSOLE_BY_OPTION, false, 0x3f8, 1, 4);
}

TEST(option_names_memory)
{
    set_option("mmio,0xfe001000,20");
    expect_uart(CONSOLE_BY_OPTION, true, 0xfe001000, 4, 20);
    EXPECT_EQ(uart.access_bytes, 4);
    EXPECT_EQ(uart.divisor, 0);
    set_option("mmio8,0xfe001001,20");
    expect_uart(CONSOLE_BY_OPTION, true, 0xfe001001, 1, 20);
    EXPECT_EQ(uart.access_bytes, 1);
}

TEST(option_can_ask_for_none)
{
    set_option("none");
    EXPECT_EQ(ask(CONSOLE_BY_OPTION), CONSOLE_NONE);
    EXPECT_TRUE(reason == NULL);
}

TEST(option_that_is_not_understood_is_refused)
{
    static const char *const wrong[] = {
        "",
        "com2",
        "ioport",
        "ioport,",
        "ioport,0x",
        "ioport,0x2f8,",
        "ioport,0x2f8,x",
        "ioport,0x2f8,3,4",
        "ioport,0x2g8,3",
        "ioport,0x2:8,3",
        "ioport,0x2f8,0x?",
        "ioport,-1,3",
        "ioport,18446744073709551616,3",
        "ioport,0x10000000000000000,3",
        "ioport,0x2f8,4294967295",
        "none,1",
        "legacy,0x3f8",
        "memory,0xfe001000,4",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set_option(wrong[i]);
        expect_refused(
            CONSOLE_BY_OPTION,
            "it is not legacy, none, ioport,BASE[,IRQ], mmio,BASE[,IRQ] or mmio8,BASE[,IRQ]");
    }
    set_option("ioport,0x000000000000000000000000000000000000000000000000000002f8,3");
    expect_refused(CONSOLE_BY_OPTION, "it is too long");
}

TEST(item_names_its_uart)
{
    set_up();
    item = (struct zbi_debug_uart){0x2f8, ZBI_UART_PORT, 3};
    expect_uart(CONSOLE_BY_ITEM, false, 0x2f8, 1, 3);
    item = (struct zbi_debug_uart){0xfe001000, ZBI_UART_MMIO, 20};
    expect_uart(CONSOLE_BY_ITEM, true, 0xfe001000, 4, 20);
    item = (struct zbi_debug_uart){0xfe001000, ZBI_UART_MMIO8, 0};
    expect_uart(CONSOLE_BY_ITEM, true, 0xfe001000, 1, CONSOLE_NO_IRQ);
    item.type = 77;
    expect_refused(CONSOLE_BY_ITEM, "it is not of a type that can be driven here (8250)");
}

TEST(isa_interrupts_are_where_an_override_says)
{
    set_spcr(0x2f8);
    expect_uart(CONSOLE_BY_SPCR, false, 0x2f8, 1, 3);
    acpi.overrides[0] = (struct acpi_override){.isa_irq = 3, .irq = 19};
    acpi.override_count = 1;
    expect_uart(CONSOLE_BY_SPCR, false, 0x2f8, 1, 19);
    sources.option = "ioport,0x2f8,3";
    expect_uart(CONSOLE_BY_OPTION, false, 0x2f8, 1, 19);
    acpi.overrides[0].isa_irq = 4;
    expect_uart(CONSOLE_BY_DEFAULT, false, 0x3f8, 1, 19);
}

TEST(spcr_names_a_global_interrupt_or_none)
{
    set_spcr(0x2f8);
    acpi.console.has_irq = true;
    acpi.console.irq = 22;
    expect_uart(CONSOLE_BY_SPCR, false, 0x2f8, 1, 22);
    acpi.console.irq = 0;
    expect_uart(CONSOLE_BY_SPCR, false, 0x2f8, 1, CONSOLE_NO_IRQ);
    acpi.console.has_irq = acpi.console.has_isa_irq = false;
    expect_uart(CONSOLE_BY_SPCR, false, 0x2f8, 1, CONSOLE_NO_IRQ);
}

TEST(spcr_says_the_rate_of_ports)
{
    static const struct {
        uint8_t code;
        uint16_t divisor;
    } rates[] = {{ACPI_BAUD_AS_IT_IS, 0}, {ACPI_BAUD_9600, 12},  {ACPI_BAUD_19200, 6},
                 {ACPI_BAUD_57600, 2},    {ACPI_BAUD_115200, 1}, {99, 1}};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        set_spcr(0x2f8);
        acpi.console.baud_code = rates[i].code;
        ASSERT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_FOUND);
        EXPECT_EQ(uart.divisor, rates[i].divisor);
    }
    set_spcr_in_memory(0xfe001000, 32, 0);
    ASSERT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_FOUND);
    EXPECT_EQ(uart.divisor, 0);
}

TEST(spcr_lays_registers_out)
{
    static const struct {
        uint8_t width_bits, access, stride_bytes, access_bytes;
    } layouts[] = {
        {0, ACPI_ACCESS_UNDEFINED, 1, 1},  {8, ACPI_ACCESS_UNDEFINED, 1, 1},
        {8, ACPI_ACCESS_BYTE, 1, 1},       {8, ACPI_ACCESS_DWORD, 4, 4},
        {32, ACPI_ACCESS_UNDEFINED, 4, 4}, {32, ACPI_ACCESS_BYTE, 4, 1},
        {32, ACPI_ACCESS_DWORD, 4, 4},
    };

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        set_spcr_in_memory(0xfe001000, layouts[i].width_bits, layouts[i].access);
        expect_uart(CONSOLE_BY_SPCR, true, 0xfe001000, layouts[i].stride_bytes, 3);
        EXPECT_EQ(uart.access_bytes, layouts[i].access_bytes);
    }
    set_spcr_in_memory(0xfe001000, 16, 0);
    expect_refused(CONSOLE_BY_SPCR, "its registers have neither 8 nor 32 bits");
    set_spcr_in_memory(0xfe001000, 8, 2);
    expect_refused(CONSOLE_BY_SPCR, "its registers are accessed neither by 8 nor by 32 bits");
    set_spcr(0x1000);
    acpi.console.interface = ACPI_SERIAL_16550_PLACED;
    acpi.console.registers.width_bits = 32;
    expect_uart(CONSOLE_BY_SPCR, false, 0x1000, 4, 3);
}

TEST(spcr_of_no_address_names_no_console)
{
    set_spcr(0);
    EXPECT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_NOT_TOLD);
}

TEST(uart_of_another_type_or_place_is_refused)
{
    set_spcr(0x2f8);
    acpi.console.interface = 3; // a PL011
    expect_refused(CONSOLE_BY_SPCR, "it is not of a type that can be driven here (8250)");
    set_spcr(0x2f8);
    acpi.console.registers.space = ACPI_SPACE_PCI;
    expect_refused(CONSOLE_BY_SPCR, "its registers are neither I/O ports nor memory");
}

TEST(debug_port_has_the_usual_interrupt_or_none)
{
    set_up();
    acpi.debug_port = (struct acpi_serial_port){
        .is_named = true, .registers = {.space = ACPI_SPACE_IO, .address = 0x2f8}};
    expect_uart(CONSOLE_BY_DBG2, false, 0x2f8, 1, 3);
    acpi.debug_port.registers.address = 0x1000;
    expect_uart(CONSOLE_BY_DBG2, false, 0x1000, 1, CONSOLE_NO_IRQ);
    acpi.debug_port.registers =
        (struct acpi_register){.space = ACPI_SPACE_MEMORY, .width_bits = 32, .address = 0xfe001000};
    expect_uart(CONSOLE_BY_DBG2, true, 0xfe001000, 4, CONSOLE_NO_IRQ);
}

TEST(ports_out_of_range_or_of_others_are_refused)
{
    static const uint64_t taken[] = {0x20, 0x60, 0xf8, 0xff, 0xcf1, 0xcf8, 0xcff, 0x5fd, 0x605};

    set_spcr(0xfff9);
    expect_refused(CONSOLE_BY_SPCR, "its ports are beyond 0xffff");
    set_spcr(UINT64_MAX);
    expect_refused(CONSOLE_BY_SPCR, "its ports are beyond 0xffff");
    set_spcr(0xfff8);
    expect_uart(CONSOLE_BY_SPCR, false, 0xfff8, 1, 3);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        set_spcr(taken[i]);
        expect_refused(CONSOLE_BY_SPCR, "its ports are those of another device");
    }
    set_spcr(0xd00);
    expect_uart(CONSOLE_BY_SPCR, false, 0xd00, 1, 3);
}

TEST(memory_out_of_range_is_refused)
{
    set_spcr_in_memory(UINT64_MAX - 3, 32, 0);
    expect_refused(CONSOLE_BY_SPCR, "its address is beyond what the CPU reaches");
    set_spcr_in_memory(((uint64_t)1 << 40) - 28, 32, 0);
    expect_refused(CONSOLE_BY_SPCR, "its address is beyond what the CPU reaches");
    set_spcr_in_memory(((uint64_t)1 << 40) - 32, 32, 0);
    EXPECT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_FOUND);
    set_spcr_in_memory(0xfe001002, 32, 0);
    expect_refused(CONSOLE_BY_SPCR, "its address is odd");
}

TEST(memory_that_is_ram_is_refused)
{
    static const uint64_t addresses[] = {0xfffff0, 0x100000, 0x7ffffff8, 0x17fffffff,
                                         0x7fe00000}; // the last: firmware's

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        set_spcr_in_memory(addresses[i], 8, 0);
        expect_refused(CONSOLE_BY_SPCR, "its address is in RAM");
    }
    set_spcr_in_memory(0x80000000, 8, 0);
    EXPECT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_FOUND);
    // The last registers are on a page of RAM.
    set_spcr_in_memory(0xffffc, 8, 0);
    expect_refused(CONSOLE_BY_SPCR, "its address is in RAM");
}

TEST(memory_of_other_devices_is_refused)
{
    static const uint64_t addresses[] = {0xfee00000, 0xfee00ff0, 0xfec00010, 0xfed003f8,
                                         0xfed00800, 0xb0000000, 0xbffffff8};

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        set_spcr_in_memory(addresses[i], 8, 0);
        expect_refused(CONSOLE_BY_SPCR, "its address is that of another device");
    }
    set_spcr_in_memory(0xc0000000, 8, 0);
    EXPECT_EQ(ask(CONSOLE_BY_SPCR), CONSOLE_FOUND);
}
