#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/i8042.h"

static struct i8042 controller;
static struct fake_line irq1;
static unsigned reset_count;
static int a20;

static void note_reset(void *context)
{
    (*(unsigned *)context)++;
}

static void note_a20(void *context, bool enabled)
{
    (void)context;
    a20 = enabled;
}

static void start(void)
{
    struct i8042_host host = {.reset = note_reset, .set_a20 = note_a20, .context = &reset_count};

    memset(&irq1, 0, sizeof(irq1));
    reset_count = 0;
    a20 = -1;
    i8042_init(&controller, &host, fake_line_connect(&irq1));
}

static unsigned status(void)
{
    return (unsigned)i8042_command_ops.read(&controller, 0, 1);
}

static unsigned data(void)
{
    return (unsigned)i8042_data_ops.read(&controller, 0, 1);
}

static void command(uint8_t value)
{
    i8042_command_ops.write(&controller, 0, 1, value);
}

static void put(uint8_t value)
{
    i8042_data_ops.write(&controller, 0, 1, value);
}

// The order in which the Linux driver looks at a controller; no step may make it wait.
TEST(i8042_passes_linux_probe_without_devices)
{
    unsigned ctr;
    start();
    EXPECT_EQ(status() & 0x03, 0); // nothing to flush, ready for input
    command(0x20);
    EXPECT_EQ(status() & 1, 1);
    ctr = data();
    EXPECT_EQ(ctr & 0x44, 0x44);
    command(0x60);
    put((uint8_t)((ctr | 0x30) & ~3u));
    command(0x20);
    EXPECT_EQ(data(), 0x74);
    command(0xaa);
    EXPECT_EQ(data(), 0x55);
    command(0xd3); // auxiliary loop: comes back without the auxiliary bit
    put(0x5a);
    EXPECT_EQ(status() & 0x21, 0x01);
    (void)data();
    command(0xa9); // auxiliary test: fails
    EXPECT_EQ(data(), 0x01);
    command(0xab);
    EXPECT_EQ(data(), 0x00);
    EXPECT_EQ(status() & 0x03, 0);
}

TEST(i8042_missing_keyboard_answers_at_once_with_timeout)
{
    start();
    command(0x60);
    put(0x45); // with the keyboard's interrupt
    put(0xf2);
    EXPECT_EQ(status() & 0x41, 0x41);
    EXPECT_TRUE(irq1.level);
    EXPECT_EQ(data(), 0xfe);
    EXPECT_EQ(status() & 0x41, 0);
    EXPECT_FALSE(irq1.level);
}

TEST(i8042_reset_pulse_resets)
{
    start();
    command(0xff); // pulses nothing
    EXPECT_EQ(reset_count, 0);
    command(0xfe);
    EXPECT_EQ(reset_count, 1);
    command(0xd1);
    put(0x02); // reset line low by the output port
    EXPECT_EQ(reset_count, 2);
}

TEST(i8042_switches_a20)
{
    start();
    command(0xdd);
    EXPECT_EQ(a20, 0);
    command(0xd0);
    EXPECT_EQ(data() & 3, 1);
    command(0xd1);
    put(0xdf);
    EXPECT_EQ(a20, 1);
    command(0xd0);
    EXPECT_EQ(data() & 3, 3);
    EXPECT_EQ(reset_count, 0);
}

TEST(i8042_keeps_its_memory)
{
    start();
    command(0x7f);
    put(0xa5);
    command(0x3f);
    EXPECT_EQ(data(), 0xa5);
    EXPECT_EQ(i8042_data_ops.read(&controller, 1, 1), 0xff);
    EXPECT_EQ(i8042_command_ops.read(&controller, 0, 2) >> 8, 0xff);
}

TEST(i8042_reset_opens_a20_again)
{
    start();
    EXPECT_EQ(a20, -1);
    command(0xdd);
    EXPECT_EQ(a20, 0);
    i8042_data_ops.reset(&controller);
    EXPECT_EQ(a20, 1);
    command(0xd0);
    EXPECT_EQ(data() & 3, 3);
}
