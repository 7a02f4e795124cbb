// NVMe queues; see nvme_queue.h.
#include "user/drivers/portable/nvme_queue.h"

#include <string.h>

#include <dma_fence.h>

#define STATUS_PHASE 1u
#define STATUS_MASK  0x1ffeu // code and code type; not "more" and "do not retry"
#define LIST_ENTRIES (NVME_PAGE_BYTES / 8)

// Identify controller, identify namespace (NVM Express Base Specification 2.0, figures 275, 280;
// NVM Command Set, figure 97).
#define CONTROLLER_MDTS       77
#define NAMESPACE_SIZE        0
#define NAMESPACE_FORMATTED   26
#define NAMESPACE_FORMATS     128
#define FORMAT_INDEX_MASK     0xfu
#define FORMAT_METADATA_BYTES 2
#define BLOCK_SHIFT_MIN       9
#define BLOCK_SHIFT_MAX       12

void nvme_queue_init(struct nvme_queue *queue, void *submissions, const void *completions)
{
    *queue =
        (struct nvme_queue){.submissions = submissions, .completions = completions, .phase = true};
}

mx_status_t nvme_queue_add(struct nvme_queue *queue, const struct nvme_command *command,
                           uint16_t id)
{
    if (queue->is_broken || id >= NVME_QUEUE_SIZE - 1 || (queue->in_flight >> id & 1))
        return MX_ERR_BAD_STATE;
    queue->submissions[queue->tail] = *command;
    queue->submissions[queue->tail].id = id;
    queue->tail = (uint16_t)((queue->tail + 1) % NVME_QUEUE_SIZE);
    queue->in_flight |= UINT64_C(1) << id;
    // The command is there before the doorbell says so.
    dma_fence_write();
    return MX_OK;
}

bool nvme_queue_take(struct nvme_queue *queue, uint16_t *id, mx_status_t *status, uint32_t *result)
{
    const volatile struct nvme_completion *completion = &queue->completions[queue->head];
    uint16_t word = completion->status;

    if (queue->is_broken || ((word & STATUS_PHASE) != 0) != queue->phase)
        return false;
    // The rest was there before the phase.
    dma_fence_read();
    *id = completion->id;
    *result = completion->result;
    if (*id >= NVME_QUEUE_SIZE || !(queue->in_flight >> *id & 1)) {
        queue->is_broken = true;
        return false;
    }
    *status = word & STATUS_MASK ? MX_ERR_IO : MX_OK;
    queue->in_flight &= ~(UINT64_C(1) << *id);
    queue->head = (uint16_t)((queue->head + 1) % NVME_QUEUE_SIZE);
    queue->phase ^= queue->head == 0;
    return true;
}

mx_status_t nvme_set_pages(struct nvme_command *command, const struct nvme_run *runs,
                           uint32_t run_count, uint64_t *list, uint64_t list_address)
{
    uint32_t page_count = 0;

    for (uint32_t i = 0; i < run_count; i++) {
        uint64_t at = runs[i].address, end = at + runs[i].size_bytes;

        for (; at < end; at = (at | (NVME_PAGE_BYTES - 1)) + 1) {
            if (page_count == LIST_ENTRIES + 1)
                return MX_ERR_OUT_OF_RANGE;
            if (page_count == 0)
                command->prp1 = at;
            else
                list[page_count - 1] = at;
            page_count++;
        }
    }
    if (page_count > 1)
        command->prp2 = page_count == 2 ? list[0] : list_address;
    return MX_OK;
}

static uint64_t read_number(const uint8_t *at, uint32_t size_bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < size_bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

bool nvme_read_namespace(const uint8_t identify[4096], struct nvme_namespace *out)
{
    const uint8_t *format =
        identify + NAMESPACE_FORMATS + 4 * (identify[NAMESPACE_FORMATTED] & FORMAT_INDEX_MASK);
    uint64_t count = read_number(identify + NAMESPACE_SIZE, 8);
    uint8_t shift = format[FORMAT_METADATA_BYTES];

    // Metadata would need room of their own.
    if (count == 0 || read_number(format, 2) != 0 || shift < BLOCK_SHIFT_MIN ||
        shift > BLOCK_SHIFT_MAX || count > UINT64_MAX >> (shift + 1))
        return false;
    *out = (struct nvme_namespace){count, (uint32_t)1 << shift};
    return true;
}

uint32_t nvme_transfer_bytes(const uint8_t identify[4096], uint32_t limit)
{
    uint8_t shift = identify[CONTROLLER_MDTS];

    if (shift == 0 || shift > 19 || NVME_PAGE_BYTES << shift > limit)
        return limit;
    return NVME_PAGE_BYTES << shift;
}
