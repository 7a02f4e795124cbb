// The xHCI driver against a fake controller with keyboards, honest and not.
#include "tests/test.h"
#include "tests/unit/xhci_fixture.h"

static struct fake_xhci fake;
static struct xhci driver;
static uint64_t memory_bytes;

static mx_status_t probe(void)
{
    const struct xhci_host host = {&fake_host_ops, &fake, FAKE_BAR_BYTES};

    return xhci_probe(&driver, &host, &memory_bytes);
}

static mx_status_t begin(void)
{
    const mx_status_t status = probe();

    if (status != MX_OK)
        return status;
    const struct xhci_memory memory = {fake.memory, FAKE_MEMORY_ADDRESS, memory_bytes};
    EXPECT_LE(memory_bytes, FAKE_MEMORY_BYTES);
    return xhci_start(&driver, &memory);
}

// Until there is nothing more to do, and no interrupt.
static mx_status_t run(void)
{
    const mx_status_t status = fake_run_driver(&fake, &driver);

    EXPECT_FALSE(status == MX_OK && xhci_has_work(&driver));
    return status;
}

static struct fake_device *begin_with_keyboard(void)
{
    fake_init(&fake);
    struct fake_device *keyboard = fake_keyboard(&fake, 2);
    fake_connect(&fake, 2);
    EXPECT_OK(begin());
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 1);
    EXPECT_FALSE(fake.is_broken);
    return keyboard;
}

static bool has_logged(const char *text)
{
    return strstr(fake.log, text) != NULL;
}

static unsigned taken;

static int next_key(void)
{
    if (taken == fake.taken)
        return 0;
    const int usage = fake.taken_usage[taken % FAKE_KEYS_MAX];
    return fake.taken_press[taken++ % FAKE_KEYS_MAX] ? usage : -usage;
}

// --- start
// --------------------------------------------------------------------------------------------

TEST(xhci_starts_after_taking_the_controller_from_the_firmware)
{
    fake_init(&fake);
    ASSERT_OK(begin());
    EXPECT_EQ(*fake_register(&fake, FAKE_EXTENDED) & (XHCI_USBLEGSUP_BIOS | XHCI_USBLEGSUP_OS),
              XHCI_USBLEGSUP_OS);
    EXPECT_EQ(*fake_register(&fake, FAKE_EXTENDED + 4), XHCI_USBLEGCTLSTS_EVENTS);
    EXPECT_EQ(*fake_register(&fake, FAKE_OPERATIONAL + XHCI_CONFIG), FAKE_SLOTS);
    for (unsigned port = 1; port <= FAKE_PORTS; port++)
        EXPECT_TRUE(*fake_portsc(&fake, port) & XHCI_PORTSC_PP);
    EXPECT_OK(run());
    EXPECT_FALSE(fake.is_broken);
    EXPECT_STR_EQ(fake.log, "");
}

TEST(xhci_overrules_firmware_that_does_not_let_go)
{
    fake_init(&fake);
    fake.keeps_firmware = true;
    ASSERT_OK(begin());
    EXPECT_TRUE(has_logged("firmware does not let go"));
    EXPECT_FALSE(*fake_register(&fake, FAKE_EXTENDED) & XHCI_USBLEGSUP_BIOS);
}

TEST(xhci_ends_a_list_of_capabilities_that_leads_nowhere)
{
    fake_init(&fake);
    *fake_register(&fake, XHCI_HCCPARAMS1) |= 0xffff0000;
    EXPECT_OK(begin());
    fake_init(&fake);
    for (uint32_t offset = 0x3000; offset < FAKE_BAR_BYTES; offset += 4)
        *fake_register(&fake, offset) = 0x0000010f; // each leads to the next
    EXPECT_OK(begin());
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_gives_up_a_controller_that_does_not_reset_or_start)
{
    fake_init(&fake);
    fake.never_resets = true;
    EXPECT_STATUS(MX_ERR_TIMED_OUT, begin());
    EXPECT_TRUE(has_logged("does not come out of its reset"));
    fake_init(&fake);
    fake.never_starts = true;
    EXPECT_STATUS(MX_ERR_TIMED_OUT, begin());
    EXPECT_TRUE(has_logged("does not start"));
    fake_init(&fake);
    fake.never_stops = true;
    *fake_register(&fake, FAKE_OPERATIONAL + XHCI_USBSTS) = 0;
    EXPECT_OK(begin());
    EXPECT_TRUE(has_logged("does not stop"));
}

