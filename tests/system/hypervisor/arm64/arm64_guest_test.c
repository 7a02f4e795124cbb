// Guests on arm64: accesses to devices in every form, firmware calls, system registers, state,
// counts.

#include <machina/objects.h>
#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "tests/test.h"

#define DEVICE_KEY 2
#define BELL_KEY   3
#define VALUE      UINT64_C(0x1122334455667788)
#define ANSWER     UINT64_C(0x8182838485868788)

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;

// The accesses of guest_accesses, in order, as the VMM sees them.
struct expected {
    uint32_t offset;
    uint8_t width;
    bool is_write;
    uint64_t data;
};
static const struct expected expected[] = {
    {0, 8, true, VALUE},
    {8, 4, true, 0x55667788},
    {2, 2, true, 0x7788},
    {1, 1, true, 0x88},
    {0, 8, true, 0},
    {16, 8, true, VALUE},
    {24, 8, true, GUEST_DEVICE},
    {0, 4, true, 0x55667788},
    {4, 4, true, GUEST_DATA},
    {0, 4, true, 0x55667788}, // pre-index from +8
    {0, 8, true, VALUE},      // by SP
    {0, 4, true, 0x55667788}, // ordered
    {0, 8, false, 0},
    {0, 4, false, 0},
    {0, 4, false, 0},
    {0, 2, false, 0},
    {0, 1, false, 0},
    {0, 1, false, 0},
    {0, 8, false, 0},
    {8, 8, false, 0},
    {0xff8, 4, false, 0}, // below the base: the page before
    {0xffc, 4, false, 0},
    {0xff8, 4, false, 0},
    {16, 4, false, 0},
    {0, 4, false, 0},
    {0, 8, false, 0},
};

static const uint64_t expected_results[] = {
    GUEST_DEVICE + 8,  // after stp with post-index
    GUEST_DEVICE,      // after str with pre-index
    GUEST_DEVICE + 16, // SP
    ANSWER,
    0x85868788,
    0xffffffff85868788,
    0xffff8788,
    0xffffffffffffff88,
    0x88,
    ANSWER,
    ANSWER,
    0xffffffff85868788,
    0xffffffff85868788,
    GUEST_DEVICE - 8,
    0x85868788,
    GUEST_DEVICE,
    0x85868788,
    0x85868788,
};

static void check_access(unsigned index)
{
    const struct expected *e = &expected[index];
    uint64_t page = e->offset >= 0xff0 ? GUEST_DEVICE - 0x1000 : GUEST_DEVICE;

    if (packet.type != MX_VCPU_PACKET_MEM || packet.mem.addr != page + e->offset ||
        packet.mem.width_bytes != e->width || packet.mem.is_write != e->is_write ||
        !packet.mem.is_decoded || (e->is_write && packet.mem.data != e->data))
        test_fail(__FILE__, __LINE__, "access %u: type %u addr %lx width %u write %u data %lx",
                  index, packet.type, packet.mem.addr, packet.mem.width_bytes, packet.mem.is_write,
                  packet.mem.data);
}

TEST(every_form_of_access_reaches_the_vmm_decoded)
{
    struct mx_trap trap = {.kind = MX_TRAP_MEM,
                           .addr = GUEST_DEVICE - 0x1000,
                           .size_bytes = 0x1000,
                           .key = DEVICE_KEY};
    const unsigned count = sizeof(expected) / sizeof(expected[0]);

    ASSERT_TRUE(guest_start(&guest, &code_accesses));
    ASSERT_OK(guest_trap(&guest, MX_TRAP_MEM, GUEST_DEVICE, MX_HANDLE_INVALID, DEVICE_KEY));
    ASSERT_OK(mx_guest_set_trap(guest.guest, &trap));
    packet = (struct mx_vcpu_packet){0};
    for (unsigned i = 0; i < count; i++) {
        ASSERT_OK(guest_enter(guest.vcpu, &packet));
        check_access(i);
        if (!packet.mem.is_write)
            packet.mem.data = ANSWER;
    }
    // DC ZVA: zeroes, as many as the CPU's block has.
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    unsigned zeroes = 0;
    for (; packet.key == DEVICE_KEY && zeroes < 256; zeroes++) {
        EXPECT_TRUE(packet.mem.is_write && packet.mem.data == 0 && packet.mem.width_bytes == 8);
        EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_DEVICE + 8 * zeroes);
        ASSERT_OK(guest_enter(guest.vcpu, &packet));
    }
    EXPECT_TRUE(zeroes == 8 || zeroes == 64);
    EXPECT_EQ(packet.mem.addr, (uint64_t)GUEST_EXIT);
    for (unsigned i = 0; i < sizeof(expected_results) / sizeof(expected_results[0]); i++)
        EXPECT_EQ(guest_data(&guest)[i], expected_results[i]);
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
    guest_destroy(&guest);
}

