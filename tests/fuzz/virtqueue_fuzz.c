// Rings and descriptors of arbitrary bytes. Whatever is popped must hold what virtqueue.h promises.

#include "tests/fuzz/virtio_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void check_chain(const struct virtqueue_driver *driver, const struct virtqueue_chain *chain)
{
    const unsigned count = (unsigned)chain->readable_count + chain->writable_count;
    uint64_t sums[2] = {0, 0};

    if (count > VIRTQUEUE_SEGMENTS_MAX)
        abort();
    for (unsigned i = 0; i < count; i++) {
        const struct virtqueue_buffer *buffer = &chain->buffers[i];
        const uintptr_t offset = (uintptr_t)buffer->data - (uintptr_t)driver->ram;
        if (buffer->size_bytes == 0 || offset >= DRIVER_RAM_BYTES ||
            buffer->size_bytes > DRIVER_RAM_BYTES - offset)
            abort();
        sums[i >= chain->readable_count] += buffer->size_bytes;
    }
    if (sums[0] != chain->readable_bytes || sums[1] != chain->writable_bytes)
        abort();
}

static void act(struct script *script, struct virtqueue_driver *driver, struct virtqueue *queue)
{
    static struct virtqueue_chain chain;
    const uint8_t what = (uint8_t)script_take(script, 1);

    switch (what & 7) {
    case 0:
    case 1:
        script_set_descriptor(script, driver);
        break;
    case 2:
        script_write_ram(script, driver);
        break;
    case 3:
        driver_offer(driver, (uint16_t)script_take(script, 1));
        break;
    case 4:
        virtqueue_push(queue, (uint16_t)script_take(script, 2), what);
        break;
    case 5:
        (void)!virtqueue_publish(queue);
        break;
    case 6:
        virtqueue_disable_doorbell(queue);
        (void)!virtqueue_enable_doorbell(queue);
        break;
    default:
        if (virtqueue_pop(queue, &chain) == MX_OK) {
            uint8_t copy[100];
            check_chain(driver, &chain);
            virtqueue_chain_read(&chain, what, copy, sizeof(copy));
            virtqueue_chain_write(&chain, what, script->bytes,
                                  script->size_bytes < 100 ? script->size_bytes : 100);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct script script = {bytes, size_bytes};
    struct virtqueue_driver driver;
    struct virtqueue queue;

    driver_init(&driver, 16, NULL, 0);
    if (virtqueue_start(&queue, &driver.memory, &driver.layout))
        abort();
    const uint64_t choices = script_take(&script, 1);
    virtqueue_set_features(&queue, choices & 1, choices & 2);
    while (script.size_bytes != 0)
        act(&script, &driver, &queue);
    driver_destroy(&driver);
    return 0;
}
