// The virtio block device over a back end whose requests end later.

#include "tests/test.h"
#include "tests/unit/later_backend.h"
#include "tests/unit/virtio_fixture.h"
#include "vmm/virtio/block.h"

#define SECTORS 64u

static struct virtio_fixture fixture;
static struct virtio_block block;
static struct block_backend_memory disk;
static struct block_backend_fault fault;
static struct later_backend later;
static uint8_t bytes[SECTORS * 512];
static uint64_t data_address, status_address; // of the request that was offered last

static void bring_up(struct block_backend *backend, uint64_t features)
{
    const struct virtio_block_config config = {backend, 2, 0, "disk0"};

    EXPECT_OK(virtio_block_init(&block, &config));
    fixture_init(&fixture, &block.device, 32);
    EXPECT_OK(fixture_bring_up(&fixture, features));
}

static void set_up(uint64_t features)
{
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i / 512 + 1);
    block_backend_memory_init(&disk, bytes, sizeof(bytes), false);
    block_backend_fault_init(&fault, &disk.backend);
    later_backend_init(&later, &fault.backend);
    bring_up(&later.backend, features);
}

static void finish(void)
{
    fixture_destroy(&fixture);
}

// Makes a request of one sector available and rings; the head of its chain.
static uint16_t offer(unsigned queue, uint32_t type, uint64_t sector, uint8_t fill)
{
    struct virtqueue_driver *driver = &fixture.queues[queue];
    const struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = {type, 0, sector};
    const bool is_in = type == VIRTIO_BLOCK_IN;

    const uint16_t head =
        driver_add(driver, driver_place(driver, &header, sizeof(header)), 16, DRIVER_NEXT);
    data_address = driver_allocate(driver, 512);
    memset(driver_at(driver, data_address), fill, 512);
    if (type != VIRTIO_BLOCK_FLUSH)
        driver_add(driver, data_address, 512, (uint16_t)(DRIVER_NEXT | (is_in ? DRIVER_WRITE : 0)));
    status_address = driver_allocate(driver, 1);
    driver_add(driver, status_address, 1, DRIVER_WRITE);
    driver_offer(driver, head);
    device_host_doorbell(&fixture.host, queue);
    return head;
}

static uint8_t byte_at(uint64_t address)
{
    return *(uint8_t *)driver_at(&fixture.queues[0], address);
}

// What the process does when its disk answered.
static void publish(void)
{
    uint64_t queues = virtio_block_publish(&block);

    for (unsigned i = 0; i < 2; i++) {
        if (queues >> i & 1)
            device_host_doorbell(&fixture.host, i);
    }
}

TEST(flight_ends_when_the_disk_answers)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    const uint16_t offered = offer(0, VIRTIO_BLOCK_IN, 3, 0xee);
    EXPECT_FALSE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(byte_at(status_address), 0xee);
    later_end(&later, 0);
    EXPECT_FALSE(driver_take_used(&fixture.queues[0], &head, &written));
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(head, offered);
    EXPECT_EQ(written, 513u);
    EXPECT_EQ(byte_at(data_address), 4);
    EXPECT_EQ(byte_at(status_address), VIRTIO_BLOCK_OK);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    finish();
}

TEST(flights_end_in_any_order_with_one_interrupt)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    const uint16_t first = offer(0, VIRTIO_BLOCK_IN, 1, 0);
    const uint16_t second = offer(0, VIRTIO_BLOCK_OUT, 2, 0x77);
    later_end(&later, 1);
    later_end(&later, 0);
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(head, second);
    EXPECT_EQ(written, 1u);
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(head, first);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    EXPECT_EQ(bytes[2 * 512], 0x77);
    finish();
}

TEST(flight_of_a_flush_flushes)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    offer(0, VIRTIO_BLOCK_FLUSH, 0, 0);
    EXPECT_EQ(fault.flush_count, 0u);
    later_end(&later, 0);
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(fault.flush_count, 1u);
    EXPECT_EQ(byte_at(status_address), VIRTIO_BLOCK_OK);
    finish();
}