TEST(accesses_that_no_device_understands_are_external_aborts)
{
    ASSERT_TRUE(guest_start(&guest, &code_refused));
    ASSERT_OK(guest_trap(&guest, MX_TRAP_MEM, GUEST_DEVICE, MX_HANDLE_INVALID, DEVICE_KEY));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 7u);
    EXPECT_EQ(guest_result(&guest, RESULT_ESR) >> 26, 0x25u);
    EXPECT_EQ(guest_result(&guest, RESULT_ESR) & 0x3f, 0x10u);
    EXPECT_EQ(guest_result(&guest, RESULT_FAR), (uint64_t)GUEST_DEVICE);
    EXPECT_EQ(guest_data(&guest)[0], 0u); // no write-back
    guest_destroy(&guest);
}

TEST(access_to_nothing_is_the_vmm_s_to_judge)
{
    ASSERT_TRUE(guest_start(&guest, &code_accesses));
    packet = (struct mx_vcpu_packet){0};
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_MEM);
    EXPECT_EQ(packet.key, UINT64_MAX);
    packet.mem.exception = MX_ARM64_EXCEPTION_ABORT;
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 1u);
    packet.type = MX_VCPU_PACKET_IO;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, guest_enter(guest.vcpu, &packet));
    guest_destroy(&guest);
}

TEST(bells_ring_without_the_vmm)
{
    struct mx_port_packet bell;
    mx_handle_t port;

    ASSERT_OK(mx_port_create(&port));
    ASSERT_TRUE(guest_start(&guest, &code_bells));
    ASSERT_OK(guest_trap(&guest, MX_TRAP_BELL, GUEST_BELL, port, BELL_KEY));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    ASSERT_OK(mx_port_wait(port, 0, &bell));
    EXPECT_EQ(bell.key, (uint64_t)BELL_KEY);
    EXPECT_EQ(bell.bell.count, 3u);
    EXPECT_EQ(bell.bell.value, (uint64_t)GUEST_BELL);
    EXPECT_EQ(guest_data(&guest)[0], 8u);
    guest_destroy(&guest);
    close_handle(port);
}

TEST(fetch_from_nothing_ends_the_guest)
{
    ASSERT_TRUE(guest_start(&guest, &code_jump_to_nothing));
    packet = (struct mx_vcpu_packet){0};
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_SHUTDOWN);
    EXPECT_EQ(packet.shutdown.info[0], (uint64_t)GUEST_NOTHING);
    EXPECT_STATUS(MX_ERR_BAD_STATE, guest_enter(guest.vcpu, &packet));
    guest_destroy(&guest);
}

TEST(memory_holds_with_translation_on_and_off)
{
    ASSERT_TRUE(guest_start(&guest, &code_translate));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    EXPECT_EQ(guest_data(&guest)[2], 0x1111u);
    EXPECT_EQ(guest_data(&guest)[3], 0x2222u);
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
    guest_destroy(&guest);
}

TEST(vector_registers_hold_over_exits)
{
    ASSERT_TRUE(guest_start(&guest, &code_vectors_fp));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    guest_destroy(&guest);
}

// --- firmware
// ---------------------------------------------------------------------------------------

