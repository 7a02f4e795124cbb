// Chains of callers as a panic prints them: whole ones, and broken ones, which end without a fault.
#include "kernel/core/backtrace.h"

#include <string.h>

#include "kernel/arch/host/host.h"

#include "tests/test.h"

#define TEXT UINT64_C(0xffffffff80000000)

#define WORDS 128

static uint64_t stack[WORDS];

static uint64_t at(unsigned index)
{
    return (uint64_t)(uintptr_t)&stack[index];
}

static void set_frame(unsigned index, uint64_t next, uint64_t return_address)
{
    stack[index] = next;
    stack[index + 1] = return_address;
}

static unsigned lines_from(uint64_t frame_pointer)
{
    unsigned lines = 0;

    backtrace_print_chain(frame_pointer, (struct stack_range){at(0), at(WORDS)}, TEXT);
    for (const char *c = host_take_console_text(); *c; c++)
        lines += *c == '\n';
    return lines;
}

TEST(chain_is_followed_to_its_end)
{
    set_frame(0, at(10), TEXT + 0x10);
    set_frame(10, at(62), TEXT + 0x20);
    set_frame(62, 0, TEXT + 0x30);
    backtrace_print_chain(at(0), (struct stack_range){at(0), at(WORDS)}, TEXT);
    const char *text = host_take_console_text();
    EXPECT_TRUE(strstr(text, "ffffffff80000010") != NULL);
    EXPECT_TRUE(strstr(text, "ffffffff80000020") != NULL);
    EXPECT_TRUE(strstr(text, "ffffffff80000030") != NULL);
}

TEST(chain_ends_outside_its_stack)
{
    static uint64_t other[2] = {0, TEXT};

    set_frame(0, (uint64_t)(uintptr_t)other, TEXT);
    EXPECT_EQ(lines_from(at(0)), 1u);
    EXPECT_EQ(lines_from((uint64_t)(uintptr_t)other), 0u);
    EXPECT_EQ(lines_from(at(WORDS)), 0u);
    EXPECT_EQ(lines_from(UINT64_MAX - 7), 0u);
    EXPECT_EQ(lines_from(0), 0u);
    backtrace_print_chain(at(0), (struct stack_range){0, 0}, TEXT);
    EXPECT_STR_EQ(host_take_console_text(), "");
}

// Half a frame at the top, one that is not aligned, one that goes back, one that returns to no
// text.
TEST(broken_frames_end_the_chain)
{
    stack[WORDS - 1] = 0;
    EXPECT_EQ(lines_from(at(WORDS - 1)), 0u);
    EXPECT_EQ(lines_from(at(1) + 1), 0u);
    set_frame(20, at(10), TEXT);
    set_frame(10, at(20), TEXT);
    EXPECT_EQ(lines_from(at(20)), 1u);
    set_frame(30, at(30), TEXT);
    EXPECT_EQ(lines_from(at(30)), 1u);
    set_frame(40, at(50), TEXT - 1);
    EXPECT_EQ(lines_from(at(40)), 0u);
}

TEST(chain_is_no_longer_than_a_screen)
{
    for (unsigned i = 0; i < WORDS; i += 2)
        set_frame(i, at(i + 2), TEXT);
    EXPECT_EQ(lines_from(at(0)), 32u);
}
