// Instruction lengths, sizes and operands as the manuals give them.
#include "tests/test.h"
#include "vmm/x86_64/decode.h"

struct length_case {
    unsigned code_bits;
    uint8_t length;
    uint8_t bytes[15];
};

// Lengths as an assembler gives them.
static const struct length_case LENGTHS[] = {
    {64, 2, {0x88, 0x03}},
    {64, 3, {0x88, 0x43, 0x10}},
    {64, 6, {0x88, 0x83, 0, 0, 0, 0}},
    {64, 3, {0x88, 0x04, 0x24}},                          // (%rsp)
    {64, 7, {0x88, 0x04, 0x25, 0, 0, 0, 0}},              // absolute
    {64, 7, {0x88, 0x04, 0xc5, 0, 0, 0, 0}},              // no base, scaled index
    {64, 4, {0x88, 0x44, 0x05, 0x00}},                    // base RBP with SIB
    {64, 4, {0x41, 0x88, 0x45, 0x00}},                    // (%r13)
    {64, 6, {0x89, 0x05, 0, 0, 0, 0}},                    // RIP-relative
    {64, 7, {0x48, 0xc7, 0x03, 0, 0, 0, 0}},              // imm32
    {64, 5, {0x66, 0xc7, 0x03, 0, 0}},                    // imm16
    {64, 11, {0x48, 0xc7, 0x83, 0, 0, 0, 0, 0, 0, 0, 0}}, // disp32 and imm32
    {64, 9, {0xa1, 0, 0, 0, 0, 0, 0, 0, 0}},
    {64, 6, {0x67, 0xa1, 0, 0, 0, 0}},
    {64, 4, {0x0f, 0xba, 0x23, 0x05}},
    {64, 3, {0x83, 0x03, 0x01}},
    {64, 6, {0x81, 0x03, 0, 0, 0, 0}},
    {64, 6, {0xf7, 0x03, 0, 0, 0, 0}},
    {64, 2, {0xf7, 0x13}},
    {64, 5, {0xf3, 0x0f, 0x6f, 0x43, 0x10}},
    {64, 6, {0xf0, 0x48, 0x0f, 0xb1, 0x4b, 0x08}},
    {64, 5, {0x66, 0x0f, 0x38, 0xf1, 0x03}},
    {32, 6, {0x89, 0x05, 0, 0, 0, 0}},
    {32, 5, {0xa1, 0, 0, 0, 0}},
    {32, 4, {0x67, 0xa1, 0, 0}},
    {32, 5, {0x67, 0x88, 0x87, 0, 0}}, // 16-bit disp16
    {32, 3, {0x67, 0x88, 0x04}},       // 16-bit (%si): no SIB
    {16, 4, {0x88, 0x06, 0, 0}},       // 16-bit absolute
    {16, 2, {0x88, 0x04}},
    {16, 4, {0xc7, 0x07, 0, 0}},
    {16, 7, {0x66, 0xc7, 0x07, 0, 0, 0, 0}},
    {16, 4, {0x67, 0x88, 0x04, 0x24}},
};

TEST(lengths_are_those_of_an_assembler)
{
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        const struct length_case *test = &LENGTHS[i];
        struct x86_instruction out;
        EXPECT_OK(x86_decode(test->bytes, 15, test->code_bits, &out));
        EXPECT_EQ(out.length_bytes, test->length);
    }
}

TEST(every_missing_byte_is_noticed)
{
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        const struct length_case *test = &LENGTHS[i];
        struct x86_instruction out;
        for (size_t count = 0; count < test->length; count++)
            EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                          x86_decode(test->bytes, count, test->code_bits, &out));
    }
}

static struct x86_instruction decode_64(const uint8_t *bytes)
{
    struct x86_instruction out;
    EXPECT_OK(x86_decode(bytes, 15, 64, &out));
    return out;
}

