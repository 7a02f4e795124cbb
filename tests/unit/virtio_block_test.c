// The virtio block device, request by request.

#include "tests/test.h"
#include "tests/unit/virtio_fixture.h"
#include "vmm/virtio/block.h"

#define SECTORS      64u
#define ALL_FEATURES (VIRTIO_BLOCK_F_FLUSH | VIRTIO_BLOCK_F_DISCARD | VIRTIO_BLOCK_F_WRITE_ZEROES)

static struct virtio_fixture fixture;
static struct virtio_block block;
static struct block_backend_memory disk;
static struct block_backend_fault fault;
static uint8_t bytes[SECTORS * 512];

static void bring_up(bool is_read_only, uint64_t features)
{
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i / 512 + 1);
    block_backend_memory_init(&disk, bytes, sizeof(bytes), is_read_only);
    block_backend_fault_init(&fault, &disk.backend);
    const struct virtio_block_config config = {&fault.backend, 1, 0, "disk0"};
    EXPECT_OK(virtio_block_init(&block, &config));
    fixture_init(&fixture, &block.device, 32);
    EXPECT_OK(fixture_bring_up(&fixture, features));
}

static void finish(void)
{
    fixture_destroy(&fixture);
}

struct piece {
    void *bytes; // copied to the guest, and back when writable
    uint32_t size_bytes;
    bool is_writable;
};

static uint32_t used_bytes; // of the last request

// Sends a chain of the pieces and takes it back; false: it did not come back.
static bool send_pieces(const struct piece *pieces, unsigned count)
{
    struct virtqueue_driver *driver = &fixture.queues[0];
    uint64_t addresses[16];
    uint32_t head;

    driver->buffer_offset = DRIVER_BUFFERS_OFFSET;
    for (unsigned i = 0; i < count; i++) {
        addresses[i] = driver_place(driver, pieces[i].bytes, pieces[i].size_bytes);
        const uint16_t index = driver_add(
            driver, addresses[i], pieces[i].size_bytes,
            (uint16_t)((pieces[i].is_writable ? DRIVER_WRITE : 0) | (i + 1 < count ? 1 : 0)));
        if (i == 0)
            driver_offer(driver, index);
    }
    device_host_doorbell(&fixture.host, 0);
    for (unsigned i = 0; i < count; i++) {
        if (pieces[i].is_writable)
            memcpy(pieces[i].bytes, driver_at(driver, addresses[i]), pieces[i].size_bytes);
    }
    return driver_take_used(driver, &head, &used_bytes);
}

struct header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};

// A request in its usual form; returns the status byte.
static uint8_t send(uint32_t type, uint64_t sector, void *data, uint32_t size_bytes,
                    bool is_writable)
{
    struct header header = {type, 0, sector};
    uint8_t status = 0xee;
    const struct piece pieces[] = {
        {&header, sizeof(header), false}, {data, size_bytes, is_writable}, {&status, 1, true}};
    const struct piece bare[] = {pieces[0], pieces[2]};
    EXPECT_TRUE(size_bytes ? send_pieces(pieces, 3) : send_pieces(bare, 2));
    return status;
}

TEST(block_read)
{
    uint8_t data[1024];
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 3, data, sizeof(data), true), VIRTIO_BLOCK_OK);
    EXPECT_BYTES_EQ(data, bytes + 3 * 512, sizeof(data));
    EXPECT_EQ(used_bytes, 1025u);
    EXPECT_EQ(fixture.interrupt_counts[0], 1u);
    finish();
}

TEST(block_read_first_and_last_sector)
{
    uint8_t data[512];
    bring_up(true, 0);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 0, data, 512, true), VIRTIO_BLOCK_OK);
    EXPECT_EQ(data[0], 1);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, SECTORS - 1, data, 512, true), VIRTIO_BLOCK_OK);
    EXPECT_EQ(data[511], SECTORS);
    finish();
}

TEST(block_write)
{
    uint8_t data[1024];
    memset(data, 0xab, sizeof(data));
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 62, data, sizeof(data), false), VIRTIO_BLOCK_OK);
    EXPECT_BYTES_EQ(bytes + 62 * 512, data, sizeof(data));
    EXPECT_EQ(bytes[62 * 512 - 1], 62);
    EXPECT_EQ(used_bytes, 1u);
    finish();
}

