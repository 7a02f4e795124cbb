// The virtio entropy device.

#include "tests/test.h"
#include "tests/unit/virtio_fixture.h"
#include "vmm/virtio/rng.h"

static struct virtio_fixture fixture;
static struct virtio_rng rng;
static uint8_t next_byte;
static bool is_dry;

static bool fill(void *context, void *bytes, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes && !is_dry; i++)
        ((uint8_t *)bytes)[i] = next_byte++;
    return !is_dry;
}

static void bring_up(void)
{
    next_byte = 0;
    is_dry = false;
    virtio_rng_init(&rng, fill, NULL);
    fixture_init(&fixture, &rng.device, 16);
    EXPECT_OK(fixture_bring_up(&fixture, 0));
}

static uint64_t offer(uint32_t size_bytes, uint16_t flags)
{
    struct virtqueue_driver *driver = &fixture.queues[0];
    const uint64_t address = driver_allocate(driver, size_bytes);
    driver_offer(driver, driver_add(driver, address, size_bytes, flags));
    return address;
}

TEST(rng_fills_the_whole_buffer)
{
    uint32_t head, written;
    bring_up();
    const uint64_t address = offer(600, DRIVER_WRITE);
    device_host_doorbell(&fixture.host, 0);
    ASSERT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(written, 600u);
    const uint8_t *bytes = driver_at(&fixture.queues[0], address);
    for (unsigned i = 0; i < 600; i++)
        EXPECT_EQ(bytes[i], (uint8_t)i);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    fixture_destroy(&fixture);
}

TEST(rng_large_request_is_answered_in_part)
{
    uint32_t head, written;
    bring_up();
    offer(10000, DRIVER_WRITE);
    device_host_doorbell(&fixture.host, 0);
    ASSERT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(written, VIRTIO_RNG_CHAIN_BYTES_MAX);
    fixture_destroy(&fixture);
}

TEST(rng_readable_buffer_gets_nothing)
{
    uint32_t head, written;
    bring_up();
    offer(16, 0);
    device_host_doorbell(&fixture.host, 0);
    ASSERT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(written, 0u);
    EXPECT_EQ(next_byte, 0);
    fixture_destroy(&fixture);
}

TEST(rng_without_entropy_holds_the_request)
{
    uint32_t head, written;
    bring_up();
    is_dry = true;
    offer(16, DRIVER_WRITE);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_FALSE(driver_take_used(&fixture.queues[0], &head, &written));
    is_dry = false;
    device_host_doorbell(&fixture.host, 0);
    EXPECT_TRUE(driver_take_used(&fixture.queues[0], &head, &written));
    EXPECT_EQ(written, 16u);
    fixture_destroy(&fixture);
}