struct call {
    uint64_t x[4];
    uint64_t is_smc; // and the result
};

static void put_calls(const struct call *calls, uint64_t count)
{
    guest_data(&guest)[0] = count;
    memcpy(guest.ram + GUEST_DATA + 8, calls, count * sizeof(*calls));
}

static int64_t call_result(unsigned index)
{
    return (int64_t)guest_data(&guest)[1 + index * 5 + 4];
}

TEST(firmware_answers_right_and_wrong_calls)
{
    static const struct call calls[] = {
        {{0x84000000}, 0},
        {{0x84000000}, 1},
        {{0x80000000}, 1},
        {{0xc4000003, 7, 0x1000, 0}, 1},       // no such vCPU
        {{0xc4000003, 0x100, 0x1000, 0}, 0},   // nor this
        {{0xc4000003, UINT64_MAX, 0x1000}, 0}, // nor this
        {{0xc4000003, 0, 0x1000, 0}, 0},       // on
        {{0xc4000003, 0, 0x1001, 0}, 0},
        {{0xc4000003, 0, UINT64_MAX - 3, 0}, 0},
        {{0xc4000004, 0, 0}, 0},
        {{0xc4000004, 0, 3}, 0},
        {{0xc4000004, 9, 0}, 0},
        {{0x8400000a, 0xc4000003}, 0},
        {{0x8400000a, 0x84000055}, 0},
        {{0xdeadbeef}, 1},
        {{0}, 0},
    };
    static const int64_t results[] = {0x10001, 0x10001, 0x10001, -2, -2, -2, -4, -9,
                                      -9,      0,       -2,      -2, 0,  -1, -1, -1};

    ASSERT_TRUE(guest_start(&guest, &code_firmware));
    put_calls(calls, sizeof(calls) / sizeof(calls[0]));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (call_result(i) != results[i])
            test_fail(__FILE__, __LINE__, "call %u: %ld, not %ld", i, call_result(i), results[i]);
    guest_destroy(&guest);
}

TEST(vcpu_is_started_with_its_context_and_turns_itself_off)
{
    static const struct call calls[] = {{{0xc4000004, 1, 0}, 0},
                                        {{0xc4000003, 1, GUEST_CODE_2, VALUE}, 0},
                                        {{0xc4000003, 1, GUEST_CODE_2, 0}, 0}};
    static const struct call again[] = {{{0xc4000004, 1, 0}, 0},
                                        {{0x84000003, 1, GUEST_CODE_2, 5}, 1}};
    struct second_vcpu second;

    ASSERT_TRUE(guest_start(&guest, &code_firmware));
    guest_load(&guest, GUEST_CODE_2, &code_second);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, MX_VCPU_CREATE_WAITING));
    put_calls(calls, 3);
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    EXPECT_EQ(call_result(0), 1);
    EXPECT_EQ(call_result(1), 0);
    EXPECT_TRUE(call_result(2) == -4 || call_result(2) == -5 || call_result(2) == 0);
    for (int i = 0; i < 1000 && !guest_data(&guest)[0x101]; i++)
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    EXPECT_TRUE(guest_data(&guest)[0x100] == VALUE || guest_data(&guest)[0x100] == 0);
    EXPECT_EQ(guest_data(&guest)[0x101], 0x80000001u);
    mx_nanosleep(deadline_after(MX_MSEC(20))); // off by now
    guest_data(&guest)[0x101] = 0;
    put_calls(again, 2);
    close_handle(guest.vcpu);
    ASSERT_OK(guest_make_vcpu(&guest, 0, GUEST_CODE, &guest.vcpu));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    EXPECT_EQ(call_result(0), 1);
    EXPECT_EQ(call_result(1), 0);
    for (int i = 0; i < 1000 && !guest_data(&guest)[0x101]; i++)
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    EXPECT_EQ(guest_data(&guest)[0x100], 5u);
    second_vcpu_finish(&second, true);
    EXPECT_STATUS(MX_ERR_CANCELED, second.status);
    guest_destroy(&guest);
}

