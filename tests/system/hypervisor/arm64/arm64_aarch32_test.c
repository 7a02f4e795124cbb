// 32-bit programs of arm64 guests, A32 and T32: their exceptions come to EL1, their accesses to
// devices to the VMM, and their state stays theirs over exits. Where the CPU has no such programs
// there is nothing to see.
//
// Instructions: Arm ARM DDI 0487J.a, F5 "T32 and A32 Base Instruction Set Instruction
// Descriptions".

#include <string.h>

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "tests/test.h"

#define SPI        40
#define DEVICE_KEY 2

#define SPSR_USER      0x1d0u // A, I, F; user mode
#define SPSR_THUMB     0x20u
#define SPSR_ALL_FLAGS 0xf80f0000u // N, Z, C, V, Q; GE

#define ESR_CLASS(esr)   ((esr) >> 26)
#define CLASS_UNKNOWN    0x00u
#define CLASS_SVC32      0x11u
#define CLASS_DATA_LOWER 0x24u
#define FSC_EXTERNAL     0x10u

// GUEST_DATA, as the guest has it.
enum {
    DATA_RAN,
    DATA_ESR,
    DATA_ELR,
    DATA_SPSR,
    DATA_FAR,
    DATA_R,
    DATA_INPUT_SPSR = 32,
    DATA_INPUT_R,
};

#define A32_SVC_7 0xef000007u
#define T32_SVC_7 0xdf07u

static struct guest_fixture guest;

static void load(const void *program, size_t size_bytes, uint32_t spsr)
{
    ASSERT_TRUE(guest_start(&guest, &code_run_32_bit));
    ASSERT_OK(guest_trap(&guest, MX_TRAP_MEM, GUEST_DEVICE, MX_HANDLE_INVALID, DEVICE_KEY));
    memcpy(guest.ram + GUEST_WRITTEN, program, size_bytes);
    guest_data(&guest)[DATA_INPUT_SPSR] = spsr;
    for (unsigned i = 0; i < 15; i++)
        guest_data(&guest)[DATA_INPUT_R + i] = 0x81828384u + i * 0x01010101u;
    guest_data(&guest)[DATA_INPUT_R] = GUEST_DEVICE;
}

static uint64_t data(unsigned index)
{
    return guest_data(&guest)[index];
}

// It ended at `offset` of the program with an exception of this class; false: the CPU has no 32-bit
// programs.
static bool finish(uint32_t class, unsigned offset)
{
    EXPECT_EQ(guest_run_to_exit(guest.vcpu), (uint32_t)GUEST_DONE);
    if (!data(DATA_RAN))
        return false;
    EXPECT_EQ(ESR_CLASS(data(DATA_ESR)), class);
    EXPECT_EQ(data(DATA_ELR), GUEST_WRITTEN + offset);
    return true;
}

TEST(system_call_of_a32_comes_to_el1)
{
    static const uint32_t program[] = {0xe3a00005, A32_SVC_7}; // mov r0, #5

    load(program, sizeof(program), SPSR_USER);
    if (finish(CLASS_SVC32, 8)) {
        EXPECT_EQ(data(DATA_ESR) & 0xffff, 7u);
        EXPECT_EQ(data(DATA_R), 5u);
        EXPECT_EQ(data(DATA_SPSR), SPSR_USER);
    }
    guest_destroy(&guest);
}

TEST(system_call_of_t32_comes_to_el1)
{
    static const uint16_t program[] = {0x2005, T32_SVC_7}; // movs r0, #5

    load(program, sizeof(program), SPSR_USER | SPSR_THUMB);
    if (finish(CLASS_SVC32, 4)) {
        EXPECT_EQ(data(DATA_ESR) & 0xffff, 7u);
        EXPECT_EQ(data(DATA_R), 5u);
        EXPECT_EQ(data(DATA_SPSR), SPSR_USER | SPSR_THUMB);
    }
    guest_destroy(&guest);
}

// --- accesses to devices
// --------------------------------------------------------------------------

struct expected_access {
    uint32_t offset, width_bytes;
    bool is_write;
    uint32_t data; // written, or the answer
};

