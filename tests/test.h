// The test macros of every level: host unit tests and system tests on the target alike.
//
// TEST(name) defines a test whose name says the behaviour it checks. A test that fails an EXPECT goes
// on, one that fails an ASSERT returns. The program's main() comes from tests/test_main.c: it runs all tests
// of the program in link order (or those whose names are given as arguments), prints `ok NAME` or
// `FAIL NAME` after each, and ends with `N passed, N failed` and a status that is zero only if none failed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

// Marks the running test as failed and prints where and why.
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    static const struct test_case test_case_##test_name                                            \
        __attribute__((used, section("test_cases"), aligned(sizeof(void *)))) = {#test_name,       \
                                                                                 test_name};       \
    static void test_name(void)

#define TEST_FAIL_VALUES(op, a, b)                                                                 \
    test_fail(__FILE__, __LINE__, "%s %s %s: 0x%llx and 0x%llx", #a, #op, #b,                      \
              (unsigned long long)(a), (unsigned long long)(b))

// Numbers, booleans, pointers cast to uintptr_t. Operands must have no side effects.
#define EXPECT_OP(op, a, b)                                                                        \
    do {                                                                                           \
        if (!((a)op(b)))                                                                           \
            TEST_FAIL_VALUES(op, a, b);                                                            \
    } while (0)
#define ASSERT_OP(op, a, b)                                                                        \
    do {                                                                                           \
        if (!((a)op(b))) {                                                                         \
            TEST_FAIL_VALUES(op, a, b);                                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT_EQ(a, b) EXPECT_OP(==, a, b)
#define EXPECT_NE(a, b) EXPECT_OP(!=, a, b)
#define EXPECT_LT(a, b) EXPECT_OP(<, a, b)
#define EXPECT_LE(a, b) EXPECT_OP(<=, a, b)
#define EXPECT_GT(a, b) EXPECT_OP(>, a, b)
#define EXPECT_GE(a, b) EXPECT_OP(>=, a, b)
#define ASSERT_EQ(a, b) ASSERT_OP(==, a, b)
#define ASSERT_NE(a, b) ASSERT_OP(!=, a, b)
#define ASSERT_GE(a, b) ASSERT_OP(>=, a, b)

// A call that returns mx_status_t; evaluated once, the value is printed by its number.
#define EXPECT_STATUS(expected, call)                                                              \
    do {                                                                                           \
        long long test_status_ = (call);                                                           \
        if (test_status_ != (expected))                                                            \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %s", #call, test_status_, #expected);   \
    } while (0)
#define ASSERT_STATUS(expected, call)                                                              \
    do {                                                                                           \
        long long test_status_ = (call);                                                           \
        if (test_status_ != (expected)) {                                                          \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %s", #call, test_status_, #expected);   \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_OK(call) EXPECT_STATUS(0, call)
#define ASSERT_OK(call) ASSERT_STATUS(0, call)

#define EXPECT_TRUE(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "false: %s", #condition);                                \
    } while (0)
#define EXPECT_FALSE(condition) EXPECT_TRUE(!(condition))
#define ASSERT_TRUE(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, "false: %s", #condition);                                \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT_STR_EQ(a, b)                                                                        \
    do {                                                                                           \
        const char *test_a_ = (a), *test_b_ = (b);                                                 \
        if (strcmp(test_a_, test_b_) != 0)                                                         \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, test_a_, test_b_);       \
    } while (0)
#define EXPECT_BYTES_EQ(a, b, size_bytes)                                                          \
    EXPECT_TRUE(memcmp((a), (b), (size_bytes)) == 0)
