// The virtio block device: requests from any number of queues over a block_backend.
//
// A request's header, data and status byte may be split over descriptors in any way the
// specification allows. Everything about it is checked before the back end sees any of it, and the
// status byte is written last. A request without room for a status byte is returned with nothing
// written.
//
// Virtio 1.2: 5.2 "Block Device".
#pragma once

#include "vmm/virtio/block_backend.h"
#include "vmm/virtio/device.h"

#define VIRTIO_BLOCK_SECTOR_BYTES 512u
#define VIRTIO_BLOCK_ID_BYTES     20u
#define VIRTIO_BLOCK_QUEUE_SIZE   256u

#define VIRTIO_BLOCK_F_SIZE_MAX     (UINT64_C(1) << 1)
#define VIRTIO_BLOCK_F_SEG_MAX      (UINT64_C(1) << 2)
#define VIRTIO_BLOCK_F_RO           (UINT64_C(1) << 5)
#define VIRTIO_BLOCK_F_BLK_SIZE     (UINT64_C(1) << 6)
#define VIRTIO_BLOCK_F_FLUSH        (UINT64_C(1) << 9)
#define VIRTIO_BLOCK_F_TOPOLOGY     (UINT64_C(1) << 10)
#define VIRTIO_BLOCK_F_MQ           (UINT64_C(1) << 12)
#define VIRTIO_BLOCK_F_DISCARD      (UINT64_C(1) << 13)
#define VIRTIO_BLOCK_F_WRITE_ZEROES (UINT64_C(1) << 14)

enum virtio_block_request_type {
    VIRTIO_BLOCK_IN = 0,
    VIRTIO_BLOCK_OUT = 1,
    VIRTIO_BLOCK_FLUSH = 4,
    VIRTIO_BLOCK_GET_ID = 8,
    VIRTIO_BLOCK_DISCARD = 11,
    VIRTIO_BLOCK_WRITE_ZEROES = 13,
};

enum virtio_block_status {
    VIRTIO_BLOCK_OK = 0,
    VIRTIO_BLOCK_IOERR = 1,
    VIRTIO_BLOCK_UNSUPPORTED = 2,
};

// The limits that the configuration space tells, and that requests are held to.
#define VIRTIO_BLOCK_SEGMENTS_MAX      254u
#define VIRTIO_BLOCK_SEGMENT_BYTES_MAX 0x40000u
#define VIRTIO_BLOCK_REQUEST_BYTES_MAX (VIRTIO_BLOCK_SEGMENTS_MAX * VIRTIO_BLOCK_SEGMENT_BYTES_MAX)
#define VIRTIO_BLOCK_RANGES_MAX        16u    // of one discard or write-zeroes request
#define VIRTIO_BLOCK_RANGE_SECTORS_MAX 32768u // 16 MiB

// Requests that a back end has under way.
#define VIRTIO_BLOCK_FLIGHTS_MAX 64u

struct virtio_block_flight {
    struct block_flight flight;
    struct virtio_block *block; // NULL: free
    uint16_t queue_index;
    uint16_t head;
    uint32_t in_bytes;
    uint8_t *status;
};

struct virtio_block {
    struct virtio_device device;
    struct block_backend *backend;
    uint64_t sector_count;
    uint32_t block_bytes;
    struct virtio_block_flight flights[VIRTIO_BLOCK_FLIGHTS_MAX];
    uint32_t flight_count;
    uint64_t completed_queues;      // bit q: has chains that are not published
    uint64_t held_queues;           // bit q: has a chain that waits until a flight ends
    char id[VIRTIO_BLOCK_ID_BYTES]; // padded with zeroes, not terminated
};

struct virtio_block_config {
    struct block_backend *backend; // must outlive the device
    uint16_t queue_count;
    uint32_t block_bytes; // logical block size; zero for 512
    const char *id;       // cut after 20 characters
};

// INVALID_ARGS: no or too many queues, or a block size that is not a power of two from 512 to
// 65536. A tail of the back end shorter than a block is not shown to the guest.
MX_MUST_CHECK mx_status_t virtio_block_init(struct virtio_block *block,
                                            const struct virtio_block_config *config);

// After the back end completed flights: shows them to the driver. Bit q of the result: queue q can
// go on and has to be notified.
MX_MUST_CHECK uint64_t virtio_block_publish(struct virtio_block *block);
