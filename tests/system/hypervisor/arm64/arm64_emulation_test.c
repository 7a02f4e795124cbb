// What arm64 guests see of instructions and timers that are emulated: single steps over them,
// 32-bit programs, deadlines that are never reached, what is left after a vCPU was off.

#include <machina/objects.h>
#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "tests/test.h"

#define SPI              40
#define ESR_CLASS(esr)   ((esr) >> 26)
#define CLASS_STEP       0x33u
#define CLASS_FETCH_SAME 0x21u
#define CLASS_DATA_SAME  0x25u
#define FSC_EXTERNAL     0x10u
#define CTL_ON           1u // on, and not due

static struct guest_fixture guest;

static void run(const struct guest_code *code)
{
    ASSERT_TRUE(guest_start(&guest, code));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
}

TEST(single_step_stops_after_one_emulated_instruction)
{
    run(&code_single_step);
    EXPECT_EQ(ESR_CLASS(guest_data(&guest)[0]), CLASS_STEP);
    EXPECT_EQ(guest_data(&guest)[1], 4u);
    guest_destroy(&guest);
}

static void raise_later(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    (void)!mx_guest_send_msi(guest.guest, 0, SPI);
}

// It waits: with an interrupt that is pending already a CPU need not trap. Where the CPU has no
// 32-bit programs there is nothing to see.
TEST(short_wfi_of_a_32_bit_program_is_stepped_over)
{
    struct thread *thread;

    ASSERT_TRUE(guest_start(&guest, &code_thumb_wfi));
    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    ASSERT_OK(thread_create(&thread, "raise", raise_later, NULL, 0));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    thread_join(thread);
    if (guest_data(&guest)[1])
        EXPECT_EQ(guest_data(&guest)[0], 3u);
    guest_destroy(&guest);
}

// As on a bus with nothing there, not the guest's end.
TEST(page_tables_outside_memory_are_external_aborts)
{
    static const struct {
        uint64_t class, far;
    } expected[] = {{CLASS_DATA_SAME, 0xffffffffffff0000},
                    {CLASS_DATA_SAME, 0xffffffffffff0008},
                    {CLASS_FETCH_SAME, 0xffffffffffff0000}};

    run(&code_walk_outside);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t esr = guest_data(&guest)[2 * i];
        EXPECT_EQ(ESR_CLASS(esr), expected[i].class);
        EXPECT_EQ(esr & 0x3f, FSC_EXTERNAL);
        EXPECT_EQ(guest_data(&guest)[2 * i + 1], expected[i].far);
    }
    guest_destroy(&guest);
}

TEST(physical_timer_compares_without_sign)
{
    run(&code_far_physical_timer);
    EXPECT_EQ(guest_data(&guest)[0], CTL_ON);
    EXPECT_EQ(guest_data(&guest)[1], CTL_ON);
    guest_destroy(&guest);
}

static void kick_later(void *argument)
{
    mx_nanosleep(deadline_after(MX_MSEC(200)));
    (void)!mx_vcpu_kick(*(mx_handle_t *)argument);
}

static uint64_t count_timer_interrupts(void)
{
    struct mx_info_cpu infos[8];
    size_t actual_bytes = 0;
    uint64_t count = 0;

    EXPECT_OK(
        mx_object_get_info(system_resource(), MX_INFO_CPUS, infos, sizeof(infos), &actual_bytes));
    for (size_t i = 0; i < actual_bytes / sizeof(infos[0]); i++)
        count += infos[i].timer_interrupts;
    return count;
}

// Neither the guest nor, again and again, the kernel.
TEST(timer_that_never_fires_wakes_nobody)
{
    struct mx_vcpu_packet packet = {0};
    struct thread *thread;
    uint64_t before;

    ASSERT_TRUE(guest_start(&guest, &code_far_virtual_timer));
    guest_enable_irq(&guest, 0, 27, 0xa0, false);
    ASSERT_OK(thread_create(&thread, "kick", kick_later, &guest.vcpu, 0));
    before = count_timer_interrupts();
    EXPECT_STATUS(MX_ERR_CANCELED, guest_enter(guest.vcpu, &packet));
    EXPECT_TRUE(count_timer_interrupts() - before < 1000);
    thread_join(thread);
    EXPECT_EQ(guest_data(&guest)[0], 0u);
    guest_destroy(&guest);
}

TEST(vcpu_that_is_started_again_has_its_timers_off)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_start(&guest, &code_start_twice));
    guest_load(&guest, GUEST_CODE_2, &code_leave_timers_on);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, MX_VCPU_CREATE_WAITING));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    second_vcpu_finish(&second, true);
    EXPECT_EQ(guest_data(&guest)[0], 2u);
    for (unsigned i = 1; i < 5; i++)
        EXPECT_EQ(guest_data(&guest)[i] & CTL_ON, 0u);
    guest_destroy(&guest);
}
