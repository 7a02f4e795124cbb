#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/mc146818.h"

#define SECOND                  1000000000ULL
#define UTC_2024_02_28_23_59_58 1709164798

static struct mc146818 rtc;
static struct fake_line irq8;
static struct fake_timer timer;

static void expired(void *chip)
{
    mc146818_timer_expired(chip);
}

static unsigned in(uint8_t index)
{
    mc146818_ops.write(&rtc, 0, 1, index);
    return (unsigned)mc146818_ops.read(&rtc, 1, 1);
}

static void out(uint8_t index, uint8_t value)
{
    mc146818_ops.write(&rtc, 0, 1, index | 0x80); // the NMI bit is no part of the index
    mc146818_ops.write(&rtc, 1, 1, value);
}

static void start_at(uint64_t utc_seconds)
{
    struct device_timer connected = fake_timer_connect(&timer);

    memset(&irq8, 0, sizeof(irq8));
    timer = (struct fake_timer){.now_ns = 5000};
    mc146818_init(&rtc, fake_line_connect(&irq8), &connected, utc_seconds, 512ULL << 20,
                  1ULL << 30);
}

static unsigned run(uint64_t ns)
{
    return fake_timer_advance(&timer, ns, expired, &rtc, 1000000);
}

static uint64_t date(void)
{
    return (uint64_t)in(0x32) << 24 | (uint64_t)in(9) << 16 | in(8) << 8 | in(7);
}

static unsigned clock_time(void)
{
    return in(4) << 16 | in(2) << 8 | in(0);
}

TEST(mc146818_shows_utc_in_bcd)
{
    start_at(UTC_2024_02_28_23_59_58);
    EXPECT_EQ(date(), 0x20240228);
    EXPECT_EQ(clock_time(), 0x235958);
    EXPECT_EQ(in(6), 4); // Wednesday
    EXPECT_EQ(in(11), 0x02);
    EXPECT_EQ(in(13), 0x80);
}

TEST(mc146818_knows_leap_years)
{
    start_at(UTC_2024_02_28_23_59_58);
    timer.now_ns += 2 * SECOND;
    EXPECT_EQ(date(), 0x20240229);
    EXPECT_EQ(clock_time(), 0);
    EXPECT_EQ(in(6), 5);
    timer.now_ns += 86400 * SECOND;
    EXPECT_EQ(date(), 0x20240301);
    start_at(951782400); // 2000-02-29
    EXPECT_EQ(date(), 0x20000229);
    start_at(4107542399); // 2100-02-28 23:59:59, no leap year
    timer.now_ns += SECOND;
    EXPECT_EQ(date(), 0x21000301);
    start_at(0);
    EXPECT_EQ(date(), 0x19700101);
}

TEST(mc146818_counts_every_month_right)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    start_at(1672531200); // 2023-01-01
    out(11, 0x06);        // binary
    for (unsigned month = 1; month <= 12; month++) {
        EXPECT_EQ(rtc.time.month, month);
        timer.now_ns += (days[month - 1] - 1u) * 86400 * SECOND;
        EXPECT_EQ(date(), 0x14170000u | month << 8 | days[month - 1]);
        timer.now_ns += 86400 * SECOND;
        EXPECT_EQ(in(7), 1);
    }
    EXPECT_EQ(date(), 0x14180101);
}

TEST(mc146818_converts_formats)
{
    start_at(UTC_2024_02_28_23_59_58);
    out(11, 0x00); // 12 hours, BCD
    EXPECT_EQ(in(4), 0x91);
    out(11, 0x04); // 12 hours, binary
    EXPECT_EQ(in(4), 0x8b);
    EXPECT_EQ(in(2), 59);
    out(4, 0x8c); // 12 p.m. is noon
    out(11, 0x06);
    EXPECT_EQ(in(4), 12);
    out(11, 0x00);
    out(4, 0x12); // 12 a.m. is midnight
    EXPECT_EQ(in(4), 0x12);
    out(11, 0x02);
    EXPECT_EQ(in(4), 0x00);
}

