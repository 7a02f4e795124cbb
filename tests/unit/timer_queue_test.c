// The device models' timers on one timer of the system.
#include "tests/test.h"
#include "vmm/monitor/portable/timer_queue.h"

struct fake_clock {
    uint64_t now_ns, set_ns;
    unsigned set_count;
};

static uint64_t clock_now(void *context)
{
    const struct fake_clock *fake = context;

    return fake->now_ns;
}

static void clock_changed(void *context, uint64_t deadline_ns)
{
    struct fake_clock *fake = context;

    fake->set_ns = deadline_ns;
    fake->set_count++;
}

static const struct timer_queue_ops fake_ops = {.now_ns = clock_now, .changed = clock_changed};

struct fake_device {
    struct device_timer timer;
    unsigned expired_count;
    uint64_t next_ns; // armed again at expiry; 0: not
};

static void device_expired(void *context)
{
    struct fake_device *device = context;

    device->expired_count++;
    if (device->next_ns)
        device->timer.arm(device->timer.context, device->next_ns);
}

static void add(struct timer_queue *queue, struct fake_device *device)
{
    EXPECT_EQ(timer_queue_add(queue, device_expired, device, &device->timer), MX_OK);
}

static void arm(struct fake_device *device, uint64_t deadline_ns)
{
    device->timer.arm(device->timer.context, deadline_ns);
}

TEST(timer_queue_reports_only_earlier_deadlines)
{
    struct fake_clock fake = {0};
    struct timer_queue queue;
    struct fake_device first = {0}, second = {0};

    timer_queue_init(&queue, &fake_ops, &fake);
    add(&queue, &first);
    add(&queue, &second);
    arm(&first, 100);
    EXPECT_EQ(fake.set_ns, 100);
    arm(&second, 200);
    EXPECT_EQ(fake.set_count, 1);
    arm(&second, 50);
    EXPECT_EQ(fake.set_ns, 50);
}

TEST(timer_queue_expires_each_device_whose_time_has_come)
{
    struct fake_clock fake = {0};
    struct timer_queue queue;
    struct fake_device first = {0}, second = {0}, third = {0};

    timer_queue_init(&queue, &fake_ops, &fake);
    add(&queue, &first);
    add(&queue, &second);
    add(&queue, &third);
    arm(&first, 100);
    arm(&second, 150);
    arm(&third, 300);
    fake.now_ns = 150;
    timer_queue_expire(&queue);
    EXPECT_EQ(first.expired_count, 1);
    EXPECT_EQ(second.expired_count, 1);
    EXPECT_EQ(third.expired_count, 0);
    EXPECT_EQ(fake.set_ns, 300);
    fake.now_ns = 300;
    timer_queue_expire(&queue);
    EXPECT_EQ(first.expired_count, 1);
    EXPECT_EQ(third.expired_count, 1);
    EXPECT_EQ(fake.set_ns, TIMER_QUEUE_NEVER);
}

TEST(timer_queue_rearmed_in_its_expiry_runs_again_later)
{
    struct fake_clock fake = {.now_ns = 10};
    struct timer_queue queue;
    struct fake_device device = {.next_ns = 5}; // in the past: once per expiry all the same

    timer_queue_init(&queue, &fake_ops, &fake);
    add(&queue, &device);
    arm(&device, 10);
    timer_queue_expire(&queue);
    EXPECT_EQ(device.expired_count, 1);
    EXPECT_EQ(fake.set_ns, 5);
    device.next_ns = 0;
    timer_queue_expire(&queue);
    EXPECT_EQ(device.expired_count, 2);
    EXPECT_EQ(fake.set_ns, TIMER_QUEUE_NEVER);
}

TEST(timer_queue_does_not_expire_a_disarmed_timer)
{
    struct fake_clock fake = {0};
    struct timer_queue queue;
    struct fake_device device = {0};

    timer_queue_init(&queue, &fake_ops, &fake);
    add(&queue, &device);
    arm(&device, 10);
    device.timer.disarm(device.timer.context);
    fake.now_ns = 20;
    EXPECT_EQ(device.timer.now_ns(device.timer.context), 20);
    timer_queue_expire(&queue);
    EXPECT_EQ(device.expired_count, 0);
    EXPECT_EQ(fake.set_ns, TIMER_QUEUE_NEVER);
}

TEST(timer_queue_refuses_more_timers_than_it_has)
{
    struct fake_clock fake = {0};
    struct timer_queue queue;
    struct fake_device devices[TIMER_QUEUE_MAX + 1] = {0};

    timer_queue_init(&queue, &fake_ops, &fake);
    for (unsigned i = 0; i < TIMER_QUEUE_MAX; i++)
        add(&queue, &devices[i]);
    EXPECT_EQ(timer_queue_add(&queue, device_expired, &devices[TIMER_QUEUE_MAX],
                              &devices[TIMER_QUEUE_MAX].timer),
              MX_ERR_NO_RESOURCES);
}
