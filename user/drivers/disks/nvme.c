// The driver of NVMe controllers (NVM Express Base Specification 2.0; PCIe Transport; NVM Command
// Set): the first namespace, one pair of queues for administration and one for data, one interrupt
// for both.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dma_fence.h>

#include "user/drivers/lib/disk.h"
#include "user/drivers/portable/nvme_queue.h"

#define REG_CAP       0x00
#define REG_CC        0x14
#define REG_CSTS      0x1c
#define REG_AQA       0x24
#define REG_ASQ       0x28
#define REG_ACQ       0x30
#define REG_DOORBELLS 0x1000
#define REG_BYTES_MIN 0x2000u

#define CAP_TIMEOUT(cap)  ((uint32_t)((cap) >> 24 & 0xff)) // in units of 500 ms
#define CAP_STRIDE(cap)   ((uint32_t)((cap) >> 32 & 0xf))
#define CAP_ENTRIES(cap)  ((uint32_t)((cap)&0xffff) + 1)
#define CAP_HAS_NVM(cap)  ((cap) >> 37 & 1)
#define CAP_PAGE_MIN(cap) ((uint32_t)((cap) >> 48 & 0xf)) // 0: 4 KiB
#define CC_ENABLE         1u
#define CC_ENTRY_SIZES    (4u << 20 | 6u << 16) // completions of 16 bytes, commands of 64
#define CSTS_READY        1u
#define CSTS_FATAL        2u
#define GONE              UINT32_MAX

#define ADMIN_CREATE_SUBMISSION 0x01
#define ADMIN_CREATE_COMPLETION 0x05
#define ADMIN_IDENTIFY          0x06
#define IDENTIFY_NAMESPACE      0
#define IDENTIFY_CONTROLLER     1
#define QUEUE_CONTIGUOUS        1u
#define QUEUE_INTERRUPTS        2u

#define NVM_FLUSH 0x00
#define NVM_WRITE 0x01
#define NVM_READ  0x02

#define NAMESPACE     1u
#define DATA_QUEUE    1u
#define ADMIN_TIMEOUT MX_SEC(10)
#define POLL_PAUSE    MX_MSEC(1)

// Pages of the memory that driver and controller share.
enum page {
    PAGE_ADMIN_SUBMISSIONS,
    PAGE_ADMIN_COMPLETIONS,
    PAGE_DATA_SUBMISSIONS,
    PAGE_DATA_COMPLETIONS,
    PAGE_IDENTIFY,
    PAGE_LISTS, // of each tag
    PAGE_COUNT = PAGE_LISTS + DISK_TAGS_MAX,
};

_Static_assert(DISK_TAGS_MAX < NVME_QUEUE_SIZE - 1, "tags are command numbers");
_Static_assert(sizeof(struct nvme_run) == sizeof(struct disk_run), "the same");

struct nvme {
    struct disk disk;
    volatile uint8_t *registers;
    struct driver_memory memory;
    struct nvme_queue admin, data;
    uint32_t doorbell_bytes;
    uint32_t block_shift;
};

static uint32_t read32(const struct nvme *nvme, uint32_t offset)
{
    return *(const volatile uint32_t *)(nvme->registers + offset);
}

static void write32(struct nvme *nvme, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(nvme->registers + offset) = value;
}

static void write64(struct nvme *nvme, uint32_t offset, uint64_t value)
{
    write32(nvme, offset, (uint32_t)value);
    write32(nvme, offset + 4, (uint32_t)(value >> 32));
}

static void *page(const struct nvme *nvme, uint32_t index)
{
    return (uint8_t *)nvme->memory.bytes + index * MX_PAGE_SIZE;
}

static uint64_t page_address(const struct nvme *nvme, uint32_t index)
{
    return nvme->memory.address + index * MX_PAGE_SIZE;
}

static void ring(struct nvme *nvme, uint32_t queue, bool is_completion, uint16_t value)
{
    write32(nvme, REG_DOORBELLS + (2 * queue + is_completion) * nvme->doorbell_bytes, value);
}

// Until CSTS.RDY is as wanted. IO: the controller failed, is gone, or takes too long.
static mx_status_t wait_ready(struct nvme *nvme, bool is_ready, uint32_t timeout)
{
    mx_time_t deadline = mx_clock_get_monotonic() + MX_MSEC(500) * (timeout + 1);

    for (;;) {
        uint32_t status = read32(nvme, REG_CSTS);
        if (status == GONE || (is_ready && (status & CSTS_FATAL)))
            return MX_ERR_IO;
        if (((status & CSTS_READY) != 0) == is_ready)
            return MX_OK;
        if (mx_clock_get_monotonic() > deadline)
            return MX_ERR_IO;
        mx_nanosleep(mx_clock_get_monotonic() + POLL_PAUSE);
    }
}

