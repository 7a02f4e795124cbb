// The guest's local APIC.
#include "kernel/arch/x86_64/hypervisor/portable/local_apic.h"

#include "tests/test.h"

#define MSR(offset) (MSR_X2APIC_BASE + ((offset) >> 4))
#define CPUS        4

static struct local_apic apics[CPUS];
static struct apic_bus bus;
static mx_time_t now;
static mx_time_t timer_at[CPUS];
static unsigned notify_count;

static mx_time_t fake_now(struct local_apic *apic)
{
    (void)apic;
    return now;
}
static uint64_t fake_tsc(struct local_apic *apic)
{
    (void)apic;
    return (uint64_t)now * 2;
}
static mx_time_t fake_time_of_tsc(struct local_apic *apic, uint64_t tsc)
{
    (void)apic;
    return (mx_time_t)(tsc / 2);
}
static void fake_set_timer(struct local_apic *apic, mx_time_t deadline)
{
    timer_at[apic->id] = deadline;
}
static void fake_send(struct local_apic *apic, const struct apic_message *message,
                      const struct local_apic *except)
{
    (void)apic;
    apic_bus_send(&bus, message, except);
}
static void fake_notify(struct local_apic *apic)
{
    (void)apic;
    notify_count++;
}
static const struct local_apic_ops ops = {fake_now,       fake_tsc,  fake_time_of_tsc,
                                          fake_set_timer, fake_send, fake_notify};

static void start(bool x2apic)
{
    memset(&bus, 0, sizeof(bus));
    now = 1000;
    for (unsigned i = 0; i < CPUS; i++) {
        local_apic_init(&apics[i], i, &ops);
        bus.apics[i] = &apics[i];
        if (x2apic)
            EXPECT_TRUE(local_apic_write_base(&apics[i], apics[i].base | APIC_BASE_X2APIC, 40));
        apics[i].svr = LOCAL_APIC_SVR_ENABLE | 0xff;
    }
}

static enum local_apic_result write_msr(unsigned cpu, uint32_t offset, uint64_t value)
{
    uint8_t vector = 0;

    return local_apic_write_msr(&apics[cpu], MSR(offset), value, &vector);
}

static int pending(unsigned cpu)
{
    local_apic_take_posted(&apics[cpu]);
    return local_apic_pending_vector(&apics[cpu]);
}

TEST(apic_owner_is_told_once_of_what_it_has_not_taken_in)
{
    start(true);
    notify_count = 0;
    for (unsigned i = 0; i < 100; i++)
        local_apic_post_vector(&apics[1], (uint8_t)(0x40 + i), false);
    EXPECT_EQ(notify_count, 1);
    local_apic_post_nmi(&apics[1]);
    EXPECT_EQ(notify_count, 2);
    EXPECT_EQ(pending(1), 0x40 + 99);
    local_apic_post_vector(&apics[1], 0xf0, false);
    EXPECT_EQ(notify_count, 3);
    EXPECT_EQ(pending(1), 0xf0);
}

TEST(apic_delivers_a_self_ipi_and_nests_by_priority)
{
    start(true);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_SELF_IPI, 0x41), LOCAL_APIC_OK);
    EXPECT_EQ(pending(0), 0x41);
    local_apic_accept_vector(&apics[0], 0x41);
    EXPECT_EQ(pending(0), -1);
    write_msr(0, LOCAL_APIC_SELF_IPI, 0x4f); // same class: waits
    EXPECT_EQ(pending(0), -1);
    write_msr(0, LOCAL_APIC_SELF_IPI, 0x51);
    EXPECT_EQ(pending(0), 0x51);
    local_apic_accept_vector(&apics[0], 0x51);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_EOI, 0), LOCAL_APIC_OK);
    EXPECT_EQ(pending(0), -1);
    write_msr(0, LOCAL_APIC_EOI, 0);
    EXPECT_EQ(pending(0), 0x4f);
}

TEST(apic_x2apic_faults_on_reserved_bits_and_registers)
{
    start(true);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_EOI, 1), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_TPR, 0x100), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_SVR, 0x10000), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_ID, 0), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_LDR, 0), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_ICR_HIGH, 0), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_SELF_IPI, 0x100), LOCAL_APIC_FAULT);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_DFR, 0), LOCAL_APIC_FAULT);
}

TEST(apic_registers_are_not_msrs_outside_x2apic_mode)
{
    uint64_t value;

    start(false);
    EXPECT_EQ(write_msr(0, LOCAL_APIC_EOI, 0), LOCAL_APIC_FAULT);
    EXPECT_FALSE(local_apic_read_msr(&apics[0], MSR(LOCAL_APIC_ID), &value));
}

