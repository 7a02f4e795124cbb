// The kernel's decoder of plain MOVs, as far as it tells where the access is. The lengths are
// tested in x86_insn_length_test.c.
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"

#include "tests/test.h"

#define RAX 0
#define R9  9

static uint64_t gpr[16];
static struct mov_access mov;

static bool decode(const uint8_t *bytes, size_t count, unsigned code_bits)
{
    return mov_access_decode(bytes, count, code_bits, &mov);
}

TEST(load_through_a_register_is_where_the_register_points)
{
    static const uint8_t LOAD[] = {0x8b, 0x40, 0xf0}; // mov -16(%rax),%eax
    ASSERT_TRUE(decode(LOAD, sizeof(LOAD), 64));
    EXPECT_FALSE(mov.is_store);
    EXPECT_TRUE(mov.has_plain_address);
    EXPECT_EQ(mov.base_reg, RAX);
    EXPECT_EQ(mov.displacement, -16);
    gpr[RAX] = 0xffffffffff5fc020;
    EXPECT_TRUE(mov_access_is_at(&mov, gpr, 0xfec00010));
    EXPECT_FALSE(mov_access_is_at(&mov, gpr, 0xfec00014));
}

TEST(store_with_wide_displacement_and_high_register)
{
    static const uint8_t STORE[] = {0x4d, 0x89, 0x91, 0x08,
                                    0x01, 0x00, 0x00}; // mov %r10,0x108(%r9)
    ASSERT_TRUE(decode(STORE, sizeof(STORE), 64));
    EXPECT_TRUE(mov.is_store && mov.has_plain_address);
    EXPECT_EQ(mov.base_reg, R9);
    gpr[R9] = 0x7000;
    EXPECT_TRUE(mov_access_is_at(&mov, gpr, 0xd0000108));
}

// The first half may be RAM and the second a device: the fault then names the second page.
TEST(access_across_pages_is_left_to_the_full_decoder)
{
    static const uint8_t STORE[] = {0x89, 0x00}; // mov %eax,(%rax)
    ASSERT_TRUE(decode(STORE, sizeof(STORE), 64));
    gpr[RAX] = 0x1ffe;
    EXPECT_FALSE(mov_access_is_at(&mov, gpr, 0xd0001000));
    EXPECT_FALSE(mov_access_is_at(&mov, gpr, 0xd0000ffe));
    gpr[RAX] = 0x1ffc;
    EXPECT_TRUE(mov_access_is_at(&mov, gpr, 0xd0000ffc));
    gpr[RAX] = 0x2000;
    EXPECT_TRUE(mov_access_is_at(&mov, gpr, 0xd0001000));
}

TEST(other_forms_of_addressing_are_left_to_the_full_decoder)
{
    static const struct {
        uint8_t bytes[9];
        size_t count;
        unsigned code_bits;
    } forms[] = {
        {{0x8b, 0x04, 0x18}, 3, 64},       // (%rax,%rbx)
        {{0x8b, 0x05, 0, 0, 0, 0}, 6, 64}, // (%rip)
        {{0x65, 0x8b, 0x00}, 3, 64},       // %gs:(%rax)
        {{0x67, 0x8b, 0x00}, 3, 64},       // (%eax)
        {{0x8b, 0x00}, 2, 32},             // segments have bases
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        ASSERT_TRUE(decode(forms[i].bytes, forms[i].count, forms[i].code_bits));
        gpr[RAX] = 0;
        EXPECT_FALSE(mov_access_is_at(&mov, gpr, 0));
    }
}
