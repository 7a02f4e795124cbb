// Loads and stores of arm64 guests, decoded from their instructions. The encodings are the
// assembler's.
#include "kernel/arch/arm64/hypervisor/portable/abort_decode.h"

#include "tests/test.h"

#define PC  UINT64_C(0x400000)
#define ZVA 64

static uint64_t x[32];
static struct guest_access access_found;

static enum access_decoding decode(uint32_t instruction)
{
    for (unsigned i = 0; i < 32; i++)
        x[i] = 0x1000000 * (i + 1);
    return abort_decode(instruction, x, PC, ZVA, &access_found);
}

struct expected {
    const char *text;
    uint32_t instruction;
    bool is_write, is_sign_extended, is_64;
    uint8_t width_bytes, count, first, second;
    uint64_t address;
    bool has_writeback;
    uint8_t base;
    uint64_t writeback;
};

#define X(n) (0x1000000ull * ((n) + 1))

static const struct expected cases[] = {
    {"ldp x1, x2, [x3, #16]", 0xa9410861, 0, 0, 1, 8, 2, 1, 2, X(3) + 16, 0, 0, 0},
    {"stp w4, w5, [sp, #-8]!", 0x29bf17e4, 1, 0, 0, 4, 2, 4, 5, X(31) - 8, 1, 31, X(31) - 8},
    {"ldpsw x6, x7, [x8], #8", 0x68c11d06, 0, 1, 1, 4, 2, 6, 7, X(8), 1, 8, X(8) + 8},
    {"ldnp x1, x2, [x3, #16]", 0xa8410861, 0, 0, 1, 8, 2, 1, 2, X(3) + 16, 0, 0, 0},
    {"ldr w1, [x2], #4", 0xb8404441, 0, 0, 0, 4, 1, 1, 0, X(2), 1, 2, X(2) + 4},
    {"str x1, [x2, #-8]!", 0xf81f8c41, 1, 0, 1, 8, 1, 1, 0, X(2) - 8, 1, 2, X(2) - 8},
    {"str wzr, [x2], #4", 0xb800445f, 1, 0, 0, 4, 1, 31, 0, X(2), 1, 2, X(2) + 4},
    {"ldrsb w3, [x4], #1", 0x38c01483, 0, 1, 0, 1, 1, 3, 0, X(4), 1, 4, X(4) + 1},
    {"ldrsh x3, [x4, #2]!", 0x78802c83, 0, 1, 1, 2, 1, 3, 0, X(4) + 2, 1, 4, X(4) + 2},
    {"ldrb w1, [x2, #5]", 0x39401441, 0, 0, 0, 1, 1, 1, 0, X(2) + 5, 0, 0, 0},
    {"ldr x1, [x2, w3, uxtw #3]", 0xf8635841, 0, 0, 1, 8, 1, 1, 0, X(2) + X(3) * 8, 0, 0, 0},
    {"ldrsw x1, [x2, w3, sxtw #2]", 0xb8a3d841, 0, 1, 1, 4, 1, 1, 0, X(2) + X(3) * 4, 0, 0, 0},
    {"strh w1, [x2, x3, lsl #1]", 0x78237841, 1, 0, 0, 2, 1, 1, 0, X(2) + X(3) * 2, 0, 0, 0},
    {"ldur w1, [x2, #-3]", 0xb85fd041, 0, 0, 0, 4, 1, 1, 0, X(2) - 3, 0, 0, 0},
    {"ldtr w1, [x2, #4]", 0xb8404841, 0, 0, 0, 4, 1, 1, 0, X(2) + 4, 0, 0, 0},
    {"ldr w1, .+8", 0x18000041, 0, 0, 0, 4, 1, 1, 0, PC + 8, 0, 0, 0},
    {"ldrsw x1, .-4", 0x98ffffe1, 0, 1, 1, 4, 1, 1, 0, PC - 4, 0, 0, 0},
    {"ldar w1, [x2]", 0x88dffc41, 0, 0, 0, 4, 1, 1, 0, X(2), 0, 0, 0},
    {"stlrb w1, [x2]", 0x089ffc41, 1, 0, 0, 1, 1, 1, 0, X(2), 0, 0, 0},
    {"ldapur w1, [x2, #4]", 0x99404041, 0, 0, 0, 4, 1, 1, 0, X(2) + 4, 0, 0, 0},
    {"stlurh w1, [x2, #-2]", 0x591fe041, 1, 0, 0, 2, 1, 1, 0, X(2) - 2, 0, 0, 0},
    {"dc zva, x5", 0xd50b7425, 1, 0, 0, 8, 8, 31, 31, X(5), 0, 0, 0},
};

