// Errata of arm64 CPUs: which parts and revisions have them.
#include "kernel/arch/arm64/portable/errata.h"

#include <stddef.h>
#include <string.h>

#include "tests/test.h"

#define ARM      0x41u
#define QUALCOMM 0x51u

#define A53  0xd03u
#define A55  0xd05u
#define A76  0xd0bu
#define N1   0xd0cu
#define A510 0xd46u

static uint64_t midr(unsigned implementer, unsigned part, unsigned variant, unsigned revision)
{
    return (uint64_t)implementer << 24 | (uint64_t)variant << 20 | 0xf << 16 | part << 4 | revision;
}

static unsigned effects(unsigned part, unsigned variant, unsigned revision)
{
    unsigned found = 0;

    for (const struct erratum *e = NULL;
         (e = errata_next(midr(ARM, part, variant, revision), e)) != NULL;)
        found |= e->effect;
    return found;
}

TEST(part_and_revision_are_found_in_the_identification)
{
    // A Neoverse-N1 r4p1 as it says it.
    EXPECT_EQ(midr_part(0x414fd0c1), N1);
    EXPECT_EQ(midr_revision(0x414fd0c1), 0x41u);
    EXPECT_TRUE(midr_is_arm(0x414fd0c1));
    EXPECT_FALSE(midr_is_arm(midr(QUALCOMM, N1, 0, 0)));
    EXPECT_EQ(midr_revision(midr(ARM, A76, 0xf, 0xf)), 0xffu);
}

TEST(errata_end_with_the_revision_that_mended_them)
{
    EXPECT_EQ(effects(A76, 0, 0), (unsigned)(ERRATUM_TLBI_TWICE | ERRATUM_SPECULATIVE_AT));
    EXPECT_EQ(effects(A76, 2, 0), (unsigned)(ERRATUM_TLBI_TWICE | ERRATUM_SPECULATIVE_AT));
    EXPECT_EQ(effects(A76, 2, 1), (unsigned)ERRATUM_TLBI_TWICE);
    EXPECT_EQ(effects(A76, 3, 0), (unsigned)ERRATUM_TLBI_TWICE);
    EXPECT_EQ(effects(A76, 3, 1), 0u);
    EXPECT_EQ(effects(A510, 1, 1), (unsigned)ERRATUM_TLBI_TWICE);
    EXPECT_EQ(effects(A510, 1, 2), 0u);
}

TEST(errata_begin_with_the_revision_that_brought_them)
{
    EXPECT_EQ(effects(N1, 2, 0), (unsigned)ERRATUM_SPECULATIVE_AT);
    EXPECT_EQ(effects(N1, 2, 15), 0u);
    EXPECT_EQ(effects(N1, 3, 0), (unsigned)ERRATUM_INSTRUCTION_CACHES);
    EXPECT_EQ(effects(N1, 4, 0), (unsigned)ERRATUM_INSTRUCTION_CACHES);
    EXPECT_EQ(effects(N1, 4, 1), 0u);
}

TEST(erratum_of_all_revisions_is_of_the_last_one_too)
{
    EXPECT_EQ(effects(A55, 2, 0), (unsigned)(ERRATUM_TLBI_TWICE | ERRATUM_SPECULATIVE_AT));
    EXPECT_EQ(effects(A55, 15, 15), (unsigned)ERRATUM_TLBI_TWICE);
}

TEST(other_parts_and_other_makers_have_none)
{
    EXPECT_EQ(effects(A53, 0, 0), 0u);
    EXPECT_EQ(effects(0, 0, 0), 0u);
    EXPECT_TRUE(errata_next(midr(QUALCOMM, A76, 0, 0), NULL) == NULL);
    EXPECT_TRUE(errata_next(0, NULL) == NULL);
    EXPECT_TRUE(errata_next(UINT64_MAX, NULL) == NULL);
}

TEST(each_erratum_is_told_once_with_a_text)
{
    const struct erratum *first = errata_next(midr(ARM, A76, 0, 0), NULL);
    const struct erratum *second = errata_next(midr(ARM, A76, 0, 0), first);

    ASSERT_TRUE(first != NULL && second != NULL && second != first);
    EXPECT_TRUE(errata_next(midr(ARM, A76, 0, 0), second) == NULL);
    EXPECT_TRUE(strncmp(first->text, "Cortex-A76 ", 11) == 0);
}