TEST(xhci_refuses_registers_that_are_not_in_the_bar)
{
    static const struct {
        uint32_t offset, value;
    } lies[] = {{XHCI_CAPLENGTH, 0x01000000}, {XHCI_CAPLENGTH, 0x0100001c},
                {XHCI_CAPLENGTH, 0x01000041}, {XHCI_DBOFF, FAKE_BAR_BYTES},
                {XHCI_DBOFF, 0xfffffffc},     {XHCI_RTSOFF, FAKE_BAR_BYTES - 0x20},
                {XHCI_RTSOFF, 0xffffffe0}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        fake_init(&fake);
        *fake_register(&fake, lies[i].offset) = lies[i].value;
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, probe());
        EXPECT_FALSE(fake.is_broken);
    }
}

TEST(xhci_refuses_controllers_that_it_cannot_use)
{
    const struct xhci_memory memory = {fake.memory, FAKE_MEMORY_ADDRESS, FAKE_MEMORY_BYTES};

    fake_init(&fake);
    *fake_register(&fake, XHCI_HCSPARAMS1) = 0;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, probe());
    fake_init(&fake);
    *fake_register(&fake, FAKE_OPERATIONAL + XHCI_PAGESIZE) = 2;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, probe());
    fake_init(&fake);
    fake.has_gone = true;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, probe());
    fake_init(&fake);
    *fake_register(&fake, XHCI_HCCPARAMS1) = 0; // 32-bit addresses
    ASSERT_OK(probe());
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, xhci_start(&driver, &memory));
}

// --- keyboards
// ----------------------------------------------------------------------------------------

TEST(xhci_finds_a_keyboard_and_sets_it_up)
{
    struct fake_device *keyboard = begin_with_keyboard();

    EXPECT_EQ(keyboard->protocol, 0);
    EXPECT_EQ(fake.slots[1].control_packet_bytes, 32); // not the 8 that were assumed
    EXPECT_TRUE(has_logged("port 2: device 1234:5678 is a keyboard"));
}

TEST(xhci_finds_keyboards_of_every_speed_and_size_of_context)
{
    static const uint8_t speeds[] = {XHCI_SPEED_FULL, XHCI_SPEED_LOW, XHCI_SPEED_HIGH,
                                     XHCI_SPEED_SUPER};

    for (unsigned i = 0; i < 8; i++) {
        fake_init(&fake);
        if (i >= 4)
            *fake_register(&fake, XHCI_HCCPARAMS1) |= XHCI_HCCPARAMS1_CSZ;
        fake_keyboard(&fake, 3)->speed = speeds[i % 4];
        fake_connect(&fake, 3);
        ASSERT_OK(begin());
        EXPECT_OK(run());
        EXPECT_EQ(fake.keyboards_added, 1);
        EXPECT_FALSE(fake.is_broken);
    }
}

TEST(xhci_tells_every_key_once_and_in_order)
{
    begin_with_keyboard();
    taken = 0;
    // More than the rings have entries, in bursts that are longer than what was asked for.
    for (unsigned i = 0; i < 600; i++) {
        fake_type(&fake, 2, 0, (uint8_t)(4 + i % 30));
        fake_type(&fake, 2, 0, 0);
        if (i % 7 != 0)
            continue;
        EXPECT_OK(run());
        for (unsigned key = i < 7 ? 0 : i - 6; key <= i; key++) {
            EXPECT_EQ(next_key(), 4 + (int)key % 30);
            EXPECT_EQ(next_key(), -(4 + (int)key % 30));
        }
        EXPECT_EQ(next_key(), 0);
    }
    EXPECT_FALSE(fake.is_broken);
    EXPECT_EQ(driver.stray_event_count, 0);
}

