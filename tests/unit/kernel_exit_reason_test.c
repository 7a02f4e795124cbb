// Under what exits of arm64 guests are counted, as kstats shows them.
#include "kernel/arch/arm64/hypervisor/portable/exit_reason.h"

#include "tests/test.h"

static enum mx_guest_exit reason(uint64_t class, uint64_t iss)
{
    return exit_reason(class << 26 | (uint64_t)1 << 25 | iss);
}

// The CPU of QEMU's software emulation takes no WFE out of a guest, so no system test can see one.
TEST(wfi_and_wfe_are_counted_together)
{
    EXPECT_EQ(reason(0x01, 0), MX_GUEST_EXIT_WFX);
    EXPECT_EQ(reason(0x01, 1), MX_GUEST_EXIT_WFX);
    // With a condition, of a 32-bit program, in 16 bits.
    EXPECT_EQ(exit_reason(UINT64_C(0x01) << 26 | 0x1e00001), MX_GUEST_EXIT_WFX);
}

TEST(firmware_calls_are_counted_by_either_instruction)
{
    EXPECT_EQ(reason(0x16, 0), MX_GUEST_EXIT_SMC);
    EXPECT_EQ(reason(0x17, 0xffff), MX_GUEST_EXIT_SMC);
}

TEST(aborts_and_system_registers_have_their_own_counts)
{
    EXPECT_EQ(reason(0x18, 0x3fffff), MX_GUEST_EXIT_SYSTEM);
    EXPECT_EQ(reason(0x20, 0x07), MX_GUEST_EXIT_INSTRUCTION_ABORT);
    EXPECT_EQ(reason(0x24, 0x47), MX_GUEST_EXIT_DATA_ABORT);
}

TEST(every_other_class_is_counted_as_other)
{
    unsigned other = 0;

    for (uint64_t class = 0; class < 64; class ++)
        other += reason(class, 0) == MX_GUEST_EXIT_OTHER;
    EXPECT_EQ(other, 64u - 6);
    // What is above the class is not part of it: ISS2.
    EXPECT_EQ(reason(0x24, (uint64_t)1 << 32), MX_GUEST_EXIT_DATA_ABORT);
}
