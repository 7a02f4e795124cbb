// Events of virtio input devices as key changes.
#include "tests/test.h"
#include "tests/unit/key_changes.h"
#include "user/drivers/input/portable/linux_keys.h"
#include "user/drivers/input/portable/virtio_input.h"

static struct key_state keys;
static struct key_queue queue;

static void start(void)
{
    memset(&keys, 0, sizeof(keys));
    memset(&queue, 0, sizeof(queue));
}

static bool give(uint16_t type, uint16_t code, uint32_t value)
{
    const struct virtio_input_event event = {type, code, value};

    return virtio_input_event(&keys, (const uint8_t *)&event, sizeof(event), &queue);
}

static int next(void)
{
    return take_key_change(&queue);
}

TEST(virtio_input_tells_presses_and_releases_once)
{
    start();
    EXPECT_TRUE(give(1, 30, 1));
    EXPECT_TRUE(give(0, 0, 0));
    EXPECT_TRUE(give(1, 30, 2)); // repeated by the device: the key stays down
    EXPECT_TRUE(give(1, 30, 1));
    EXPECT_TRUE(give(1, 42, 1));
    EXPECT_TRUE(give(1, 30, 0));
    EXPECT_TRUE(give(1, 30, 0));
    EXPECT_EQ(next(), 0x04);
    EXPECT_EQ(next(), 0xe1);
    EXPECT_EQ(next(), -0x04);
    EXPECT_EQ(next(), 0);
}

TEST(virtio_input_passes_over_what_is_no_key)
{
    start();
    for (uint32_t type = 0; type < 0x10000; type += type < 40 ? 1 : 4051) {
        if (type != VIRTIO_INPUT_EVENT_KEY)
            EXPECT_TRUE(give((uint16_t)type, 30, 1));
    }
    EXPECT_TRUE(give(1, 0, 1));
    EXPECT_TRUE(give(1, 0x110, 1)); // a mouse button
    EXPECT_TRUE(give(1, 0xffff, 1));
    EXPECT_TRUE(give(1, 30, 3));
    EXPECT_TRUE(give(1, 30, UINT32_MAX));
    EXPECT_EQ(next(), 0);
}

TEST(virtio_input_refuses_buffers_that_were_not_filled)
{
    const struct virtio_input_event event = {1, 30, 1};

    start();
    for (size_t size = 0; size < sizeof(event); size++)
        EXPECT_FALSE(virtio_input_event(&keys, (const uint8_t *)&event, size, &queue));
    EXPECT_EQ(next(), 0);
}

TEST(virtio_input_knows_keyboards_by_their_letters)
{
    uint8_t bits[16] = {0};

    EXPECT_FALSE(virtio_input_is_keyboard(bits, sizeof(bits)));
    for (unsigned code = 1; code < 58; code++)
        bits[code / 8] |= (uint8_t)(1u << code % 8);
    EXPECT_TRUE(virtio_input_is_keyboard(bits, sizeof(bits)));
    EXPECT_TRUE(virtio_input_is_keyboard(bits, 8));
    EXPECT_FALSE(virtio_input_is_keyboard(bits, 7)); // no space
    EXPECT_FALSE(virtio_input_is_keyboard(bits, 0));
    bits[50 / 8] &= (uint8_t) ~(1u << 50 % 8); // no M
    EXPECT_FALSE(virtio_input_is_keyboard(bits, sizeof(bits)));
}

// A mapping to one usage from two codes would press a key twice.
TEST(linux_keys_have_usages_of_their_own)
{
    uint8_t seen[256] = {0};

    for (uint32_t code = 0; code < 0x10000; code++) {
        const uint16_t usage = linux_key_usage((uint16_t)code);
        if (usage == 0)
            continue;
        EXPECT_GE(usage, 4);
        EXPECT_LT(usage, 0xe8);
        EXPECT_EQ(seen[usage], 0);
        seen[usage] = 1;
    }
    for (unsigned usage = 0x04; usage <= 0x67; usage++) {
        // The key beside Enter of keyboards that have no backslash is the same code of Linux.
        if (usage != 0x32)
            EXPECT_EQ(seen[usage], 1);
    }
    EXPECT_EQ(linux_key_usage(1), 0x29);
    EXPECT_EQ(linux_key_usage(28), 0x28);
    EXPECT_EQ(linux_key_usage(103), 0x52);
    EXPECT_EQ(linux_key_usage(194), 0x73);
    EXPECT_EQ(linux_key_usage(195), 0);
}