TEST(xhci_holds_the_keyboard_while_nobody_takes_keys)
{
    struct fake_device *keyboard = begin_with_keyboard();

    taken = 0;
    fake.keys_refused = UINT32_MAX;
    for (unsigned i = 0; i < 100; i++) {
        fake_type(&fake, 2, 0, (uint8_t)(4 + i));
        fake_type(&fake, 2, 0, 0);
    }
    EXPECT_OK(run());
    EXPECT_GE(keyboard->report_head - keyboard->report_tail, 50);
    EXPECT_EQ(next_key(), 0);
    fake.keys_refused = 0;
    EXPECT_OK(run());
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(next_key(), 4 + i);
        EXPECT_EQ(next_key(), -(4 + i));
    }
    EXPECT_EQ(next_key(), 0);
}

TEST(xhci_releases_what_was_down_when_a_keyboard_is_unplugged_and_takes_it_back)
{
    struct fake_device *keyboard = begin_with_keyboard();

    taken = 0;
    fake_type(&fake, 2, 0x02, 4);
    EXPECT_OK(run());
    fake_disconnect(&fake, 2);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 1);
    EXPECT_EQ(next_key(), 0xe1);
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(next_key(), -4);
    EXPECT_EQ(next_key(), -0xe1);
    EXPECT_FALSE(fake.slots[1].is_enabled);
    fake_connect(&fake, 2);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 2);
    fake_type(&fake, 2, 0, 4);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(next_key(), 0);
    // Out and in again before anybody looked.
    fake_disconnect(&fake, 2);
    fake_connect(&fake, 2);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 2);
    EXPECT_EQ(fake.keyboards_added, 3);
    EXPECT_EQ(next_key(), -4);
    EXPECT_EQ(keyboard->addresses, 3);
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_serves_a_keyboard_while_another_does_not_answer)
{
    begin_with_keyboard();
    fake_keyboard(&fake, 4)->silent_request = USB_REQUEST_SET_CONFIGURATION;
    taken = 0;
    fake_type(&fake, 2, 0, 4);
    fake_connect(&fake, 4);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    EXPECT_TRUE(has_logged("port 4: the device there does not answer as it must"));
    EXPECT_EQ(fake.keyboards_added, 1);
    EXPECT_EQ(fake.devices[4].resets, 3);
    fake_type(&fake, 2, 0, 0);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), -4);
}

TEST(xhci_shows_indicators)
{
    struct fake_device *keyboard = begin_with_keyboard();

    xhci_set_indicators(&driver, 0, 2);
    EXPECT_OK(run());
    EXPECT_EQ(keyboard->output, 2);
    xhci_set_indicators(&driver, 12345, 1);
    keyboard->stalled_request = 9;
    xhci_set_indicators(&driver, 0, 3);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 0);
    keyboard->silent_request = 9;
    keyboard->stalled_request = 0;
    xhci_set_indicators(&driver, 0, 1);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 1);
    EXPECT_TRUE(has_logged("does not work as it must"));
}

TEST(xhci_does_not_use_what_is_no_keyboard)
{
    fake_init(&fake);
    fake_keyboard(&fake, 1)->configuration[16] = 2;  // a mouse
    fake_keyboard(&fake, 3)->stalled_request = 0x0b; // refuses the boot protocol
    fake_connect(&fake, 1);
    fake_connect(&fake, 3);
    ASSERT_OK(begin());
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 0);
    EXPECT_TRUE(has_logged("port 1: device 1234:5678 is neither a boot keyboard nor a disk"));
    EXPECT_EQ(fake.devices[1].resets, 1); // once was enough
    EXPECT_TRUE(has_logged("port 3: the device there does not answer as it must"));
    for (unsigned slot = 1; slot <= FAKE_SLOTS; slot++)
        EXPECT_FALSE(fake.slots[slot].is_enabled);
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_uses_a_keyboard_that_does_not_know_idle)
{
    fake_init(&fake);
    fake_keyboard(&fake, 1)->stalled_request = 0x0a;
    fake_connect(&fake, 1);
    ASSERT_OK(begin());
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 1);
}

