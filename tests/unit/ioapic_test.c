#include <string.h>

#include "tests/test.h"
#include "vmm/chips/ioapic.h"

static struct ioapic ioapic;
static unsigned message_count, change_count;
static uint64_t last_address;
static uint32_t last_data;

static void note_message(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    message_count++;
    last_address = address;
    last_data = data;
}

static void note_change(void *context)
{
    (void)context;
    change_count++;
}

static void start(void)
{
    struct ioapic_host host = {.send_message = note_message, .routes_changed = note_change};

    ioapic_init(&ioapic, &host);
    message_count = change_count = 0;
}

static uint32_t in(uint8_t index)
{
    ioapic_ops.write(&ioapic, 0x00, 4, index);
    return (uint32_t)ioapic_ops.read(&ioapic, 0x10, 4);
}

static void out(uint8_t index, uint32_t value)
{
    ioapic_ops.write(&ioapic, 0x00, 4, index);
    ioapic_ops.write(&ioapic, 0x10, 4, value);
}

static void route(unsigned input, uint32_t low, uint32_t high)
{
    out((uint8_t)(0x11 + 2 * input), high);
    out((uint8_t)(0x10 + 2 * input), low);
}

TEST(ioapic_tells_id_version_and_masked_entries)
{
    start();
    EXPECT_EQ(in(1), 0x000f0011);
    out(0, 0xff000000);
    EXPECT_EQ(in(0), 0x0f000000);
    EXPECT_EQ(in(2), 0x0f000000);
    for (unsigned i = 0; i < 16; i++)
        EXPECT_EQ(in((uint8_t)(0x10 + 2 * i)), 0x10000);
    EXPECT_EQ(in(0x40), 0);
    EXPECT_EQ(in(0xff), 0);
    EXPECT_EQ(in(0x0f), 0);
}

TEST(ioapic_keeps_writable_bits_only)
{
    start();
    route(3, 0xffffffff, 0xffffffff);
    EXPECT_EQ(in(0x16), 0x0001afff);
    EXPECT_EQ(in(0x17), 0xff000000);
}

TEST(ioapic_sends_an_edge_once)
{
    start();
    route(4, 0x24, 5u << 24);
    ioapic_set_input(&ioapic, 4, true);
    ioapic_set_input(&ioapic, 4, true);
    EXPECT_EQ(message_count, 1);
    EXPECT_EQ(last_address, 0xfee05000);
    EXPECT_EQ(last_data, 0x4024);
    ioapic_eoi(&ioapic, 0x24);
    EXPECT_EQ(message_count, 1);
    ioapic_set_input(&ioapic, 4, false);
    ioapic_set_input(&ioapic, 4, true);
    EXPECT_EQ(message_count, 2);
}

TEST(ioapic_repeats_a_level_after_eoi_while_asserted)
{
    start();
    route(10, 0xa031, 0);
    ioapic_set_input(&ioapic, 10, true);
    EXPECT_EQ(message_count, 1);
    EXPECT_EQ(last_data, 0xc031);
    EXPECT_EQ(in(0x24), 0xe031);
    ioapic_set_input(&ioapic, 10, false);
    ioapic_set_input(&ioapic, 10, true);
    EXPECT_EQ(message_count, 1);
    ioapic_eoi(&ioapic, 0x32);
    EXPECT_EQ(message_count, 1);
    ioapic_eoi(&ioapic, 0x31);
    EXPECT_EQ(message_count, 2);
    ioapic_set_input(&ioapic, 10, false);
    ioapic_eoi(&ioapic, 0x31);
    EXPECT_EQ(message_count, 2);
    EXPECT_EQ(in(0x24), 0xa031);
}

TEST(ioapic_delivers_what_was_pending_at_the_unmasking)
{
    start();
    ioapic_set_input(&ioapic, 2, true);
    ioapic_set_input(&ioapic, 2, false);
    ioapic_set_input(&ioapic, 11, true);
    EXPECT_EQ(message_count, 0);
    route(2, 0x30, 0);
    EXPECT_EQ(message_count, 1);
    route(2, 0x30, 0);
    EXPECT_EQ(message_count, 1);
    route(11, 0x8040, 0);
    EXPECT_EQ(message_count, 2);
}

