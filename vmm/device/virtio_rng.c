// The entropy device's process: random bytes of the host kernel's generator.
#include "vmm/virtio/rng.h"

#include <machina/syscalls.h>

#include "vmm/device/device_process.h"

#define DRAW_BYTES_MAX 256u // what the kernel gives at once

static bool fill(void *context, void *bytes, size_t size_bytes)
{
    uint8_t *at = bytes;

    (void)context;
    while (size_bytes > 0) {
        const size_t piece = size_bytes < DRAW_BYTES_MAX ? size_bytes : DRAW_BYTES_MAX;
        if (mx_random_draw(at, piece) != MX_OK)
            return false;
        at += piece;
        size_bytes -= piece;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct device_process process;
    static struct virtio_rng rng;
    const mx_status_t status = device_process_init(&process, argc, argv);

    if (status != MX_OK)
        return device_process_fail(&process, "virtio-rng: cannot start", status);
    virtio_rng_init(&rng, fill, NULL);
    return device_process_run(&process, &rng.device, NULL);
}
