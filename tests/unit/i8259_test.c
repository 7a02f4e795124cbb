#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/i8259.h"

static struct i8259 pics;
static struct fake_line intr;

static void master(unsigned offset, uint8_t value)
{
    i8259_master_ops.write(&pics, offset, 1, value);
}

static void slave(unsigned offset, uint8_t value)
{
    i8259_slave_ops.write(&pics, offset, 1, value);
}

static void start_with(uint8_t icw4)
{
    memset(&intr, 0, sizeof(intr));
    i8259_init(&pics, fake_line_connect(&intr));
    master(0, 0x11);
    master(1, 0x30);
    master(1, 0x04);
    master(1, icw4);
    slave(0, 0x11);
    slave(1, 0x38);
    slave(1, 0x02);
    slave(1, icw4);
}

static void start(void)
{
    start_with(0x01);
}

static void pulse(unsigned input)
{
    i8259_set_input(&pics, input, true);
    i8259_set_input(&pics, input, false);
}

static unsigned acknowledge(void)
{
    return i8259_acknowledge(&pics);
}

static unsigned in_service(const struct device_ops *ops)
{
    ops->write(&pics, 0, 1, 0x0b);
    return (unsigned)ops->read(&pics, 0, 1);
}

TEST(i8259_is_masked_until_initialised)
{
    memset(&intr, 0, sizeof(intr));
    i8259_init(&pics, fake_line_connect(&intr));
    pulse(4);
    EXPECT_FALSE(intr.level);
    EXPECT_EQ(i8259_master_ops.read(&pics, 1, 1), 0xff);
}

// Linux decides by this whether there are 8259s at all.
TEST(i8259_reads_its_mask_back)
{
    start();
    slave(1, 0xff);
    master(1, 0xfb);
    EXPECT_EQ(i8259_master_ops.read(&pics, 1, 1), 0xfb);
    EXPECT_EQ(i8259_slave_ops.read(&pics, 1, 1), 0xff);
}

TEST(i8259_delivers_by_priority_and_holds_lower_until_eoi)
{
    unsigned vector;
    start();
    pulse(5);
    pulse(3);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x33);
    EXPECT_FALSE(intr.level);
    pulse(1);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x31);
    EXPECT_EQ(in_service(&i8259_master_ops), 0x0a);
    master(0, 0x20);
    EXPECT_EQ(in_service(&i8259_master_ops), 0x08);
    master(0, 0x63); // specific EOI of 3
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x35);
}

TEST(i8259_cascades_the_slave)
{
    unsigned vector;
    start();
    pulse(12);
    pulse(8);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x38);
    EXPECT_EQ(in_service(&i8259_master_ops), 0x04);
    EXPECT_EQ(in_service(&i8259_slave_ops), 0x01);
    slave(0, 0x20);
    EXPECT_FALSE(intr.level);
    master(0, 0x20);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x3c);
}

TEST(i8259_masks_keep_requests)
{
    start();
    master(1, 0x10);
    pulse(4);
    EXPECT_FALSE(intr.level);
    master(0, 0x0a);
    EXPECT_EQ(i8259_master_ops.read(&pics, 0, 1), 0x10);
    master(1, 0x00);
    EXPECT_TRUE(intr.level);
}

TEST(i8259_acknowledges_a_vanished_request_as_spurious)
{
    unsigned vector;
    start();
    pulse(4);
    master(1, 0xff);
    EXPECT_FALSE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x37);
    EXPECT_EQ(in_service(&i8259_master_ops), 0);
    master(1, 0x00);
    master(0, 0x20);
    start();
    i8259_elcr_ops.write(&pics, 1, 1, 0x08); // input 11
    i8259_set_input(&pics, 11, true);
    i8259_set_input(&pics, 11, false);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x3f);
    EXPECT_EQ(in_service(&i8259_master_ops), 0x04);
    EXPECT_EQ(in_service(&i8259_slave_ops), 0);
}

TEST(i8259_repeats_levels_but_not_edges)
{
    unsigned vector;
    start();
    i8259_elcr_ops.write(&pics, 0, 1, 0xff);
    EXPECT_EQ(i8259_elcr_ops.read(&pics, 0, 1), 0xf8);
    i8259_elcr_ops.write(&pics, 1, 1, 0xff);
    EXPECT_EQ(i8259_elcr_ops.read(&pics, 1, 1), 0xde);
    i8259_set_input(&pics, 5, true);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x35);
    master(0, 0x20);
    EXPECT_TRUE(intr.level);
    i8259_set_input(&pics, 5, false);
    EXPECT_FALSE(intr.level);
    i8259_set_input(&pics, 1, true);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x31);
    master(0, 0x20);
    EXPECT_FALSE(intr.level);
    i8259_set_input(&pics, 1, true);
    EXPECT_FALSE(intr.level);
}

TEST(i8259_ends_interrupts_by_itself_with_auto_eoi)
{
    unsigned vector;
    start_with(0x03);
    pulse(0);
    pulse(1);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x30);
    EXPECT_EQ(in_service(&i8259_master_ops), 0);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x31);
    pulse(8);
    pulse(9);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x38);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x39);
    EXPECT_FALSE(intr.level);
    master(0, 0x80); // rotate in automatic EOI mode
    pulse(3);
    (void)acknowledge();
    pulse(3);
    pulse(4);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x34);
}

TEST(i8259_rotates_priorities)
{
    unsigned vector;
    start();
    pulse(4);
    (void)acknowledge();
    master(0, 0xa0); // rotate on non-specific EOI: 4 is the lowest now
    pulse(4);
    pulse(5);
    pulse(3);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x35);
    master(0, 0xe3); // rotate on specific EOI of 3
    master(0, 0xc7); // set priority: 7 is the lowest
    master(0, 0x20);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x33);
}

TEST(i8259_special_mask_lets_lower_levels_through)
{
    unsigned vector;
    start();
    pulse(2 + 1);
    (void)acknowledge();
    pulse(6);
    EXPECT_FALSE(intr.level);
    master(0, 0x68);
    master(1, 0x08);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x36);
    master(0, 0x20); // does not see the masked level 3
    EXPECT_EQ(in_service(&i8259_master_ops), 0x08);
}

TEST(i8259_special_fully_nested_lets_a_higher_slave_request_through)
{
    unsigned vector;
    start_with(0x11);
    pulse(12);
    (void)acknowledge();
    pulse(9);
    EXPECT_TRUE(intr.level);
    vector = acknowledge();
    EXPECT_EQ(vector, 0x39);
}

TEST(i8259_poll_acknowledges)
{
    start();
    pulse(6);
    master(0, 0x0c);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pics.master.poll, true);
    uint64_t polled = i8259_master_ops.read(&pics, 0, 1);
    EXPECT_EQ(polled, 0x86);
    EXPECT_FALSE(intr.level);
    EXPECT_EQ(in_service(&i8259_master_ops), 0x40);
    slave(0, 0x0c);
    polled = i8259_slave_ops.read(&pics, 0, 1);
    EXPECT_EQ(polled, 0);
}