// An entry set to edge-triggered and back loses its remote IRR: Linux ends interrupts so when it
// must.
TEST(ioapic_edge_mode_clears_remote_irr)
{
    start();
    route(9, 0x8039, 0);
    ioapic_set_input(&ioapic, 9, true);
    EXPECT_EQ(in(0x22), 0xc039);
    out(0x22, 0x10039);
    EXPECT_EQ(in(0x22), 0x10039);
    out(0x22, 0x8039);
    EXPECT_EQ(message_count, 2);
}

TEST(ioapic_writes_destination_and_delivery_mode_into_the_message)
{
    start();
    route(5, 0x0935, 0x81u << 24); // lowest priority, logical
    ioapic_set_input(&ioapic, 5, true);
    EXPECT_EQ(last_address, 0xfee8100c);
    EXPECT_EQ(last_data, 0x4135);
    route(6, 0x8400, 0); // NMI is an edge whatever the trigger bit
    ioapic_set_input(&ioapic, 6, true);
    EXPECT_EQ(last_data, 0x4400);
    EXPECT_EQ(in(0x1c), 0x8400);
    route(0, 0x0700, 0); // ExtINT
    ioapic_set_input(&ioapic, 0, true);
    EXPECT_EQ(last_data, 0x4700);
    EXPECT_EQ(message_count, 3);
    route(7, 0x0330, 0); // reserved
    ioapic_set_input(&ioapic, 7, true);
    EXPECT_EQ(message_count, 3);
}

TEST(ioapic_lists_vectors_that_need_eoi)
{
    uint64_t vectors[4] = {0};
    start();
    route(10, 0x80fe, 0);
    route(11, 0x0041, 0);
    route(12, 0x18042, 0); // masked
    EXPECT_EQ(change_count, 3);
    ioapic_level_vectors(&ioapic, vectors);
    EXPECT_EQ(vectors[0] | vectors[1] | vectors[2], 0);
    EXPECT_EQ(vectors[3], 1ULL << 62);
}

// What the guest would read at `offset` of the page that it is shown.
static uint32_t shown(unsigned offset)
{
    uint32_t value;

    memcpy(&value, ioapic.shown + offset, sizeof(value));
    return value;
}

TEST(ioapic_shows_what_a_read_would_give)
{
    static uint8_t page[IOAPIC_SIZE_BYTES];

    start();
    ioapic_ops.write(&ioapic, 0x00, 4, 1);
    ioapic_show_registers(&ioapic, page);
    EXPECT_EQ(shown(0x00), 1);
    EXPECT_EQ(shown(0x10), 0x000f0011);
    route(10, 0xa031, 0); // the index stays at the entry's low half
    EXPECT_EQ(shown(0x00), 0x24);
    EXPECT_EQ(shown(0x10), 0xa031);
    ioapic_set_input(&ioapic, 10, true);
    EXPECT_EQ(shown(0x10), 0xe031);
    ioapic_set_input(&ioapic, 10, false);
    ioapic_eoi(&ioapic, 0x31);
    EXPECT_EQ(shown(0x10), 0xa031);
    ioapic_ops.reset(&ioapic);
    EXPECT_EQ(shown(0x00), 0);
    EXPECT_EQ(shown(0x10), 0);
}

TEST(ioapic_ignores_odd_accesses)
{
    start();
    ioapic_ops.write(&ioapic, 0x00, 1, 0x10);
    ioapic_ops.write(&ioapic, 0x10, 2, 0x1234);
    ioapic_ops.write(&ioapic, 0x11, 4, 0x1234);
    ioapic_ops.write(&ioapic, 0x40, 4, 0x1234);
    EXPECT_EQ(ioapic_ops.read(&ioapic, 0x10, 8), 0x10000);
    EXPECT_EQ(ioapic_ops.read(&ioapic, 0x10, 2), 0);
    EXPECT_EQ(ioapic_ops.read(&ioapic, 0xffc, 4), 0);
    ioapic_set_input(&ioapic, 16, true);
    ioapic_set_input(&ioapic, 1000, true);
    EXPECT_EQ(message_count, 0);
}
