// A hostile driver against the console, over a stream that takes and gives what the input's size
// says.

#include "tests/fuzz/virtio_script.h"
#include "vmm/virtio/console.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static uint32_t turn;

static size_t take(void *context, const uint8_t *bytes, size_t size_bytes)
{
    (void)context;
    uint8_t sum = 0;
    for (size_t i = 0; i < size_bytes; i++)
        sum ^= bytes[i];
    turn = turn * 1664525 + 1013904223 + (sum & 1);
    return turn & 0x10000 ? size_bytes : size_bytes / 2;
}

static size_t give(void *context, uint8_t *bytes, size_t capacity_bytes)
{
    (void)context;
    turn = turn * 1664525 + 1013904223;
    const size_t size = turn & 0x10000 ? capacity_bytes : capacity_bytes / 3;
    memset(bytes, 'x', size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const struct virtio_console_stream_ops stream = {take, give};
    static struct virtio_fixture fixture;
    static struct virtio_console console;

    turn = (uint32_t)size_bytes;
    virtio_console_init(&console, &stream, NULL, 80, 25);
    script_run(&fixture, &console.device, bytes, size_bytes, NULL);
    return 0;
}
