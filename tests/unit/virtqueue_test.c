// The virtqueue, device side, against a driver in software.

#include "tests/test.h"
#include "tests/unit/virtqueue_driver.h"
#include "vmm/virtio/virtqueue.h"

static struct virtqueue_driver driver;
static struct virtqueue queue;
static struct virtqueue_chain chain;

static void start(uint16_t size)
{
    driver_init(&driver, size, NULL, 0);
    EXPECT_OK(virtqueue_start(&queue, &driver.memory, &driver.layout));
    virtqueue_set_features(&queue, true, false);
}

static void finish(void)
{
    driver_destroy(&driver);
}

static void expect_broken(void)
{
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, virtqueue_pop(&queue, &chain));
    EXPECT_FALSE(virtqueue_is_running(&queue));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, virtqueue_pop(&queue, &chain));
    finish();
}

TEST(virtqueue_start_refuses_bad_sizes)
{
    static const uint16_t sizes[] = {0, 3, 100, 2048, 65535};
    driver_init(&driver, 8, NULL, 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        driver.layout.size = sizes[i];
        EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, virtqueue_start(&queue, &driver.memory, &driver.layout));
        EXPECT_FALSE(virtqueue_is_running(&queue));
    }
    finish();
}

TEST(virtqueue_start_refuses_misaligned_or_absent_rings)
{
    driver_init(&driver, 8, NULL, 0);
    const struct virtqueue_layout good = driver.layout;
    struct virtqueue_layout bad[6] = {good, good, good, good, good, good};
    bad[0].descriptors += 8;
    bad[1].available += 1;
    bad[2].used += 2;
    bad[3].descriptors = DRIVER_RAM_BASE + DRIVER_RAM_BYTES - 112; // 7 of 8 descriptors fit
    bad[4].available = UINT64_MAX - 1;
    bad[5].used = 0;
    for (unsigned i = 0; i < 6; i++)
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, virtqueue_start(&queue, &driver.memory, &bad[i]));
    EXPECT_OK(virtqueue_start(&queue, &driver.memory, &good));
    finish();
}

TEST(virtqueue_pop_waits_on_empty_or_stopped_queue)
{
    start(8);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, virtqueue_pop(&queue, &chain));
    driver_offer(&driver, driver_add(&driver, driver_allocate(&driver, 4), 4, 0));
    virtqueue_stop(&queue);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, virtqueue_pop(&queue, &chain));
    EXPECT_FALSE(virtqueue_publish(&queue));
    EXPECT_FALSE(virtqueue_enable_doorbell(&queue));
    finish();
}

TEST(virtqueue_pop_returns_readable_then_writable_buffers)
{
    start(8);
    const uint64_t a = driver_place(&driver, "abc", 3), b = driver_place(&driver, "defg", 4);
    const uint64_t c = driver_allocate(&driver, 100);
    const uint16_t head = driver_add(&driver, a, 3, DRIVER_NEXT);
    driver_add(&driver, b, 4, DRIVER_NEXT);
    driver_add(&driver, c, 100, DRIVER_WRITE);
    driver_offer(&driver, head);
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.head, head);
    EXPECT_EQ(chain.readable_count, 2);
    EXPECT_EQ(chain.writable_count, 1);
    EXPECT_EQ(chain.readable_bytes, 7u);
    EXPECT_EQ(chain.writable_bytes, 100u);
    EXPECT_EQ((uintptr_t)chain.buffers[2].data, (uintptr_t)driver_at(&driver, c));
    char text[8] = {0};
    EXPECT_EQ(virtqueue_chain_read(&chain, 2, text, sizeof(text)), 5u);
    EXPECT_STR_EQ(text, "cdefg");
    EXPECT_EQ(virtqueue_chain_write(&chain, 98, "xyz", 3), 2u);
    EXPECT_BYTES_EQ((uint8_t *)driver_at(&driver, c) + 98, "xy", 2);
    finish();
}

