#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/chip_clock.h"
#include "vmm/chips/i8254.h"

static struct i8254 pit;
static struct fake_line irq0;
static struct fake_timer timer;

static void expired(void *chip)
{
    i8254_timer_expired(chip);
}

static void out(unsigned offset, uint8_t value)
{
    i8254_ops.write(&pit, offset, 1, value);
}

static unsigned in(unsigned offset)
{
    return (unsigned)i8254_ops.read(&pit, offset, 1);
}

static unsigned in16(unsigned offset)
{
    unsigned low = in(offset);
    return low | in(offset) << 8;
}

static void port61(uint8_t value)
{
    i8254_port61_ops.write(&pit, 0, 1, value);
}

static bool out2(void)
{
    return i8254_port61_ops.read(&pit, 0, 1) & 0x20;
}

static void start(void)
{
    struct device_timer connected = fake_timer_connect(&timer);

    memset(&irq0, 0, sizeof(irq0));
    timer = (struct fake_timer){.now_ns = 123456789};
    i8254_init(&pit, fake_line_connect(&irq0), &connected);
}

// To the moment when `clocks` more clocks have passed.
static unsigned run_clocks(uint64_t clocks)
{
    uint64_t target = chip_clock_ns(chip_clock_ticks(timer.now_ns, I8254_HZ) + clocks, I8254_HZ);

    return fake_timer_advance(&timer, target - timer.now_ns, expired, &pit, 100000);
}

static void program(unsigned channel, uint8_t control, uint16_t count)
{
    out(3, (uint8_t)(channel << 6 | control));
    out(channel, (uint8_t)count);
    out(channel, (uint8_t)(count >> 8));
}

TEST(i8254_rate_generator_interrupts_a_thousand_times_a_second)
{
    start();
    program(0, 0x34, 1193);
    fake_timer_advance(&timer, 1000000000, expired, &pit, 100000);
    EXPECT_GE(irq0.rising_count, 1000);
    EXPECT_LE(irq0.rising_count, 1002);
}

TEST(i8254_square_wave_counts_by_two)
{
    start();
    program(0, 0x36, 1000);
    run_clocks(100);
    EXPECT_EQ(in16(0), 800);
    run_clocks(500);
    EXPECT_EQ(in16(0), 800);
    irq0.rising_count = 0;
    run_clocks(10000);
    EXPECT_EQ(irq0.rising_count, 10);
}

TEST(i8254_terminal_count_interrupts_once)
{
    start();
    program(0, 0x30, 5000);
    EXPECT_FALSE(irq0.level);
    run_clocks(4999);
    EXPECT_FALSE(irq0.level);
    EXPECT_EQ(in16(0), 1);
    run_clocks(1);
    EXPECT_TRUE(irq0.level);
    run_clocks(10);
    EXPECT_EQ(in16(0), 0xfff6);
    run_clocks(1000000);
    EXPECT_EQ(irq0.rising_count, 1);
    program(0, 0x30, 10);
    EXPECT_FALSE(irq0.level);
    run_clocks(10);
    EXPECT_EQ(irq0.rising_count, 2);
}

TEST(i8254_strobe_interrupts_after_the_count)
{
    start();
    program(0, 0x38, 2000); // the output is high already
    irq0.rising_count = 0;
    run_clocks(2000);
    EXPECT_EQ(irq0.rising_count, 0);
    run_clocks(1);
    EXPECT_EQ(irq0.rising_count, 1);
    run_clocks(100000);
    EXPECT_EQ(irq0.rising_count, 1);
}

TEST(i8254_new_rate_begins_after_the_running_period)
{
    start();
    program(0, 0x34, 1000);
    run_clocks(300);
    out(0, 0xd0); // 2000
    out(0, 0x07);
    run_clocks(100);
    EXPECT_EQ(in16(0), 600);
    out(3, 0xe2); // read back the status of channel 0: null count, mode 2
    EXPECT_EQ(in(0), 0xf4);
    run_clocks(700);
    EXPECT_EQ(in16(0), 1900);
    out(3, 0xe2);
    EXPECT_EQ(in(0), 0xb4);
}

TEST(i8254_latches_count_until_read_whole)
{
    start();
    program(0, 0x34, 0x8000);
    run_clocks(0x100);
    out(3, 0x00);
    run_clocks(0x1000);
    out(3, 0x00); // ignored
    EXPECT_EQ(in16(0), 0x7f00);
    EXPECT_EQ(in16(0), 0x6f00);
    out(3, 0xc2); // status and count of channel 0
    run_clocks(0x10);
    EXPECT_EQ(in(0), 0xb4);
    EXPECT_EQ(in16(0), 0x6f00);
}