TEST(block_bad_header_short)
{
    struct header header = {VIRTIO_BLOCK_IN, 0, 0};
    uint8_t data[512] = {0xee}, status = 0xee;
    const struct piece pieces[] = {{&header, 15, false}, {data, 512, true}, {&status, 1, true}};
    bring_up(false, ALL_FEATURES);
    EXPECT_TRUE(send_pieces(pieces, 3));
    EXPECT_EQ(status, VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(data[0], 0xee);
    finish();
}

TEST(block_bad_header_long)
{
    uint8_t header[32] = {VIRTIO_BLOCK_IN}, data[512], status = 0xee;
    const struct piece pieces[] = {{header, 17, false}, {data, 512, true}, {&status, 1, true}};
    bring_up(false, ALL_FEATURES);
    EXPECT_TRUE(send_pieces(pieces, 3));
    EXPECT_EQ(status, VIRTIO_BLOCK_IOERR);
    finish();
}

TEST(block_bad_payload)
{
    uint8_t data[512];
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 0, data, 511, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 0, data, 0, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 0, data, 512, false), VIRTIO_BLOCK_IOERR);
    finish();
}

TEST(block_bad_request_type)
{
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(2, 0, NULL, 0, false), VIRTIO_BLOCK_UNSUPPORTED);
    EXPECT_EQ(send(UINT32_MAX, 0, NULL, 0, false), VIRTIO_BLOCK_UNSUPPORTED);
    finish();
}

TEST(block_rejects_chain_without_status_byte)
{
    struct header header = {VIRTIO_BLOCK_OUT, 0, 0};
    uint8_t data[512] = {0};
    const struct piece pieces[] = {{&header, sizeof(header), false}, {data, 512, false}};
    bring_up(false, ALL_FEATURES);
    EXPECT_TRUE(send_pieces(pieces, 2));
    EXPECT_EQ(used_bytes, 0u);
    EXPECT_EQ(bytes[0], 1);
    finish();
}

TEST(block_underflow_on_write)
{
    uint8_t data[512];
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 0, data, 100, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 0, data, 0, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 0, data, 512, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(bytes[0], 1);
    finish();
}

TEST(block_bad_offsets)
{
    static const uint64_t sectors[] = {SECTORS, SECTORS + 1, UINT64_MAX, UINT64_MAX / 512 + 1,
                                       UINT64_C(1) << 55};
    uint8_t data[512];
    bring_up(false, ALL_FEATURES);
    for (unsigned i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
        EXPECT_EQ(send(VIRTIO_BLOCK_OUT, sectors[i], data, 512, false), VIRTIO_BLOCK_IOERR);
        EXPECT_EQ(send(VIRTIO_BLOCK_IN, sectors[i], data, 512, true), VIRTIO_BLOCK_IOERR);
    }
    finish();
}

TEST(block_write_good_and_bad_sectors_writes_none)
{
    uint8_t data[1024] = {0};
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, SECTORS - 1, data, 1024, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(bytes[(SECTORS - 1) * 512], SECTORS);
    finish();
}

// Any split of header, data and status byte is legal (2.7.4.2).
TEST(block_read_multiple_odd_descriptors)
{
    struct header header = {VIRTIO_BLOCK_IN, 0, 5};
    uint8_t *raw = (uint8_t *)&header, tail[512 - 7 + 1], front[512 + 7];
    const struct piece pieces[] = {{raw, 1, false},
                                   {raw + 1, 8, false},
                                   {raw + 9, 7, false},
                                   {front, sizeof(front), true},
                                   {tail, sizeof(tail), true}};
    bring_up(false, ALL_FEATURES);
    EXPECT_TRUE(send_pieces(pieces, 5));
    EXPECT_BYTES_EQ(front, bytes + 5 * 512, sizeof(front));
    EXPECT_BYTES_EQ(tail, bytes + 6 * 512 + 7, sizeof(tail) - 1);
    EXPECT_EQ(tail[sizeof(tail) - 1], VIRTIO_BLOCK_OK);
    EXPECT_EQ(used_bytes, 1025u);
    finish();
}

TEST(block_write_multiple_odd_descriptors)
{
    uint8_t all[16 + 1024], status = 0xee;
    const struct header header = {VIRTIO_BLOCK_OUT, 0, 7};
    memset(all, 0x5a, sizeof(all));
    memcpy(all, &header, 16);
    const struct piece pieces[] = {{all, 3, false},
                                   {all + 3, 20, false},
                                   {all + 23, 1000, false},
                                   {all + 1023, 17, false},
                                   {&status, 1, true}};
    bring_up(false, ALL_FEATURES);
    EXPECT_TRUE(send_pieces(pieces, 5));
    EXPECT_EQ(status, VIRTIO_BLOCK_OK);
    EXPECT_BYTES_EQ(bytes + 7 * 512, all + 16, 1024);
    EXPECT_EQ(bytes[9 * 512], 10);
    finish();
}

