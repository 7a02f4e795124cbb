// Queues of an NVMe controller and the lists of pages in its commands (NVM Express Base
// Specification 2.0, sections 3.3 "NVM Queue Models", 4.1 "Physical Region Page Entry and List"),
// for one thread. Completions are checked: one for a command that the controller does not have
// breaks the queue.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/status.h>

#define NVME_QUEUE_SIZE    64u // entries of each queue; one stays free
#define NVME_COMMAND_BYTES 64u
#define NVME_PAGE_BYTES    4096u

struct nvme_command {
    uint8_t opcode, flags;
    uint16_t id; // set by nvme_queue_add
    uint32_t namespace;
    uint32_t reserved[2];
    uint64_t metadata;
    uint64_t prp1, prp2;
    uint32_t words[6]; // 10 to 15
};
_Static_assert(sizeof(struct nvme_command) == NVME_COMMAND_BYTES, "NVM Express, 4.2");

struct nvme_completion {
    uint32_t result, reserved;
    uint16_t submission_head, submission_queue;
    uint16_t id;
    uint16_t status; // bit 0: phase
};
_Static_assert(sizeof(struct nvme_completion) == 16, "NVM Express, 4.6");

struct nvme_queue {
    struct nvme_command *submissions;
    const volatile struct nvme_completion *completions;
    uint16_t tail, head; // next to submit, next to look at
    bool phase;          // of the completions of this round
    bool is_broken;
    uint64_t in_flight; // bit id
};

// `submissions` and `completions` are zero and have room for NVME_QUEUE_SIZE entries.
void nvme_queue_init(struct nvme_queue *queue, void *submissions, const void *completions);
// Puts a command in, under `id` (below NVME_QUEUE_SIZE - 1). BAD_STATE: the id is in use, or the
// queue broken. The doorbell is then to be written with queue->tail.
MX_MUST_CHECK mx_status_t nvme_queue_add(struct nvme_queue *queue,
                                         const struct nvme_command *command, uint16_t id);
// Takes the next completion. False: there is none. queue->head is then to be written to the
// doorbell, once for several.
bool nvme_queue_take(struct nvme_queue *queue, uint16_t *id, mx_status_t *status, uint32_t *result);

// The pages of a transfer from `run_count` runs, which meet at page boundaries: prp1 and prp2 of
// the command; the others go to `list`, which the controller finds at `list_address`. OUT_OF_RANGE:
// more than one list of pages.
struct nvme_run {
    uint64_t address;
    uint32_t size_bytes;
};
MX_MUST_CHECK mx_status_t nvme_set_pages(struct nvme_command *command, const struct nvme_run *runs,
                                         uint32_t run_count, uint64_t *list, uint64_t list_address);

// What matters of the Identify data of a namespace. False: it makes no sense, or the namespace is
// not active.
struct nvme_namespace {
    uint64_t block_count;
    uint32_t block_bytes;
};
bool nvme_read_namespace(const uint8_t identify[4096], struct nvme_namespace *out);
// The largest transfer by the Identify data of the controller, with pages of 4 KiB; at most
// `limit`.
uint32_t nvme_transfer_bytes(const uint8_t identify[4096], uint32_t limit);
