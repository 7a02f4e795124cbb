// The virtio console, between a driver in software and a byte stream that can be full or empty.

#include "tests/test.h"
#include "tests/unit/virtio_fixture.h"
#include "vmm/virtio/console.h"

#define RX VIRTIO_CONSOLE_RECEIVE_QUEUE
#define TX VIRTIO_CONSOLE_TRANSMIT_QUEUE

static struct virtio_fixture fixture;
static struct virtio_console console;
static uint8_t output[0x20000];
static size_t output_bytes, output_room;
static const char *input = "";
static size_t input_bytes;

static size_t stream_transmit(void *context, const uint8_t *bytes, size_t size_bytes)
{
    (void)context;
    const size_t size = size_bytes < output_room ? size_bytes : output_room;
    memcpy(output + output_bytes, bytes, size);
    output_bytes += size;
    output_room -= size;
    return size;
}

static size_t stream_receive(void *context, uint8_t *bytes, size_t capacity_bytes)
{
    (void)context;
    const size_t size = input_bytes < capacity_bytes ? input_bytes : capacity_bytes;
    memcpy(bytes, input, size);
    input += size;
    input_bytes -= size;
    return size;
}

static const struct virtio_console_stream_ops stream = {stream_transmit, stream_receive};

static void bring_up(uint64_t features)
{
    output_bytes = input_bytes = 0;
    output_room = sizeof(output);
    virtio_console_init(&console, &stream, NULL, 80, 25);
    fixture_init(&fixture, &console.device, 16);
    EXPECT_OK(fixture_bring_up(&fixture, features));
}

static void offer_text(const char *text)
{
    struct virtqueue_driver *driver = &fixture.queues[TX];
    const uint32_t size = (uint32_t)strlen(text);
    driver_offer(driver, driver_add(driver, driver_place(driver, text, size), size, 0));
}

static uint64_t offer_room(uint32_t size_bytes)
{
    struct virtqueue_driver *driver = &fixture.queues[RX];
    const uint64_t address = driver_allocate(driver, size_bytes);
    driver_offer(driver, driver_add(driver, address, size_bytes, DRIVER_WRITE));
    return address;
}

TEST(console_transmit)
{
    uint32_t head, written;
    bring_up(0);
    offer_text("hello ");
    offer_text("world");
    EXPECT_FALSE(device_host_doorbell(&fixture.host, TX));
    EXPECT_EQ(output_bytes, 11u);
    EXPECT_BYTES_EQ(output, "hello world", 11);
    EXPECT_TRUE(driver_take_used(&fixture.queues[TX], &head, &written));
    EXPECT_EQ(written, 0u);
    EXPECT_EQ(fixture.interrupt_counts[TX], 1u); // for both
    fixture_destroy(&fixture);
}

TEST(console_receive)
{
    uint32_t head, written;
    bring_up(0);
    const uint64_t address = offer_room(64);
    input = "typed";
    input_bytes = 5;
    device_host_doorbell(&fixture.host, RX);
    ASSERT_TRUE(driver_take_used(&fixture.queues[RX], &head, &written));
    EXPECT_EQ(written, 5u);
    EXPECT_BYTES_EQ(driver_at(&fixture.queues[RX], address), "typed", 5);
    EXPECT_EQ(fixture.interrupt_counts[RX], 1u);
    fixture_destroy(&fixture);
}

TEST(console_receive_waits_for_input_and_for_buffers)
{
    uint32_t head, written;
    bring_up(0);
    offer_room(4);
    device_host_doorbell(&fixture.host, RX);
    EXPECT_FALSE(driver_take_used(&fixture.queues[RX], &head, &written));
    input = "abcdefg";
    input_bytes = 7;
    device_host_doorbell(&fixture.host, RX); // the stream's owner tells of input
    EXPECT_TRUE(driver_take_used(&fixture.queues[RX], &head, &written));
    EXPECT_EQ(written, 4u);
    EXPECT_EQ(input_bytes, 3u); // nothing is taken without a buffer
    offer_room(4);
    device_host_doorbell(&fixture.host, RX);
    EXPECT_TRUE(driver_take_used(&fixture.queues[RX], &head, &written));
    EXPECT_EQ(written, 3u);
    fixture_destroy(&fixture);
}

TEST(console_transmit_holds_chain_while_stream_is_full)
{
    uint32_t head, written;
    bring_up(0);
    output_room = 4;
    offer_text("0123456789");
    offer_text("!");
    EXPECT_FALSE(device_host_doorbell(&fixture.host, TX));
    EXPECT_FALSE(driver_take_used(&fixture.queues[TX], &head, &written));
    output_room = 3;
    device_host_doorbell(&fixture.host, TX);
    output_room = 100;
    device_host_doorbell(&fixture.host, TX);
    EXPECT_EQ(output_bytes, 11u);
    EXPECT_BYTES_EQ(output, "0123456789!", 11);
    EXPECT_TRUE(driver_take_used(&fixture.queues[TX], &head, &written));
    EXPECT_TRUE(driver_take_used(&fixture.queues[TX], &head, &written));
    fixture_destroy(&fixture);
}

TEST(console_held_offset_does_not_survive_reset)
{
    bring_up(0);
    output_room = 4;
    offer_text("0123456789");
    device_host_doorbell(&fixture.host, TX);
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RESET));
    output_bytes = 0;
    output_room = 100;
    EXPECT_OK(fixture_send_queue_start(&fixture, TX));
    EXPECT_OK(fixture_send_ready(&fixture, 0));
    device_host_continue(&fixture.host);
    EXPECT_EQ(output_bytes, 10u);
    fixture_destroy(&fixture);
}

TEST(console_work_of_one_doorbell_is_bounded)
{
    struct virtqueue_driver *driver = &fixture.queues[TX];
    bring_up(0);
    uint16_t first = 0;
    for (unsigned i = 0; i < 16; i++) {
        const uint16_t index = driver_add(driver, DRIVER_RAM_BASE, 0x2000, i < 15 ? 1 : 0);
        first = i == 0 ? index : first;
    }
    driver_offer(driver, first);
    EXPECT_TRUE(device_host_doorbell(&fixture.host, TX)); // 128 KiB in one chain
    EXPECT_EQ(output_bytes, 0x10000u);
    EXPECT_FALSE(device_host_continue(&fixture.host));
    EXPECT_EQ(output_bytes, 0x20000u);
    fixture_destroy(&fixture);
}

TEST(console_chain_without_room_goes_back)
{
    uint32_t head, written = 1;
    bring_up(0);
    struct virtqueue_driver *driver = &fixture.queues[RX];
    driver_offer(driver, driver_add(driver, driver_allocate(driver, 4), 4, 0));
    device_host_doorbell(&fixture.host, RX);
    EXPECT_TRUE(driver_take_used(driver, &head, &written));
    EXPECT_EQ(written, 0u);
    fixture_destroy(&fixture);
}

TEST(console_size_is_offered_when_known)
{
    uint16_t size[2];
    bring_up(VIRTIO_CONSOLE_F_SIZE);
    uint8_t config[VIRTIO_CONFIG_BYTES_MAX];
    console.device.ops->config_read(&console.device, config);
    memcpy(size, config, 4);
    EXPECT_EQ(size[0], 80);
    EXPECT_EQ(size[1], 25);
    fixture_destroy(&fixture);
    virtio_console_init(&console, &stream, NULL, 0, 0);
    EXPECT_EQ(console.device.ops->features(&console.device), 0u);
}
