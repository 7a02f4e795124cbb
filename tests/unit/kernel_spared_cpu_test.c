// A CPU that runs no threads. A program of its own, since no CPU is taken back.
#include "tests/unit/kernel_fixture.h"

static volatile bool must_stop;
static uint64_t work_done_us[3];
static unsigned seen_on_cpu_0;

static void count_work_and_cpus(uint64_t index, uint64_t unused)
{
    (void)unused;
    while (!must_stop) {
        seen_on_cpu_0 += arch_current_cpu()->index == 0;
        host_user_work(MX_USEC(50));
        work_done_us[index] += 50;
        if (work_done_us[index] % 1000 == 0)
            sleep_for(MX_USEC(10)); // wakes up elsewhere too
    }
}

PROCESS_TEST(scheduler_leaves_a_spared_cpu_idle)
{
    mx_handle_t threads[3];

    must_stop = false;
    memset(work_done_us, 0, sizeof(work_done_us));
    for (unsigned i = 0; i < 3; i++)
        spawn(count_work_and_cpus, i, &threads[i]);
    sleep_for(MX_MSEC(30));
    if (!cpus[0].is_spared) // the body runs several times, with one choice of interleavings each
        EXPECT_GE(seen_on_cpu_0, 100u);
    thread_spare_cpu(&cpus[0]);
    sleep_for(MX_MSEC(1)); // whoever ran there has left it
    seen_on_cpu_0 = 0;
    memset(work_done_us, 0, sizeof(work_done_us));
    sleep_for(MX_MSEC(300));
    EXPECT_EQ(seen_on_cpu_0, 0u);
    must_stop = true;
    for (unsigned i = 0; i < 3; i++) {
        join(threads[i]);
        EXPECT_GE(work_done_us[i], 80000u);
    }
}
