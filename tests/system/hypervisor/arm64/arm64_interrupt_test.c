// Interrupts and timers of arm64 guests: list registers, idle vCPUs, migration.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "tests/test.h"

#define SPI 40

static struct guest_fixture guest;

static mx_status_t raise_line(uint32_t intid)
{
    return mx_guest_send_msi(guest.guest, 0, intid);
}

static uint32_t gic_field(uint32_t vcpu_id, uint32_t field, uint32_t first)
{
    uint32_t value = 0;

    EXPECT_OK(mx_guest_gic_read(guest.guest, vcpu_id, field, first, &value));
    return value;
}

static bool start(const struct guest_code *code, uint64_t interrupt_count)
{
    if (!guest_start(&guest, code))
        return false;
    guest_data(&guest)[0] = interrupt_count;
    return true;
}

static void finish(uint64_t interrupt_count)
{
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    EXPECT_EQ(guest_result(&guest, RESULT_IRQ_COUNT), interrupt_count);
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
}

TEST(interrupt_raised_before_the_guest_runs_is_taken_once)
{
    ASSERT_TRUE(start(&code_take_interrupts, 1));
    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    EXPECT_OK(raise_line(SPI));
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 1u << 8);
    finish(1);
    EXPECT_EQ(guest_irq(&guest, 0), (uint32_t)SPI);
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 0u);
    EXPECT_EQ(gic_field(0, MX_GIC_ACTIVE, 32), 0u);
    guest_destroy(&guest);
}

// More than any CPU has list registers.
TEST(more_pending_than_list_registers_come_by_priority)
{
    ASSERT_TRUE(start(&code_take_interrupts, 24));
    for (uint32_t i = 0; i < 24; i++) {
        guest_enable_irq(&guest, 0, SPI + i, (uint8_t)(0xc0 - i * 8), true);
        EXPECT_OK(raise_line(SPI + i));
    }
    finish(24);
    for (uint32_t i = 0; i < 24; i++)
        EXPECT_EQ(guest_irq(&guest, i), SPI + 23 - i);
    guest_destroy(&guest);
}

static void raise_soon(void *argument)
{
    uint64_t count = (uint64_t)argument;

    for (uint64_t i = 0; i < count; i++) {
        mx_nanosleep(deadline_after(MX_MSEC(2)));
        for (int wait = 0; wait < 2000 && guest_result(&guest, RESULT_IRQ_COUNT) < i; wait++)
            mx_nanosleep(deadline_after(MX_MSEC(1)));
        if (raise_line(SPI) != MX_OK)
            test_fail(__FILE__, __LINE__, "not raised");
    }
}

static void run_with_raiser(uint64_t count)
{
    struct thread *thread;

    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    ASSERT_OK(thread_create(&thread, "raise", raise_soon, (void *)count, 0));
    finish(count);
    thread_join(thread);
    guest_destroy(&guest);
}

TEST(idle_vcpu_is_woken_by_an_interrupt)
{
    ASSERT_TRUE(start(&code_wait_for_interrupts, 20));
    run_with_raiser(20);
}

TEST(running_vcpu_takes_interrupts)
{
    ASSERT_TRUE(start(&code_take_interrupts, 20));
    run_with_raiser(20);
}

TEST(wfi_with_a_pending_interrupt_does_not_wait)
{
    ASSERT_TRUE(start(&code_wfi_masked, 0));
    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    EXPECT_OK(raise_line(SPI));
    finish(0);
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 1u << 8);
    guest_destroy(&guest);
}

TEST(wfi_without_one_waits_until_kicked)
{
    struct mx_vcpu_packet packet = {0};

    ASSERT_TRUE(start(&code_wfi_masked, 0));
    guest_enable_irq(&guest, 0, SPI, 0xff, true); // not urgent enough for the mask
    EXPECT_OK(raise_line(SPI));
    EXPECT_STATUS(MX_ERR_CANCELED, guest_enter(guest.vcpu, &packet));
    guest_destroy(&guest);
}

// The line stays up until the guest's handler has written to the device, twice.
TEST(level_is_taken_until_its_line_is_down)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0, .data = SPI};
    struct mx_vcpu_packet packet = {0};
    mx_handle_t irq;

    ASSERT_TRUE(start(&code_level, 3));
    ASSERT_OK(guest_trap(&guest, MX_TRAP_MEM, GUEST_DEVICE, MX_HANDLE_INVALID, 2));
    guest_enable_irq(&guest, 0, SPI, 0xa0, false);
    ASSERT_OK(mx_guest_irq_create(guest.guest, &irq));
    ASSERT_OK(mx_guest_irq_route(irq, &route));
    EXPECT_OK(mx_guest_irq_raise(irq));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(guest_enter(guest.vcpu, &packet));
        ASSERT_EQ(packet.key, 2u);
        EXPECT_EQ(gic_field(0, MX_GIC_ACTIVE, 32), 1u << 8);
        if (i == 2)
            EXPECT_OK(mx_guest_irq_lower(irq));
    }
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.key, 1u);
    EXPECT_EQ(guest_result(&guest, RESULT_IRQ_COUNT), 3u);
    EXPECT_EQ(gic_field(0, MX_GIC_ACTIVE, 32), 0u);
    close_handle(irq);
    guest_destroy(&guest);
}

