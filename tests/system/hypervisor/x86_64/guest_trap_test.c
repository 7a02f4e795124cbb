// Traps: what reaches the VMM when a guest uses ports and memory, and bells.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/guest_fixture.h"
#include "tests/test.h"

#define NO_TRAP_KEY UINT64_MAX

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;

static mx_status_t enter(void)
{
    return guest_enter(guest.vcpu, &packet);
}

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

TEST(guest_runs_to_a_port_exit)
{
    ASSERT_TRUE(start(&code_done));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(port_packets_tell_width_direction_and_value)
{
    static const struct {
        uint8_t width_bytes;
        bool is_input;
        uint64_t data;
    } expected[] = {{1, false, 0x44}, {2, false, 0x3344}, {4, false, 0x11223344},
                    {1, true, 0xa1},  {2, true, 0xb1b2},  {4, true, 0xc1c2c3c4}};

    ASSERT_TRUE(start(&code_io_widths));
    for (size_t i = 0; i < 6; i++) {
        ASSERT_OK(enter());
        ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_IO);
        EXPECT_EQ(packet.io.port, GUEST_PORT_TEST);
        EXPECT_EQ(packet.io.width_bytes, expected[i].width_bytes);
        EXPECT_EQ(packet.io.is_input, expected[i].is_input);
        EXPECT_FALSE(packet.io.is_string);
        if (!packet.io.is_input)
            EXPECT_EQ(packet.io.data, expected[i].data);
        packet.io.data = packet.io.is_input ? expected[i].data | 0xdead00000000 : 0x5555;
    }
    ASSERT_OK(enter());
    EXPECT_EQ(packet.io.data, (uint64_t)GUEST_DONE);
    EXPECT_EQ(guest_data(&guest)[0], 0xffffffffffffffa1);
    EXPECT_EQ(guest_data(&guest)[1], 0xffffffffffffb1b2);
    EXPECT_EQ(guest_data(&guest)[2], 0xc1c2c3c4u);
    guest_destroy(&guest);
}

TEST(string_port_instruction_comes_with_its_state)
{
    ASSERT_TRUE(start(&code_io_string));
    ASSERT_OK(enter());
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_IO);
    EXPECT_TRUE(packet.io.is_string);
    EXPECT_EQ(packet.io.port, GUEST_PORT_TEST);
    EXPECT_EQ(packet.state.gpr[MX_X86_RCX], 3u);
    EXPECT_EQ(packet.state.gpr[MX_X86_RSI], (uint64_t)GUEST_DATA);
    packet.state.rip += 2;
    packet.state.gpr[MX_X86_RCX] = 0;
    packet.state.gpr[MX_X86_RSI] += 3;
    ASSERT_OK(enter());
    EXPECT_EQ(packet.io.data, (uint64_t)GUEST_DONE);
    EXPECT_EQ(guest_data(&guest)[8], 0u);
    EXPECT_EQ(guest_data(&guest)[9], (uint64_t)GUEST_DATA + 3);
    guest_destroy(&guest);
}

// Answers the load or store of a memory packet, whose instruction has `insn_bytes`, and enters
// again. `target` is the register that a load fills.
static mx_status_t answer_memory(uint64_t insn_bytes, unsigned target, uint64_t value)
{
    if (packet.mem.is_decoded) {
        packet.mem.data = value;
    } else {
        packet.state.rip += insn_bytes;
        if (!packet.mem.is_write)
            packet.state.gpr[target] = value;
    }
    return enter();
}

