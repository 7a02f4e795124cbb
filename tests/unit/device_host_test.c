// The device process' side: messages, doorbells, budget, a driver that breaks its queue.

#include "tests/test.h"
#include "tests/unit/virtio_fixture.h"
#include "vmm/virtio/rng.h"

static struct virtio_fixture fixture;
static struct virtio_rng rng;
static unsigned fill_count;

static bool fill(void *context, void *bytes, size_t size_bytes)
{
    (void)context;
    memset(bytes, 1, size_bytes);
    fill_count++;
    return true;
}

static void build(uint16_t size)
{
    fill_count = 0;
    virtio_rng_init(&rng, fill, NULL);
    rng.device.queue_size_max = 256;
    fixture_init(&fixture, &rng.device, size);
}

static void offer(unsigned count)
{
    struct virtqueue_driver *driver = &fixture.queues[0];
    for (unsigned i = 0; i < count; i++)
        driver_offer(driver,
                     driver_add(driver, DRIVER_RAM_BASE + DRIVER_BUFFERS_OFFSET, 8, DRIVER_WRITE));
}

TEST(start_describes_the_device_once)
{
    struct virtio_reply decoded;
    build(16);
    EXPECT_OK(fixture_send_start(&fixture));
    EXPECT_OK(
        virtio_reply_decode(&fixture.reply, sizeof(fixture.reply), VIRTIO_MESSAGE_START, &decoded));
    EXPECT_EQ(decoded.device_type, VIRTIO_TYPE_RNG);
    EXPECT_EQ(decoded.queue_count, 1);
    EXPECT_EQ(decoded.features, VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_start(&fixture));
    fixture_destroy(&fixture);
}

TEST(messages_before_start_or_of_another_version_are_refused)
{
    struct virtio_message_start start = {virtio_message_header_of(VIRTIO_MESSAGE_START), 2, 0};
    build(16);
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_ready(&fixture, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_queue_start(&fixture, 0));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, fixture_send(&fixture, &start, sizeof(start)));
    fixture_destroy(&fixture);
}

TEST(malformed_messages_are_refused)
{
    struct virtio_message_queue_notify notify = {
        virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_NOTIFY), VIRTIO_QUEUES_MAX, 0};
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, fixture_send(&fixture, &notify, 7));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, fixture_send(&fixture, &notify, sizeof(notify) - 1));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send(&fixture, &notify, sizeof(notify)));
    notify.queue_index = 1; // beyond this device's one queue
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send(&fixture, &notify, sizeof(notify)));
    notify.header.size_bytes = 99;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, fixture_send(&fixture, &notify, sizeof(notify)));
    notify.header.kind = 999;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, fixture_send(&fixture, &notify, sizeof(notify)));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, fixture_send_bare(&fixture, VIRTIO_EVENT_NEEDS_RESET));
    fixture_destroy(&fixture);
}

TEST(config_write_outside_the_space_is_refused)
{
    struct virtio_message_config_write write = {
        virtio_message_header_of(VIRTIO_MESSAGE_CONFIG_WRITE), 0, 4, {0}};
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  fixture_send(&fixture, &write, sizeof(write))); // it has none
    rng.device.config_bytes = 8;
    EXPECT_OK(fixture_send(&fixture, &write, sizeof(write)));
    write.size_bytes = 3;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send(&fixture, &write, sizeof(write)));
    write.size_bytes = 4;
    write.offset = UINT32_MAX - 3;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send(&fixture, &write, sizeof(write)));
    fixture_destroy(&fixture);
}

