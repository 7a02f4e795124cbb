// PSTATE over emulated instructions.
#include "kernel/arch/arm64/hypervisor/portable/pstate.h"

#include "tests/test.h"

#define EL1H   0x5u
#define USER32 0x10u
#define THUMB  (USER32 | 0x20u)
#define Z      0x40000000u

static uint64_t with_it(uint64_t pstate, unsigned it)
{
    return pstate | (uint64_t)(it & 3) << 25 | (uint64_t)(it >> 2) << 10;
}

TEST(single_step_and_branch_type_end_with_the_instruction)
{
    EXPECT_EQ(pstate_after_instruction(EL1H | PSTATE_SS | PSTATE_BTYPE | Z), (uint64_t)(EL1H | Z));
    EXPECT_EQ(pstate_after_instruction(EL1H), (uint64_t)EL1H);
    EXPECT_EQ(pstate_after_instruction(USER32 | PSTATE_SS), (uint64_t)USER32);
}

// ITE EQ: 0x0c, then 0x18, then no block.
TEST(if_then_block_goes_on)
{
    const uint64_t second = pstate_after_instruction(with_it(THUMB, 0x0c));

    EXPECT_EQ(second, with_it(THUMB, 0x18));
    EXPECT_EQ(pstate_after_instruction(second), (uint64_t)THUMB);
    EXPECT_EQ(pstate_after_instruction(with_it(THUMB, 0xe1)), with_it(THUMB, 0xe2));
}

// N, Z, C, V in bits 31 to 28; the conditions that hold, one bit each.
TEST(conditions_look_at_the_flags)
{
    static const struct {
        uint32_t flags;
        uint16_t holding;
    } cases[] = {
        {0x00000000, 0xd6aa}, {0x40000000, 0xe6a9}, {0x20000000, 0xd5a6},
        {0x80000000, 0xea9a}, {0x90000000, 0xd65a}, {0x10000000, 0xea6a},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned condition = 0; condition < 16; condition++)
            EXPECT_EQ(pstate_condition_holds(USER32 | cases[i].flags, ISS_CV | condition << 20),
                      condition == 15 || (cases[i].holding >> condition & 1));
}

TEST(condition_comes_from_the_block_where_the_syndrome_has_none)
{
    EXPECT_TRUE(pstate_condition_holds(with_it(THUMB | Z, 0x08), 0)); // EQ
    EXPECT_FALSE(pstate_condition_holds(with_it(THUMB, 0x08), 0));
    EXPECT_TRUE(pstate_condition_holds(THUMB, 0));
    EXPECT_TRUE(pstate_condition_holds(USER32, 0));
    EXPECT_TRUE(pstate_condition_holds(EL1H, ISS_CV)); // no 32-bit program
}