TEST(flight_that_fails_is_an_io_error_with_nothing_written)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    fault.bad_offset = 5 * 512;
    fault.bad_size_bytes = 1;
    offer(0, VIRTIO_BLOCK_IN, 5, 0);
    later_end(&later, 0);
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(written, 0u);
    EXPECT_EQ(byte_at(status_address), VIRTIO_BLOCK_IOERR);
    finish();
}

// The queue goes on by itself when there is room, in the order of its chains.
TEST(flights_beyond_what_the_disk_takes_wait)
{
    uint32_t head, written;
    uint16_t heads[LATER_MAX + 2];
    set_up(VIRTIO_BLOCK_F_FLUSH);
    for (unsigned i = 0; i < LATER_MAX + 2; i++)
        heads[i] = offer(0, VIRTIO_BLOCK_IN, i, 0);
    EXPECT_EQ(later.count, LATER_MAX);
    offer(1, VIRTIO_BLOCK_IN, 9, 0);
    for (unsigned i = 0; i < LATER_MAX + 2; i++) {
        later_end(&later, i);
        publish();
        EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
        EXPECT_EQ(head, heads[i]);
    }
    // The other queue had its turn when there was room.
    EXPECT_EQ(later.count, 1u);
    for (unsigned i = 0; i < LATER_MAX; i++)
        later_end(&later, i);
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[1], &head, &written));
    finish();
}

TEST(flight_is_over_when_a_reset_returns)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    offer(0, VIRTIO_BLOCK_IN, 1, 0xee);
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RESET));
    EXPECT_EQ(later.settle_count, 1u);
    EXPECT_EQ(later.count, 0u);
    EXPECT_EQ(virtio_block_publish(&block), 0u);
    EXPECT_FALSE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(byte_at(status_address), 0xee);
    finish();
}

// A driver that breaks its queue gets nothing in it any more.
TEST(flight_of_a_broken_queue_ends_unseen)
{
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    offer(0, VIRTIO_BLOCK_IN, 1, 0);
    driver_offer(&fixture.queues[0], 999);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_TRUE(fixture.host.is_broken);
    later_end(&later, 0);
    publish();
    EXPECT_FALSE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(fixture.interrupt_counts[0], 0u);
    finish();
}

// Without FLUSH a write is answered when it is on the medium; what the back end cannot begin is
// done at once.
TEST(flights_are_not_for_every_request)
{
    uint32_t head, written;
    set_up(0);
    offer(0, VIRTIO_BLOCK_OUT, 2, 0x55);
    EXPECT_EQ(later.count, 0u);
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(fault.flush_count, 1u);
    later.is_unable = true;
    offer(0, VIRTIO_BLOCK_IN, 2, 0);
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(byte_at(data_address), 0x55);
    finish();
}

TEST(flight_reads_what_a_volatile_disk_has_not_written)
{
    struct block_backend_volatile overlay;
    uint32_t head, written;
    set_up(VIRTIO_BLOCK_F_FLUSH);
    finish();
    EXPECT_OK(block_backend_volatile_init(&overlay, &later.backend, UINT64_MAX));
    bring_up(&overlay.backend, VIRTIO_BLOCK_F_FLUSH);
    offer(0, VIRTIO_BLOCK_IN, 7, 0);
    EXPECT_EQ(later.count, 1u);
    later_end(&later, 0);
    publish();
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(byte_at(data_address), 8);
    offer(0, VIRTIO_BLOCK_OUT, 7, 0x99);
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    offer(0, VIRTIO_BLOCK_IN, 7, 0);
    EXPECT_EQ(later.count, 0u);
    EXPECT_EQ(byte_at(data_address), 0x99);
    EXPECT_EQ(bytes[7 * 512], 8);
    offer(0, VIRTIO_BLOCK_IN, 8, 0);
    EXPECT_OK(fixture_send_bare(&fixture, VIRTIO_MESSAGE_RESET));
    block_backend_volatile_destroy(&overlay);
    finish();
}