TEST(apic_base_follows_the_state_machine)
{
    struct local_apic *apic = &apics[1];

    start(true);
    EXPECT_FALSE(local_apic_write_base(apic, LOCAL_APIC_PAGE_DEFAULT | APIC_BASE_ENABLE, 40));
    EXPECT_TRUE(local_apic_write_base(apic, LOCAL_APIC_PAGE_DEFAULT, 40));
    EXPECT_FALSE(local_apic_write_base(
        apic, LOCAL_APIC_PAGE_DEFAULT | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 40));
    EXPECT_TRUE(local_apic_write_base(apic, LOCAL_APIC_PAGE_DEFAULT | APIC_BASE_ENABLE, 40));
    EXPECT_FALSE(local_apic_write_base(apic, LOCAL_APIC_PAGE_DEFAULT | APIC_BASE_X2APIC, 40));
    EXPECT_FALSE(local_apic_write_base(apic, ((uint64_t)1 << 40) | APIC_BASE_ENABLE, 40));
    EXPECT_FALSE(local_apic_write_base(apic, apic->base | 1, 40));
}

TEST(apic_sends_to_physical_destinations_and_shorthands)
{
    start(true);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)2 << 32 | 0x61);
    EXPECT_EQ(pending(2), 0x61);
    EXPECT_EQ(pending(1), -1);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)LOCAL_APIC_SHORTHAND_OTHERS << 18 | 0x62);
    EXPECT_EQ(pending(0), -1);
    EXPECT_EQ(pending(1), 0x62);
    EXPECT_EQ(pending(3), 0x62);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)LOCAL_APIC_SHORTHAND_ALL << 18 | 0x71);
    EXPECT_EQ(pending(0), 0x71);
    EXPECT_EQ(pending(3), 0x71);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)0xffffffff << 32 | 0x81);
    EXPECT_EQ(pending(1), 0x81);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)77 << 32 | 0x91); // nobody
    EXPECT_EQ(pending(1), 0x81);
}

TEST(apic_matches_logical_destinations_in_every_model)
{
    uint8_t eoi;

    start(true);
    write_msr(0, LOCAL_APIC_ICR_LOW,
              (uint64_t)0x6 << 32 | LOCAL_APIC_ICR_LOGICAL | 0x61); // ids 1 and 2
    EXPECT_EQ(pending(0), -1);
    EXPECT_EQ(pending(1), 0x61);
    EXPECT_EQ(pending(2), 0x61);
    EXPECT_EQ(pending(3), -1);

    start(false); // flat
    for (unsigned i = 0; i < CPUS; i++)
        local_apic_write_page(&apics[i], LOCAL_APIC_LDR, 1u << (24 + i), &eoi);
    local_apic_write_page(&apics[0], LOCAL_APIC_ICR_HIGH, 0x0a000000, &eoi);
    local_apic_write_page(&apics[0], LOCAL_APIC_ICR_LOW, LOCAL_APIC_ICR_LOGICAL | 0x62, &eoi);
    EXPECT_EQ(pending(1), 0x62);
    EXPECT_EQ(pending(2), -1);
    EXPECT_EQ(pending(3), 0x62);

    start(false); // cluster: two clusters of two
    for (unsigned i = 0; i < CPUS; i++) {
        local_apic_write_page(&apics[i], LOCAL_APIC_DFR, 0x0fffffff, &eoi);
        local_apic_write_page(&apics[i], LOCAL_APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2), &eoi);
    }
    local_apic_write_page(&apics[0], LOCAL_APIC_ICR_HIGH, 0x12000000, &eoi);
    local_apic_write_page(&apics[0], LOCAL_APIC_ICR_LOW, LOCAL_APIC_ICR_LOGICAL | 0x63, &eoi);
    EXPECT_EQ(pending(1), -1);
    EXPECT_EQ(pending(3), 0x63);
}

TEST(apic_lowest_priority_reaches_exactly_one)
{
    start(true);
    for (unsigned round = 0; round < 4; round++) {
        unsigned reached = 0;

        write_msr(0, LOCAL_APIC_ICR_LOW,
                  (uint64_t)0xe << 32 | LOCAL_APIC_ICR_LOGICAL | LOCAL_APIC_DELIVERY_LOWEST << 8 |
                      (0x60 + round));
        for (unsigned i = 0; i < CPUS; i++)
            reached += local_apic_take_posted(&apics[i]) == 0 &&
                       local_apic_pending_vector(&apics[i]) == (int)(0x60 + round);
        EXPECT_EQ(reached, 1u);
        EXPECT_NE(pending(0), (int)(0x60 + round));
    }
}

