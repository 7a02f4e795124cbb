// PCI configuration space and the scan of the buses, with devices that behave and with devices that
// do not.
#include "user/drivers/portable/pci_scan.h"

#include "tests/test.h"
#include "tests/unit/pci_fixture.h"

static struct pci_scan scan;

static struct fake_function *add(uint8_t bus, uint8_t slot, uint16_t vendor, uint16_t device)
{
    struct fake_function *function = &fake_functions[fake_function_count++];

    *function = (struct fake_function){.bus = bus, .slot = slot};
    function->words[0] = vendor | (uint32_t)device << 16;
    return function;
}

static struct fake_function *add_bridge(uint8_t bus, uint8_t slot, uint8_t secondary)
{
    struct fake_function *function = add(bus, slot, 0x1b36, 0x000c);

    function->words[3] = 1u << 16;
    function->words[6] = bus | (uint32_t)secondary << 8 | (uint32_t)secondary << 16;
    return function;
}

static const struct mx_info_pci_host bare_host = {
    .last_bus = 15,
    .memory32 = {0x10000000, 0x10000000, 0x20000000},
    .memory64 = {0x8000000000, 0x8000000000, 0x8000000000},
};

static void run(const struct mx_info_pci_host *host)
{
    pci_scan(&fake_access, host, &scan);
}

static const struct pci_function *found(uint8_t bus, uint8_t slot)
{
    for (uint32_t i = 0; i < scan.count; i++) {
        if (scan.functions[i].bus == bus && scan.functions[i].slot == slot)
            return &scan.functions[i];
    }
    return NULL;
}

static void start(void)
{
    fake_function_count = 0;
    fake_is_wanted = true;
}

TEST(scan_finds_functions_of_multifunction_devices_only_there)
{
    start();
    add(0, 0 << 3, 0x8086, 1);
    add(0, 0 << 3 | 1, 0x8086, 2); // function 0 does not say so
    add(0, 2 << 3, 0x8086, 3)->words[3] = 0x80u << 16;
    add(0, 2 << 3 | 7, 0x8086, 4);
    add(0, 3 << 3 | 1, 0x8086, 5); // without function 0
    run(&bare_host);
    EXPECT_EQ(scan.count, 3u);
    EXPECT_TRUE(found(0, 2 << 3 | 7) != NULL);
    EXPECT_TRUE(found(0, 1) == NULL);
    EXPECT_TRUE(found(0, 3 << 3 | 1) == NULL);
}

TEST(registers_are_measured_and_get_addresses)
{
    struct fake_function *function;

    start();
    function = add(0, 8, 0x1af4, 0x1042);
    fake_bar(function, 0, 0, 0x1000); // 32 bits
    fake_bar(function, 2, 4, 0x4000); // 64 bits
    fake_bar(function, 5, 1, 0x20);   // ports
    run(&bare_host);
    ASSERT_EQ(scan.count, 1u);
    const struct pci_bar *bars = scan.functions[0].bars;
    EXPECT_EQ((int)bars[0].kind, (int)PCI_BAR_MEMORY32);
    EXPECT_EQ(bars[0].size_bytes, 0x1000u);
    EXPECT_EQ(bars[0].base, 0x10000000u);
    EXPECT_EQ((int)bars[2].kind, (int)PCI_BAR_MEMORY64);
    EXPECT_EQ(bars[2].size_bytes, 0x4000u);
    EXPECT_EQ(bars[2].base, 0x8000000000u);
    EXPECT_EQ(function->words[4 + 3], 0x80u);
    EXPECT_EQ((int)bars[3].kind, (int)PCI_BAR_NONE);
    EXPECT_EQ((int)bars[5].kind, (int)PCI_BAR_PORTS);
    EXPECT_EQ(bars[5].size_bytes, 0x20u);
    EXPECT_EQ(function->words[1] & 7, 0u);
}

