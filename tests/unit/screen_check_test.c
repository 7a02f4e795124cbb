// What firmware says of its screen.
#include "tests/test.h"

#include "boot/loader/screen_check.h"

#define MEMORY_BYTES ((uint64_t)1088 * 768 * 4)

static const struct zbi_framebuffer good = {0x80000000, 1024, 768, 1088, ZBI_PIXELS_XBGR};

TEST(screen_needs_memory_for_every_line)
{
    EXPECT_TRUE(screen_is_usable(&good, MEMORY_BYTES));
    EXPECT_TRUE(screen_is_usable(&good, UINT64_MAX));
    EXPECT_FALSE(screen_is_usable(&good, MEMORY_BYTES - 1));
    EXPECT_FALSE(screen_is_usable(&good, 0));
    // 1 GiB, which 32 bits hold, and the largest there is.
    const struct zbi_framebuffer largest = {4096, ZBI_FRAMEBUFFER_SIDE_MAX,
                                            ZBI_FRAMEBUFFER_SIDE_MAX, ZBI_FRAMEBUFFER_SIDE_MAX,
                                            ZBI_PIXELS_XRGB};
    EXPECT_TRUE(screen_is_usable(&largest, UINT64_C(1) << 30));
    EXPECT_FALSE(screen_is_usable(&largest, (UINT64_C(1) << 30) - 1));
}

TEST(screen_that_makes_no_sense_is_none)
{
    const struct zbi_framebuffer bad[] = {
        {0, 1024, 768, 1088, ZBI_PIXELS_XRGB},
        {0x80000002, 1024, 768, 1088, ZBI_PIXELS_XRGB},
        {UINT64_MAX - 3, 1024, 768, 1088, ZBI_PIXELS_XRGB},
        {0x80000000, 0, 768, 1088, ZBI_PIXELS_XRGB},
        {0x80000000, 1089, 768, 1088, ZBI_PIXELS_XRGB},
        {0x80000000, 1024, 0, 1088, ZBI_PIXELS_XRGB},
        {0x80000000, 1024, ZBI_FRAMEBUFFER_SIDE_MAX + 1, 1088, ZBI_PIXELS_XRGB},
        {0x80000000, 1024, 768, ZBI_FRAMEBUFFER_SIDE_MAX + 1, ZBI_PIXELS_XRGB},
        {0x80000000, 1024, 768, 1088, 0},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT_FALSE(screen_is_usable(&bad[i], UINT64_MAX));
}
