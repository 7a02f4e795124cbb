// Guests and vCPUs as objects, of any architecture: their thread, their life, kicks and kills, and
// their state.

#include <stdlib.h>

#include <machina/syscalls.h>
#include <machina_user/startup.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/second_vcpu.h"
#include "tests/test.h"

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;
static struct mx_vcpu_state state, other;

static mx_status_t read_state(void)
{
    return mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}

static mx_status_t write_state(void)
{
    return mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}

TEST(guest_create_checks_its_arguments)
{
    mx_handle_t resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    mx_handle_t made, aspace, weak_job = with_rights(own_job(), MX_RIGHT_INSPECT);

    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_guest_create(0, own_job(), &made, &aspace));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_create(own_job(), own_job(), &made, &aspace));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_guest_create(system_resource(), own_job(), &made, &aspace));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_create(resource, weak_job, &made, &aspace));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_create(resource, resource, &made, &aspace));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_create(resource, own_job(), NULL, &aspace));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_create(resource, own_job(), &made, NULL));
    close_handle(weak_job);
}

TEST(vcpu_create_checks_its_arguments)
{
    mx_handle_t vcpu, weak;

    ASSERT_TRUE(guest_create(&guest));
    weak = with_rights(guest.guest, MX_RIGHT_WRITE);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vcpu_create(0, 0, 0, &vcpu));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vcpu_create(own_job(), 0, 0, &vcpu));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vcpu_create(weak, 0, 0, &vcpu));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vcpu_create(guest.guest, MX_GUEST_MAX_VCPUS, 0, &vcpu));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_create(guest.guest, 0, 2, &vcpu));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_create(guest.guest, 0, 0, NULL));
    close_handle(weak);
    guest_destroy(&guest);
}

TEST(a_thread_has_one_vcpu)
{
    mx_handle_t second;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_vcpu_create(guest.guest, 1, 0, &second));
    EXPECT_TRUE(guest_finishes(&guest));
    close_handle(guest.vcpu);
    guest.vcpu = MX_HANDLE_INVALID;
    EXPECT_OK(mx_vcpu_create(guest.guest, 1, 0, &guest.vcpu));
    guest_destroy(&guest);
}

static void make_same_id(void *argument)
{
    mx_handle_t vcpu;

    *(mx_status_t *)argument = mx_vcpu_create(guest.guest, 0, 0, &vcpu);
}

TEST(an_id_is_taken_once)
{
    mx_status_t status = MX_OK;
    struct thread *thread;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    ASSERT_OK(thread_create(&thread, "vcpu", make_same_id, &status, 0));
    thread_join(thread);
    EXPECT_EQ(status, MX_ERR_ALREADY_EXISTS);
    guest_destroy(&guest);
}

static void use_foreign_vcpu(void *argument)
{
    mx_status_t *statuses = argument;

    statuses[0] = mx_vcpu_enter(guest.vcpu, &packet);
    statuses[1] = mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &other, sizeof(other));
    statuses[2] = mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &other, sizeof(other));
}

TEST(only_its_thread_uses_a_vcpu)
{
    mx_status_t statuses[3] = {0};
    struct thread *thread;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    ASSERT_OK(thread_create(&thread, "other", use_foreign_vcpu, statuses, 0));
    thread_join(thread);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(statuses[i], MX_ERR_BAD_STATE);
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(vcpu_is_of_no_use_after_its_thread_ended)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_create(&guest));
    guest_load(&guest, GUEST_CODE_2, &code_done);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 0, 0));
    thread_join(second.thread);
    EXPECT_OK(second.status);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_vcpu_enter(second.vcpu, &packet));
    EXPECT_STATUS(MX_ERR_BAD_STATE,
                  mx_vcpu_read_state(second.vcpu, MX_VCPU_STATE_REGISTERS, &other, sizeof(other)));
    EXPECT_OK(mx_vcpu_kick(second.vcpu));
    close_handle(second.vcpu);
    guest_destroy(&guest);
}

static void close_it(void *argument)
{
    close_handle(*(mx_handle_t *)argument);
}