TEST(memory_trap_tells_address_and_value_or_state)
{
    ASSERT_TRUE(start(&code_memory_access));
    EXPECT_OK(set_trap(MX_TRAP_MEM, GUEST_DEVICE, 0x1000, MX_HANDLE_INVALID, 99));
    EXPECT_OK(enter());
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_EQ(packet.key, 99u);
    EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_DEVICE + 16);
    EXPECT_TRUE(packet.mem.is_write);
    if (packet.mem.is_decoded) {
        EXPECT_EQ(packet.mem.width_bytes, 4);
        EXPECT_EQ(packet.mem.data, 0x12345678u);
    } else {
        EXPECT_EQ(packet.state.gpr[MX_X86_RAX], 0x12345678u);
    }
    EXPECT_OK(answer_memory(3, MX_X86_RAX, 0)); // mov %eax, 16(%rdi)
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_FALSE(packet.mem.is_write);
    EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_DEVICE + 24);
    EXPECT_OK(answer_memory(4, MX_X86_RCX, 0x1122334455667788)); // mov 24(%rdi), %rcx
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_EQ(guest_data(&guest)[0], 0x1122334455667788u);
    // One that reads and writes is for the VMM to emulate.
    EXPECT_FALSE(packet.mem.is_decoded);
    EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_DEVICE + 32);
    EXPECT_EQ(packet.state.gpr[MX_X86_RDI], (uint64_t)GUEST_DEVICE);
    EXPECT_EQ(packet.state.cr3, (uint64_t)GUEST_TABLES);
    EXPECT_EQ(packet.state.cpl, 0u);
    packet.state.rip += 4;
    EXPECT_OK(enter());
    EXPECT_EQ(packet.io.data, (uint64_t)GUEST_DONE);
    guest_destroy(&guest);
}

TEST(memory_trap_answer_may_be_an_exception)
{
    ASSERT_TRUE(start(&code_memory_access));
    ASSERT_OK(set_trap(MX_TRAP_MEM, GUEST_DEVICE, 0x1000, MX_HANDLE_INVALID, 99));
    ASSERT_OK(enter());
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    packet.mem.exception = 13;
    packet.mem.exception_has_error_code = 1;
    packet.mem.exception_error_code = 0x1230;
    ASSERT_OK(enter());
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_IO);
    EXPECT_EQ(packet.io.port, GUEST_PORT_EXCEPTION);
    EXPECT_EQ(packet.io.data, 13u);
    EXPECT_EQ(guest_results(&guest)->error_code, 0x1230u);
    guest_destroy(&guest);
}

TEST(access_to_nothing_reaches_the_vmm_without_a_key)
{
    ASSERT_TRUE(start(&code_touch_nothing));
    ASSERT_OK(enter());
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_EQ(packet.key, NO_TRAP_KEY);
    EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_NOTHING);
    EXPECT_TRUE(packet.mem.is_write);
    ASSERT_OK(answer_memory(6, MX_X86_RAX, 0));
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_FALSE(packet.mem.is_write);
    EXPECT_OK(answer_memory(2, MX_X86_RAX, 0));
    EXPECT_EQ(packet.io.data, (uint64_t)GUEST_DONE);
    guest_destroy(&guest);
}

TEST(running_into_nothing_ends_the_guest)
{
    ASSERT_TRUE(start(&code_jump_to_nothing));
    ASSERT_OK(enter());
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_SHUTDOWN);
    EXPECT_STATUS(MX_ERR_BAD_STATE, enter());
    guest_destroy(&guest);
}

TEST(untrapped_ports_answer_with_ones_in_the_kernel)
{
    ASSERT_TRUE(start(&code_untrapped_ports));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

// --- bells
// ----------------------------------------------------------------------------------------

static mx_status_t take(mx_handle_t port, struct mx_port_packet *bell)
{
    return mx_port_wait(port, 0, bell);
}

TEST(memory_bells_do_not_stop_the_guest_and_are_counted)
{
    struct mx_port_packet bell;
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(start(&code_memory_bells));
    ASSERT_OK(set_trap(MX_TRAP_BELL, GUEST_BELL, 0x1000, port, 5));
    EXPECT_TRUE(guest_finishes(&guest));
    ASSERT_OK(take(port, &bell));
    EXPECT_EQ(bell.key, 5u);
    EXPECT_EQ(bell.type, (uint32_t)MX_PACKET_GUEST_BELL);
    EXPECT_EQ(bell.bell.count, 3u);
    EXPECT_EQ(bell.bell.addr, (uint64_t)GUEST_BELL + 12);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take(port, &bell));
    guest_destroy(&guest);
    close_handle(port);
}

TEST(port_bells_tell_the_last_value)
{
    struct mx_port_packet bell;
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(start(&code_port_bells));
    ASSERT_OK(set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port, 6));
    EXPECT_TRUE(guest_finishes(&guest));
    ASSERT_OK(take(port, &bell));
    EXPECT_EQ(bell.key, 6u);
    EXPECT_EQ(bell.bell.count, 3u);
    EXPECT_EQ(bell.bell.addr, (uint64_t)GUEST_PORT_BELL + 2);
    EXPECT_EQ(bell.bell.value, 3u);
    // A packet that was taken makes room for the next one.
    EXPECT_TRUE(guest_finishes(&guest));
    ASSERT_OK(take(port, &bell));
    EXPECT_EQ(bell.bell.count, 1u);
    guest_destroy(&guest);
    close_handle(port);
}