TEST(bad_queues_and_features_are_refused)
{
    build(16);
    EXPECT_OK(fixture_send_start(&fixture));
    fixture.queues[0].layout.size = 512;
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send_queue_start(&fixture, 0));
    fixture.queues[0].layout.size = 16;
    fixture.queues[0].layout.used = 4;
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, fixture_send_queue_start(&fixture, 0));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, fixture_send_ready(&fixture, 1));
    EXPECT_OK(fixture_send_ready(&fixture, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_ready(&fixture, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_queue_start(&fixture, 0));
    fixture_destroy(&fixture);
}

TEST(doorbell_before_ready_is_made_up_for)
{
    uint32_t head, written;
    build(16);
    EXPECT_OK(fixture_send_start(&fixture));
    EXPECT_OK(fixture_send_queue_start(&fixture, 0));
    offer(1);
    EXPECT_FALSE(device_host_doorbell(&fixture.host, 0));
    EXPECT_EQ(fill_count, 0u);
    EXPECT_OK(fixture_send_ready(&fixture, 0));
    EXPECT_FALSE(device_host_continue(&fixture.host));
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    fixture_destroy(&fixture);
}

TEST(doorbell_work_is_bounded)
{
    build(256);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    offer(DEVICE_HOST_BUDGET + 5);
    EXPECT_TRUE(device_host_doorbell(&fixture.host, 0));
    EXPECT_EQ(fill_count, DEVICE_HOST_BUDGET);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    EXPECT_FALSE(device_host_continue(&fixture.host));
    EXPECT_EQ(fill_count, DEVICE_HOST_BUDGET + 5);
    fixture_destroy(&fixture);
}

TEST(doorbells_of_absent_queues_are_ignored)
{
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    EXPECT_FALSE(device_host_doorbell(&fixture.host, 1));
    EXPECT_FALSE(device_host_doorbell(&fixture.host, 64));
    EXPECT_FALSE(device_host_doorbell(&fixture.host, UINT32_MAX));
    fixture_destroy(&fixture);
}

TEST(broken_queue_stops_the_device_until_reset)
{
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    driver_offer(&fixture.queues[0], 77);
    EXPECT_FALSE(device_host_doorbell(&fixture.host, 0));
    EXPECT_EQ(fixture.event_count, 1u);
    EXPECT_EQ(fixture.last_event.header.kind, VIRTIO_EVENT_NEEDS_RESET);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_EQ(fixture.event_count, 1u);
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_queue_start(&fixture, 0));
    EXPECT_STATUS(MX_ERR_BAD_STATE, fixture_send_ready(&fixture, 0));
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RESET));
    EXPECT_OK(fixture_send_queue_start(&fixture, 0));
    EXPECT_OK(fixture_send_ready(&fixture, 0));
    fixture_destroy(&fixture);
}

TEST(reset_stops_all_work)
{
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RESET));
    offer(1);
    EXPECT_FALSE(device_host_doorbell(&fixture.host, 0));
    EXPECT_EQ(fill_count, 0u);
    fixture_destroy(&fixture);
}

TEST(event_index_limits_interrupts_to_what_the_driver_asked)
{
    build(16);
    EXPECT_OK(fixture_bring_up(&fixture, VIRTIO_F_EVENT_IDX));
    driver_set_used_event(&fixture.queues[0], 1);
    offer(1);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_EQ(fixture.interrupt_counts[0], 0u);
    EXPECT_EQ(driver_available_event(&fixture.queues[0]), 1);
    offer(1);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    fixture_destroy(&fixture);
}

TEST(config_change_is_sent_and_raised)
{
    build(16);
    device_host_config_changed(&fixture.host);
    EXPECT_EQ(fixture.last_event.header.kind, VIRTIO_EVENT_CONFIG_CHANGED);
    EXPECT_EQ(fixture.config_interrupt_count, 0u);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
    device_host_config_changed(&fixture.host);
    EXPECT_EQ(fixture.config_interrupt_count, 1u);
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RAISE_CONFIG));
    EXPECT_EQ(fixture.config_interrupt_count, 2u);
    fixture_destroy(&fixture);
}

TEST(lying_device_descriptions_are_refused)
{
    struct virtio_reply good, out;
    build(16);
    EXPECT_OK(fixture_send_start(&fixture));
    good = fixture.reply;
    struct virtio_reply bad[6] = {good, good, good, good, good, good};
    bad[0].queue_count = 0;
    bad[1].queue_count = VIRTIO_QUEUES_MAX + 1;
    bad[2].queue_size_max = 100;
    bad[3].config_bytes = VIRTIO_CONFIG_BYTES_MAX + 1;
    bad[4].features = 0;
    bad[5].queue_size_max = 2048;
    for (unsigned i = 0; i < 6; i++)
        EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                      virtio_reply_decode(&bad[i], sizeof(good), VIRTIO_MESSAGE_START, &out));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  virtio_reply_decode(&good, sizeof(good), VIRTIO_MESSAGE_RESET, &out));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  virtio_reply_decode(&good, sizeof(good) - 1, VIRTIO_MESSAGE_START, &out));
    good.status = MX_ERR_IO;
    EXPECT_STATUS(MX_ERR_IO, virtio_reply_decode(&good, sizeof(good), VIRTIO_MESSAGE_START, &out));
    fixture_destroy(&fixture);
}
