#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/acpi_pm.h"

static struct acpi_pm pm;
static struct fake_line sci;
static struct fake_timer timer;
static unsigned off_count, reset_count;

static void note_off(void *context)
{
    (void)context;
    off_count++;
}

static void note_reset(void *context)
{
    (void)context;
    reset_count++;
}

static void expired(void *chip)
{
    acpi_pm_timer_expired(chip);
}

static void start(unsigned timer_bits)
{
    struct acpi_pm_host host = {.power_off = note_off, .reset = note_reset};
    struct device_timer connected = fake_timer_connect(&timer);

    memset(&sci, 0, sizeof(sci));
    off_count = reset_count = 0;
    timer = (struct fake_timer){.now_ns = 777};
    acpi_pm_init(&pm, &host, fake_line_connect(&sci), &connected, timer_bits);
}

static uint64_t in(unsigned offset, unsigned width_bytes)
{
    return acpi_pm_ops.read(&pm, offset, width_bytes);
}

static void out(unsigned offset, unsigned width_bytes, uint64_t value)
{
    acpi_pm_ops.write(&pm, offset, width_bytes, value);
}

TEST(acpi_pm_is_in_acpi_mode)
{
    start(32);
    EXPECT_EQ(in(4, 2), 1);
    out(4, 2, 0);
    EXPECT_EQ(in(4, 2), 1);
    EXPECT_EQ(in(0, 4), 0);
}

TEST(acpi_pm_timer_counts_at_its_rate_and_width)
{
    start(24);
    timer.now_ns += 1000000000;
    EXPECT_EQ(in(8, 4), 3579545);
    EXPECT_EQ(in(9, 1), 3579545 >> 8 & 0xff);
    timer.now_ns += 4000000000;
    EXPECT_EQ(in(8, 4), (5 * 3579545) & 0xffffff);
    start(32);
    timer.now_ns += 5000000000;
    EXPECT_EQ(in(8, 4), 5 * 3579545);
    out(8, 4, 0);
    EXPECT_EQ(in(8, 4), 5 * 3579545);
}

TEST(acpi_pm_timer_overflow_raises_sci)
{
    start(24);
    out(2, 2, 0x0001);
    EXPECT_TRUE(timer.is_armed);
    fake_timer_advance(&timer, 2343484000, expired, &pm, 10);
    EXPECT_FALSE(sci.level);
    fake_timer_advance(&timer, 10000, expired, &pm, 10);
    EXPECT_TRUE(sci.level);
    EXPECT_EQ(in(0, 2), 1);
    EXPECT_FALSE(timer.is_armed);
    out(0, 2, 1);
    EXPECT_FALSE(sci.level);
    EXPECT_TRUE(timer.is_armed);
    EXPECT_GT(timer.deadline_ns, timer.now_ns);
}

TEST(acpi_pm_power_button_holds_sci_until_cleared)
{
    start(32);
    acpi_pm_press_power_button(&pm);
    EXPECT_FALSE(sci.level);
    out(2, 2, 0x0100);
    EXPECT_TRUE(sci.level);
    EXPECT_EQ(in(0, 2), 0x0100);
    out(0, 2, 0xfeff); // other bits
    EXPECT_TRUE(sci.level);
    out(0, 2, 0x0100);
    EXPECT_FALSE(sci.level);
    EXPECT_EQ(in(0, 2), 0);
    EXPECT_EQ(in(2, 2), 0x0100);
}

TEST(acpi_pm_powers_off_in_s5_only)
{
    start(32);
    out(4, 2, 5 << 10);
    EXPECT_EQ(off_count, 0);
    out(4, 2, 1 << 13 | 3 << 10);
    EXPECT_EQ(off_count, 0);
    out(4, 2, 1 << 13 | 5 << 10);
    EXPECT_EQ(off_count, 1);
    EXPECT_EQ(in(4, 2), 5 << 10 | 1);
}

TEST(acpi_pm_reset_register_resets)
{
    start(32);
    acpi_pm_reset_ops.write(&pm, 0, 1, 0x02);
    EXPECT_EQ(reset_count, 0);
    acpi_pm_reset_ops.write(&pm, 0, 1, ACPI_PM_RESET_VALUE);
    EXPECT_EQ(reset_count, 1);
    acpi_pm_reset_ops.write(&pm, 0, 1, ACPI_PM_RESET_VALUE);
    EXPECT_EQ(reset_count, 1);
    EXPECT_EQ(acpi_pm_reset_ops.read(&pm, 0, 1), 6);
}

TEST(acpi_pm_answers_any_width)
{
    start(32);
    EXPECT_EQ(in(6, 2), 0xffff);
    EXPECT_EQ(in(0, 8), 0xffff000100000000);
    timer.now_ns += 1000000000;
    EXPECT_EQ(in(11, 8), 0);
    out(3, 1, 0x01);
    EXPECT_EQ(in(2, 2), 0x0100);
}
