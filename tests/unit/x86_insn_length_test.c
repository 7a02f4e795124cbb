// The kernel's small decoder of stores: by hand, and against the VMM's full decoder.
#include "kernel/lib/x86_insn_length.h"
#include "tests/test.h"
#include "vmm/x86_64/decode.h"

static unsigned length_of(const uint8_t *bytes, size_t count, unsigned code_bits,
                          struct x86_mov_store *store)
{
    return x86_mov_store_length(bytes, count, code_bits, store);
}

TEST(word_store_of_a_virtio_notification_is_measured)
{
    static const uint8_t MOV[] = {0x66, 0x89, 0x06}; // mov %ax,(%rsi)
    struct x86_mov_store store;
    EXPECT_EQ(length_of(MOV, 3, 64, &store), 3);
    EXPECT_EQ(store.width_bytes, 2);
    EXPECT_EQ(store.reg, 0);
    EXPECT_FALSE(store.is_immediate);
}

TEST(immediate_is_sign_extended_to_the_width)
{
    static const uint8_t MOV[] = {0x48, 0xc7, 0x40, 0x08, 0xff, 0xff, 0xff, 0xff};
    struct x86_mov_store store;
    EXPECT_EQ(length_of(MOV, 8, 64, &store), 8);
    EXPECT_EQ(store.immediate, UINT64_MAX);
    EXPECT_EQ(length_of(MOV + 1, 7, 64, &store), 7);
    EXPECT_EQ(store.immediate, 0xffffffff);
}

TEST(high_byte_register_is_named)
{
    static const uint8_t MOV[] = {0x88, 0x23};
    static const uint8_t MOV_REX[] = {0x40, 0x88, 0x23};
    struct x86_mov_store store;
    EXPECT_EQ(length_of(MOV, 2, 64, &store), 2);
    EXPECT_TRUE(store.is_high_byte);
    EXPECT_EQ(store.reg, 0);
    EXPECT_EQ(length_of(MOV_REX, 3, 64, &store), 3);
    EXPECT_FALSE(store.is_high_byte);
    EXPECT_EQ(store.reg, 4);
}

TEST(other_instructions_have_no_length)
{
    static const uint8_t OTHERS[][4] = {{0x8b, 0x03, 0, 0},       {0x89, 0xc3, 0, 0},
                                        {0xf0, 0x89, 0x03, 0},    {0xc7, 0x4b, 0, 0},
                                        {0x0f, 0x89, 0x03, 0x00}, {0xa3, 0, 0, 0}};
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        struct x86_mov_store store;
        EXPECT_EQ(length_of(OTHERS[i], 4, 64, &store), 0);
    }
}

TEST(store_that_does_not_fit_has_no_length)
{
    static const uint8_t MOV[] = {0x66, 0x67, 0x48, 0xc7, 0x84, 0x05, 1, 2, 3, 4, 5, 6, 7, 8};
    struct x86_mov_store store;
    EXPECT_EQ(length_of(MOV, sizeof(MOV), 64, &store), sizeof(MOV));
    for (size_t count = 0; count < sizeof(MOV); count++)
        EXPECT_EQ(length_of(MOV, count, 64, &store), 0);
}

// What the full decoder says about a store, or 0.
static unsigned full_length(const uint8_t *bytes, size_t count, unsigned code_bits,
                            struct x86_instruction *out)
{
    if (x86_decode(bytes, count, code_bits, out) != MX_OK || out->op != X86_OP_MOV ||
        !out->rm_is_memory || (out->form != X86_FORM_RM_REG && out->form != X86_FORM_RM_IMM))
        return 0;
    return out->length_bytes;
}

// MOVNTI, which the full decoder gives as a MOV too.
static bool holds_escape(const uint8_t *bytes)
{
    for (unsigned i = 0; i < 15; i++) {
        if (bytes[i] == 0x0f)
            return true;
    }
    return false;
}

TEST(both_decoders_agree_on_random_stores)
{
    static const uint8_t OPCODES[] = {0x88, 0x89, 0xc6, 0xc7};
    static const uint8_t PREFIXES[] = {0x66, 0x67, 0x48, 0x41, 0x4f, 0x64, 0x2e, 0xf3, 0xf0, 0x40};
    uint64_t state = 1442695040888963407ull;
    unsigned store_count = 0;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[16];
        for (unsigned j = 0; j < 16; j += 8) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            memcpy(bytes + j, &state, 8);
        }
        unsigned prefix_count = state >> 60 & 3, code_bits = 16u << i % 3;
        for (unsigned j = 0; j < prefix_count; j++)
            bytes[j] = PREFIXES[bytes[j] % 10];
        bytes[prefix_count] = OPCODES[bytes[15] & 3];
        if ((bytes[15] & 6) == 2)
            bytes[prefix_count + 1] &= 0xc7;
        if (holds_escape(bytes))
            continue;
        struct x86_instruction out;
        struct x86_mov_store store;
        unsigned expected = full_length(bytes, 15, code_bits, &out);
        unsigned length = x86_mov_store_length(bytes, 15, code_bits, &store);
        ASSERT_EQ(length, expected);
        if (length == 0)
            continue;
        store_count++;
        EXPECT_EQ(store.width_bytes, out.operand_bytes);
        EXPECT_EQ(store.is_immediate, out.form == X86_FORM_RM_IMM);
        if (!store.is_immediate)
            EXPECT_EQ(store.reg + (store.is_high_byte ? 4 : 0), out.reg);
    }
    EXPECT_GT(store_count, 10000);
}
