// What hostile programs try on the kernel: many timers, locks taken in an unexpected order.
#include "tests/unit/kernel_fixture.h"

#include "kernel/core/timer.h"

// --- timers, without a process
// --------------------------------------------------------------------

#define TIMER_COUNT 5000

static struct timer timers[TIMER_COUNT];
static mx_time_t last_expired;
static uint32_t expired_count, early_count;

static void note_expiry(struct timer *timer)
{
    early_count += timer->deadline < last_expired;
    last_expired = timer->deadline;
    expired_count++;
}

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static uint32_t depth_to_the_right(const struct timer *timer)
{
    uint32_t depth = 0;

    for (; timer != NULL; timer = timer->right)
        depth++;
    return depth;
}

PROCESS_TEST(timers_expire_in_order_whatever_was_set_and_cancelled)
{
    mx_time_t start = mx_clock_get_monotonic();
    uint32_t state = 7, left = TIMER_COUNT;

    host_enter_kernel();
    expired_count = early_count = 0;
    last_expired = 0;
    arch_interrupt_state_t interrupts = arch_interrupts_save();
    for (uint32_t i = 0; i < TIMER_COUNT; i++) {
        timer_init(&timers[i], note_expiry);
        timer_set(&timers[i], start + MX_MSEC(1) + draw(&state) % 1000);
    }
    for (uint32_t i = 0; i < TIMER_COUNT; i += 3) {
        timer_cancel(&timers[i]);
        left--;
    }
    for (uint32_t i = 1; i < TIMER_COUNT; i += 3)
        timer_set(&timers[i], start + MX_MSEC(1) + draw(&state) % 1000);
    // Setting a timer goes down this way, with locks held.
    EXPECT_GE(13, depth_to_the_right(arch_current_cpu()->timers));
    arch_interrupts_restore(interrupts);
    host_return_to_user();
    EXPECT_OK(mx_nanosleep(start + MX_MSEC(2)));
    EXPECT_EQ(expired_count, left);
    EXPECT_EQ(early_count, 0);
}

// --- locks
// ------------------------------------------------------------------------------------------

static bool is_listing_done;

static void list_processes(uint64_t argument, uint64_t unused)
{
    struct mx_info_process record;
    size_t actual;

    (void)argument;
    (void)unused;
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT_OK(mx_object_get_info(env.job_handle, MX_INFO_JOB_PROCESSES, &record, sizeof(record),
                                     &actual));
        host_user_work(1000);
    }
    is_listing_done = true;
    mx_thread_exit();
}

// Maps an object that nothing but the mapping refers to, as the object alone does to its job.
static uint64_t map_last_of_job(void)
{
    struct job *job;
    struct vmo *vmo;
    uint64_t addr = 0;

    EXPECT_OK(job_create(env.job, &job));
    EXPECT_OK(vmo_create(job, MX_PAGE_SIZE, &vmo));
    object_release(&job->object);
    EXPECT_OK(
        aspace_map(env.process->aspace, MX_MAP_READ, MX_MAP_READ, vmo, 0, MX_PAGE_SIZE, &addr));
    object_release(&vmo->object);
    return addr;
}

PROCESS_TEST(unmapping_ends_a_job_while_another_thread_lists_processes)
{
    is_listing_done = false;
    spawn(list_processes, 0, NULL);
    while (!is_listing_done) {
        host_enter_kernel();
        uint64_t addr = map_last_of_job();
        host_return_to_user();
        EXPECT_OK(mx_aspace_unmap(env.aspace, addr, MX_PAGE_SIZE));
        host_user_work(500);
    }
}

// --- limits
// -----------------------------------------------------------------------------------------

PROCESS_TEST(asynchronous_waits_on_one_object_are_limited)
{
    mx_handle_t port, event;
    mx_status_t status = MX_OK;
    uint32_t count = 0;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    while (status == MX_OK && count++ < 5000)
        status = mx_object_wait_async(event, port, 1, MX_SIGNAL_SIGNALED, 0);
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, status);
    EXPECT_OK(mx_port_cancel(port, event, 1));
    EXPECT_OK(mx_object_wait_async(event, port, 1, MX_SIGNAL_SIGNALED, 0));
    EXPECT_OK(mx_handle_close(event));
    EXPECT_OK(mx_handle_close(port));
}

PROCESS_TEST(call_on_an_end_that_was_closed_meanwhile_does_not_wait)
{
    struct mx_channel_call_args args = {.request_size_bytes = 4};
    struct object *end0, *end1;

    host_enter_kernel();
    EXPECT_OK(channel_create(env.job, &end0, &end1));
    mx_handle_t handle, peer;
    EXPECT_OK(handle_add(&env.process->handles, end0, MX_RIGHTS_ALL, &handle));
    EXPECT_OK(handle_close(&env.process->handles, handle));
    // As when a handle was looked up right before another thread closed the last one.
    EXPECT_OK(handle_add(&env.process->handles, end0, MX_RIGHTS_ALL, &handle));
    EXPECT_OK(handle_add(&env.process->handles, end1, MX_RIGHTS_ALL, &peer));
    object_release(end0);
    object_release(end1);
    host_return_to_user();
    args.request_bytes = (void *)(uintptr_t)scratch(BYTES_AT);
    put(scratch(0), &args, sizeof(args));
    EXPECT_TRUE(HOST_SYSCALL(sys_channel_call(handle, scratch(0), MX_TIME_INFINITE)) != MX_OK);
    EXPECT_OK(mx_handle_close(handle));
    EXPECT_OK(mx_handle_close(peer));
}