TEST(block_write_read_only_device)
{
    const uint64_t choices[] = {0, VIRTIO_BLOCK_F_RO};
    uint8_t data[512] = {0};
    for (unsigned i = 0; i < 2; i++) {
        bring_up(true, choices[i]);
        EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 0, data, 512, false), VIRTIO_BLOCK_IOERR);
        EXPECT_EQ(bytes[0], 1);
        EXPECT_FALSE(device_host_features(&fixture.host) & VIRTIO_BLOCK_F_DISCARD);
        EXPECT_TRUE(device_host_features(&fixture.host) & VIRTIO_BLOCK_F_RO);
        finish();
    }
}

TEST(block_sync)
{
    uint8_t data[512];
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_FLUSH, 0, NULL, 0, false), VIRTIO_BLOCK_OK);
    EXPECT_EQ(send(VIRTIO_BLOCK_FLUSH, 0, data, 512, false), VIRTIO_BLOCK_OK);
    EXPECT_EQ(fault.flush_count, 2u);
    EXPECT_EQ(send(VIRTIO_BLOCK_FLUSH, 1, NULL, 0, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(fault.flush_count, 2u);
    finish();
}

TEST(block_without_flush_feature_writes_through)
{
    uint8_t data[512] = {0};
    bring_up(false, 0);
    EXPECT_EQ(send(VIRTIO_BLOCK_FLUSH, 0, NULL, 0, false), VIRTIO_BLOCK_UNSUPPORTED);
    EXPECT_EQ(fault.flush_count, 0u);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 0, data, 512, false), VIRTIO_BLOCK_OK);
    EXPECT_EQ(fault.flush_count, 1u);
    finish();
}

TEST(block_id)
{
    char id[21] = {0};
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_GET_ID, 0, id, 20, true), VIRTIO_BLOCK_OK);
    EXPECT_STR_EQ(id, "disk0");
    EXPECT_EQ(used_bytes, 21u);
    finish();
}

TEST(block_id_length_incorrect)
{
    char id[21] = {0};
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_GET_ID, 0, id, 19, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_GET_ID, 0, id, 21, true), VIRTIO_BLOCK_IOERR);
    finish();
}

TEST(block_io_errors_of_the_back_end_reach_the_guest)
{
    uint8_t data[1536] = {0};
    bring_up(false, ALL_FEATURES);
    fault.bad_offset = 512 * 10;
    fault.bad_size_bytes = 1;
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 10, data, 512, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_OUT, 9, data, 1536, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_FLUSH, 0, NULL, 0, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 11, data, 512, true), VIRTIO_BLOCK_OK);
    finish();
}

struct range {
    uint64_t sector;
    uint32_t sector_count;
    uint32_t flags;
};

TEST(block_write_zeroes_all_ranges)
{
    struct range ranges[] = {{2, 1, 0}, {10, 3, 1}};
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_WRITE_ZEROES, 0, ranges, sizeof(ranges), false), VIRTIO_BLOCK_OK);
    EXPECT_EQ(bytes[2 * 512], 0);
    EXPECT_EQ(bytes[3 * 512], 4);
    EXPECT_EQ(bytes[13 * 512 - 1], 0);
    EXPECT_EQ(bytes[13 * 512], 14);
    finish();
}

TEST(block_ranges_are_all_checked_before_the_first_is_applied)
{
    const struct range bad[] = {
        {SECTORS, 1, 0}, {0, SECTORS + 1, 0}, {UINT64_MAX, 2, 0}, {0, UINT32_MAX, 0}, {0, 1, 2}};
    bring_up(false, ALL_FEATURES);
    for (unsigned i = 0; i < 5; i++) {
        struct range ranges[2] = {{2, 1, 0}, bad[i]};
        EXPECT_EQ(send(VIRTIO_BLOCK_WRITE_ZEROES, 0, ranges, sizeof(ranges), false),
                  i == 4 ? VIRTIO_BLOCK_UNSUPPORTED : VIRTIO_BLOCK_IOERR);
        EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, sizeof(ranges), false),
                  i == 4 ? VIRTIO_BLOCK_UNSUPPORTED : VIRTIO_BLOCK_IOERR);
        EXPECT_EQ(bytes[2 * 512], 3);
    }
    finish();
}