// R1 to R8 are what these loads leave and these stores write.
static const struct expected_access every_width[] = {
    {0, 1, false, 0xf1},  {2, 2, false, 0xf2f3},  {4, 4, false, 0xf4f5f6f7},
    {8, 1, true, 0x88},   {10, 2, true, 0x8889},  {12, 4, true, 0x8788898a},
    {16, 1, false, 0xf1}, {18, 2, false, 0xf2f3},
};

static void answer_accesses(const struct expected_access *expected, size_t count)
{
    struct mx_vcpu_packet packet = {0};

    for (size_t i = 0; i < count; i++) {
        ASSERT_OK(guest_enter(guest.vcpu, &packet));
        if (packet.key != DEVICE_KEY && !data(DATA_RAN))
            return; // no 32-bit programs
        ASSERT_EQ(packet.key, (uint64_t)DEVICE_KEY);
        EXPECT_EQ(packet.mem.addr, GUEST_DEVICE + expected[i].offset);
        EXPECT_EQ(packet.mem.width_bytes, expected[i].width_bytes);
        EXPECT_EQ(packet.mem.is_write, expected[i].is_write);
        if (expected[i].is_write)
            EXPECT_EQ(packet.mem.data, expected[i].data);
        else
            packet.mem.data = expected[i].data;
    }
    // The last answer goes in with the next enter.
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.key, 1u);
}

static void expect_every_width(unsigned end)
{
    static const uint32_t registers[] = {GUEST_DEVICE, 0xf1,       0xf2f3,
                                         0xf4f5f6f7,   0x85868788, 0x86878889,
                                         0x8788898a,   0xfffffff1, 0xfffff2f3};

    answer_accesses(every_width, sizeof(every_width) / sizeof(every_width[0]));
    if (data(DATA_RAN)) {
        EXPECT_EQ(ESR_CLASS(data(DATA_ESR)), CLASS_SVC32);
        EXPECT_EQ(data(DATA_ELR), GUEST_WRITTEN + end);
        for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
            EXPECT_EQ(data(DATA_R + i), registers[i]);
    }
    guest_destroy(&guest);
}

TEST(device_accesses_of_a32_have_their_width)
{
    static const uint32_t program[] = {
        0xe5d01000, // ldrb r1, [r0]
        0xe1d020b2, // ldrh r2, [r0, #2]
        0xe5903004, // ldr r3, [r0, #4]
        0xe5c04008, // strb r4, [r0, #8]
        0xe1c050ba, // strh r5, [r0, #10]
        0xe580600c, // str r6, [r0, #12]
        0xe1d071d0, // ldrsb r7, [r0, #16]
        0xe1d081f2, // ldrsh r8, [r0, #18]
        A32_SVC_7,
    };

    load(program, sizeof(program), SPSR_USER);
    expect_every_width(sizeof(program));
}

// Instructions of 16 and of 32 bits: the CPU says by how much to go on.
TEST(device_accesses_of_t32_have_their_width)
{
    static const uint16_t program[] = {
        0x7801,            // ldrb r1, [r0]
        0x8842,            // ldrh r2, [r0, #2]
        0x6843,            // ldr r3, [r0, #4]
        0x7204,            // strb r4, [r0, #8]
        0x8145,            // strh r5, [r0, #10]
        0x60c6,            // str r6, [r0, #12]
        0xf990,    0x7010, // ldrsb.w r7, [r0, #16]
        0xf9b0,    0x8012, // ldrsh.w r8, [r0, #18]
        T32_SVC_7,
    };

    load(program, sizeof(program), SPSR_USER | SPSR_THUMB);
    expect_every_width(sizeof(program));
}

// The guest's kernel hears of it at the instruction, nothing of which is done, and the log says
// why.
static void expect_refused(const void *program, size_t size_bytes, uint32_t spsr)
{
    load(program, size_bytes, spsr);
    if (finish(CLASS_DATA_LOWER, 0)) {
        EXPECT_EQ(data(DATA_ESR) & 0x3f, FSC_EXTERNAL);
        EXPECT_EQ(data(DATA_FAR), GUEST_DEVICE);
        EXPECT_EQ(data(DATA_SPSR), spsr);
        for (unsigned i = 0; i < 15; i++)
            EXPECT_EQ(data(DATA_R + i), data(DATA_INPUT_R + i));
    }
    guest_destroy(&guest);
}

