// The PL031 as Linux's rtc-pl031 driver uses it, and at its edges.
#include "tests/test.h"
#include "tests/unit/chip_fakes.h"
#include "vmm/chips/pl031.h"

#define DR   0x00
#define MR   0x04
#define LR   0x08
#define CR   0x0c
#define IMSC 0x10
#define RIS  0x14
#define MIS  0x18
#define ICR  0x1c

#define SECOND 1000000000ULL
#define START  1767225600u // 2026-01-01

struct fixture {
    struct pl031 rtc;
    struct fake_line irq;
    struct fake_timer timer;
};

static void start(struct fixture *f, uint64_t utc_seconds)
{
    memset(f, 0, sizeof(*f));
    f->timer.now_ns = 12345;
    const struct device_timer timer = fake_timer_connect(&f->timer);
    pl031_init(&f->rtc, fake_line_connect(&f->irq), &timer, utc_seconds);
}

static void expired(void *chip)
{
    pl031_timer_expired(chip);
}

static unsigned advance(struct fixture *f, uint64_t ns)
{
    return fake_timer_advance(&f->timer, ns, expired, &f->rtc, 100);
}

static uint32_t in(struct fixture *f, unsigned offset)
{
    return (uint32_t)pl031_ops.read(&f->rtc, offset, 4);
}

static void out(struct fixture *f, unsigned offset, uint32_t value)
{
    pl031_ops.write(&f->rtc, offset, 4, value);
}

TEST(pl031_is_known_by_its_primecell_ids)
{
    struct fixture f;
    uint32_t periphid = 0, cid = 0;
    start(&f, START);
    for (unsigned i = 0; i < 4; i++) {
        periphid |= in(&f, 0xfe0 + 4 * i) << (8 * i);
        cid |= in(&f, 0xff0 + 4 * i) << (8 * i);
    }
    EXPECT_EQ(periphid, 0x00041031);
    EXPECT_EQ(cid, 0xb105f00d);
}

TEST(pl031_tells_the_hosts_time_as_it_passes)
{
    struct fixture f;
    start(&f, START);
    EXPECT_EQ(in(&f, DR), START);
    EXPECT_EQ(in(&f, CR), 1);
    (void)advance(&f, SECOND - 1);
    EXPECT_EQ(in(&f, DR), START);
    (void)advance(&f, 1);
    EXPECT_EQ(in(&f, DR), START + 1);
    (void)advance(&f, 86400 * SECOND);
    EXPECT_EQ(in(&f, DR), START + 86401);
    EXPECT_FALSE(f.timer.is_armed);
}

TEST(pl031_goes_on_from_the_time_that_is_set)
{
    struct fixture f;
    start(&f, START);
    (void)advance(&f, 10 * SECOND + 5);
    out(&f, LR, 1000);
    EXPECT_EQ(in(&f, LR), 1000);
    EXPECT_EQ(in(&f, DR), 1000);
    out(&f, CR, 0); // cannot be stopped
    (void)advance(&f, 3 * SECOND);
    EXPECT_EQ(in(&f, DR), 1003);
}

TEST(pl031_alarm_interrupts_in_its_second)
{
    struct fixture f;
    start(&f, START);
    out(&f, MR, START + 5);
    out(&f, IMSC, 1);
    EXPECT_TRUE(f.timer.is_armed);
    EXPECT_EQ(advance(&f, 5 * SECOND - 1), 0);
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(advance(&f, 1), 1);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, MIS), 1);
    EXPECT_FALSE(f.timer.is_armed);
    out(&f, ICR, 1);
    EXPECT_FALSE(f.irq.level);
    EXPECT_EQ(in(&f, RIS), 0); // and not again in this second
    EXPECT_EQ(advance(&f, 86400 * SECOND), 0);
}

TEST(pl031_notes_a_match_that_is_masked)
{
    struct fixture f;
    start(&f, START);
    out(&f, MR, START + 2);
    EXPECT_FALSE(f.timer.is_armed);
    (void)advance(&f, 60 * SECOND);
    EXPECT_EQ(in(&f, RIS), 1);
    EXPECT_EQ(in(&f, MIS), 0);
    EXPECT_FALSE(f.irq.level);
    out(&f, IMSC, 1);
    EXPECT_TRUE(f.irq.level);
    EXPECT_EQ(in(&f, IMSC), 1);
}

TEST(pl031_matches_what_is_set_to_now)
{
    struct fixture f;
    start(&f, START);
    out(&f, IMSC, 1);
    out(&f, MR, START);
    EXPECT_TRUE(f.irq.level);
    out(&f, ICR, 1);
    out(&f, MR, 77);
    out(&f, LR, 77);
    EXPECT_TRUE(f.irq.level);
}

TEST(pl031_counter_wraps_after_32_bits)
{
    struct fixture f;
    start(&f, UINT64_C(0x1fffffffe));
    EXPECT_EQ(in(&f, DR), 0xfffffffe);
    out(&f, MR, 1);
    out(&f, IMSC, 1);
    (void)advance(&f, 3 * SECOND);
    EXPECT_EQ(in(&f, DR), 1);
    EXPECT_TRUE(f.irq.level);
}

TEST(pl031_reset_keeps_the_time)
{
    struct fixture f;
    start(&f, START);
    out(&f, MR, START + 1);
    out(&f, IMSC, 1);
    (void)advance(&f, 7 * SECOND);
    EXPECT_TRUE(f.irq.level);
    pl031_ops.reset(&f.rtc);
    EXPECT_FALSE(f.irq.level);
    EXPECT_FALSE(f.timer.is_armed);
    EXPECT_EQ(in(&f, DR), START + 7);
    EXPECT_EQ(in(&f, MR), 0);
}

TEST(pl031_answers_strange_accesses_with_nothing)
{
    struct fixture f;
    start(&f, START);
    EXPECT_EQ(pl031_ops.read(&f.rtc, DR, 8), 0);
    EXPECT_EQ(pl031_ops.read(&f.rtc, 2, 2), 0);
    EXPECT_EQ(in(&f, 0x20), 0);
    pl031_ops.write(&f.rtc, LR, 8, 5);
    out(&f, DR, 5);
    out(&f, 0xfe0, 5);
    EXPECT_EQ(in(&f, DR), START);
}