// As Linux sets the clock: updates stopped, divider held, the time written, the divider released.
TEST(mc146818_takes_a_time_from_the_guest)
{
    start_at(UTC_2024_02_28_23_59_58);
    out(11, 0x82);
    out(10, 0x76);
    timer.now_ns += 10 * SECOND;
    EXPECT_EQ(clock_time(), 0x235958);
    out(9, 0x31);
    out(8, 0x12);
    out(7, 0x31);
    out(4, 0x23);
    out(2, 0x59);
    out(0, 0x59);
    out(0x32, 0x20);
    out(11, 0x02);
    out(10, 0x26);
    timer.now_ns += SECOND / 2 - 1;
    EXPECT_EQ(date(), 0x20311231);
    EXPECT_EQ(clock_time(), 0x235959);
    timer.now_ns += 1;
    EXPECT_EQ(date(), 0x20320101);
    EXPECT_EQ(clock_time(), 0);
}

TEST(mc146818_carries_an_impossible_date_over_at_midnight)
{
    start_at(1706659200 + 86399); // 2024-01-31 23:59:59
    out(8, 0x02);
    EXPECT_EQ(date(), 0x20240231);
    timer.now_ns += SECOND;
    EXPECT_EQ(date(), 0x20240303);
    out(8, 0xff);
    out(0, 0xff);
    EXPECT_EQ(in(8), 0x12);
    EXPECT_EQ(in(0), 0x59);
}

TEST(mc146818_announces_an_update)
{
    start_at(0);
    EXPECT_EQ(in(10), 0x26);
    timer.now_ns += SECOND - 244000 - 1;
    EXPECT_EQ(in(10), 0x26);
    timer.now_ns += 1;
    EXPECT_EQ(in(10), 0xa6);
    timer.now_ns += 244000;
    EXPECT_EQ(in(10), 0x26);
    timer.now_ns += SECOND - 1;
    out(11, 0x82); // no update while SET
    EXPECT_EQ(in(10), 0x26);
}

TEST(mc146818_interrupts_at_each_update)
{
    start_at(0);
    out(11, 0x12);
    run(SECOND - 1);
    EXPECT_FALSE(irq8.level);
    run(1);
    EXPECT_TRUE(irq8.level);
    run(5 * SECOND);
    EXPECT_EQ(irq8.rising_count, 1);
    EXPECT_EQ(in(12) & 0x90, 0x90);
    EXPECT_FALSE(irq8.level);
    EXPECT_EQ(in(12), 0);
    run(SECOND);
    EXPECT_EQ(irq8.rising_count, 2);
    (void)in(12);
    out(11, 0x92); // SET clears UIE
    EXPECT_EQ(in(11), 0x82);
}

TEST(mc146818_interrupts_periodically)
{
    unsigned count = 0;
    start_at(0);
    out(10, 0x26);
    out(11, 0x42);
    for (unsigned i = 0; i < 4096; i++) {
        run(SECOND / 4096);
        if (irq8.level)
            count += (in(12) & 0xc0) == 0xc0;
    }
    EXPECT_GE(count, 1023);
    EXPECT_LE(count, 1024);
    out(10, 0x20); // rate 0
    EXPECT_FALSE(timer.is_armed);
}

TEST(mc146818_alarm_comes_at_its_time)
{
    unsigned expiries;
    start_at(UTC_2024_02_28_23_59_58);
    out(5, 0x07);
    out(3, 0x30);
    out(1, 0x15);
    out(11, 0x22);
    expiries = run((2 + 7 * 3600 + 30 * 60 + 15) * SECOND - 1);
    EXPECT_EQ(expiries, 0);
    EXPECT_FALSE(irq8.level);
    run(1);
    EXPECT_TRUE(irq8.level);
    EXPECT_EQ(clock_time(), 0x073015);
    EXPECT_EQ(in(12) & 0xb0, 0xb0);
    run(86400 * SECOND - 1);
    EXPECT_FALSE(irq8.level);
    run(1);
    EXPECT_TRUE(irq8.level);
}

TEST(mc146818_alarm_bytes_can_match_anything)
{
    start_at(UTC_2024_02_28_23_59_58);
    out(5, 0xff);
    out(3, 0xc0);
    out(1, 0x05);
    out(11, 0x22);
    run(7 * SECOND);
    EXPECT_TRUE(irq8.level);
    (void)in(12);
    run(60 * SECOND);
    EXPECT_TRUE(irq8.level);
    (void)in(12);
    out(1, 0x7f); // never
    EXPECT_FALSE(timer.is_armed);
    run(86400 * SECOND);
    EXPECT_EQ(in(12) & 0x20, 0);
}