TEST(level_that_is_up_moves_with_the_route_of_its_line)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0, .data = SPI};
    mx_handle_t irq;

    ASSERT_TRUE(start(&code_level, 1));
    guest_enable_irq(&guest, 0, SPI, 0xa0, false);
    guest_enable_irq(&guest, 0, SPI + 1, 0xa0, false);
    ASSERT_OK(mx_guest_irq_create(guest.guest, &irq));
    ASSERT_OK(mx_guest_irq_route(irq, &route));
    EXPECT_OK(mx_guest_irq_raise(irq));
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 1u << 8);
    route.data = SPI + 1;
    ASSERT_OK(mx_guest_irq_route(irq, &route));
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 1u << 9);
    close_handle(irq);
    EXPECT_EQ(gic_field(0, MX_GIC_PENDING, 32), 0u);
    guest_destroy(&guest);
}

TEST(software_sets_and_clears_pending_and_active)
{
    ASSERT_TRUE(start(&code_take_interrupts, 1));
    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    guest_enable_irq(&guest, 0, SPI + 1, 0xa0, true);
    guest_enable_irq(&guest, 0, 20, 0xa0, true);
    EXPECT_OK(mx_guest_gic_write(guest.guest, 0, MX_GIC_PENDING, 32, 3u << 8, 3u << 8));
    EXPECT_OK(mx_guest_gic_write(guest.guest, 0, MX_GIC_PENDING, 32, 0, 1u << 8));
    EXPECT_OK(mx_guest_gic_write(guest.guest, 0, MX_GIC_ACTIVE, 32, 1u << 9, 1u << 9));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 20));
    finish(1); // the active one does not come
    EXPECT_EQ(guest_irq(&guest, 0), 20u);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vcpu_interrupt(guest.vcpu, 5));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vcpu_interrupt(guest.vcpu, 1000));
    guest_destroy(&guest);
}

TEST(lpis_are_taken)
{
    ASSERT_TRUE(start(&code_take_interrupts, 2));
    if (guest_gic_version(&guest) == 3) {
        EXPECT_OK(mx_guest_gic_set_lpi(guest.guest, 8192, 0, 0xa0, 1));
        EXPECT_OK(mx_guest_gic_set_lpi(guest.guest, 8200, 0, 0x80, 1));
        EXPECT_OK(raise_line(8192));
        EXPECT_OK(raise_line(8200));
        finish(2);
        EXPECT_EQ(guest_irq(&guest, 0), 8200u);
        EXPECT_EQ(guest_irq(&guest, 1), 8192u);
    }
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_guest_gic_set_lpi(guest.guest, 8191, 0, 0, 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_guest_gic_set_lpi(guest.guest, 8192, 0, 256, 1));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, raise_line(8191));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, raise_line(31));
    guest_destroy(&guest);
}

TEST(sgi_reaches_the_other_vcpu)
{
    struct second_vcpu second;

    ASSERT_TRUE(start(&code_send_sgi, 1));
    if (guest_gic_version(&guest) == 3) {
        guest_load(&guest, GUEST_CODE_2, &code_take_interrupts);
        ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, 0));
        guest_enable_irq(&guest, 1, 5, 0xa0, true);
        finish(1); // counted by the second
        EXPECT_EQ(guest_irq(&guest, 0), 5u);
        second_vcpu_finish(&second, false);
        EXPECT_OK(second.status);
    }
    guest_destroy(&guest);
}

// --- timers
// -----------------------------------------------------------------------------------------

static void run_timer(uint64_t rounds, uint64_t ticks, bool is_idle)
{
    guest_data(&guest)[1] = ticks;
    guest_data(&guest)[2] = is_idle;
    guest_enable_irq(&guest, 0, 27, 0xa0, false);
    finish(rounds);
    for (uint64_t i = 0; i < rounds; i++)
        EXPECT_EQ(guest_irq(&guest, (unsigned)i), 27u);
    guest_destroy(&guest);
}

TEST(virtual_timer_fires_while_the_guest_runs)
{
    ASSERT_TRUE(start(&code_timer, 20));
    run_timer(20, 20000, false);
}

TEST(virtual_timer_wakes_an_idle_vcpu)
{
    ASSERT_TRUE(start(&code_timer, 20));
    run_timer(20, 20000, true);
}

TEST(virtual_timer_that_is_already_due_fires)
{
    ASSERT_TRUE(start(&code_timer, 50));
    run_timer(50, 0, true);
}

// The interrupt is in a list register when the guest is entered: the machine's own timer does not
// bring it out again. The host may have interrupts of its own, of course.
TEST(idle_vcpu_is_entered_with_its_timer_s_interrupt)
{
    struct mx_info_vcpu info;

    ASSERT_TRUE(start(&code_timer, 20));
    guest_data(&guest)[1] = 625000;
    guest_data(&guest)[2] = true;
    guest_enable_irq(&guest, 0, 27, 0xa0, false);
    finish(20);
    ASSERT_OK(mx_object_get_info(guest.vcpu, MX_INFO_VCPU, &info, sizeof(info), NULL));
    EXPECT_GE(info.stats.exits[MX_GUEST_EXIT_WFX], 10u);
    EXPECT_LT(info.stats.exits[MX_GUEST_EXIT_INTERRUPT] * 2, info.stats.exits[MX_GUEST_EXIT_WFX]);
    guest_destroy(&guest);
}