TEST(xhci_drops_nothing_but_the_keyboard_that_nobody_takes)
{
    fake_init(&fake);
    fake.is_refusing_keyboards = true;
    fake_keyboard(&fake, 1);
    fake_connect(&fake, 1);
    ASSERT_OK(begin());
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 0);
    EXPECT_FALSE(fake.slots[1].is_enabled);
}

TEST(xhci_says_what_is_wrong_with_a_descriptor)
{
    fake_init(&fake);
    fake_keyboard(&fake, 1)->configuration[9] = 0;
    fake_connect(&fake, 1);
    ASSERT_OK(begin());
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("port 1: a descriptor of length 0 or 1, at byte 9 of its descriptor"));
    EXPECT_EQ(fake.keyboards_added, 0);
}

TEST(xhci_refuses_a_configuration_that_is_too_long)
{
    fake_init(&fake);
    fake_keyboard(&fake, 1)->configuration[3] = 0xff;
    fake_connect(&fake, 1);
    ASSERT_OK(begin());
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("has a configuration that is too long"));
}

TEST(xhci_sets_a_stalled_keyboard_going_again)
{
    struct fake_device *keyboard = begin_with_keyboard();

    taken = 0;
    keyboard->report_code = XHCI_COMPLETION_STALL;
    fake_type(&fake, 2, 0, 4);
    keyboard->report_code = 0;
    EXPECT_OK(run());
    EXPECT_EQ(keyboard->halt_clears, 1);
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(fake.keyboards_removed, 0);
}

// Its endpoint has not halted, and there is nothing to be reset.
TEST(xhci_goes_on_after_a_report_that_is_too_short)
{
    struct fake_device *keyboard = begin_with_keyboard();

    taken = 0;
    keyboard->report_code = XHCI_COMPLETION_SHORT_PACKET;
    keyboard->report_residue = 1;
    fake_type(&fake, 2, 0, 4);
    keyboard->report_code = 0;
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(fake.keyboards_removed, 0);
}

TEST(xhci_drops_a_keyboard_that_fails_again_and_again_until_it_is_plugged_in_again)
{
    static const uint8_t codes[] = {XHCI_COMPLETION_STALL, XHCI_COMPLETION_TRANSACTION_ERROR,
                                    XHCI_COMPLETION_BABBLE, 0xff};

    for (size_t i = 0; i < sizeof(codes); i++) {
        struct fake_device *keyboard = begin_with_keyboard();
        keyboard->report_code = codes[i];
        fake_type(&fake, 2, 0, 4);
        EXPECT_OK(run());
        EXPECT_EQ(fake.keyboards_removed, 1);
        EXPECT_TRUE(has_logged("dropped until it is plugged in again"));
        keyboard->report_code = 0;
        EXPECT_OK(run());
        EXPECT_EQ(fake.keyboards_added, 1);
        fake_disconnect(&fake, 2);
        EXPECT_OK(run());
        fake_connect(&fake, 2);
        EXPECT_OK(run());
        EXPECT_EQ(fake.keyboards_added, 2);
    }
}

TEST(xhci_drops_a_keyboard_whose_reports_are_too_short_or_claim_too_much)
{
    static const uint32_t residues[] = {1, 8, 9, 0xffffff};

    for (size_t i = 0; i < sizeof(residues) / sizeof(residues[0]); i++) {
        struct fake_device *keyboard = begin_with_keyboard();
        keyboard->report_code = XHCI_COMPLETION_SHORT_PACKET;
        keyboard->report_residue = residues[i];
        fake_type(&fake, 2, 0, 4);
        EXPECT_OK(run());
        EXPECT_EQ(fake.keyboards_removed, 1);
        EXPECT_FALSE(fake.is_broken);
    }
}