TEST(mc146818_flags_are_set_without_their_enables)
{
    start_at(0);
    (void)in(12);
    timer.now_ns += SECOND;
    EXPECT_EQ(in(12), 0x50);
    EXPECT_FALSE(irq8.level);
}

TEST(mc146818_memory_tells_ram_sizes_and_survives_reset)
{
    uint16_t sum = 0;
    start_at(0);
    EXPECT_EQ(in(0x15) | in(0x16) << 8, 640);
    EXPECT_EQ(in(0x30) | in(0x31) << 8, 0xffff);
    EXPECT_EQ(in(0x34) | in(0x35) << 8, (512 - 16) * 16);
    EXPECT_EQ(in(0x5b) | in(0x5c) << 8 | in(0x5d) << 16, 1024 * 16);
    for (uint8_t i = 0x10; i < 0x2e; i++)
        sum += (uint16_t)in(i);
    EXPECT_EQ(in(0x2e) << 8 | in(0x2f), sum);
    out(0x0f, 0x0a);
    out(11, 0x72);
    mc146818_ops.reset(&rtc);
    EXPECT_EQ(in(0x0f), 0x0a);
    EXPECT_EQ(in(11), 0x02);
    EXPECT_EQ(mc146818_ops.read(&rtc, 0, 1), 0xff);
    EXPECT_EQ(in(13), 0x80);
}

// What the Linux rtc_cmos driver does when it finds the clock, sets an alarm and reads the time.
TEST(mc146818_passes_linux_probe_and_alarm)
{
    unsigned control;
    start_at(UTC_2024_02_28_23_59_58);
    EXPECT_EQ(in(13) & 0x7f, 0);
    out(10, 0x26);
    control = in(11) & ~0x70u;
    out(11, (uint8_t)control);
    EXPECT_EQ(in(12) & 0x80, 0);
    EXPECT_EQ(control & 0x06, 0x02); // 24 hours, BCD
    out(11, (uint8_t)(control & ~0x20u));
    (void)in(12);
    out(5, 0x00);
    out(3, 0x00);
    out(1, 0x03);
    EXPECT_EQ(in(5) << 16 | in(3) << 8 | in(1), 0x000003);
    out(11, (uint8_t)(control | 0x20));
    EXPECT_EQ(in(12) & 0x80, 0);
    run(5 * SECOND - 1);
    EXPECT_FALSE(irq8.level);
    run(1);
    EXPECT_TRUE(irq8.level);
    EXPECT_EQ(in(12) & 0xa0, 0xa0);
    EXPECT_EQ(in(10) & 0x80, 0);
    EXPECT_EQ(date(), 0x20240229);
}

// Every minute and hour alarm, found by the search, against a clock that is stepped second by
// second.
TEST(mc146818_alarm_search_agrees_with_stepping)
{
    static const uint8_t alarms[][3] = {{0x05, 0x59, 0x59},
                                        {0xff, 0x00, 0x00},
                                        {0x04, 0xff, 0x30},
                                        {0x03, 0x07, 0xff},
                                        {0xff, 0xff, 0xff}};
    for (unsigned i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
        uint64_t steps = 0;
        bool is_early;
        start_at(3 * 3600 + 7 * 60 + 58);
        out(5, alarms[i][0]);
        out(3, alarms[i][1]);
        out(1, alarms[i][2]);
        while (steps++ < 86400) {
            uint32_t t = (uint32_t)(3 * 3600 + 7 * 60 + 58 + steps) % 86400;
            uint32_t h = t / 3600, m = t / 60 % 60, s = t % 60;
            if ((alarms[i][0] == 0xff || alarms[i][0] == (h / 10 << 4 | h % 10)) &&
                (alarms[i][1] == 0xff || alarms[i][1] == (m / 10 << 4 | m % 10)) &&
                (alarms[i][2] == 0xff || alarms[i][2] == (s / 10 << 4 | s % 10)))
                break;
        }
        out(11, 0x22);
        run(steps * SECOND - 1);
        is_early = irq8.level;
        EXPECT_FALSE(is_early);
        run(1);
        EXPECT_TRUE(irq8.level);
    }
}