TEST(rex_extends_registers_and_widens_operands)
{
    static const uint8_t BYTES[15] = {0x4f, 0x89, 0x5c, 0xb5, 0xf8}; // mov %r11,-8(%r13,%r14,4)
    struct x86_instruction out = decode_64(BYTES);
    EXPECT_EQ(out.op, X86_OP_MOV);
    EXPECT_EQ(out.operand_bytes, 8);
    EXPECT_EQ(out.reg, 11);
    EXPECT_EQ(out.memory.base, 13);
    EXPECT_EQ(out.memory.index, 14);
    EXPECT_EQ(out.memory.scale_shift, 2);
    EXPECT_EQ(out.memory.displacement, (uint64_t)-8);
}

TEST(r12_is_an_index_and_rsp_is_not)
{
    static const uint8_t WITH_R12[15] = {0x42, 0x88, 0x04, 0x20};
    static const uint8_t WITHOUT[15] = {0x40, 0x88, 0x04, 0x20};
    EXPECT_EQ(decode_64(WITH_R12).memory.index, 12);
    EXPECT_EQ(decode_64(WITHOUT).memory.index, X86_NO_REGISTER);
}

TEST(rex_before_another_prefix_is_ignored)
{
    static const uint8_t BYTES[15] = {0x48, 0x66, 0x89, 0x03};
    struct x86_instruction out = decode_64(BYTES);
    EXPECT_EQ(out.operand_bytes, 2);
    EXPECT_FALSE(out.has_rex);
    EXPECT_EQ(out.length_bytes, 4);
}

TEST(rex_w_wins_over_the_operand_size_prefix)
{
    static const uint8_t BYTES[15] = {0x66, 0x48, 0xc7, 0x03};
    struct x86_instruction out = decode_64(BYTES);
    EXPECT_EQ(out.operand_bytes, 8);
    EXPECT_EQ(out.length_bytes, 8);
}

TEST(stack_registers_select_the_stack_segment)
{
    static const uint8_t RBP_BASE[15] = {0x88, 0x45, 0x00};
    static const uint8_t R13_BASE[15] = {0x41, 0x88, 0x45, 0x00};
    static const uint8_t FS_RBP[15] = {0x64, 0x88, 0x45, 0x00};
    EXPECT_EQ(decode_64(RBP_BASE).memory.segment, X86_SS);
    EXPECT_EQ(decode_64(R13_BASE).memory.segment, X86_DS);
    EXPECT_EQ(decode_64(FS_RBP).memory.segment, X86_FS);
}

TEST(immediates_are_sign_extended)
{
    static const uint8_t BYTES[15] = {0x48, 0x83, 0x03, 0x80};
    EXPECT_EQ(decode_64(BYTES).immediate, (uint64_t)-128);
}

TEST(bytes_40_to_4f_are_instructions_outside_64_bit_code)
{
    static const uint8_t BYTES[15] = {0x48, 0x89, 0x03};
    struct x86_instruction out;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, x86_decode(BYTES, 15, 32, &out));
}

TEST(crc32_is_not_taken_for_movbe)
{
    static const uint8_t BYTES[15] = {0xf2, 0x0f, 0x38, 0xf0, 0x03};
    struct x86_instruction out;
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, x86_decode(BYTES, 15, 64, &out));
}

TEST(movnti_with_a_register_is_undefined)
{
    static const uint8_t BYTES[15] = {0x0f, 0xc3, 0xc3};
    struct x86_instruction out;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, x86_decode(BYTES, 15, 64, &out));
}

TEST(no_bytes_decode_to_more_than_15)
{
    uint64_t state = 88172645463325252ull;
    for (unsigned i = 0; i < 300000; i++) {
        uint8_t bytes[16];
        struct x86_instruction out;
        for (unsigned j = 0; j < 16; j += 8) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            memcpy(bytes + j, &state, 8);
        }
        if (x86_decode(bytes, 16, 16u << i % 3, &out) == MX_OK)
            EXPECT_TRUE(out.length_bytes >= 1 && out.length_bytes <= 15);
    }
}