TEST(block_discard_rules)
{
    struct range ranges[VIRTIO_BLOCK_RANGES_MAX + 1] = {{2, 1, 0}};
    bring_up(false, ALL_FEATURES);
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, sizeof(ranges), false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, 15, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, NULL, 0, false), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(bytes[2 * 512], 3);
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, 16, false), VIRTIO_BLOCK_OK);
    EXPECT_EQ(bytes[2 * 512], 0);
    ranges[0].flags = 1; // unmap means something for write zeroes only
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, 16, false), VIRTIO_BLOCK_UNSUPPORTED);
    finish();
    bring_up(false, 0);
    EXPECT_EQ(send(VIRTIO_BLOCK_DISCARD, 0, ranges, 16, false), VIRTIO_BLOCK_UNSUPPORTED);
    finish();
}

TEST(block_config_space)
{
    uint64_t capacity;
    uint32_t block_bytes, segments;
    bring_up(false, ALL_FEATURES);
    uint8_t config[VIRTIO_CONFIG_BYTES_MAX];
    block.device.ops->config_read(&block.device, config);
    memcpy(&capacity, config, 8);
    memcpy(&segments, config + 12, 4);
    memcpy(&block_bytes, config + 20, 4);
    EXPECT_EQ(capacity, SECTORS);
    EXPECT_EQ(segments, VIRTIO_BLOCK_SEGMENTS_MAX);
    EXPECT_EQ(block_bytes, 512u);
    EXPECT_EQ(config[34], 1);
    finish();
}

TEST(block_4k_blocks_need_aligned_requests)
{
    uint8_t data[4096];
    block_backend_memory_init(&disk, bytes, sizeof(bytes), false);
    const struct virtio_block_config config = {&disk.backend, 1, 4096, NULL};
    EXPECT_OK(virtio_block_init(&block, &config));
    fixture_init(&fixture, &block.device, 32);
    EXPECT_OK(fixture_bring_up(&fixture, ALL_FEATURES));
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 8, data, 4096, true), VIRTIO_BLOCK_OK);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 1, data, 4096, true), VIRTIO_BLOCK_IOERR);
    EXPECT_EQ(send(VIRTIO_BLOCK_IN, 8, data, 512, true), VIRTIO_BLOCK_IOERR);
    finish();
}

TEST(block_bad_parameters_are_refused)
{
    const struct virtio_block_config bad[] = {{&disk.backend, 0, 0, NULL},
                                              {&disk.backend, VIRTIO_QUEUES_MAX + 1, 0, NULL},
                                              {&disk.backend, 1, 256, NULL},
                                              {&disk.backend, 1, 768, NULL},
                                              {&disk.backend, 1, 131072, NULL}};
    for (unsigned i = 0; i < 5; i++)
        EXPECT_STATUS(MX_ERR_INVALID_ARGS, virtio_block_init(&block, &bad[i]));
}

TEST(block_queues_work_independently)
{
    struct header header = {VIRTIO_BLOCK_IN, 0, 1};
    uint32_t head, written;
    block_backend_memory_init(&disk, bytes, sizeof(bytes), false);
    const struct virtio_block_config config = {&disk.backend, 2, 0, NULL};
    EXPECT_OK(virtio_block_init(&block, &config));
    fixture_init(&fixture, &block.device, 32);
    EXPECT_TRUE(device_host_features(&fixture.host) & VIRTIO_BLOCK_F_MQ);
    EXPECT_OK(fixture_bring_up(&fixture, VIRTIO_BLOCK_F_MQ));
    struct virtqueue_driver *driver = &fixture.queues[1];
    const uint16_t first = driver_add(driver, driver_place(driver, &header, 16), 16, DRIVER_NEXT);
    driver_add(driver, driver_allocate(driver, 513), 513, DRIVER_WRITE);
    driver_offer(driver, first);
    device_host_doorbell(&fixture.host, 0);
    EXPECT_FALSE(driver_take_used(driver, &head, &written));
    device_host_doorbell(&fixture.host, 1);
    EXPECT_TRUE(driver_take_used(driver, &head, &written));
    EXPECT_EQ(written, 513u);
    EXPECT_EQ(fixture.interrupt_counts[0], 0u);
    EXPECT_EQ(fixture.interrupt_counts[1], 1u);
    finish();
}