static bool stop(struct disk *disk)
{
    struct nvme *nvme = (struct nvme *)disk;

    if (read32(nvme, REG_CSTS) == GONE)
        return true;
    write32(nvme, REG_CC, 0);
    return wait_ready(nvme, false, 10) == MX_OK || read32(nvme, REG_CSTS) == GONE;
}

// --- start-up
// -----------------------------------------------------------------------------------------

// One administration command at a time.
static mx_status_t run_admin(struct nvme *nvme, const struct nvme_command *command)
{
    mx_time_t deadline = mx_clock_get_monotonic() + ADMIN_TIMEOUT;
    mx_status_t status = nvme_queue_add(&nvme->admin, command, 0), result = MX_OK;
    uint32_t value;
    uint16_t id;

    if (status != MX_OK)
        return status;
    ring(nvme, 0, false, nvme->admin.tail);
    while (!nvme_queue_take(&nvme->admin, &id, &result, &value)) {
        if (nvme->admin.is_broken)
            return MX_ERR_IO;
        if (mx_interrupt_wait(nvme->disk.device.interrupt, deadline, NULL) != MX_OK)
            return MX_ERR_IO;
    }
    ring(nvme, 0, true, nvme->admin.head);
    return result;
}

static mx_status_t identify(struct nvme *nvme, uint32_t what)
{
    struct nvme_command command = {
        .opcode = ADMIN_IDENTIFY,
        .namespace = what == IDENTIFY_NAMESPACE ? NAMESPACE : 0,
        .prp1 = page_address(nvme, PAGE_IDENTIFY),
        .words = {what},
    };

    return run_admin(nvme, &command);
}

static mx_status_t create_queues(struct nvme *nvme)
{
    uint32_t shape = (NVME_QUEUE_SIZE - 1) << 16 | DATA_QUEUE;
    struct nvme_command completion = {
        .opcode = ADMIN_CREATE_COMPLETION,
        .prp1 = page_address(nvme, PAGE_DATA_COMPLETIONS),
        .words = {shape, QUEUE_CONTIGUOUS | QUEUE_INTERRUPTS}, // vector 0
    };
    struct nvme_command submission = {
        .opcode = ADMIN_CREATE_SUBMISSION,
        .prp1 = page_address(nvme, PAGE_DATA_SUBMISSIONS),
        .words = {shape, DATA_QUEUE << 16 | QUEUE_CONTIGUOUS},
    };

    nvme_queue_init(&nvme->data, page(nvme, PAGE_DATA_SUBMISSIONS),
                    page(nvme, PAGE_DATA_COMPLETIONS));
    mx_status_t status = run_admin(nvme, &completion);
    return status == MX_OK ? run_admin(nvme, &submission) : status;
}

static mx_status_t enable(struct nvme *nvme, const char **why)
{
    uint64_t cap = read32(nvme, REG_CAP) | (uint64_t)read32(nvme, REG_CAP + 4) << 32;

    nvme->doorbell_bytes = 4u << CAP_STRIDE(cap);
    *why = "it has no queues of the size and pages that the driver uses";
    if (!CAP_HAS_NVM(cap) || CAP_PAGE_MIN(cap) != 0 || CAP_ENTRIES(cap) < NVME_QUEUE_SIZE ||
        nvme->disk.device.bars[0].size_bytes < REG_DOORBELLS + 4 * nvme->doorbell_bytes)
        return MX_ERR_NOT_SUPPORTED;
    *why = "it cannot be reset";
    write32(nvme, REG_CC, 0);
    mx_status_t status = wait_ready(nvme, false, CAP_TIMEOUT(cap));
    if (status != MX_OK)
        return status;
    nvme_queue_init(&nvme->admin, page(nvme, PAGE_ADMIN_SUBMISSIONS),
                    page(nvme, PAGE_ADMIN_COMPLETIONS));
    write32(nvme, REG_AQA, (NVME_QUEUE_SIZE - 1) << 16 | (NVME_QUEUE_SIZE - 1));
    write64(nvme, REG_ASQ, page_address(nvme, PAGE_ADMIN_SUBMISSIONS));
    write64(nvme, REG_ACQ, page_address(nvme, PAGE_ADMIN_COMPLETIONS));
    *why = "it does not become ready";
    write32(nvme, REG_CC, CC_ENTRY_SIZES | CC_ENABLE);
    return wait_ready(nvme, true, CAP_TIMEOUT(cap));
}