TEST(virtqueue_zero_length_descriptors_add_no_buffer)
{
    start(8);
    const uint16_t head = driver_add(&driver, 0, 0, DRIVER_NEXT);
    driver_add(&driver, driver_allocate(&driver, 4), 4, DRIVER_NEXT | DRIVER_WRITE);
    driver_add(&driver, 0, 0, DRIVER_WRITE);
    driver_offer(&driver, head);
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.readable_count, 0);
    EXPECT_EQ(chain.writable_count, 1);
    finish();
}

TEST(virtqueue_loop_breaks_queue)
{
    start(8);
    const uint64_t a = driver_allocate(&driver, 4);
    driver_set(&driver, 0, a, 4, DRIVER_NEXT, 1);
    driver_set(&driver, 1, a, 4, DRIVER_NEXT, 0);
    driver_offer(&driver, 0);
    expect_broken();
}

TEST(virtqueue_loop_of_empty_descriptors_breaks_queue)
{
    start(8);
    driver_set(&driver, 0, 0, 0, DRIVER_NEXT, 0);
    driver_offer(&driver, 0);
    expect_broken();
}

TEST(virtqueue_chain_of_whole_queue_is_accepted)
{
    start(8);
    const uint64_t a = driver_allocate(&driver, 4);
    for (uint16_t i = 0; i < 8; i++)
        driver_set(&driver, i, a, 4, i < 7 ? DRIVER_NEXT : 0, (uint16_t)(i + 1));
    driver_offer(&driver, 0);
    EXPECT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.readable_count, 8);
    finish();
}

TEST(virtqueue_head_or_next_out_of_table_breaks_queue)
{
    start(8);
    driver_offer(&driver, 8);
    expect_broken();
    start(8);
    driver_set(&driver, 0, driver_allocate(&driver, 4), 4, DRIVER_NEXT, 8);
    driver_offer(&driver, 0);
    expect_broken();
}

TEST(virtqueue_buffer_outside_ram_breaks_queue)
{
    static const uint64_t addresses[] = {0, DRIVER_RAM_BASE - 1,
                                         DRIVER_RAM_BASE + DRIVER_RAM_BYTES - 15, UINT64_MAX - 7};
    for (unsigned i = 0; i < 4; i++) {
        start(8);
        driver_offer(&driver, driver_add(&driver, addresses[i], 16, 0));
        expect_broken();
    }
}

TEST(virtqueue_readable_after_writable_breaks_queue)
{
    start(8);
    const uint64_t a = driver_allocate(&driver, 4);
    const uint16_t head = driver_add(&driver, a, 4, DRIVER_WRITE | DRIVER_NEXT);
    driver_add(&driver, a, 4, 0);
    driver_offer(&driver, head);
    expect_broken();
}

TEST(virtqueue_chain_longer_than_4_gib_breaks_queue)
{
    struct guest_memory memory = {0};
    start(8);
    // RAM that is never touched, so that a length can be huge.
    EXPECT_OK(guest_memory_add_region(&memory, DRIVER_RAM_BASE, UINT64_C(1) << 33, driver.ram));
    queue.memory = &memory;
    const uint16_t head = driver_add(&driver, DRIVER_RAM_BASE, 0x80000000u, DRIVER_NEXT);
    driver_add(&driver, DRIVER_RAM_BASE, 0x80000000u, 0);
    driver_offer(&driver, head);
    expect_broken();
}

TEST(virtqueue_available_index_that_jumps_breaks_queue)
{
    start(8);
    driver_store_u16(&driver, driver.layout.available + 2, 9);
    expect_broken();
}

static uint64_t place_indirect(unsigned count)
{
    struct driver_descriptor table[300];
    const uint64_t a = driver_allocate(&driver, 16);
    for (unsigned i = 0; i < count; i++)
        table[i] =
            (struct driver_descriptor){a, 16, i + 1 < count ? DRIVER_NEXT : 0, (uint16_t)(i + 1)};
    return driver_place(&driver, table, count * 16);
}