TEST(addresses_of_firmware_stay_and_are_not_given_again)
{
    struct fake_function *function;

    start();
    fake_bar(add(0, 8, 0x1af4, 1), 0, 0, 0x1000);
    function = add(0, 16, 0x1af4, 2);
    fake_bar(function, 0, 0, 0x10000);
    function->words[4] |= 0x10010000;
    run(&bare_host);
    ASSERT_EQ(scan.count, 2u);
    EXPECT_EQ(found(0, 16)->bars[0].base, 0x10010000u);
    EXPECT_EQ(found(0, 8)->bars[0].base, 0x10020000u);
}

TEST(functions_that_nobody_wants_stay_as_they_are)
{
    struct fake_function *function;

    start();
    fake_is_wanted = false;
    function = add(0, 8, 0x1234, 0x1111);
    fake_bar(function, 0, 0, 0x1000000);
    function->words[1] = 7;
    function->words[4] |= 0xfd000000;
    run(&bare_host);
    EXPECT_EQ(scan.count, 1u);
    EXPECT_EQ(function->write_count, 0u);
    EXPECT_EQ(function->words[1], 7u);
}

TEST(bridges_without_numbers_get_numbers_and_windows)
{
    struct fake_function *outer, *inner, *device;

    start();
    outer = add_bridge(0, 8, 0);
    inner = add_bridge(1, 0, 0);
    device = add(2, 0, 0x1af4, 0x1042);
    fake_bar(device, 0, 4, 0x4000);
    fake_bar(add(0, 16, 0x1af4, 3), 0, 0, 0x1000);
    run(&bare_host);
    ASSERT_TRUE(found(2, 0) != NULL);
    EXPECT_EQ(outer->words[6] & 0xffffff, 0x020100u);
    EXPECT_EQ(inner->words[6] & 0xffffff, 0x020201u);
    // Below 4 GiB: the bridges' other window is closed.
    EXPECT_EQ(found(2, 0)->bars[0].base, 0x10000000u);
    EXPECT_EQ(outer->words[8], 0x10001000u);
    EXPECT_EQ(inner->words[8], 0x10001000u);
    EXPECT_EQ(outer->words[9], 0x0000fff0u);
    EXPECT_EQ(outer->words[1] & 6, 6u);
    EXPECT_EQ(found(0, 16)->bars[0].base, 0x10100000u);
}

TEST(bridges_of_firmware_keep_their_numbers)
{
    struct fake_function *bridge;
    struct mx_info_pci_host host = {.last_bus = 15};

    start();
    bridge = add_bridge(0, 8, 5);
    fake_bar(add(5, 0, 0x1af4, 0x1042), 0, 0, 0x1000);
    run(&host);
    ASSERT_TRUE(found(5, 0) != NULL);
    EXPECT_EQ(bridge->words[6] >> 8 & 0xff, 5u);
    EXPECT_EQ(scan.no_address_count, 1u);
    EXPECT_EQ(found(5, 0)->bars[0].size_bytes, 0u);
}

TEST(bridges_that_lie_lead_nowhere)
{
    start();
    add_bridge(0, 8, 1);
    add_bridge(1, 0, 1);   // to itself
    add_bridge(1, 8, 200); // beyond the host bridge's buses
    add_bridge(0, 16, 1);  // to where another leads
    add(1, 16, 0x8086, 1);
    run(&bare_host);
    EXPECT_EQ(scan.count, 1u);
}

TEST(more_functions_than_there_is_room_for_are_counted)
{
    start();
    for (uint32_t i = 0; i < PCI_FUNCTIONS_MAX + 3; i++)
        add(0, (uint8_t)i, 0x8086, 1)->words[3] = 0x80u << 16;
    run(&bare_host);
    EXPECT_EQ(scan.count, (uint32_t)PCI_FUNCTIONS_MAX);
    EXPECT_EQ(scan.left_out_count, 3u);
}

TEST(registers_without_room_get_no_address)
{
    struct mx_info_pci_host host = {.last_bus = 1, .memory32 = {0x10000000, 0x10000000, 0x2000}};

    start();
    fake_bar(add(0, 8, 0x1af4, 1), 0, 0, 0x2000);
    fake_bar(add(0, 16, 0x1af4, 1), 0, 0, 0x10);
    run(&host);
    EXPECT_EQ(scan.no_address_count, 1u);
    EXPECT_EQ(found(0, 8)->bars[0].base, 0x10000000u);
    EXPECT_EQ((int)found(0, 16)->bars[0].kind, (int)PCI_BAR_NONE);
}

