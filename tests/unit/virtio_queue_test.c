// The driver's side of a virtqueue, with a device that behaves and with one that does not.
#include "user/drivers/portable/virtio_queue.h"

#include "tests/test.h"

#define SIZE 8u

static _Alignas(4096) uint8_t memory[4096];
static struct virtio_queue queue;

static uint16_t *ring16(size_t offset)
{
    return (uint16_t *)(void *)(memory + offset);
}

static void start(void)
{
    memset(memory, 0, sizeof(memory));
    virtio_queue_init(&queue, memory, SIZE);
}

static void give_back(uint32_t id, uint32_t written)
{
    uint16_t *used = ring16(virtio_queue_used_offset(SIZE));
    uint32_t element[2] = {id, written};

    memcpy((uint8_t *)used + 4 + used[1] % SIZE * 8, element, sizeof(element));
    used[1]++;
}

static uint16_t added(uint16_t index)
{
    return ring16(virtio_queue_available_offset(SIZE))[2 + index % SIZE];
}

TEST(chains_go_to_the_device_and_come_back_in_any_order)
{
    const struct virtio_piece pieces[3] = {{0x1000, 16}, {0x2000, 512}, {0x3000, 1}};
    uint32_t token, written;

    start();
    ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 2, 7));
    ASSERT_OK(virtio_queue_add(&queue, pieces, 2, 1, 9));
    EXPECT_TRUE(virtio_queue_publish(&queue));
    EXPECT_EQ(ring16(virtio_queue_available_offset(SIZE))[1], 2u);
    EXPECT_FALSE(virtio_queue_take(&queue, &token, &written));
    give_back(added(1), 1);
    ASSERT_TRUE(virtio_queue_take(&queue, &token, &written));
    EXPECT_EQ(token, 9u);
    EXPECT_EQ(written, 1u);
    give_back(added(0), 513);
    ASSERT_TRUE(virtio_queue_take(&queue, &token, &written));
    EXPECT_EQ(token, 7u);
    EXPECT_EQ(queue.free_count, SIZE);
}

TEST(descriptors_say_who_writes_and_what_follows)
{
    const struct virtio_piece pieces[2] = {{0x1000, 16}, {0x2000, 512}};
    uint16_t flags[2];

    start();
    ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 1, 0));
    uint16_t head = added(0);
    memcpy(flags, memory + head * 16 + 12, 4);
    EXPECT_EQ(flags[0], 1u);
    memcpy(flags, memory + flags[1] * 16 + 12, 4);
    EXPECT_EQ(flags[0], 2u);
}

TEST(a_full_queue_waits)
{
    const struct virtio_piece pieces[SIZE] = {{0x1000, 16}};
    uint32_t token, written;

    start();
    for (uint32_t i = 0; i < SIZE / 2; i++)
        ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 1, i));
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, virtio_queue_add(&queue, pieces, 1, 0, 9));
    give_back(added(2), 0);
    ASSERT_TRUE(virtio_queue_take(&queue, &token, &written));
    EXPECT_EQ(token, 2u);
    EXPECT_OK(virtio_queue_add(&queue, pieces, 1, 1, 9));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, virtio_queue_add(&queue, pieces, SIZE, 1, 9));
}

static void expect_broken(void)
{
    const struct virtio_piece piece = {0x1000, 16};
    uint32_t token, written;

    EXPECT_FALSE(virtio_queue_take(&queue, &token, &written));
    EXPECT_TRUE(queue.is_broken);
    EXPECT_STATUS(MX_ERR_BAD_STATE, virtio_queue_add(&queue, &piece, 1, 0, 0));
}

TEST(a_device_that_breaks_the_rules_breaks_the_queue)
{
    const struct virtio_piece pieces[2] = {{0x1000, 16}, {0x2000, 1}};
    uint32_t token, written;

    start();
    ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 1, 3));
    give_back(SIZE, 0); // no such descriptor
    expect_broken();
    start();
    ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 1, 3));
    give_back((added(0) + 1u) % SIZE, 0); // not the head of a chain
    expect_broken();
    start();
    ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 1, 3));
    give_back(added(0), 0);
    give_back(added(0), 0); // twice
    EXPECT_TRUE(virtio_queue_take(&queue, &token, &written));
    expect_broken();
    start();
    ring16(virtio_queue_used_offset(SIZE))[1] = SIZE + 1; // more than there are
    expect_broken();
}

TEST(a_device_that_writes_to_descriptors_changes_nothing)
{
    const struct virtio_piece pieces[3] = {{0x1000, 16}, {0x2000, 1}, {0x3000, 1}};
    uint32_t token, written;

    start();
    for (uint32_t round = 0; round < 20; round++) {
        ASSERT_OK(virtio_queue_add(&queue, pieces, 1, 2, round));
        memset(memory, 0xff, SIZE * 16);
        give_back(added((uint16_t)round), 0);
        ASSERT_TRUE(virtio_queue_take(&queue, &token, &written));
        EXPECT_EQ(token, round);
        EXPECT_EQ(queue.free_count, SIZE);
    }
}