static void expect_power(uint64_t function, uint32_t reason)
{
    struct call call = {{function}, 1};

    ASSERT_TRUE(guest_start(&guest, &code_firmware));
    put_calls(&call, 1);
    packet = (struct mx_vcpu_packet){0};
    EXPECT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_POWER);
    EXPECT_EQ(packet.power.reason, reason);
    guest_destroy(&guest);
}

TEST(power_off_and_reset_are_told_to_the_vmm)
{
    expect_power(0x84000008, MX_POWER_OFF);
    expect_power(0x84000009, MX_POWER_REBOOT);
}

TEST(exits_are_counted_by_reason)
{
    struct mx_info_vcpu info;
    size_t actual;

    ASSERT_TRUE(guest_start(&guest, &code_hypercalls));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    ASSERT_OK(mx_object_get_info(guest.vcpu, MX_INFO_VCPU, &info, sizeof(info), &actual));
    uint64_t sum = 0;
    for (unsigned i = 0; i < MX_GUEST_EXIT_COUNT; i++)
        sum += info.stats.exits[i];
    EXPECT_EQ(info.stats.vm_exits, sum);
    EXPECT_EQ(info.stats.vm_entries, sum);
    EXPECT_EQ(info.stats.exits[MX_GUEST_EXIT_SMC], 1000u);
    EXPECT_GE(info.stats.exits[MX_GUEST_EXIT_DATA_ABORT], 1u);
    EXPECT_GE(info.stats.exits[MX_GUEST_EXIT_INSTRUCTION_ABORT], 1u);
    guest_destroy(&guest);
}

// --- system registers
// -------------------------------------------------------------------------------