TEST(another_thread_may_free_a_vcpu)
{
    struct thread *thread;
    mx_handle_t vcpu;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    vcpu = guest.vcpu;
    guest.vcpu = MX_HANDLE_INVALID;
    ASSERT_OK(thread_create(&thread, "close", close_it, &vcpu, 0));
    thread_join(thread);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vcpu_enter(vcpu, &packet));
    EXPECT_OK(guest_make_vcpu(&guest, 0, GUEST_CODE, &guest.vcpu));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(vcpu_keeps_its_guest)
{
    ASSERT_TRUE(guest_start(&guest, &code_done));
    close_handle(guest.guest);
    close_handle(guest.aspace);
    guest.guest = guest.aspace = MX_HANDLE_INVALID;
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(guests_leak_nothing)
{
    struct machine_counts before;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
    before = machine_counts();
    for (int i = 0; i < 30; i++) {
        ASSERT_TRUE(guest_start(&guest, &code_done));
        EXPECT_TRUE(guest_finishes(&guest));
        guest_destroy(&guest);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    EXPECT_LE(before.free_bytes, machine_counts().free_bytes + (256 << 10));
}

TEST(many_guests_exist_at_once)
{
    static struct guest_fixture guests[24];
    size_t count = 0;

    while (count < 24 && guest_create(&guests[count]))
        count++;
    EXPECT_EQ(count, 24u);
    for (size_t i = 0; i < count; i++) {
        guest_load(&guests[i], GUEST_CODE, &code_done);
        ASSERT_OK(guest_make_vcpu(&guests[i], 0, GUEST_CODE, &guests[i].vcpu));
        EXPECT_TRUE(guest_finishes(&guests[i]));
        close_handle(guests[i].vcpu);
        guests[i].vcpu = MX_HANDLE_INVALID;
    }
    while (count > 0)
        guest_destroy(&guests[--count]);
}

TEST(enter_checks_handle_and_pointer)
{
    mx_handle_t weak;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    weak = with_rights(guest.vcpu, MX_RIGHT_READ);
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_vcpu_enter(MX_HANDLE_INVALID, &packet));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_vcpu_enter(guest.guest, &packet));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vcpu_enter(weak, &packet));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_enter(guest.vcpu, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_enter(guest.vcpu, (void *)0xffff800000000000));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vcpu_kick(weak));
    close_handle(weak);
    guest_destroy(&guest);
}

// --- kicks
// ----------------------------------------------------------------------------------------

TEST(kick_before_enter_cancels_once)
{
    ASSERT_TRUE(guest_start(&guest, &code_done));
    EXPECT_OK(mx_vcpu_kick(guest.vcpu));
    EXPECT_OK(mx_vcpu_kick(guest.vcpu));
    packet = (struct mx_vcpu_packet){0};
    EXPECT_STATUS(MX_ERR_CANCELED, mx_vcpu_enter(guest.vcpu, &packet));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

static void kick_soon(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    (void)!mx_vcpu_kick(guest.vcpu);
}

static void expect_kick_ends(const struct guest_code *code)
{
    struct thread *thread;
    mx_time_t before = mx_clock_get_monotonic();

    ASSERT_TRUE(guest_start(&guest, code));
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(thread_create(&thread, "kick", kick_soon, NULL, 0));
        packet = (struct mx_vcpu_packet){0};
        EXPECT_STATUS(MX_ERR_CANCELED, guest_enter(guest.vcpu, &packet));
        thread_join(thread);
    }
    EXPECT_LT(mx_clock_get_monotonic() - before, MX_SEC(3));
    guest_destroy(&guest);
}

TEST(kick_ends_a_spinning_guest)
{
    expect_kick_ends(&code_spin);
}

TEST(kick_ends_a_halted_guest)
{
    expect_kick_ends(&code_halt);
}

TEST(kick_ends_a_vcpu_that_waits_to_be_started)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_create(&guest));
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, MX_VCPU_CREATE_WAITING));
    mx_nanosleep(deadline_after(MX_MSEC(10)));
    second_vcpu_finish(&second, true);
    EXPECT_EQ(second.status, MX_ERR_CANCELED);
    guest_destroy(&guest);
}

