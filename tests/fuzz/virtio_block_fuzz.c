// A hostile driver against the block device over a copy-on-write disk, one that answers at once or
// one that answers later, and in another order, itself or the disk below it.

#include "tests/fuzz/virtio_script.h"
#include "tests/unit/later_backend.h"
#include "vmm/virtio/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static struct later_backend later;
static struct virtio_block block;

// What the device process does when its disk answers.
static void answer(struct virtio_fixture *fixture, unsigned index)
{
    later_end(&later, index);
    uint64_t queues = virtio_block_publish(&block);
    for (unsigned i = 0; queues >> i != 0; i++) {
        if (queues >> i & 1)
            device_host_doorbell(&fixture->host, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static uint8_t disk[200 * 512];
    static const uint8_t zeroes[sizeof(disk)];
    static struct virtio_fixture fixture;
    struct block_backend_memory memory;
    struct block_backend_volatile overlay;

    block_backend_memory_init(&memory, disk, sizeof(disk), true);
    const bool is_read_only = size_bytes != 0 && (bytes[0] & 1);
    const bool is_later = size_bytes != 0 && (bytes[0] & 2);
    const bool is_later_below = is_later && !is_read_only && (bytes[0] & 4);
    struct block_backend *base = &memory.backend;
    if (is_later_below) {
        later_backend_init(&later, base);
        base = &later.backend;
    }
    if (block_backend_volatile_init(&overlay, base, 70000))
        return 0;
    struct block_backend *backend = is_read_only ? &memory.backend : &overlay.backend;
    if (is_later && !is_later_below) {
        later_backend_init(&later, backend);
        backend = &later.backend;
    }
    const struct virtio_block_config config = {backend, 2, size_bytes & 1 ? 4096 : 512, "fuzz"};
    if (virtio_block_init(&block, &config))
        abort();
    script_run(&fixture, &block.device, bytes, size_bytes, is_later ? answer : NULL);
    block_backend_volatile_destroy(&overlay);
    if (memcmp(disk, zeroes, sizeof(disk)) != 0)
        abort(); // the base is never written
    return 0;
}
