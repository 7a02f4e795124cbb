// The trap map and the memory map of a guest of any architecture.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/guest_fixture.h"
#include "tests/test.h"

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;

static mx_status_t set_trap(uint32_t kind, uint64_t addr, uint64_t size_bytes, mx_handle_t port,
                            uint64_t key)
{
    struct mx_trap trap = {
        .kind = kind, .port = port, .addr = addr, .size_bytes = size_bytes, .key = key};

    return mx_guest_set_trap(guest.guest, &trap);
}

static bool start(const struct guest_code *code)
{
    packet = (struct mx_vcpu_packet){0};
    return guest_start(&guest, code);
}

TEST(overlapping_traps_are_refused)
{
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(guest_create(&guest));
    ASSERT_OK(set_trap(MX_TRAP_MEM, 0x1000000, 0x3000, MX_HANDLE_INVALID, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS,
                  set_trap(MX_TRAP_MEM, 0x1000000, 0x3000, MX_HANDLE_INVALID, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS,
                  set_trap(MX_TRAP_MEM, 0x1002000, 0x1000, MX_HANDLE_INVALID, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, set_trap(MX_TRAP_BELL, 0xfff000, 0x2000, port, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS,
                  set_trap(MX_TRAP_MEM, 0xfff000, 0x10000, MX_HANDLE_INVALID, 1));
    EXPECT_OK(set_trap(MX_TRAP_BELL, 0xfff000, 0x1000, port, 1));
    EXPECT_OK(set_trap(MX_TRAP_MEM, 0x1003000, 0x1000, MX_HANDLE_INVALID, 1));
    guest_destroy(&guest);
    close_handle(port);
}

TEST(set_trap_checks_its_arguments)
{
    mx_handle_t port, weak_guest, weak_port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(guest_create(&guest));
    weak_guest = with_rights(guest.guest, MX_RIGHT_MANAGE);
    weak_port = with_rights(port, MX_RIGHT_READ);
    struct mx_trap trap = {.kind = MX_TRAP_MEM, .addr = 0x1000000, .size_bytes = 0x1000};
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_guest_set_trap(MX_HANDLE_INVALID, &trap));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_set_trap(port, &trap));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_set_trap(weak_guest, &trap));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_set_trap(guest.guest, NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(4, 0, 1, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(MX_TRAP_MEM, 0x1000000, 0x1000, port, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  set_trap(MX_TRAP_BELL, 0x1000000, 0x1000, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, set_trap(MX_TRAP_BELL, 0x1000000, 0x1000, weak_port, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  set_trap(MX_TRAP_MEM, UINT64_MAX - 0xfff, 0x2000, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  set_trap(MX_TRAP_MEM, (uint64_t)1 << 60, 0x1000, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_guest_clear_trap(guest.guest, MX_TRAP_MEM, 0x1000000));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_clear_trap(guest.guest, 9, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_clear_trap(weak_guest, MX_TRAP_MEM, 0x1000000));
    close_handle(weak_guest);
    close_handle(weak_port);
    guest_destroy(&guest);
    close_handle(port);
}

TEST(many_traps_find_their_accesses)
{
    ASSERT_TRUE(start(&code_asks));
    for (uint64_t i = 0; i < 100; i++)
        if (i != 90)
            ASSERT_OK(set_trap(MX_TRAP_MEM, GUEST_DEVICE + (i - 90) * 0x1000, 0x1000,
                               MX_HANDLE_INVALID, i));
    ASSERT_OK(set_trap(MX_TRAP_MEM, GUEST_DEVICE, 0x1000, MX_HANDLE_INVALID, 90));
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.key, 90u);
    guest_destroy(&guest);
}

static void unmap_soon(void *argument)
{
    (void)argument;
    for (int i = 0; i < 5000 && guest_data(&guest)[0] < 1000; i++)
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    if (mx_aspace_unmap(guest.aspace, 0x300000, 0x100000) != MX_OK)
        test_fail(__FILE__, __LINE__, "unmap failed");
}

TEST(memory_taken_from_a_running_guest_is_gone)
{
    struct thread *thread;

    ASSERT_TRUE(start(&code_read_forever));
    ASSERT_OK(thread_create(&thread, "unmap", unmap_soon, NULL, 0));
    EXPECT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_EQ(packet.mem.addr, 0x300000u);
    EXPECT_FALSE(packet.mem.is_write);
    thread_join(thread);
    guest_destroy(&guest);
}