TEST(virtqueue_indirect_chain_may_exceed_queue_size)
{
    start(8);
    driver_offer(&driver, driver_add(&driver, place_indirect(100), 100 * 16, DRIVER_INDIRECT));
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.readable_count, 100);
    EXPECT_EQ(chain.readable_bytes, 1600u);
    finish();
}

TEST(virtqueue_indirect_table_may_end_a_chain)
{
    start(8);
    const uint16_t head = driver_add(&driver, driver_allocate(&driver, 4), 4, DRIVER_NEXT);
    driver_add(&driver, place_indirect(2), 32, DRIVER_INDIRECT);
    driver_offer(&driver, head);
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.readable_count, 3);
    finish();
}

TEST(virtqueue_more_buffers_than_fit_break_queue)
{
    start(8);
    driver_offer(&driver, driver_add(&driver, place_indirect(VIRTQUEUE_SEGMENTS_MAX),
                                     VIRTQUEUE_SEGMENTS_MAX * 16, DRIVER_INDIRECT));
    EXPECT_OK(virtqueue_pop(&queue, &chain));
    driver_offer(&driver, driver_add(&driver, place_indirect(VIRTQUEUE_SEGMENTS_MAX + 1),
                                     (VIRTQUEUE_SEGMENTS_MAX + 1) * 16, DRIVER_INDIRECT));
    expect_broken();
}

TEST(virtqueue_bad_indirect_tables_break_queue)
{
    static const struct {
        uint64_t offset;
        uint32_t size_bytes;
        uint16_t flags;
    } bad[] = {
        {0, 0, DRIVER_INDIRECT},                 // empty
        {0, 33, DRIVER_INDIRECT},                // no whole number of entries
        {0, 32, DRIVER_INDIRECT | DRIVER_NEXT},  // with a next one
        {0, 1025 * 16, DRIVER_INDIRECT},         // too long
        {DRIVER_RAM_BYTES, 32, DRIVER_INDIRECT}, // outside RAM
        {0, 16, DRIVER_INDIRECT},                // its first entry points beyond its end
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(8);
        driver_offer(&driver, driver_add(&driver, place_indirect(2) + bad[i].offset,
                                         bad[i].size_bytes, bad[i].flags));
        expect_broken();
    }
}

TEST(virtqueue_nested_indirect_breaks_queue)
{
    start(8);
    struct driver_descriptor inner = {place_indirect(2), 32, DRIVER_INDIRECT, 0};
    driver_offer(&driver,
                 driver_add(&driver, driver_place(&driver, &inner, 16), 16, DRIVER_INDIRECT));
    expect_broken();
}

TEST(virtqueue_indirect_without_feature_breaks_queue)
{
    start(8);
    virtqueue_set_features(&queue, false, false);
    driver_offer(&driver, driver_add(&driver, place_indirect(2), 32, DRIVER_INDIRECT));
    expect_broken();
}

TEST(virtqueue_indexes_wrap_at_65536)
{
    uint32_t head, written;
    start(4);
    const uint64_t a = driver_allocate(&driver, 4);
    for (uint32_t i = 0; i < 70000; i++) {
        driver_offer(&driver, driver_add(&driver, a, 4, DRIVER_WRITE));
        ASSERT_OK(virtqueue_pop(&queue, &chain));
        virtqueue_push(&queue, chain.head, i);
        ASSERT_TRUE(virtqueue_publish(&queue));
        ASSERT_TRUE(driver_take_used(&driver, &head, &written));
        ASSERT_EQ(head, i % 4);
        ASSERT_EQ(written, i);
    }
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, virtqueue_pop(&queue, &chain));
    finish();
}