// --- data
// ---------------------------------------------------------------------------------------------

static mx_status_t start(struct disk *disk, const struct disk_transfer *transfer)
{
    struct nvme *nvme = (struct nvme *)disk;
    struct nvme_command command = {.opcode = NVM_FLUSH, .namespace = NAMESPACE};
    uint64_t block = transfer->offset >> nvme->block_shift;

    if (transfer->operation != BLOCK_FLUSH) {
        command.opcode = transfer->operation == BLOCK_READ ? NVM_READ : NVM_WRITE;
        command.words[0] = (uint32_t)block;
        command.words[1] = (uint32_t)(block >> 32);
        command.words[2] = (transfer->size_bytes >> nvme->block_shift) - 1;
        mx_status_t status = nvme_set_pages(
            &command, (const struct nvme_run *)transfer->runs, transfer->run_count,
            page(nvme, PAGE_LISTS + transfer->tag), page_address(nvme, PAGE_LISTS + transfer->tag));
        if (status != MX_OK)
            return status;
    }
    mx_status_t status = nvme_queue_add(&nvme->data, &command, (uint16_t)transfer->tag);
    if (status == MX_OK)
        ring(nvme, DATA_QUEUE, false, nvme->data.tail);
    return status;
}

static void interrupt(struct disk *disk)
{
    struct nvme *nvme = (struct nvme *)disk;
    uint16_t id, head = nvme->data.head;
    mx_status_t status;
    uint32_t result;

    while (!disk->is_failed && nvme_queue_take(&nvme->data, &id, &status, &result))
        disk_complete(disk, id, status);
    if (nvme->data.is_broken)
        disk_fail(disk, "it completed a command that it did not have");
    else if (!disk->is_failed && nvme->data.head != head)
        ring(nvme, DATA_QUEUE, true, nvme->data.head);
}

static bool is_alive(struct disk *disk)
{
    uint32_t status = read32((struct nvme *)disk, REG_CSTS);

    return status != GONE && !(status & CSTS_FATAL);
}

static const struct disk_ops ops = {.needs_pages = true,
                                    .start = start,
                                    .interrupt = interrupt,
                                    .is_alive = is_alive,
                                    .stop = stop};

static mx_status_t open_namespace(struct nvme *nvme, const char **why)
{
    struct nvme_namespace namespace;

    *why = "it does not say what it is";
    mx_status_t status = identify(nvme, IDENTIFY_CONTROLLER);
    if (status != MX_OK)
        return status;
    uint32_t transfer_bytes = nvme_transfer_bytes(page(nvme, PAGE_IDENTIFY), DISK_TRANSFER_BYTES);
    status = identify(nvme, IDENTIFY_NAMESPACE);
    if (status != MX_OK)
        return status;
    *why = "its first namespace is missing, or formatted in a way that is not supported";
    if (!nvme_read_namespace(page(nvme, PAGE_IDENTIFY), &namespace))
        return MX_ERR_NOT_SUPPORTED;
    nvme->block_shift = (uint32_t)__builtin_ctz(namespace.block_bytes);
    nvme->disk.geometry = (struct block_geometry){namespace.block_bytes, transfer_bytes};
    nvme->disk.size_bytes = namespace.block_count << nvme->block_shift;
    *why = "it makes no queues";
    return create_queues(nvme);
}

static mx_status_t open_disk(struct nvme *nvme, const char **why)
{
    struct driver_device *device = &nvme->disk.device;

    *why = "it has no registers";
    nvme->registers = driver_map_bar(device, 0);
    if (!nvme->registers || device->bars[0].size_bytes < REG_BYTES_MIN)
        return MX_ERR_NOT_FOUND;
    *why = "no memory for its queues";
    mx_status_t status = driver_allocate(device, PAGE_COUNT * MX_PAGE_SIZE, &nvme->memory);
    if (status == MX_OK)
        status = enable(nvme, why);
    if (status == MX_OK)
        status = open_namespace(nvme, why);
    nvme->disk.ops = &ops;
    return status;
}

int main(int argc, char **argv)
{
    static struct nvme nvme;
    const char *why = "";

    if (driver_start(&nvme.disk.device, argc, argv) != MX_OK)
        return EXIT_FAILURE;
    mx_status_t status = open_disk(&nvme, &why);
    if (status == MX_OK)
        return disk_run(&nvme.disk);
    printf("disk %s: %s: %s\n", nvme.disk.device.name, why, mx_status_string(status));
    return EXIT_FAILURE;
}