static uint32_t must_stop;

static void keep_busy(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&must_stop, __ATOMIC_RELAXED))
        mx_nanosleep(deadline_after(MX_USEC(500)));
}

static void spin_and_sleep(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&must_stop, __ATOMIC_RELAXED)) {
        mx_time_t until = deadline_after(MX_MSEC(3));
        while (mx_clock_get_monotonic() < until)
            ;
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    }
}

// Threads that come and go push the vCPU from CPU to CPU.
static void run_timer_among_others(bool is_idle)
{
    struct thread *threads[3];

    __atomic_store_n(&must_stop, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 3; i++)
        ASSERT_OK(thread_create(&threads[i], "busy", i ? spin_and_sleep : keep_busy, NULL, 0));
    ASSERT_TRUE(start(&code_timer, 60));
    run_timer(60, 100000, is_idle);
    __atomic_store_n(&must_stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 3; i++)
        thread_join(threads[i]);
}

TEST(virtual_timer_survives_migration_of_a_running_vcpu)
{
    run_timer_among_others(false);
}

TEST(virtual_timer_survives_migration_of_an_idle_vcpu)
{
    run_timer_among_others(true);
}

static void look_all_the_time(void *argument)
{
    uint32_t value;

    (void)argument;
    while (!__atomic_load_n(&must_stop, __ATOMIC_RELAXED)) {
        mx_status_t status = mx_guest_gic_read(guest.guest, 0, MX_GIC_ACTIVE, 0, &value);
        if (status == MX_OK)
            status = mx_guest_gic_read(guest.guest, 0, MX_GIC_PENDING, 0, &value);
        if (status == MX_OK)
            status = mx_guest_gic_write(guest.guest, 0, MX_GIC_ACTIVE, 0, 0, 1u << 20);
        if (status != MX_OK)
            test_fail(__FILE__, __LINE__, "status %d", status);
    }
}

// Each look takes the list registers away from a vCPU that runs; nothing is lost and nothing comes
// twice.
static void run_timer_watched(bool is_idle)
{
    struct thread *thread;

    __atomic_store_n(&must_stop, 0, __ATOMIC_RELAXED);
    ASSERT_TRUE(start(&code_timer, 60));
    ASSERT_OK(thread_create(&thread, "look", look_all_the_time, NULL, 0));
    guest_data(&guest)[1] = 20000;
    guest_data(&guest)[2] = is_idle;
    guest_enable_irq(&guest, 0, 27, 0xa0, false);
    finish(60);
    __atomic_store_n(&must_stop, 1, __ATOMIC_RELAXED);
    thread_join(thread);
    guest_destroy(&guest);
}

TEST(interrupts_hold_while_the_vmm_looks_at_a_running_vcpu)
{
    run_timer_watched(false);
}

TEST(interrupts_hold_while_the_vmm_looks_at_an_idle_vcpu)
{
    run_timer_watched(true);
}

TEST(physical_timer_is_emulated)
{
    ASSERT_TRUE(start(&code_physical_timer, 0));
    guest_enable_irq(&guest, 0, 30, 0xa0, false);
    finish(1);
    EXPECT_EQ(guest_irq(&guest, 0), 30u);
    EXPECT_EQ(guest_data(&guest)[0], 0u);
    EXPECT_EQ(guest_data(&guest)[1], 0u); // the handler turned it off
    EXPECT_EQ(guest_data(&guest)[2], 7u); // on, masked, due
    guest_destroy(&guest);
}

// --- system calls
// -----------------------------------------------------------------------------------

TEST(gic_calls_check_their_arguments)
{
    mx_handle_t weak;
    uint32_t value;

    ASSERT_TRUE(start(&code_done, 0));
    weak = with_rights(guest.guest, MX_RIGHT_WRITE);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_gic_read(weak, 0, MX_GIC_ENABLE, 32, &value));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_gic_read(guest.vcpu, 0, MX_GIC_ENABLE, 32, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_gic_read(guest.guest, 0, MX_GIC_ENABLE, 32, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_gic_read(guest.guest, 0, 99, 32, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_guest_gic_read(guest.guest, 0, MX_GIC_ENABLE, 33, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_guest_gic_read(guest.guest, 1, MX_GIC_ENABLE, 0, &value));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_guest_gic_write(guest.guest, 0, MX_GIC_ENABLE, 1024, 0, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_gic_write(guest.guest, 0, MX_GIC_VERSION, 0, 0, 0));
    EXPECT_STATUS(guest_gic_version(&guest) == 2 ? MX_ERR_BAD_STATE : MX_ERR_NOT_SUPPORTED,
                  mx_guest_gic_place(guest.guest, GUEST_GICC));
    close_handle(weak);
    guest_destroy(&guest);
}