#define SYSREG(op0, op1, crn, crm, op2) \
    ((uint32_t)(op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define MRS_X0(reg)     (0xd5200000u | (reg))
#define MSR_X0(reg)     (0xd5000000u | (reg))
#define STORE_X0_NEXT   0xf8008540u // str x0, [x10], #8
#define MOVE_X0_MINUS_1 0x92800000u
#define RETURN          0xd65f03c0u

static uint32_t *code;

static void write_code(uint32_t word)
{
    *code++ = word;
}

static void run_written(void)
{
    write_code(RETURN);
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
}

TEST(identification_registers_are_filtered)
{
    ASSERT_TRUE(guest_start(&guest, &code_call_written));
    code = (uint32_t *)(guest.ram + GUEST_WRITTEN);
    for (uint32_t crm = 1; crm < 8; crm++) {
        for (uint32_t op2 = 0; op2 < 8; op2++) {
            write_code(MRS_X0(SYSREG(3, 0, 0, crm, op2)));
            write_code(STORE_X0_NEXT);
        }
    }
    run_written();
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
    uint64_t pfr0 = guest_data(&guest)[3 * 8 + 0], dfr0 = guest_data(&guest)[4 * 8 + 0];
    EXPECT_EQ(pfr0 >> 4 & 0xf, 1u);  // EL1
    EXPECT_EQ(pfr0 >> 8 & 0xf, 0u);  // EL2
    EXPECT_EQ(pfr0 >> 32 & 0xf, 0u); // SVE
    EXPECT_EQ(pfr0 >> 24 & 0xf, guest_gic_version(&guest) == 3 ? 1u : 0u);
    EXPECT_EQ(dfr0 & 0xf, 6u);
    EXPECT_EQ(dfr0 >> 8 & 0xf, 0u); // PMU
    guest_destroy(&guest);
}

TEST(trapped_registers_are_read_and_written_without_harm)
{
    static const uint32_t registers[] = {
        SYSREG(3, 0, 1, 0, 1),   // ACTLR_EL1
        SYSREG(3, 3, 9, 12, 0),  // PMCR_EL0
        SYSREG(3, 3, 9, 13, 0),  // PMCCNTR_EL0
        SYSREG(3, 3, 9, 14, 0),  // PMUSERENR_EL0
        SYSREG(3, 0, 9, 14, 1),  // PMINTENSET_EL1
        SYSREG(3, 3, 14, 15, 7), // PMCCFILTR_EL0
        SYSREG(2, 0, 0, 2, 2),   // MDSCR_EL1
        SYSREG(2, 0, 0, 0, 4),   // DBGBVR0_EL1
        SYSREG(2, 0, 0, 0, 5),   // DBGBCR0_EL1
        SYSREG(2, 0, 0, 0, 6),   // DBGWVR0_EL1
        SYSREG(2, 0, 1, 3, 4),   // OSDLR_EL1
        SYSREG(3, 3, 14, 2, 2),  // CNTP_CVAL_EL0
    };
    unsigned count = sizeof(registers) / sizeof(registers[0]);

    ASSERT_TRUE(guest_start(&guest, &code_call_written));
    code = (uint32_t *)(guest.ram + GUEST_WRITTEN);
    for (unsigned i = 0; i < count; i++) {
        write_code(0xd2800000); // mov x0, #0
        write_code(MSR_X0(registers[i]));
        write_code(MRS_X0(registers[i]));
        write_code(STORE_X0_NEXT);
    }
    write_code(MSR_X0(SYSREG(2, 0, 1, 0, 4)));  // OSLAR_EL1
    write_code(MSR_X0(SYSREG(1, 0, 7, 6, 2)));  // DC ISW
    write_code(MSR_X0(SYSREG(1, 0, 7, 10, 2))); // DC CSW
    write_code(MSR_X0(SYSREG(1, 0, 7, 14, 2))); // DC CISW
    run_written();
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
    for (unsigned i = 0; i < count; i++)
        EXPECT_EQ(guest_data(&guest)[i], 0u);
    guest_destroy(&guest);
}

// As kernels do at their start, whatever the identification says.
TEST(performance_counters_can_be_turned_on_and_count_nothing)
{
    static const uint32_t switches[] = {
        SYSREG(3, 3, 9, 12, 0), // PMCR_EL0
        SYSREG(3, 3, 9, 12, 1), // PMCNTENSET_EL0
        SYSREG(3, 0, 9, 14, 1), // PMINTENSET_EL1
        SYSREG(3, 3, 9, 14, 0), // PMUSERENR_EL0
    };
    static const uint32_t registers[] = {
        SYSREG(3, 3, 9, 12, 0),  // PMCR_EL0: no event counters
        SYSREG(3, 3, 9, 12, 1),  // PMCNTENSET_EL0
        SYSREG(3, 3, 9, 12, 3),  // PMOVSCLR_EL0
        SYSREG(3, 3, 9, 12, 6),  // PMCEID0_EL0: no events
        SYSREG(3, 3, 9, 12, 7),  // PMCEID1_EL0
        SYSREG(3, 3, 9, 13, 0),  // PMCCNTR_EL0
        SYSREG(3, 3, 9, 14, 0),  // PMUSERENR_EL0
        SYSREG(3, 0, 9, 14, 1),  // PMINTENSET_EL1
        SYSREG(3, 3, 14, 15, 7), // PMCCFILTR_EL0
    };
    const unsigned count = sizeof(registers) / sizeof(registers[0]);

    ASSERT_TRUE(guest_start(&guest, &code_call_written));
    code = (uint32_t *)(guest.ram + GUEST_WRITTEN);
    for (unsigned i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        write_code(MOVE_X0_MINUS_1);
        write_code(MSR_X0(switches[i]));
    }
    for (unsigned i = 0; i < count; i++) {
        write_code(MRS_X0(registers[i]));
        write_code(STORE_X0_NEXT);
    }
    run_written();
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), 0u);
    for (unsigned i = 0; i < count; i++)
        EXPECT_EQ(guest_data(&guest)[i], 0u);
    guest_destroy(&guest);
}