TEST(nonsense_registers_count_as_none)
{
    struct fake_function *function;

    start();
    function = add(0, 8, 0x1af4, 1);
    function->masks[0] = 0xff0ff000;  // an address bit is missing
    fake_bar(function, 5, 4, 0x1000); // no room for the upper half
    function->words[4 + 2] = 2;       // a reserved type
    run(&bare_host);
    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        EXPECT_EQ((int)scan.functions[0].bars[i].kind, (int)PCI_BAR_NONE);
}

// --- registers that are smaller than a page
// -----------------------------------------------------------

static struct fake_function *add_small(uint8_t bus, uint8_t slot, uint16_t device, uint32_t base)
{
    struct fake_function *function = add(bus, slot, 0x1af4, device);

    fake_bar(function, 0, 0, 0x100);
    function->words[4] |= base;
    return function;
}

TEST(small_registers_get_pages_of_their_own)
{
    start();
    add_small(0, 1 << 3, 1, 0x10000000);
    add_small(0, 2 << 3, 2, 0x10000100);
    add_small(0, 3 << 3, 3, 0x10001000); // in no company
    run(&bare_host);
    EXPECT_EQ(found(0, 1 << 3)->bars[0].base, 0x10002000u);
    EXPECT_EQ(found(0, 2 << 3)->bars[0].base, 0x10003000u);
    EXPECT_EQ(found(0, 3 << 3)->bars[0].base, 0x10001000u);
    EXPECT_EQ(fake_functions[1].words[4], 0x10003000u);
    EXPECT_FALSE(fake_functions[1].has_moved_while_shown);
    for (uint32_t i = 0; i < scan.count; i++)
        EXPECT_TRUE(scan.functions[i].refusal == NULL);
}

TEST(small_registers_are_refused_where_there_is_no_other_page)
{
    const struct mx_info_pci_host host = {.last_bus = 15}; // windows are not known

    start();
    add_small(0, 1 << 3, 1, 0x10000000);
    add_small(0, 2 << 3, 2, 0x10000100);
    add_small(0, 3 << 3, 3, 0x10001000);
    run(&host);
    EXPECT_STR_EQ(found(0, 1 << 3)->refusal,
                  "its registers share a page with those of another device");
    EXPECT_TRUE(found(0, 2 << 3)->refusal != NULL);
    EXPECT_TRUE(found(0, 3 << 3)->refusal == NULL);
    EXPECT_EQ(found(0, 1 << 3)->bars[0].base, 0x10000000u);
}

TEST(registers_of_functions_that_nobody_wants_and_of_bridges_count)
{
    const struct mx_info_pci_host host = {.last_bus = 15};

    start();
    add_small(0, 1 << 3, 1, 0x10000000);
    add_small(0, 2 << 3, FAKE_UNWANTED_DEVICE, 0x10000800);
    add_small(0, 3 << 3, 3, 0x10001000);
    add_bridge(0, 4 << 3, 5)->words[4] = 0x10001c00;
    add_small(5, 0, 4, 0x10002000);
    add_small(0, 5 << 3, 5, 0x10002f00);
    run(&host);
    EXPECT_TRUE(found(0, 1 << 3)->refusal != NULL);
    EXPECT_TRUE(found(0, 2 << 3)->refusal == NULL); // it is not asked for
    EXPECT_TRUE(found(0, 3 << 3)->refusal != NULL);
    EXPECT_TRUE(found(5, 0)->refusal != NULL);
    EXPECT_TRUE(found(0, 5 << 3)->refusal != NULL);
}

TEST(registers_of_one_function_may_share_a_page)
{
    const struct mx_info_pci_host host = {.last_bus = 15};

    start();
    struct fake_function *function = add_small(0, 1 << 3, 1, 0x10000000);
    fake_bar(function, 1, 0, 0x100);
    function->words[5] |= 0x10000100;
    run(&host);
    EXPECT_TRUE(found(0, 1 << 3)->refusal == NULL);
    EXPECT_EQ(found(0, 1 << 3)->bars[1].base, 0x10000100u);
}

