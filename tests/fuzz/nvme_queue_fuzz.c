// A controller that writes the input's bytes into the completion queue: only commands that it has
// complete, each once.
#include <assert.h>
#include <string.h>

#include "user/drivers/portable/nvme_queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nvme_command submissions[NVME_QUEUE_SIZE];
    static struct nvme_completion completions[NVME_QUEUE_SIZE];
    const struct nvme_command command = {.opcode = 1};
    struct nvme_queue queue;
    uint64_t has = 0;

    memset(completions, 0, sizeof(completions));
    nvme_queue_init(&queue, submissions, completions);
    for (size_t at = 0; at + 3 <= size; at += 3) {
        mx_status_t status;
        uint32_t result;
        uint16_t id = data[at] % 70;

        if (data[at + 1] & 0x80 && nvme_queue_add(&queue, &command, id) == MX_OK)
            has |= UINT64_C(1) << id;
        ((uint8_t *)completions)[(data[at] | (data[at + 1] & 3u) << 8) % sizeof(completions)] =
            data[at + 2];
        while (nvme_queue_take(&queue, &id, &status, &result)) {
            assert(id < NVME_QUEUE_SIZE && (has >> id & 1));
            has &= ~(UINT64_C(1) << id);
        }
        assert(queue.head < NVME_QUEUE_SIZE && queue.tail < NVME_QUEUE_SIZE);
    }
    return 0;
}