TEST(registers_that_are_not_there_are_undefined)
{
    static const uint32_t registers[] = {
        SYSREG(3, 0, 1, 2, 0),  // ZCR_EL1: SVE
        SYSREG(3, 0, 5, 3, 0),  // ERRIDR_EL1: RAS
        SYSREG(3, 0, 11, 3, 1), // implementation defined
        SYSREG(2, 1, 0, 0, 1),  // trace
    };
    unsigned count = sizeof(registers) / sizeof(registers[0]);

    ASSERT_TRUE(guest_start(&guest, &code_call_written));
    code = (uint32_t *)(guest.ram + GUEST_WRITTEN);
    for (unsigned i = 0; i < count; i++) {
        write_code(0xd2800540); // mov x0, #42
        write_code(MRS_X0(registers[i]));
        write_code(STORE_X0_NEXT);
    }
    write_code(MSR_X0(SYSREG(3, 0, 0, 4, 0))); // cannot be written
    run_written();
    for (unsigned i = 0; i < count; i++)
        if (guest_data(&guest)[i] != 42)
            test_fail(__FILE__, __LINE__, "register %u reads as %lx", i, guest_data(&guest)[i]);
    EXPECT_EQ(guest_result(&guest, RESULT_EXCEPTION_COUNT), count + 1);
    EXPECT_EQ(guest_result(&guest, RESULT_ESR) >> 26, 0u);
    guest_destroy(&guest);
}

// --- state
// ------------------------------------------------------------------------------------------

TEST(state_is_written_and_read_back)
{
    struct mx_vcpu_state state, again;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    ASSERT_OK(mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state)));
    EXPECT_EQ(state.pstate, 0x3c5u);
    for (unsigned i = 0; i < MX_ARM64_GPR_COUNT; i++)
        state.x[i] = VALUE + i;
    state.tpidr_el0 = state.tpidr_el1 = state.tpidrro_el0 = VALUE;
    state.sp_el0 = 0x1230;
    state.mair_el1 = VALUE;
    state.cntv_cval_el0 = VALUE;
    state.pauth_keys[0] = VALUE;
    ASSERT_OK(mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state)));
    ASSERT_OK(mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &again, sizeof(again)));
    EXPECT_BYTES_EQ(&state, &again, sizeof(state));
    // What was in the CPU's registers comes back as well.
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    ASSERT_OK(mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &again, sizeof(again)));
    EXPECT_EQ(again.tpidr_el0, VALUE);
    EXPECT_EQ(again.tpidr_el1, VALUE);
    EXPECT_EQ(again.tpidrro_el0, VALUE);
    EXPECT_EQ(again.sp_el0, 0x1230u);
    EXPECT_EQ(again.x[30], VALUE + 30);
    guest_destroy(&guest);
}

TEST(impossible_states_are_refused)
{
    struct mx_vcpu_state state;
    static const uint64_t modes[] = {
        0x3c9, 0x3cd, 0x3c8, 0x3d3, 0x3da, 0x3c1, (uint64_t)1 << 32 | 0x3c5};

    ASSERT_TRUE(guest_start(&guest, &code_done));
    ASSERT_OK(mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state)));
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        state.pstate = modes[i];
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS,
                                                               &state, sizeof(state)));
    }
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, 8));
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    guest_destroy(&guest);
}

TEST(kick_ends_a_guest_that_spins)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    guest_load(&guest, GUEST_CODE_2, &code_spin);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, 0));
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    second_vcpu_finish(&second, true);
    EXPECT_STATUS(MX_ERR_CANCELED, second.status);
    guest_destroy(&guest);
}

TEST(guests_leave_nothing_behind)
{
    struct machine_counts before;

    for (int i = 0; i < 11; i++) {
        if (i == 1) // the first one started the watchdog
            before = machine_counts();
        ASSERT_TRUE(guest_start(&guest, &code_done));
        EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
        guest_destroy(&guest);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(ports_are_not_there)
{
    struct mx_trap trap = {.kind = MX_TRAP_IO, .addr = 0x80, .size_bytes = 1};

    ASSERT_TRUE(guest_start(&guest, &code_done));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_guest_set_trap(guest.guest, &trap));
    guest_destroy(&guest);
}
