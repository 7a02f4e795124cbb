// A hostile driver against the block device over a copy-on-write disk.

#include "tests/fuzz/virtio_script.h"
#include "vmm/virtio/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static uint8_t disk[200 * 512];
    static const uint8_t zeroes[sizeof(disk)];
    static struct virtio_fixture fixture;
    static struct virtio_block block;
    struct block_backend_memory memory;
    struct block_backend_volatile overlay;

    block_backend_memory_init(&memory, disk, sizeof(disk), true);
    if (block_backend_volatile_init(&overlay, &memory.backend, 70000))
        return 0;
    const bool is_read_only = size_bytes != 0 && (bytes[0] & 1);
    const struct virtio_block_config config = {is_read_only ? &memory.backend : &overlay.backend, 2,
                                               size_bytes & 1 ? 4096 : 512, "fuzz"};
    if (virtio_block_init(&block, &config))
        abort();
    script_run(&fixture, &block.device, bytes, size_bytes);
    block_backend_volatile_destroy(&overlay);
    if (memcmp(disk, zeroes, sizeof(disk)) != 0)
        abort(); // the base is never written
    return 0;
}
