// A device that writes the input's bytes into the queue's memory between the driver's calls: no
// chain comes back that it does not have, and none twice.
#include <assert.h>
#include <string.h>

#include "user/drivers/portable/virtio_queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(4096) uint8_t memory[1024];
    static struct virtio_queue queue;
    const struct virtio_piece pieces[3] = {{0x1000, 16}, {0x2000, 512}, {0x3000, 1}};
    bool has[256] = {false};
    uint8_t next_token = 0;

    memset(memory, 0, sizeof(memory));
    virtio_queue_init(&queue, memory, SIZE);
    assert(virtio_queue_bytes(SIZE) <= sizeof(memory));
    for (size_t at = 0; at + 3 <= size; at += 3) {
        uint32_t token, written, place = (data[at] | (uint32_t)data[at + 1] << 8) % 512;

        if (data[at + 1] & 0x80)
            memory[place] = data[at + 2];
        if (data[at + 1] & 0x40 && !has[next_token] &&
            virtio_queue_add(&queue, pieces, 1, 1 + data[at + 2] % 2, next_token) == MX_OK) {
            has[next_token++] = true;
            (void)!virtio_queue_publish(&queue);
        }
        while (virtio_queue_take(&queue, &token, &written)) {
            assert(token < 256 && has[token]);
            has[token] = false;
        }
        assert(queue.free_count <= SIZE);
    }
    return 0;
}