// --- hubs
// ---------------------------------------------------------------------------------------------

static void begin_with_hub(void)
{
    fake_init(&fake);
    fake_hub(&fake, 2);
    fake_connect(&fake, 2);
    EXPECT_OK(begin());
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("port 2: device 1234:5678 is a hub"));
}

TEST(xhci_finds_keyboards_behind_a_hub)
{
    begin_with_hub();
    fake_keyboard(&fake, FAKE_PORTS + 3)->speed = XHCI_SPEED_LOW;
    fake_hub_change(&fake, 2, 3, true);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 1);
    EXPECT_TRUE(has_logged("port 2.3: device 1234:5678 is a keyboard"));
    // The hub in slot 1 speaks to it.
    EXPECT_EQ(fake.slots[2].translator & 0xffff, 0x0301);
    taken = fake.taken;
    fake_type(&fake, FAKE_PORTS + 3, 0, 4);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    fake_hub_change(&fake, 2, 3, false);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), -4);
    EXPECT_EQ(fake.keyboards_removed, 1);
    fake_hub_change(&fake, 2, 3, true);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 2);
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_removes_what_is_behind_a_hub_with_it)
{
    begin_with_hub();
    for (unsigned port = 1; port <= FAKE_HUB_PORTS; port++) {
        fake_keyboard(&fake, FAKE_PORTS + port);
        fake_hub_change(&fake, 2, port, true);
    }
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 3);
    fake_disconnect(&fake, 2);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 3);
    for (unsigned slot = 1; slot <= FAKE_SLOTS; slot++)
        EXPECT_FALSE(fake.slots[slot].is_enabled);
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_refuses_a_hub_behind_a_hub)
{
    begin_with_hub();
    fake_hub(&fake, FAKE_PORTS + 1)->speed = XHCI_SPEED_FULL;
    fake_hub_change(&fake, 2, 1, true);
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("it is behind another hub"));
    EXPECT_EQ(fake.devices[FAKE_PORTS + 1].resets, 1);
}

TEST(xhci_drops_a_hub_that_does_not_answer)
{
    begin_with_hub();
    fake_keyboard(&fake, FAKE_PORTS + 1);
    fake_hub_change(&fake, 2, 1, true);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 1);
    fake.devices[2].silent_request = USB_REQUEST_CLEAR_FEATURE;
    fake_hub_change(&fake, 2, 2, true);
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_removed, 1);
    EXPECT_FALSE(fake.slots[1].is_enabled);
}

// --- hostile controllers
// ------------------------------------------------------------------------------

TEST(xhci_passes_over_events_that_name_nothing_under_way)
{
    begin_with_keyboard();
    taken = 0;
    for (unsigned slot = 0; slot < 256; slot++) {
        for (unsigned dci = 0; dci < 32; dci++)
            fake_transfer_event(&fake, FAKE_MEMORY_ADDRESS + 0x40 * dci, XHCI_COMPLETION_SUCCESS, 0,
                                slot, dci);
        fake_event(&fake, FAKE_MEMORY_ADDRESS, 1u << 24,
                   XHCI_TRB_TYPE(XHCI_TRB_COMMAND_COMPLETION_EVENT) | slot << 24);
        fake_event(&fake, (uint64_t)slot << 24, 1u << 24,
                   XHCI_TRB_TYPE(XHCI_TRB_PORT_STATUS_CHANGE_EVENT));
        fake_event(&fake, ~UINT64_C(0), ~0u, XHCI_TRB_TYPE(slot % 64));
        EXPECT_OK(run());
    }
    EXPECT_GE(driver.stray_event_count, 256 * 32);
    EXPECT_EQ(fake.keyboards_removed, 0);
    fake_type(&fake, 2, 0, 4);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(next_key(), 0);
}