static void expect_kill_ends(const char *what)
{
    struct machine_counts before = machine_counts();
    struct child child;
    char byte;

    ASSERT_OK(child_start(&child, what, NULL));
    ASSERT_OK(
        mx_object_wait_one(child.channel, MX_SIGNAL_READABLE, deadline_after(MX_SEC(5)), NULL));
    ASSERT_OK(mx_channel_read(child.channel, &byte, 1, NULL, 0, NULL));
    mx_nanosleep(deadline_after(MX_MSEC(10)));
    ASSERT_OK(mx_task_kill(child.process, 6));
    EXPECT_EQ(child_finish(&child), 6);
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(kill_ends_a_process_in_a_guest)
{
    expect_kill_ends("guest-spin");
    expect_kill_ends("guest-halt");
}

// --- state
// ------------------------------------------------------------------------------------------

TEST(state_calls_check_their_arguments)
{
    mx_handle_t weak;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    weak = with_rights(guest.vcpu, MX_RIGHT_EXECUTE);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_read_state(guest.vcpu, 0, &state, sizeof(state)));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS,
                                                          &state, sizeof(state) - 1));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS,
                                                           &state, sizeof(state) + 8));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, NULL, sizeof(state)));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vcpu_read_state(weak, MX_VCPU_STATE_REGISTERS, &state, sizeof(state)));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vcpu_write_state(weak, MX_VCPU_STATE_REGISTERS, &state, sizeof(state)));
    close_handle(weak);
    guest_destroy(&guest);
}

TEST(random_states_harm_only_the_guest)
{
    uint64_t seed = 12345;

    for (int round = 0; round < 200; round++) {
        ASSERT_TRUE(guest_start(&guest, &code_done));
        ASSERT_OK(read_state());
        for (int change = 0; change < 3; change++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            ((uint64_t *)&state)[(seed >> 20) % (sizeof(state) / 8)] ^= seed >> (seed >> 58);
        }
        if (write_state() == MX_OK) {
            packet = (struct mx_vcpu_packet){0};
            (void)!mx_vcpu_kick(guest.vcpu);
            (void)!mx_vcpu_enter(guest.vcpu, &packet);
        }
        guest_destroy(&guest);
    }
}

TEST(random_answers_harm_only_the_guest)
{
    uint64_t seed = 4711;

    for (int round = 0; round < 30; round++) {
        ASSERT_TRUE(guest_start(&guest, &code_asks));
        packet = (struct mx_vcpu_packet){0};
        for (int i = 0; i < 8; i++) {
            if (guest_enter(guest.vcpu, &packet) != MX_OK)
                break;
            for (size_t j = 0; j < sizeof(packet) / 8; j++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                ((uint64_t *)&packet)[j] = seed;
            }
        }
        guest_destroy(&guest);
    }
}

TEST(info_tells_exits_of_vcpu_and_machine)
{
    struct mx_info_vcpu info;
    struct mx_guest_stats cpus[16];
    size_t actual_bytes = 0;
    uint64_t sum = 0;
    uint32_t value;

    ASSERT_TRUE(guest_start(&guest, &code_exits));
    for (int i = 0; i < 7; i++)
        ASSERT_TRUE(guest_run(guest.vcpu, &value));
    ASSERT_OK(mx_object_get_info(guest.vcpu, MX_INFO_VCPU, &info, sizeof(info), NULL));
    EXPECT_EQ(info.id, 0u);
    EXPECT_GE(info.stats.exits[GUEST_EXIT_REASON], 7u);
    for (unsigned i = 0; i < MX_GUEST_EXIT_COUNT; i++)
        sum += info.stats.exits[i];
    EXPECT_EQ(info.stats.vm_exits, sum);
    EXPECT_EQ(info.stats.vm_entries, info.stats.vm_exits);
    ASSERT_OK(mx_object_get_info(guest.guest, MX_INFO_GUEST, &info, sizeof(info), &actual_bytes));
    EXPECT_EQ(actual_bytes, sizeof(info));
    ASSERT_OK(mx_object_get_info(system_resource(), MX_INFO_GUEST_CPUS, cpus, sizeof(cpus),
                                 &actual_bytes));
    sum = 0;
    for (size_t i = 0; i < actual_bytes / sizeof(cpus[0]); i++)
        sum += cpus[i].exits[GUEST_EXIT_REASON];
    EXPECT_GE(sum, 7u);
    guest_destroy(&guest);
}
