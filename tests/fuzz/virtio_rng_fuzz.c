// A hostile driver against the entropy device.

#include "tests/fuzz/virtio_script.h"
#include "vmm/virtio/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static bool fill(void *context, void *bytes, size_t size_bytes)
{
    unsigned *left = context;
    memset(bytes, 0xa5, size_bytes);
    return *left != 0 && (*left)-- != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct virtio_fixture fixture;
    static struct virtio_rng rng;
    unsigned left = size_bytes & 1 ? 5 : UINT32_MAX;

    virtio_rng_init(&rng, fill, &left);
    script_run(&fixture, &rng.device, bytes, size_bytes, NULL);
    return 0;
}
