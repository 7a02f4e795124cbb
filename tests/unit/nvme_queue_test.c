// NVMe queues with a controller that behaves and with one that does not; lists of pages; Identify
// data.
#include "user/drivers/portable/nvme_queue.h"

#include "tests/test.h"

static struct nvme_command submissions[NVME_QUEUE_SIZE];
static struct nvme_completion completions[NVME_QUEUE_SIZE];
static struct nvme_queue queue;
static uint32_t completed;

static void start(void)
{
    memset(submissions, 0, sizeof(submissions));
    memset(completions, 0, sizeof(completions));
    completed = 0;
    nvme_queue_init(&queue, submissions, completions);
}

static void complete(uint16_t id, uint16_t status)
{
    uint16_t phase = completed / NVME_QUEUE_SIZE % 2 == 0;

    completions[completed++ % NVME_QUEUE_SIZE] =
        (struct nvme_completion){.id = id, .status = (uint16_t)(status << 1 | phase)};
}

TEST(commands_complete_in_any_order_through_many_rounds)
{
    const struct nvme_command command = {.opcode = 2};
    mx_status_t status;
    uint32_t result;
    uint16_t id;

    start();
    for (uint32_t round = 0; round < 3 * NVME_QUEUE_SIZE; round++) {
        ASSERT_OK(nvme_queue_add(&queue, &command, 5));
        ASSERT_OK(nvme_queue_add(&queue, &command, 62));
        EXPECT_FALSE(nvme_queue_take(&queue, &id, &status, &result));
        complete(62, 0);
        complete(5, 0x281); // unrecovered read error
        ASSERT_TRUE(nvme_queue_take(&queue, &id, &status, &result));
        EXPECT_EQ(id, 62u);
        EXPECT_STATUS(MX_OK, status);
        ASSERT_TRUE(nvme_queue_take(&queue, &id, &status, &result));
        EXPECT_EQ(id, 5u);
        EXPECT_STATUS(MX_ERR_IO, status);
        EXPECT_FALSE(nvme_queue_take(&queue, &id, &status, &result));
    }
    EXPECT_FALSE(queue.is_broken);
}

TEST(identifiers_are_used_once)
{
    const struct nvme_command command = {.opcode = 2};

    start();
    ASSERT_OK(nvme_queue_add(&queue, &command, 0));
    EXPECT_EQ(queue.tail, 1u);
    EXPECT_STATUS(MX_ERR_BAD_STATE, nvme_queue_add(&queue, &command, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, nvme_queue_add(&queue, &command, NVME_QUEUE_SIZE - 1));
    for (uint16_t id = 1; id < NVME_QUEUE_SIZE - 1; id++)
        EXPECT_OK(nvme_queue_add(&queue, &command, id));
    EXPECT_NE(queue.tail, 0u);
}

static void expect_broken(uint16_t id)
{
    const struct nvme_command command = {.opcode = 2};
    mx_status_t status;
    uint32_t result;
    uint16_t taken;

    start();
    ASSERT_OK(nvme_queue_add(&queue, &command, 3));
    complete(id, 0);
    EXPECT_FALSE(nvme_queue_take(&queue, &taken, &status, &result));
    EXPECT_TRUE(queue.is_broken);
    EXPECT_STATUS(MX_ERR_BAD_STATE, nvme_queue_add(&queue, &command, 4));
}

TEST(completions_of_commands_that_are_not_there_break_the_queue)
{
    expect_broken(4);
    expect_broken(NVME_QUEUE_SIZE);
    expect_broken(UINT16_MAX);
}

TEST(pages_of_a_transfer_are_listed)
{
    const struct nvme_run one[] = {{0x1200, 0x200}};
    const struct nvme_run two[] = {{0x1e00, 0x200}, {0x9000, 0x1000}};
    const struct nvme_run many[] = {{0x1e00, 0x1200}, {0x9000, 0x2000}, {0x20000, 0x200}};
    struct nvme_command command = {.opcode = 2};
    uint64_t list[512];

    ASSERT_OK(nvme_set_pages(&command, one, 1, list, 0xabc000));
    EXPECT_EQ(command.prp1, 0x1200u);
    EXPECT_EQ(command.prp2, 0u);
    ASSERT_OK(nvme_set_pages(&command, two, 2, list, 0xabc000));
    EXPECT_EQ(command.prp1, 0x1e00u);
    EXPECT_EQ(command.prp2, 0x9000u);
    ASSERT_OK(nvme_set_pages(&command, many, 3, list, 0xabc000));
    EXPECT_EQ(command.prp1, 0x1e00u);
    EXPECT_EQ(command.prp2, 0xabc000u);
    EXPECT_EQ(list[0], 0x2000u);
    EXPECT_EQ(list[1], 0x9000u);
    EXPECT_EQ(list[2], 0xa000u);
    EXPECT_EQ(list[3], 0x20000u);
    const struct nvme_run large[] = {{0x1000, 4096u * 514}};
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, nvme_set_pages(&command, large, 1, list, 0xabc000));
}

TEST(namespaces_that_make_no_sense_are_refused)
{
    static uint8_t data[4096];
    struct nvme_namespace namespace;

    EXPECT_FALSE(nvme_read_namespace(data, &namespace)); // not active: all zero
    data[2] = 1;                                         // 65536 blocks
    data[128 + 2] = 9;
    ASSERT_TRUE(nvme_read_namespace(data, &namespace));
    EXPECT_EQ(namespace.block_count, 65536u);
    EXPECT_EQ(namespace.block_bytes, 512u);
    data[128 + 2] = 13;
    EXPECT_FALSE(nvme_read_namespace(data, &namespace));
    data[128 + 2] = 12;
    EXPECT_TRUE(nvme_read_namespace(data, &namespace));
    data[128] = 8; // metadata
    EXPECT_FALSE(nvme_read_namespace(data, &namespace));
    data[128] = 0;
    memset(data, 0xff, 8);
    EXPECT_FALSE(nvme_read_namespace(data, &namespace));
}

TEST(transfers_are_as_large_as_the_controller_takes)
{
    static uint8_t data[4096];

    EXPECT_EQ(nvme_transfer_bytes(data, 0x20000), 0x20000u);
    data[77] = 2;
    EXPECT_EQ(nvme_transfer_bytes(data, 0x20000), 0x4000u);
    data[77] = 255;
    EXPECT_EQ(nvme_transfer_bytes(data, 0x20000), 0x20000u);
}
