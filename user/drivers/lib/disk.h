// What the drivers of disks share: the clients' extents (machina_user/block.h), their memory,
// requests in flight, time-outs. A driver supplies a disk_ops table.
//
// One thread does everything. A device that fails is stopped: requests get MX_ERR_IO from then on,
// at once.
#pragma once

#include "user/drivers/lib/driver.h"
#include "user/drivers/portable/block_check.h"

#define DISK_TAGS_MAX       32 // requests in flight
#define DISK_KEYS           64 // keys of packets that a disk's clients take
#define DISK_TRANSFER_BYTES 0x20000u
// A page of a transfer or a segment begins a run. Transfers that need more are copied.
#define DISK_RUNS_MAX (DISK_TRANSFER_BYTES / MX_PAGE_SIZE + 1 + BLOCK_SEGMENTS_MAX)

// Contiguous for the device.
struct disk_run {
    uint64_t address;
    uint32_t size_bytes;
};

struct disk;
struct disk_state; // of disk.c

struct disk_transfer {
    uint32_t tag;                   // below DISK_TAGS_MAX; not in use until disk_complete
    enum block_operation operation; // READ, WRITE, FLUSH
    uint64_t offset;
    uint32_t size_bytes;
    const struct disk_run *runs;
    uint32_t run_count;
};

struct disk_ops {
    // Runs must meet at page boundaries and begin at multiples of 4 (others are copied).
    bool needs_pages;
    // Runs must begin at even addresses and have even sizes (others are copied).
    bool needs_words;
    // Gives the transfer to the device. An error answers it, but for SHOULD_WAIT, which asks to be
    // called again, with no other before it, when something is done.
    mx_status_t (*start)(struct disk *disk, const struct disk_transfer *transfer);
    // The device's interrupt: calls disk_complete for what is done, or disk_fail.
    void (*interrupt)(struct disk *disk);
    // Whether it still answers; looked at while requests wait long.
    bool (*is_alive)(struct disk *disk);
    // The device stops reading and writing memory, whatever state it is in. Bounded. False: it may
    // not have, and is not gone.
    bool (*stop)(struct disk *disk);
};

struct disk {
    struct driver_device device;
    const struct disk_ops *ops;
    uint64_t size_bytes;
    struct block_geometry geometry;
    bool is_read_only;
    bool has_no_cache; // whose flush would do nothing
    uint32_t runs_max; // of a transfer; more are copied; 0: any number
    bool is_failed;
    struct disk_state *state;
};

// Serves clients until there are none and none can come; the process' exit code. The device is
// ready.
int disk_run(struct disk *disk);
void disk_complete(struct disk *disk, uint32_t tag, mx_status_t status);
// Stops the device, answers what is in flight, and says `why` in the log.
void disk_fail(struct disk *disk, const char *why);

// For a driver that waits by itself, and may have several disks, each with its own `device.dma`.
// Only ops->start is called then: time-outs, and stopping the device, are the driver's.
//
// Serves whoever has the other end of `channel`, which is consumed, until disk_close. Packets with
// DISK_KEYS keys from `key_first` on are for disk_serve_packet. NO_MEMORY, NO_RESOURCES: nothing is
// left behind.
MX_MUST_CHECK mx_status_t disk_open(struct disk *disk, mx_handle_t channel, mx_handle_t port,
                                    uint64_t key_first);
void disk_serve_packet(struct disk *disk, uint64_t key);
// Takes the requests for which there was no tag. To be called before the driver waits.
void disk_serve_stalled(struct disk *disk);
// The device uses no memory any more: answers what is in flight with IO, and closes all channels.
void disk_close(struct disk *disk);