TEST(every_form_of_load_and_store_is_decoded)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct expected *e = &cases[i];
        const struct guest_access *a = &access_found;
        bool is_right = decode(e->instruction) == ACCESS_DECODED && a->is_write == e->is_write &&
                        a->is_sign_extended == e->is_sign_extended && a->is_64 == e->is_64 &&
                        a->width_bytes == e->width_bytes && a->count == e->count &&
                        a->registers[0] == e->first &&
                        (e->count != 2 || a->registers[1] == e->second) &&
                        a->address == e->address && a->has_writeback == e->has_writeback;
        if (e->has_writeback)
            is_right = is_right && a->base_register == e->base && a->writeback == e->writeback;
        if (!is_right)
            test_fail(__FILE__, __LINE__, "%s", e->text);
    }
}

TEST(vector_and_floating_point_accesses_are_refused)
{
    EXPECT_EQ(decode(0xad400440), ACCESS_VECTOR); // ldp q0, q1, [x2]
    EXPECT_EQ(decode(0xfd400040), ACCESS_VECTOR); // ldr d0, [x2]
    EXPECT_EQ(decode(0x3c810440), ACCESS_VECTOR); // str q0, [x2], #16
    EXPECT_EQ(decode(0x4c407040), ACCESS_VECTOR); // ld1 {v0.16b}, [x2]
    EXPECT_EQ(decode(0x5c000040), ACCESS_VECTOR); // ldr d0, .+8
}

TEST(exclusive_and_atomic_accesses_are_refused)
{
    EXPECT_EQ(decode(0x885f7c41), ACCESS_EXCLUSIVE); // ldxr w1, [x2]
    EXPECT_EQ(decode(0x8800fc41), ACCESS_EXCLUSIVE); // stlxr w0, w1, [x2]
    EXPECT_EQ(decode(0x88a07c41), ACCESS_EXCLUSIVE); // cas w0, w1, [x2]
    EXPECT_EQ(decode(0x48207c82), ACCESS_EXCLUSIVE); // casp x0, x1, x2, x3, [x4]
    EXPECT_EQ(decode(0xb8208041), ACCESS_EXCLUSIVE); // swp w0, w1, [x2]
    EXPECT_EQ(decode(0xb8200041), ACCESS_EXCLUSIVE); // ldadd w0, w1, [x2]
}

TEST(what_is_no_load_or_store_is_refused)
{
    EXPECT_EQ(decode(0xf9800040), ACCESS_UNKNOWN); // prfm pldl1keep, [x2]
    EXPECT_EQ(decode(0xd8000040), ACCESS_UNKNOWN); // prfm pldl1keep, .+8
    EXPECT_EQ(decode(0xd9200820), ACCESS_UNKNOWN); // stg x0, [x1]
    EXPECT_EQ(decode(0x69000440), ACCESS_UNKNOWN); // stgp x0, x1, [x2]
    EXPECT_EQ(decode(0xf8200420), ACCESS_UNKNOWN); // ldraa x0, [x1]
    EXPECT_EQ(decode(0xd50b7e25), ACCESS_UNKNOWN); // dc civac, x5
    EXPECT_EQ(decode(0x8b020020), ACCESS_UNKNOWN); // add x0, x1, x2
    EXPECT_EQ(decode(0), ACCESS_UNKNOWN);
}

TEST(unpredictable_registers_are_refused)
{
    EXPECT_EQ(decode(0xf8408421), ACCESS_UNKNOWN); // ldr x1, [x1], #8
    EXPECT_EQ(decode(0xa9400441), ACCESS_UNKNOWN); // ldp x1, x1, [x2]
    EXPECT_EQ(decode(0xa8810821), ACCESS_UNKNOWN); // stp x1, x2, [x1], #16
}

TEST(zeroing_without_a_block_size_is_refused)
{
    EXPECT_EQ(abort_decode(0xd50b7425, x, PC, 0, &access_found), ACCESS_UNKNOWN);
    EXPECT_EQ(abort_decode(0xd50b7425, x, PC, 4096, &access_found), ACCESS_UNKNOWN);
}

TEST(loads_extend_as_their_form_says)
{
    struct guest_access a = {.width_bytes = 1};

    EXPECT_EQ(access_extend(&a, 0x1ff), 0xffu);
    a.is_sign_extended = true;
    EXPECT_EQ(access_extend(&a, 0x80), 0xffffff80u);
    a.is_64 = true;
    EXPECT_EQ(access_extend(&a, 0x80), 0xffffffffffffff80u);
    a = (struct guest_access){.width_bytes = 8, .is_64 = true};
    EXPECT_EQ(access_extend(&a, UINT64_MAX), UINT64_MAX);
}