TEST(i8254_counts_in_bcd)
{
    start();
    program(0, 0x35, 0x1000);
    run_clocks(1);
    EXPECT_EQ(in16(0), 0x0999);
    program(0, 0x35, 0xffff); // not decimal: answered, not trusted
    (void)in16(0);
    program(0, 0x31, 0);
    run_clocks(1);
    EXPECT_EQ(in16(0), 0x9999);
}

TEST(i8254_accesses_single_bytes_as_programmed)
{
    start();
    out(3, 0x14); // low byte only
    out(0, 200);
    run_clocks(50);
    EXPECT_EQ(in(0), 150);
    EXPECT_EQ(in(0), 150);
    out(3, 0x24); // high byte only
    out(0, 2);
    run_clocks(1);
    EXPECT_EQ(in(0), 1);
}

TEST(i8254_gate_two_starts_and_stops_the_count)
{
    start();
    program(2, 0x30, 1000);
    run_clocks(5000);
    EXPECT_FALSE(out2());
    EXPECT_EQ(in16(2), 1000);
    port61(1);
    run_clocks(400);
    port61(0);
    run_clocks(5000);
    EXPECT_EQ(in16(2), 600);
    port61(1);
    run_clocks(599);
    EXPECT_FALSE(out2());
    run_clocks(1);
    EXPECT_TRUE(out2());
}

TEST(i8254_one_shot_is_triggered_by_the_gate)
{
    start();
    program(2, 0x32, 100);
    run_clocks(1000);
    EXPECT_TRUE(out2());
    port61(1);
    EXPECT_FALSE(out2());
    run_clocks(50);
    port61(0);
    port61(1); // again from the start
    run_clocks(99);
    EXPECT_FALSE(out2());
    run_clocks(1);
    EXPECT_TRUE(out2());
}

// How Linux calibrates: gate on, mode 0, poll OUT2.
TEST(i8254_serves_pit_calibration)
{
    uint64_t begin_ns;
    unsigned polls = 0;
    start();
    port61((uint8_t)((i8254_port61_ops.read(&pit, 0, 1) & ~2u) | 1));
    program(2, 0x30, I8254_HZ / 100);
    begin_ns = timer.now_ns;
    while (!out2() && polls++ < 20000)
        timer.now_ns += 1000;
    EXPECT_GE(timer.now_ns - begin_ns, 9990000);
    EXPECT_LE(timer.now_ns - begin_ns, 10010000);
}

TEST(i8254_port61_keeps_four_bits_and_toggles_refresh)
{
    unsigned toggles = 0, last = 0;
    start();
    port61(0xff);
    EXPECT_EQ(i8254_port61_ops.read(&pit, 0, 1) & 0xcf, 0x0f);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned bit = (unsigned)i8254_port61_ops.read(&pit, 0, 1) & 0x10;
        toggles += bit != last;
        last = bit;
        timer.now_ns += 1000;
    }
    EXPECT_GE(toggles, 65);
    EXPECT_LE(toggles, 68);
}

TEST(i8254_bounds_the_interrupt_rate)
{
    unsigned expiries;
    start();
    program(0, 0x34, 1);
    expiries = fake_timer_advance(&timer, 10000000, expired, &pit, 100000);
    EXPECT_GE(expiries, 50);
    EXPECT_LE(expiries, 101);
}

TEST(i8254_makes_one_of_the_edges_that_passed_while_late)
{
    start();
    program(0, 0x34, 1193);
    irq0.rising_count = 0;
    timer.now_ns += 50000000;
    timer.is_armed = false;
    i8254_timer_expired(&pit);
    EXPECT_EQ(irq0.rising_count, 1);
    EXPECT_TRUE(timer.is_armed);
    EXPECT_GT(timer.deadline_ns, timer.now_ns);
}

TEST(i8254_reset_stops_the_interrupt)
{
    start();
    program(0, 0x34, 1193);
    i8254_ops.reset(&pit);
    EXPECT_FALSE(timer.is_armed);
    EXPECT_FALSE(irq0.level);
    run_clocks(100000);
    EXPECT_EQ(irq0.rising_count, 1); // the one from programming mode 2, whose output starts high
}

TEST(i8254_answers_any_width_and_port)
{
    start();
    program(0, 0x34, 0x1234);
    EXPECT_EQ(i8254_ops.read(&pit, 3, 1), 0xff);
    EXPECT_EQ(i8254_ops.read(&pit, 4, 8), UINT64_MAX);
    EXPECT_EQ(i8254_port61_ops.read(&pit, 1, 2), 0xffff);
    i8254_ops.write(&pit, 3, 8, UINT64_MAX);
    i8254_ops.write(&pit, 9, 4, 0x12345678);
    EXPECT_EQ(pit.channels[0].count, 0x1234);
}
