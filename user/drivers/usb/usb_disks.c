// Disks on a USB controller; see usb_disks.h.

#include "user/drivers/usb/usb_disks.h"

#include <stdio.h>
#include <stdlib.h>

#include <machina_user/device_manager.h>

#define PROGRAM "xhci_driver"

// What every stick can take at a time.
#define TRANSFER_BYTES 0x10000u

_Static_assert(DISK_RUNS_MAX <= XHCI_BULK_TRBS_MAX, "a run ends at pages only, as a TRB does");
_Static_assert(DISK_TAGS_MAX <= 32, "tags are bits");

// By tag.
struct queued {
    struct xhci_disk_request request;
    struct xhci_run runs[DISK_RUNS_MAX];
};

struct usb_disk {
    struct disk disk; // first
    uint32_t index;
    uint32_t active; // tag of what the disk carries out
    bool is_active;
    uint32_t waiting; // tags
    struct queued queue[DISK_TAGS_MAX];
};

static struct {
    const struct driver_device *device;
    struct xhci *xhci;
    mx_handle_t port;
    uint64_t key_first;
    struct usb_disk *disks[XHCI_DEVICES_MAX]; // NULL: none
} all;

void usb_disks_init(const struct driver_device *device, struct xhci *xhci, mx_handle_t port,
                    uint64_t key_first)
{
    all.device = device;
    all.xhci = xhci;
    all.port = port;
    all.key_first = key_first;
}

// --- requests
// -----------------------------------------------------------------------------------------

static mx_status_t give(struct usb_disk *usb_disk, uint32_t tag)
{
    const mx_status_t status =
        xhci_start_request(all.xhci, usb_disk->index, &usb_disk->queue[tag].request);

    usb_disk->is_active = status == MX_OK;
    usb_disk->active = tag;
    return status == MX_ERR_BAD_STATE ? MX_ERR_IO : status; // it is going
}

static void fill(struct queued *queued, const struct disk_transfer *transfer, uint32_t block_bytes)
{
    static const enum xhci_disk_operation operations[] = {
        [BLOCK_READ] = XHCI_DISK_READ,
        [BLOCK_WRITE] = XHCI_DISK_WRITE,
        [BLOCK_FLUSH] = XHCI_DISK_FLUSH,
    };

    queued->request = (struct xhci_disk_request){
        .operation = operations[transfer->operation],
        .block = transfer->offset / block_bytes,
        .block_count = transfer->size_bytes / block_bytes,
        .runs = queued->runs,
        .run_count = transfer->run_count,
    };
    for (uint32_t i = 0; i < transfer->run_count; i++)
        queued->runs[i] =
            (struct xhci_run){transfer->runs[i].address, transfer->runs[i].size_bytes};
}

static mx_status_t start(struct disk *disk, const struct disk_transfer *transfer)
{
    struct usb_disk *usb_disk = (struct usb_disk *)disk;

    fill(&usb_disk->queue[transfer->tag], transfer, disk->geometry.block_bytes);
    if (!usb_disk->is_active)
        return give(usb_disk, transfer->tag);
    usb_disk->waiting |= 1u << transfer->tag;
    return MX_OK;
}

static const struct disk_ops ops = {.start = start};

// In turn, so that nobody's request waits for ever while others' tags are used again.
static void give_next(struct usb_disk *usb_disk)
{
    while (usb_disk->waiting != 0 && !usb_disk->is_active) {
        const uint32_t later = usb_disk->waiting & ~((UINT32_C(2) << usb_disk->active) - 1);
        const uint32_t tag = (uint32_t)__builtin_ctz(later ? later : usb_disk->waiting);

        usb_disk->waiting &= ~(1u << tag);
        const mx_status_t status = give(usb_disk, tag);
        if (status != MX_OK)
            disk_complete(&usb_disk->disk, tag, status);
    }
}

void usb_disk_request_done(void *context, uint32_t index, mx_status_t status)
{
    struct usb_disk *usb_disk = all.disks[index];

    (void)context;
    usb_disk->is_active = false;
    disk_complete(&usb_disk->disk, usb_disk->active, status);
    give_next(usb_disk);
}

// --- coming and going
// -----------------------------------------------------------------------------------

static mx_status_t announce(struct usb_disk *usb_disk, const char *place)
{
    char name[DEVICE_NAME_SIZE];
    mx_handle_t channel;

    snprintf(name, sizeof(name), "%s %s", all.device->name, place);
    mx_status_t status =
        device_announce(all.device->service, DEVICE_ANNOUNCE, PROGRAM, name, &channel);
    if (status == MX_OK)
        status = disk_open(&usb_disk->disk, channel, all.port,
                           all.key_first + (uint64_t)usb_disk->index * DISK_KEYS);
    return status;
}

bool usb_disk_added(void *context, uint32_t index, const struct xhci_disk_info *info)
{
    const struct scsi_capacity *capacity = &info->capacity;
    struct usb_disk *usb_disk = calloc(1, sizeof(*usb_disk));
    mx_status_t status = usb_disk ? MX_OK : MX_ERR_NO_MEMORY;

    (void)context;
    if (usb_disk) {
        usb_disk->index = index;
        usb_disk->disk = (struct disk){
            .device = {.dma = all.device->dma},
            .ops = &ops,
            .size_bytes = capacity->block_count * capacity->block_bytes,
            .geometry = {capacity->block_bytes, TRANSFER_BYTES},
            .is_read_only = info->is_read_only,
        };
        snprintf(usb_disk->disk.device.name, sizeof(usb_disk->disk.device.name), "%s",
                 all.device->name);
        status = announce(usb_disk, info->place);
    }
    if (status == MX_OK) {
        all.disks[index] = usb_disk;
        return true;
    }
    printf("xhci %s: %s: nobody uses the disk there: %s\n", all.device->name, info->place,
           mx_status_string(status));
    free(usb_disk);
    return false;
}

void usb_disk_removed(void *context, uint32_t index)
{
    (void)context;
    disk_close(&all.disks[index]->disk);
    free(all.disks[index]);
    all.disks[index] = NULL;
}

void usb_disks_serve_packet(uint64_t key)
{
    struct usb_disk *usb_disk = all.disks[(key - all.key_first) / DISK_KEYS % XHCI_DEVICES_MAX];

    if (usb_disk)
        disk_serve_packet(&usb_disk->disk, key);
}

void usb_disks_serve_stalled(void)
{
    for (uint32_t i = 0; i < XHCI_DEVICES_MAX; i++) {
        if (all.disks[i])
            disk_serve_stalled(&all.disks[i]->disk);
    }
}
