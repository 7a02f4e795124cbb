// Block back ends in memory; the overlay is also compared with a plain RAM disk.

#include "tests/test.h"
#include "vmm/virtio/block_backend.h"

#define DISK_BYTES (3 * BLOCK_BACKEND_CLUSTER_BYTES + 5 * 512)

static uint8_t base_bytes[DISK_BYTES], ram_bytes[DISK_BYTES];
static uint8_t data[DISK_BYTES], other[DISK_BYTES];
static struct block_backend_memory base, ram;
static struct block_backend_volatile overlay;

static void build(uint64_t memory_bytes_max)
{
    for (unsigned i = 0; i < DISK_BYTES; i++)
        base_bytes[i] = ram_bytes[i] = (uint8_t)(i * 7 + i / 512);
    block_backend_memory_init(&base, base_bytes, DISK_BYTES, true);
    block_backend_memory_init(&ram, ram_bytes, DISK_BYTES, false);
    EXPECT_OK(block_backend_volatile_init(&overlay, &base.backend, memory_bytes_max));
}

static struct block_backend *const disk = &overlay.backend;

TEST(memory_backend_read_only_refuses_changes)
{
    build(0);
    struct block_backend *read_only = &base.backend;
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, read_only->ops->write(read_only, 0, data, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, read_only->ops->write_zeroes(read_only, 0, 1));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, read_only->ops->discard(read_only, 0, 1));
    EXPECT_OK(read_only->ops->flush(read_only));
    block_backend_volatile_destroy(&overlay);
}

TEST(volatile_overlay_leaves_base_untouched)
{
    build(UINT64_MAX);
    memset(data, 0x11, DISK_BYTES);
    EXPECT_OK(disk->ops->write(disk, 0, data, DISK_BYTES));
    EXPECT_OK(disk->ops->read(disk, 0, other, DISK_BYTES));
    EXPECT_BYTES_EQ(data, other, DISK_BYTES);
    EXPECT_BYTES_EQ(base_bytes, ram_bytes, DISK_BYTES);
    block_backend_volatile_destroy(&overlay);
}

TEST(volatile_overlay_matches_ram_disk)
{
    uint32_t random = 12345;
    build(UINT64_MAX);
    for (unsigned i = 0; i < 2000; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t offset = (random >> 8) % DISK_BYTES;
        uint32_t size = (random >> 3) % (2 * BLOCK_BACKEND_CLUSTER_BYTES) + 1;
        if (size > DISK_BYTES - offset)
            size = DISK_BYTES - offset;
        memset(data, (int)(random >> 20), size);
        if (i % 3 == 0) {
            EXPECT_OK(disk->ops->write_zeroes(disk, offset, size));
            EXPECT_OK(ram.backend.ops->write_zeroes(&ram.backend, offset, size));
        } else if (i % 3 == 1) {
            size = size % 1000 + 1 > DISK_BYTES - offset ? 1 : size % 1000 + 1;
            EXPECT_OK(disk->ops->write(disk, offset, data, size));
            EXPECT_OK(ram.backend.ops->write(&ram.backend, offset, data, size));
        }
        EXPECT_OK(disk->ops->read(disk, offset, data, size));
        EXPECT_OK(ram.backend.ops->read(&ram.backend, offset, other, size));
        ASSERT_TRUE(memcmp(data, other, size) == 0);
    }
    block_backend_volatile_destroy(&overlay);
}

TEST(volatile_overlay_is_bounded)
{
    build(2 * BLOCK_BACKEND_CLUSTER_BYTES + 1);
    EXPECT_OK(disk->ops->write(disk, 0, data, 1));
    EXPECT_OK(disk->ops->write(disk, BLOCK_BACKEND_CLUSTER_BYTES, data, 1));
    EXPECT_STATUS(MX_ERR_NO_SPACE,
                  disk->ops->write(disk, 2 * BLOCK_BACKEND_CLUSTER_BYTES, data, 1));
    EXPECT_OK(disk->ops->write(disk, 5, data, 1)); // a cluster that is owned already
    EXPECT_OK(disk->ops->discard(disk, 0, BLOCK_BACKEND_CLUSTER_BYTES));
    EXPECT_OK(disk->ops->write(disk, 2 * BLOCK_BACKEND_CLUSTER_BYTES, data, 1));
    block_backend_volatile_destroy(&overlay);
}

TEST(volatile_discard_keeps_partly_covered_clusters)
{
    build(UINT64_MAX);
    memset(data, 0x77, DISK_BYTES);
    EXPECT_OK(disk->ops->write(disk, 0, data, DISK_BYTES));
    EXPECT_OK(disk->ops->discard(disk, 512, DISK_BYTES - 512));
    EXPECT_OK(disk->ops->read(disk, 0, other, DISK_BYTES));
    EXPECT_BYTES_EQ(other, data, BLOCK_BACKEND_CLUSTER_BYTES);
    EXPECT_BYTES_EQ(other + BLOCK_BACKEND_CLUSTER_BYTES, base_bytes + BLOCK_BACKEND_CLUSTER_BYTES,
                    DISK_BYTES - BLOCK_BACKEND_CLUSTER_BYTES);
    block_backend_volatile_destroy(&overlay);
}

TEST(volatile_write_fails_when_base_cannot_be_read)
{
    struct block_backend_fault fault;
    build(0);
    block_backend_volatile_destroy(&overlay);
    block_backend_fault_init(&fault, &base.backend);
    EXPECT_OK(block_backend_volatile_init(&overlay, &fault.backend, UINT64_MAX));
    fault.bad_offset = 100;
    fault.bad_size_bytes = 1;
    EXPECT_STATUS(MX_ERR_IO, disk->ops->write(disk, 0, data, 1));
    EXPECT_OK(disk->ops->write(disk, BLOCK_BACKEND_CLUSTER_BYTES, data, 1));
    EXPECT_OK(disk->ops->write(disk, 0, data, BLOCK_BACKEND_CLUSTER_BYTES)); // needs no read
    block_backend_volatile_destroy(&overlay);
}