TEST(apic_passes_nmi_init_and_startup_to_the_cpu)
{
    start(true);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)1 << 32 | LOCAL_APIC_DELIVERY_NMI << 8);
    EXPECT_EQ(local_apic_take_posted(&apics[1]), APIC_POSTED_NMI);
    write_msr(0, LOCAL_APIC_ICR_LOW,
              (uint64_t)1 << 32 | LOCAL_APIC_ICR_ASSERT | LOCAL_APIC_DELIVERY_INIT << 8);
    write_msr(0, LOCAL_APIC_ICR_LOW,
              (uint64_t)1 << 32 | LOCAL_APIC_ICR_LEVEL | LOCAL_APIC_DELIVERY_INIT << 8);
    write_msr(0, LOCAL_APIC_ICR_LOW, (uint64_t)1 << 32 | LOCAL_APIC_DELIVERY_STARTUP << 8 | 0x9a);
    EXPECT_EQ(local_apic_take_posted(&apics[1]), APIC_POSTED_INIT | APIC_POSTED_STARTUP);
    EXPECT_EQ(apics[1].posted_startup_vector, 0x9au);
}

TEST(apic_reports_eoi_of_level_vectors_unless_suppressed)
{
    struct apic_message message;
    uint8_t vector = 0;

    start(true);
    ASSERT_TRUE(apic_message_from_msi(0xfee01000, 0x8000 | 0x55, &message));
    apic_bus_send(&bus, &message, NULL);
    EXPECT_EQ(pending(1), 0x55);
    local_apic_accept_vector(&apics[1], 0x55);
    EXPECT_EQ(local_apic_write_msr(&apics[1], MSR(LOCAL_APIC_EOI), 0, &vector),
              LOCAL_APIC_EOI_BROADCAST);
    EXPECT_EQ(vector, 0x55);
    apic_bus_send(&bus, &message, NULL);
    EXPECT_EQ(pending(1), 0x55);
    local_apic_accept_vector(&apics[1], 0x55);
    apics[1].svr |= LOCAL_APIC_SVR_SUPPRESS_EOI;
    EXPECT_EQ(local_apic_write_msr(&apics[1], MSR(LOCAL_APIC_EOI), 0, &vector), LOCAL_APIC_OK);
}

TEST(apic_takes_messages_apart)
{
    struct apic_message message;

    EXPECT_FALSE(apic_message_from_msi(0xfed00000, 0x30, &message));
    EXPECT_FALSE(apic_message_from_msi(0x1fee00000, 0x30, &message));
    EXPECT_FALSE(apic_message_from_msi(0xfee00000, (uint64_t)1 << 32, &message));
    EXPECT_FALSE(apic_message_from_msi(0xfee00000, 0x330, &message));
    ASSERT_TRUE(apic_message_from_msi(0xfee03024, 0x130, &message));
    EXPECT_EQ(message.destination, 0x103u);
    EXPECT_TRUE(message.is_logical);
    EXPECT_EQ(message.delivery, LOCAL_APIC_DELIVERY_LOWEST);
}

TEST(apic_deadline_timer_fires_at_once_when_due_and_later_when_not)
{
    uint8_t eoi;

    start(true);
    local_apic_write_msr(&apics[0], MSR(LOCAL_APIC_LVT_TIMER), LOCAL_APIC_LVT_TIMER_DEADLINE | 0x31,
                         &eoi);
    local_apic_write_tsc_deadline(&apics[0], 1);
    EXPECT_EQ(pending(0), 0x31);
    EXPECT_EQ(local_apic_read_tsc_deadline(&apics[0]), 0u);
    local_apic_accept_vector(&apics[0], 0x31);
    write_msr(0, LOCAL_APIC_EOI, 0);
    local_apic_write_tsc_deadline(&apics[0], 4000);
    EXPECT_EQ(timer_at[0], 2000);
    now = 1999; // a call-back that comes early is set again
    local_apic_post_timer(&apics[0]);
    EXPECT_EQ(pending(0), -1);
    now = 2000;
    local_apic_post_timer(&apics[0]);
    EXPECT_EQ(pending(0), 0x31);
}