TEST(a_device_that_claims_the_registers_of_others_is_refused)
{
    start();
    struct fake_function *function = add(0, 1 << 3, 0x1af4, 1);
    fake_bar(function, 0, 0, 0x1000000);
    function->words[4] |= 0x10000000;
    add_small(0, 2 << 3, 2, 0x10fff000);
    run(&bare_host);
    EXPECT_TRUE(found(0, 1 << 3)->refusal != NULL);
}

TEST(places_are_not_taken_from_what_bridges_of_firmware_pass_on)
{
    start();
    struct fake_function *bridge = add_bridge(0, 1 << 3, 5);
    bridge->words[8] = 0x10101000; // 0x10000000 to 0x101fffff
    bridge->words[9] = 0x00010001; // 64 bits, with the next two
    bridge->words[10] = 0x80;
    bridge->words[11] = 0x80;
    fake_bar(add(0, 2 << 3, 0x1af4, 1), 0, 0, 0x1000);
    fake_bar(add(0, 3 << 3, 0x1af4, 2), 0, 4, 0x1000);
    run(&bare_host);
    EXPECT_EQ(found(0, 2 << 3)->bars[0].base, 0x10200000u);
    EXPECT_EQ(found(0, 3 << 3)->bars[0].base, 0x8000100000u);
}

TEST(registers_that_nobody_could_note_are_taken_for_neighbours)
{
    const struct mx_info_pci_host host = {.last_bus = 15};

    start();
    add_small(0, 0, 1, 0x10000000)->words[3] = 0x80u << 16;
    run(&host);
    EXPECT_TRUE(found(0, 0)->refusal == NULL);
    for (uint32_t slot = 1; slot <= PCI_PLACES_MAX / PCI_BAR_COUNT + 1; slot++) {
        struct fake_function *function = add(0, (uint8_t)slot, 0x1af4, FAKE_UNWANTED_DEVICE);

        function->words[3] = 0x80u << 16;
        for (uint32_t bar = 0; bar < PCI_BAR_COUNT; bar++)
            function->words[4 + bar] = 0x20000000;
    }
    run(&host);
    EXPECT_TRUE(found(0, 0)->refusal != NULL);
}

// --- capabilities, messages
// ---------------------------------------------------------------------------

static struct pci_config config;

static struct fake_function *add_with_list(void)
{
    struct fake_function *function;

    start();
    function = add(0, 8, 0x1af4, 1);
    function->words[1] = 0x10u << 16;
    fake_access.open(fake_access.context, 0, 8, &config);
    return function;
}

TEST(capabilities_are_found_in_their_list)
{
    struct fake_function *function = add_with_list();

    function->words[0x34 / 4] = 0x42; // the low bits do not count
    function->words[0x40 / 4] = 0x5009;
    function->words[0x50 / 4] = 0x6011;
    function->words[0x60 / 4] = 0x0009;
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_VENDOR, 0), 0x40u);
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_VENDOR, 0x40), 0x60u);
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_VENDOR, 0x60), 0u);
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_MSIX, 0), 0x50u);
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_MSI, 0), 0u);
    function->words[1] = 0;
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_MSIX, 0), 0u);
}

TEST(capability_lists_in_a_circle_end)
{
    struct fake_function *function = add_with_list();

    function->words[0x34 / 4] = 0x40;
    function->words[0x40 / 4] = 0x5001;
    function->words[0x50 / 4] = 0x4001;
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_MSI, 0), 0u);
    memset(function->words, 0xff, sizeof(function->words));
    EXPECT_EQ(pci_find_capability(&config, PCI_CAPABILITY_MSI, 0), 0u);
}