TEST(virtqueue_pushes_appear_together_when_published)
{
    uint32_t head, written;
    start(8);
    const uint64_t a = driver_allocate(&driver, 4);
    for (unsigned i = 0; i < 3; i++) {
        driver_offer(&driver, driver_add(&driver, a, 4, 0));
        ASSERT_OK(virtqueue_pop(&queue, &chain));
        virtqueue_push(&queue, chain.head, i);
    }
    EXPECT_FALSE(driver_take_used(&driver, &head, &written));
    EXPECT_TRUE(virtqueue_publish(&queue));
    EXPECT_FALSE(virtqueue_publish(&queue));
    for (unsigned i = 0; i < 3; i++) {
        ASSERT_TRUE(driver_take_used(&driver, &head, &written));
        EXPECT_EQ(head, i);
    }
    finish();
}

TEST(virtqueue_unpop_gives_same_chain_again)
{
    start(8);
    const uint64_t a = driver_allocate(&driver, 4);
    driver_offer(&driver, driver_add(&driver, a, 4, 0));
    driver_offer(&driver, driver_add(&driver, a, 4, 0));
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    virtqueue_unpop(&queue);
    ASSERT_OK(virtqueue_pop(&queue, &chain));
    EXPECT_EQ(chain.head, 0);
    finish();
}

TEST(virtqueue_interrupt_flag_suppresses_interrupts)
{
    start(8);
    driver_store_u16(&driver, driver.layout.available, 1);
    virtqueue_push(&queue, 0, 0);
    EXPECT_FALSE(virtqueue_publish(&queue));
    driver_store_u16(&driver, driver.layout.available, 0);
    virtqueue_push(&queue, 0, 0);
    EXPECT_TRUE(virtqueue_publish(&queue));
    finish();
}

TEST(virtqueue_used_event_suppresses_interrupts_until_passed)
{
    start(8);
    virtqueue_set_features(&queue, true, true);
    driver_store_u16(&driver, driver.layout.available, 1); // must be ignored
    driver_set_used_event(&driver, 2);
    for (unsigned i = 0; i < 5; i++) {
        virtqueue_push(&queue, 0, 0);
        EXPECT_EQ(virtqueue_publish(&queue), i == 2);
    }
    driver_set_used_event(&driver, 6);
    for (unsigned i = 0; i < 4; i++)
        virtqueue_push(&queue, 0, 0);
    EXPECT_TRUE(virtqueue_publish(&queue)); // a batch that passes the event
    finish();
}

TEST(virtqueue_need_event_wraps)
{
    EXPECT_TRUE(virtqueue_need_event(65535, 0, 65535));
    EXPECT_TRUE(virtqueue_need_event(65534, 1, 65533));
    EXPECT_FALSE(virtqueue_need_event(1, 1, 65535));
    EXPECT_TRUE(virtqueue_need_event(0, 1, 65535));
    EXPECT_FALSE(virtqueue_need_event(5, 5, 5));
}

TEST(virtqueue_doorbell_flag_follows_wish)
{
    start(8);
    virtqueue_disable_doorbell(&queue);
    EXPECT_EQ(driver_load_u16(&driver, driver.layout.used), 1);
    EXPECT_FALSE(virtqueue_enable_doorbell(&queue));
    EXPECT_EQ(driver_load_u16(&driver, driver.layout.used), 0);
    finish();
}

TEST(virtqueue_enabling_doorbell_sees_chains_that_came_meanwhile)
{
    for (unsigned event_index = 0; event_index < 2; event_index++) {
        start(8);
        virtqueue_set_features(&queue, true, event_index);
        virtqueue_disable_doorbell(&queue);
        driver_offer(&driver, driver_add(&driver, driver_allocate(&driver, 4), 4, 0));
        EXPECT_TRUE(virtqueue_enable_doorbell(&queue));
        ASSERT_OK(virtqueue_pop(&queue, &chain));
        EXPECT_FALSE(virtqueue_enable_doorbell(&queue));
        if (event_index)
            EXPECT_EQ(driver_available_event(&driver), 1);
        finish();
    }
}