TEST(apic_count_timer_is_one_shot_or_periodic)
{
    uint64_t left;

    start(true);
    write_msr(1, LOCAL_APIC_TIMER_DIVIDE, 0xb); // by 1
    write_msr(1, LOCAL_APIC_LVT_TIMER, 0x32);
    write_msr(1, LOCAL_APIC_TIMER_INITIAL, 100000);
    EXPECT_EQ(timer_at[1], 101000);
    now = 51000;
    EXPECT_TRUE(local_apic_read_msr(&apics[1], MSR(LOCAL_APIC_TIMER_CURRENT), &left));
    EXPECT_EQ(left, 50000u);
    now = 101000;
    local_apic_post_timer(&apics[1]);
    EXPECT_EQ(pending(1), 0x32);
    EXPECT_TRUE(local_apic_read_msr(&apics[1], MSR(LOCAL_APIC_TIMER_CURRENT), &left));
    EXPECT_EQ(left, 0u);
    local_apic_accept_vector(&apics[1], 0x32);
    write_msr(1, LOCAL_APIC_EOI, 0);
    write_msr(1, LOCAL_APIC_LVT_TIMER, LOCAL_APIC_LVT_TIMER_PERIODIC | 0x32);
    write_msr(1, LOCAL_APIC_TIMER_INITIAL, 100000);
    now += 350000; // three and a half periods at once count as one
    local_apic_post_timer(&apics[1]);
    EXPECT_EQ(pending(1), 0x32);
    EXPECT_EQ(timer_at[1], 101000 + 400000);
}

TEST(apic_disabled_by_software_takes_no_interrupt_but_passes_the_external_one)
{
    start(true);
    write_msr(0, LOCAL_APIC_LVT_LINT0, 0x700);
    write_msr(0, LOCAL_APIC_SVR, 0xff);
    write_msr(1, LOCAL_APIC_ICR_LOW, 0x61);
    EXPECT_EQ(pending(0), -1);
    local_apic_post_extint(&apics[0], true);
    EXPECT_TRUE(local_apic_has_extint(&apics[0]));
    write_msr(0, LOCAL_APIC_SVR, LOCAL_APIC_SVR_ENABLE | 0xff); // LVTs were masked meanwhile
    EXPECT_FALSE(local_apic_has_extint(&apics[0]));
    write_msr(0, LOCAL_APIC_LVT_LINT0, 0x700);
    EXPECT_TRUE(local_apic_has_extint(&apics[0]));
    local_apic_post_extint(&apics[0], false);
    EXPECT_FALSE(local_apic_has_extint(&apics[0]));
}

TEST(apic_reports_illegal_vectors_in_the_error_register)
{
    uint64_t value;

    start(true);
    write_msr(0, LOCAL_APIC_LVT_ERROR, 0xf1);
    write_msr(0, LOCAL_APIC_SELF_IPI, 3);
    EXPECT_EQ(pending(0), 0xf1);
    write_msr(0, LOCAL_APIC_ESR, 0);
    EXPECT_TRUE(local_apic_read_msr(&apics[0], MSR(LOCAL_APIC_ESR), &value));
    EXPECT_EQ(value, LOCAL_APIC_ESR_SEND_ILLEGAL);
}

// --- ends of interrupts without an exit -----------------------------------------------------------

TEST(apic_lone_interrupt_is_one_in_service_or_one_offered)
{
    struct local_apic *apic = &apics[0];

    start(true);
    EXPECT_FALSE(local_apic_has_lone_interrupt(apic, -1));
    local_apic_raise(apic, 0x41);
    EXPECT_TRUE(local_apic_has_lone_interrupt(apic, 0x41));
    EXPECT_FALSE(local_apic_has_lone_interrupt(apic, -1)); // requested, but masked for now
    local_apic_accept_vector(apic, 0x41);
    EXPECT_TRUE(local_apic_has_lone_interrupt(apic, -1));
    local_apic_raise(apic, 0x81); // the same bit of another word
    EXPECT_FALSE(local_apic_has_lone_interrupt(apic, -1));
    EXPECT_FALSE(local_apic_has_lone_interrupt(apic, 0x81));
    local_apic_accept_vector(apic, 0x81);
    EXPECT_FALSE(local_apic_has_lone_interrupt(apic, -1));
}

TEST(apic_ends_the_lone_interrupt_and_no_other)
{
    struct local_apic *apic = &apics[0];

    start(true);
    local_apic_end_lone_interrupt(apic);
    local_apic_raise(apic, 0x41);
    local_apic_end_lone_interrupt(apic); // not taken yet
    EXPECT_EQ(local_apic_pending_vector(apic), 0x41);
    local_apic_accept_vector(apic, 0x41);
    local_apic_raise(apic, 0x42);
    EXPECT_EQ(local_apic_pending_vector(apic), -1); // of the same class
    local_apic_end_lone_interrupt(apic);
    EXPECT_EQ(local_apic_pending_vector(apic), 0x42);
}

TEST(apic_level_interrupt_is_never_alone)
{
    start(true);
    local_apic_post_vector(&apics[0], 0x51, true);
    (void)local_apic_take_posted(&apics[0]);
    EXPECT_FALSE(local_apic_has_lone_interrupt(&apics[0], 0x51));
    local_apic_accept_vector(&apics[0], 0x51);
    EXPECT_FALSE(local_apic_has_lone_interrupt(&apics[0], -1));
}
