// Firmware calls of arm64 guests.
#include "kernel/arch/arm64/hypervisor/portable/psci.h"

#include "tests/test.h"

#define MEMORY_LIMIT ((uint64_t)1 << 40)

static struct psci_call call(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    const uint64_t x[4] = {x0, x1, x2, x3};

    return psci_decode(x, 0, 64, MEMORY_LIMIT);
}

static int64_t result(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    struct psci_call c = call(x0, x1, x2, x3);

    EXPECT_EQ(c.action, PSCI_RETURN);
    return c.result;
}

TEST(versions_are_1_1)
{
    EXPECT_EQ(result(0x84000000, 0, 0, 0), 0x10001);
    EXPECT_EQ(result(0x80000000, 0, 0, 0), 0x10001);
    EXPECT_EQ(result(0x84000006, 0, 0, 0), 2);
}

TEST(cpu_on_takes_its_arguments_as_wide_as_the_call)
{
    struct psci_call c = call(0xc4000003, 0x103, 0x4000000000, 0x1234567890abcdef);

    EXPECT_EQ(c.action, PSCI_CPU_ON);
    EXPECT_EQ(c.vcpu_id, 19u);
    EXPECT_EQ(c.entry, 0x4000000000u);
    EXPECT_EQ(c.context_id, 0x1234567890abcdefu);
    c = call(0x84000003, 0xffffffff00000001, 0xffffffff80000000, 0x1234567890abcdef);
    EXPECT_EQ(c.action, PSCI_CPU_ON);
    EXPECT_EQ(c.vcpu_id, 1u);
    EXPECT_EQ(c.entry, 0x80000000u);
    EXPECT_EQ(c.context_id, 0x90abcdefu);
}

TEST(cpu_on_refuses_wrong_arguments)
{
    EXPECT_EQ(result(0xc4000003, 0x10, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(result(0xc4000003, 0x400, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(result(0xc4000003, 0x80000001, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(result(0xc4000003, UINT64_MAX, 0x1000, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(result(0xc4000003, 1, 0x1002, 0), PSCI_INVALID_ADDRESS);
    EXPECT_EQ(result(0xc4000003, 1, MEMORY_LIMIT, 0), PSCI_INVALID_ADDRESS);
}

TEST(affinity_info_knows_level_0_only)
{
    struct psci_call c = call(0xc4000004, 2, 0, 0);

    EXPECT_EQ(c.action, PSCI_AFFINITY_INFO);
    EXPECT_EQ(c.vcpu_id, 2u);
    EXPECT_EQ(result(0xc4000004, 2, 1, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(result(0xc4000004, 0x10000, 0, 0), PSCI_INVALID_PARAMETERS);
}

TEST(power_calls_end_something)
{
    EXPECT_EQ(call(0x84000002, 0, 0, 0).action, PSCI_CPU_OFF);
    EXPECT_EQ(call(0x84000008, 0, 0, 0).action, PSCI_SYSTEM_OFF);
    EXPECT_EQ(call(0x84000009, 0, 0, 0).action, PSCI_SYSTEM_RESET);
    EXPECT_EQ(call(0xc4000012, 0, 0, 0).action, PSCI_SYSTEM_RESET);
    EXPECT_EQ(result(0xc4000012, 0x80000000, 0, 0), PSCI_INVALID_PARAMETERS);
    EXPECT_EQ(call(0xc4000001, 0, 0, 0).action, PSCI_SUSPEND);
}

TEST(features_name_what_there_is)
{
    EXPECT_EQ(result(0x8400000a, 0xc4000003, 0, 0), 0);
    EXPECT_EQ(result(0x8400000a, 0x84000003, 0, 0), 0);
    EXPECT_EQ(result(0x8400000a, 0x80000000, 0, 0), 0);
    EXPECT_EQ(result(0x8400000a, 0xc4000008, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(result(0x8400000a, 0x8400000e, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(result(0x80000001, 0x80000001, 0, 0), 0);
    EXPECT_EQ(result(0x80000001, 0x80008000, 0, 0), PSCI_NOT_SUPPORTED);
}

TEST(unknown_calls_are_not_supported)
{
    const uint64_t x[4] = {0x84000000, 0, 0, 0};

    EXPECT_EQ(result(0, 0, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(result(0x84000020, 0, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(result(0xc4000008, 0, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(result(UINT64_MAX, 0, 0, 0), PSCI_NOT_SUPPORTED);
    EXPECT_EQ(psci_decode(x, 1, 64, MEMORY_LIMIT).result, PSCI_NOT_SUPPORTED);
    // The upper half of X0 is no part of the function's number.
    EXPECT_EQ(result(0xffffffff84000000, 0, 0, 0), 0x10001);
}