TEST(bell_wakes_a_waiting_thread)
{
    struct mx_port_packet bell;
    mx_handle_t port, event;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_event_create(&event));
    ASSERT_TRUE(start(&code_port_bells));
    ASSERT_OK(set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port, 6));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_OK(mx_object_wait_one(port, MX_SIGNAL_READABLE, 0, NULL));
    EXPECT_OK(take(port, &bell));
    guest_destroy(&guest);
    close_handle(event);
    close_handle(port);
}

TEST(bell_on_a_closed_port_stops_the_vcpu_until_it_is_cleared)
{
    mx_handle_t port;
    uint32_t value;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(start(&code_port_bells));
    ASSERT_OK(set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port, 6));
    close_handle(port);
    EXPECT_STATUS(MX_ERR_BAD_STATE, enter());
    ASSERT_OK(mx_guest_clear_trap(guest.guest, MX_TRAP_IO_BELL, GUEST_PORT_BELL));
    packet = (struct mx_vcpu_packet){0};
    EXPECT_TRUE(guest_run(guest.vcpu, &value));
    guest_destroy(&guest);
}

TEST(guest_goes_with_a_queued_bell)
{
    struct machine_counts before;
    struct mx_port_packet bell;
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    before = machine_counts();
    for (int i = 0; i < 4; i++) {
        ASSERT_TRUE(start(&code_port_bells));
        ASSERT_OK(set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port, 6));
        EXPECT_TRUE(guest_finishes(&guest));
        guest_destroy(&guest);
    }
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take(port, &bell));
    EXPECT_TRUE(machine_counts_return_to(&before));
    close_handle(port);
}

TEST(teardown_keeps_an_unrelated_packet_with_the_same_key)
{
    struct mx_port_packet bell = {.key = 6};
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_port_queue(port, &bell));
    ASSERT_TRUE(start(&code_port_bells));
    ASSERT_OK(set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port, 6));
    EXPECT_TRUE(guest_finishes(&guest));
    ASSERT_OK(mx_guest_clear_trap(guest.guest, MX_TRAP_IO_BELL, GUEST_PORT_BELL));
    ASSERT_OK(take(port, &bell));
    EXPECT_EQ(bell.type, (uint32_t)MX_PACKET_USER);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, take(port, &bell));
    guest_destroy(&guest);
    close_handle(port);
}

// --- the map
// ---------------------------------------------------------------------------------------

TEST(overlapping_port_traps_are_refused)
{
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(guest_create(&guest));
    EXPECT_OK(set_trap(MX_TRAP_IO, 0x300, 8, MX_HANDLE_INVALID, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, set_trap(MX_TRAP_IO_BELL, 0x307, 8, port, 1));
    EXPECT_OK(set_trap(MX_TRAP_IO_BELL, 0x308, 8, port, 1));
    EXPECT_OK(set_trap(MX_TRAP_IO, 0xffff, 1, MX_HANDLE_INVALID, 1));
    guest_destroy(&guest);
    close_handle(port);
}

TEST(set_trap_checks_ports)
{
    mx_handle_t port, weak_guest, weak_port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(guest_create(&guest));
    weak_guest = with_rights(guest.guest, MX_RIGHT_MANAGE);
    weak_port = with_rights(port, MX_RIGHT_READ);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(MX_TRAP_IO, 0x300, 1, port, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(MX_TRAP_IO_BELL, 0x300, 1, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, set_trap(MX_TRAP_IO_BELL, 0x300, 1, weak_port, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, set_trap(MX_TRAP_IO, 0x300, 0, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, set_trap(MX_TRAP_IO, 0xffff, 2, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, set_trap(MX_TRAP_IO, 0x10000, 1, MX_HANDLE_INVALID, 0));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_guest_clear_trap(weak_guest, MX_TRAP_IO, GUEST_PORT_EXIT));
    close_handle(weak_guest);
    close_handle(weak_port);
    guest_destroy(&guest);
    close_handle(port);
}