TEST(accesses_of_a32_that_the_cpu_does_not_describe_are_external_aborts)
{
    static const uint32_t programs[] = {
        0xe8900006, // ldm r0, {r1, r2}
        0xe8800006, // stm r0, {r1, r2}
        0xe8b00006, // ldm r0!, {r1, r2}
        0xe1c020d0, // ldrd r2, r3, [r0]
        0xe1c020f0, // strd r2, r3, [r0]
        0xe4901004, // ldr r1, [r0], #4
    };

    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        expect_refused(&programs[i], sizeof(programs[i]), SPSR_USER);
}

TEST(accesses_of_t32_that_the_cpu_does_not_describe_are_external_aborts)
{
    static const uint16_t programs[][2] = {
        {0xc806, T32_SVC_7}, // ldmia r0!, {r1, r2}
        {0xc006, T32_SVC_7}, // stmia r0!, {r1, r2}
        {0xe9d0, 0x2300},    // ldrd r2, r3, [r0]
    };

    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        expect_refused(programs[i], sizeof(programs[i]), SPSR_USER | SPSR_THUMB);
}

// --- others
// ---------------------------------------------------------------------------------------

static void raise_later(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    (void)!mx_guest_send_msi(guest.guest, 0, SPI);
}

TEST(wfi_of_a32_waits_and_is_stepped_over)
{
    static const uint32_t program[] = {
        0xe320f003, // wfi
        0xe3a01001, // mov r1, #1
        A32_SVC_7,
    };
    struct thread *thread;

    load(program, sizeof(program), SPSR_USER);
    guest_enable_irq(&guest, 0, SPI, 0xa0, true);
    ASSERT_OK(thread_create(&thread, "raise", raise_later, NULL, 0));
    if (finish(CLASS_SVC32, sizeof(program)))
        EXPECT_EQ(data(DATA_R + 1), 1u);
    thread_join(thread);
    guest_destroy(&guest);
}

// One whose condition fails is not waited for, if it traps at all.
TEST(wfi_of_a32_that_is_not_to_be_done_does_not_wait)
{
    static const uint32_t program[] = {0x0320f003, A32_SVC_7}; // wfieq

    load(program, sizeof(program), SPSR_USER);
    (void)finish(CLASS_SVC32, sizeof(program));
    guest_destroy(&guest);
}

// What CPUs have there is their own affair; guests have nothing.
TEST(implementation_defined_register_of_a32_is_undefined)
{
    static const uint32_t program[] = {0xee1f0f10, A32_SVC_7}; // mrc p15, 0, r0, c15, c0, 0

    load(program, sizeof(program), SPSR_USER);
    (void)finish(CLASS_UNKNOWN, 0);
    guest_destroy(&guest);
}

TEST(state_of_a32_holds_over_exits)
{
    static const uint32_t program[] = {
        0xe5801000, // 1: str r1, [r0]
        0xe5902004, // ldr r2, [r0, #4]
        0xe152000e, // cmp r2, lr
        0x1afffffb, // bne 1b
        A32_SVC_7,
    };
    const uint32_t last = 0x8f909192; // R14
    struct mx_vcpu_packet packet = {0};
    unsigned round = 0;

    load(program, sizeof(program), SPSR_USER | SPSR_ALL_FLAGS);
    for (unsigned i = 0; i < 200; i++) {
        ASSERT_OK(guest_enter(guest.vcpu, &packet));
        if (packet.key != DEVICE_KEY)
            break;
        if (i % 16 == 0)
            mx_nanosleep(deadline_after(MX_USEC(100))); // others have the CPU
        if (packet.mem.is_write)
            EXPECT_EQ(packet.mem.data, 0x82838485u);
        else
            packet.mem.data = ++round < 50 ? round : last;
    }
    if (data(DATA_RAN)) {
        EXPECT_EQ(round, 50u);
        // What comparing equal values leaves, and what it does not touch: Q, GE.
        EXPECT_EQ(data(DATA_SPSR), (uint64_t)SPSR_USER | 0x680f0000);
        for (unsigned i = 0; i < 15; i++)
            EXPECT_EQ(data(DATA_R + i), i == 2 ? last : data(DATA_INPUT_R + i));
    }
    guest_destroy(&guest);
}