TEST(xhci_does_not_tell_a_report_twice_that_is_reported_twice)
{
    begin_with_keyboard();
    taken = 0;
    const uint64_t address = fake.slots[1].interrupt.next;
    fake_type(&fake, 2, 0, 4);
    fake_transfer_event(&fake, address, XHCI_COMPLETION_SUCCESS, 0, 1, 3);
    EXPECT_OK(run());
    EXPECT_EQ(driver.stray_event_count, 1);
    fake_type(&fake, 2, 0, 5);
    EXPECT_OK(run());
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(next_key(), -4);
    EXPECT_EQ(next_key(), 5);
    EXPECT_EQ(next_key(), 0);
}

TEST(xhci_gives_up_a_controller_that_ignores_commands_and_can_begin_anew)
{
    begin_with_keyboard();
    taken = 0;
    fake_type(&fake, 2, 0, 4);
    EXPECT_OK(run());
    fake.ignores_commands = true;
    fake_keyboard(&fake, 3);
    fake_connect(&fake, 3);
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_TRUE(has_logged("does not carry out a command"));
    EXPECT_EQ(fake.keyboards_removed, 1);
    EXPECT_EQ(next_key(), 4);
    EXPECT_EQ(next_key(), -4);
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_EQ(fake.keyboards_removed, 1);
    fake.ignores_commands = false;
    EXPECT_OK(begin());
    EXPECT_OK(run());
    EXPECT_EQ(fake.keyboards_added, 3);
    EXPECT_FALSE(fake.is_broken);
}

TEST(xhci_gives_up_a_controller_that_stops_or_goes)
{
    static const uint32_t states[] = {XHCI_USBSTS_HCH, XHCI_USBSTS_HSE, XHCI_USBSTS_HCE};

    for (size_t i = 0; i < 3; i++) {
        begin_with_keyboard();
        *fake_register(&fake, FAKE_OPERATIONAL + XHCI_USBSTS) |= states[i];
        EXPECT_STATUS(MX_ERR_IO, run());
        EXPECT_EQ(fake.keyboards_removed, 1);
        EXPECT_TRUE(has_logged("has stopped with an error"));
        EXPECT_TRUE(xhci_is_present(&driver));
    }
    begin_with_keyboard();
    fake.has_gone = true;
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_EQ(fake.keyboards_removed, 1);
    EXPECT_TRUE(has_logged("the controller has gone"));
    EXPECT_FALSE(xhci_is_present(&driver));
}

TEST(xhci_gives_up_a_controller_that_gives_out_slots_that_are_not_free)
{
    static const uint8_t slots[] = {1, 9, 17, 255};

    for (size_t i = 0; i < sizeof(slots); i++) {
        begin_with_keyboard();
        fake.slot_given = slots[i];
        fake_keyboard(&fake, 3);
        fake_connect(&fake, 3);
        EXPECT_STATUS(MX_ERR_IO, run());
        EXPECT_TRUE(has_logged("which is not free"));
    }
}

TEST(xhci_tries_a_device_three_times_with_commands_that_fail)
{
    begin_with_keyboard();
    fake_keyboard(&fake, 3)->is_out_of_order = true;
    fake_connect(&fake, 3);
    EXPECT_OK(run());
    EXPECT_EQ(fake.devices[3].resets, 3);
    EXPECT_TRUE(has_logged("port 3: the device there does not answer as it must"));
    // No more before it is plugged in again.
    fake_port_event(&fake, 3);
    EXPECT_OK(run());
    EXPECT_EQ(fake.devices[3].resets, 3);
    EXPECT_FALSE(fake.slots[2].is_enabled);
    fake.command_code = XHCI_COMPLETION_RESOURCE_ERROR;
    fake_keyboard(&fake, 4);
    fake_connect(&fake, 4);
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("no room for another device: no resources (7)"));
}
