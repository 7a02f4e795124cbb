// Guest page walks in every paging mode, and the plain MOVs that the kernel decodes.
#include "kernel/arch/x86_64/hypervisor/portable/guest_walk.h"
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"
#include "kernel/arch/x86_64/hypervisor/portable/pv_clock.h"

#include "tests/test.h"

#define CR0_PAGING 0x80000001u
#define CR4_PAE_ON 0x20u
#define EFER_LONG  0x500u

static uint64_t memory[0x6000 / 8];

static bool read_memory(void *context, uint64_t addr, unsigned width_bytes, uint64_t *value)
{
    (void)context;
    if (addr > sizeof(memory) - width_bytes)
        return false;
    *value = 0;
    memcpy(value, (char *)memory + addr, width_bytes);
    return true;
}

static bool walk(uint64_t cr0, uint64_t cr4, uint64_t efer, uint64_t linear, uint64_t *out)
{
    const struct guest_walk w = {cr0, 0x1000, cr4, efer, read_memory, NULL};

    return guest_walk_translate(&w, linear, out);
}

static void set64(uint64_t at, uint64_t value)
{
    memory[at / 8] = value;
}

TEST(walk_without_paging_is_the_identity_in_32_bits)
{
    uint64_t out;

    EXPECT_TRUE(walk(1, 0, 0, 0x1000000123, &out));
    EXPECT_EQ(out, 0x123u);
}

TEST(walk_of_four_levels_finds_pages_of_all_sizes)
{
    uint64_t out;

    memset(memory, 0, sizeof(memory));
    set64(0x1000 + 8 * 256, 0x2003); // top half
    set64(0x2000, 0x3003);
    set64(0x2000 + 8, 0x0000004040000083 | 1ull << 63); // 1 GiB, no-execute
    set64(0x3000, 0x4003);
    set64(0x3000 + 8, 0x600083); // 2 MiB
    set64(0x4000 + 8 * 5, 0x77003);
    EXPECT_TRUE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0xffff800000005abc, &out));
    EXPECT_EQ(out, 0x77abcu);
    EXPECT_TRUE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0xffff800000212345, &out));
    EXPECT_EQ(out, 0x612345u);
    EXPECT_TRUE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0xffff800040000001, &out));
    EXPECT_EQ(out, 0x4040000001u);
    EXPECT_FALSE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0xffff800000006000, &out));
    EXPECT_FALSE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0, &out));
}

TEST(walk_of_legacy_tables_finds_small_and_large_pages)
{
    uint64_t out;

    memset(memory, 0, sizeof(memory));
    set64(0x1000, (uint64_t)0x00c02083 << 32 | 0x2003); // entry 1: 4 MiB at 0x1'00c00000 (PSE-36)
    set64(0x2000, (uint64_t)0x5003 << 32);
    EXPECT_TRUE(walk(CR0_PAGING, 0x10, 0, 0x1234, &out));
    EXPECT_EQ(out, 0x5234u);
    EXPECT_TRUE(walk(CR0_PAGING, 0x10, 0, 0x400010, &out));
    EXPECT_EQ(out, 0x100c00010u);
    EXPECT_FALSE(walk(CR0_PAGING, 0x10, 0, 0x10, &out));
}

TEST(walk_of_pae_tables_uses_the_directory_pointers)
{
    uint64_t out;

    memset(memory, 0, sizeof(memory));
    set64(0x1000 + 8 * 3, 0x2001);
    set64(0x2000, 0x800083);
    EXPECT_TRUE(walk(CR0_PAGING, CR4_PAE_ON, 0, 0xc0012345, &out));
    EXPECT_EQ(out, 0x812345u);
}

TEST(walk_ends_when_tables_are_not_in_memory)
{
    uint64_t out;

    memset(memory, 0xff, sizeof(memory));
    EXPECT_FALSE(walk(CR0_PAGING, CR4_PAE_ON, EFER_LONG, 0x1000, &out));
}

TEST(mov_decodes_loads_as_well_as_stores)
{
    const uint8_t load[] = {0x8b, 0x80, 0x00, 0xe3, 0xee, 0xfe}; // mov eax, [rax - 0x1111d00]
    const uint8_t store[] = {0x44, 0x89, 0x07};                  // mov [rdi], r8d
    const uint8_t immediate[] = {0xc7, 0x07, 1, 2, 3, 4};
    const uint8_t other[] = {0x01, 0x07};
    struct mov_access mov;

    EXPECT_TRUE(mov_access_decode(load, sizeof(load), 64, &mov));
    EXPECT_FALSE(mov.is_store);
    EXPECT_EQ(mov.length_bytes, 6u);
    EXPECT_EQ(mov.operand.reg, 0);
    EXPECT_TRUE(mov_access_decode(store, sizeof(store), 64, &mov));
    EXPECT_TRUE(mov.is_store);
    EXPECT_EQ(mov.operand.reg, 8);
    EXPECT_EQ(mov.operand.width_bytes, 4);
    EXPECT_TRUE(mov_access_decode(immediate, sizeof(immediate), 64, &mov));
    EXPECT_EQ(mov.operand.immediate, 0x04030201u);
    EXPECT_FALSE(mov_access_decode(other, sizeof(other), 64, &mov));
    EXPECT_FALSE(mov_access_decode(load, 3, 64, &mov));
    EXPECT_FALSE(mov_access_decode(load, 0, 64, &mov));
}

TEST(pv_clock_scale_is_within_a_millionth_for_all_frequencies)
{
    const uint64_t hz[] = {1000000, 999999999, 1000000000, 2400000000u, 4999999999u, 100000000};

    for (size_t i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
        uint64_t ns = pv_clock_scale_apply(pv_clock_scale_from_hz(hz[i]), hz[i] * 100);

        EXPECT_LE(ns, 100000000000u + 100000u);
        EXPECT_GE(ns, 100000000000u - 100000u);
        EXPECT_GE(pv_clock_ns_from_ticks(hz[i] * 3 + 1, hz[i]),
                  3000000001u - 1 + (hz[i] < 1000000000));
    }
    EXPECT_EQ(pv_clock_ns_from_ticks(UINT64_MAX, 1000000), UINT64_MAX);
    EXPECT_EQ(pv_clock_ns_from_ticks(1, 2000000000), 1u);
}