TEST(registers_are_measured_while_the_function_does_not_answer_to_them)
{
    start();
    struct fake_function *function = add(0, 1 << 3, 0x8086, 1);
    fake_bar(function, 0, 0, 0x1000);
    function->words[4] = 0x10000000;
    function->words[1] = 7; // as firmware left it
    run(&bare_host);
    ASSERT_TRUE(found(0, 1 << 3) != NULL);
    EXPECT_EQ(found(0, 1 << 3)->bars[0].base, 0x10000000u);
    EXPECT_FALSE(function->has_moved_while_shown);
}

TEST(msix_tables_lie_within_their_registers)
{
    struct fake_function *function = add_with_list();
    struct pci_bar bars[PCI_BAR_COUNT] = {[2] = {PCI_BAR_MEMORY32, 0x10000000, 0x1000}};
    uint64_t offset;
    uint32_t bar;

    function->words[0x34 / 4] = 0x40;
    function->words[0x40 / 4] = 0x0011;
    function->words[0x44 / 4] = 0xff0 | 2;
    ASSERT_TRUE(pci_find_msix(&config, bars, &bar, &offset));
    EXPECT_EQ(bar, 2u);
    EXPECT_EQ(offset, 0xff0u);
    function->words[0x44 / 4] = 0xff8 | 2;
    EXPECT_FALSE(pci_find_msix(&config, bars, &bar, &offset));
    function->words[0x44 / 4] = 0xfffffff8 | 2;
    EXPECT_FALSE(pci_find_msix(&config, bars, &bar, &offset));
    bars[2].size_bytes = 0x2000;
    function->words[0x44 / 4] = 0x1000 | 2;
    EXPECT_TRUE(pci_find_msix(&config, bars, &bar, &offset));
    function->words[0x44 / 4] = 0xff8 | 2; // over the end of a page
    EXPECT_FALSE(pci_find_msix(&config, bars, &bar, &offset));
    function->words[0x44 / 4] = 1; // no such registers
    EXPECT_FALSE(pci_find_msix(&config, bars, &bar, &offset));
    function->words[0x44 / 4] = 7;
    EXPECT_FALSE(pci_find_msix(&config, bars, &bar, &offset));
    pci_enable_msix(&config);
    EXPECT_EQ(function->words[0x40 / 4] >> 16, 0x8000u);
}

TEST(msi_is_written_as_wide_as_the_function_has_it)
{
    struct fake_function *function = add_with_list();
    struct mx_interrupt_message message = {.address = 0xfee01000, .data = 0x41};

    function->words[0x34 / 4] = 0x40;
    function->words[0x40 / 4] = 0x0005 | 0x0030u << 16;
    ASSERT_TRUE(pci_enable_msi(&config, &message));
    EXPECT_EQ(function->words[0x40 / 4] >> 16, 1u);
    EXPECT_EQ(function->words[0x44 / 4], 0xfee01000u);
    EXPECT_EQ(function->words[0x48 / 4], 0x41u);
    message.address = 0x1fee01000;
    EXPECT_FALSE(pci_enable_msi(&config, &message));
    function->words[0x40 / 4] = 0x0005 | 0x0080u << 16;
    ASSERT_TRUE(pci_enable_msi(&config, &message));
    EXPECT_EQ(function->words[0x48 / 4], 1u);
    EXPECT_EQ(function->words[0x4c / 4], 0x41u);
    function->words[0x04 / 4] &= 0xffff0000u;
    pci_show_registers(&config);
    EXPECT_EQ(function->words[0x04 / 4] & 0xffffu, 0x2u);
    pci_enable(&config);
    EXPECT_EQ(function->words[0x04 / 4] & 0xffffu, 0x406u);
    pci_disable(&config);
    EXPECT_EQ(function->words[0x04 / 4] & 0xffffu, 0x402u);
    EXPECT_EQ(function->words[0x40 / 4] >> 16, 0x80u);
}

TEST(addresses_on_the_bus_become_the_cpus)
{
    struct mx_info_pci_host host = {.memory32 = {0x3eff0000, 0x10000000, 0x10000}};

    EXPECT_EQ(pci_cpu_address(&host, 0x10000010), 0x3eff0010u);
    EXPECT_EQ(pci_cpu_address(&host, 0x10010000), 0x10010000u);
}
