// The back end of a virtual disk that is an extent of a host's disk (machina_user/block.h). The
// guest's RAM is handed to the disk's driver once; requests then name offsets in it, and the data
// go between device and guest. Many are under way at once; only what the disk cannot take as it is
// (pieces smaller than a block) goes through a buffer, one request at a time.
#pragma once

#include <machina_user/block_client.h>

#include "vmm/virtio/block_backend.h"
#include "vmm/virtio/virtqueue.h"

// Of the block protocol, under way.
#define EXTENT_REQUESTS_MAX 32u

struct extent_backend {
    struct block_backend backend;
    struct block_client client;
    const uint8_t *ram; // where the guest's RAM is mapped, in one piece
    uint64_t ram_bytes;
    uint32_t ram_memory; // its name in requests
    uint8_t *bounce;     // for what is not in RAM, or cut into pieces that are too small
    mx_handle_t bounce_vmo;
    uint32_t bounce_memory;
    struct block_flight *requests[EXTENT_REQUESTS_MAX]; // by transaction
    uint32_t request_count;                             // of those that are not NULL
    mx_handle_t port;
    uint64_t key;
    bool is_awaited; // a packet will tell of the next answer
};

// Takes `channel`. `ram` is mapped at `ram_address`. The extent may be longer than `size_bytes`, by
// less than a block.
MX_MUST_CHECK mx_status_t extent_backend_init(struct extent_backend *extent, mx_handle_t channel,
                                              uint64_t size_bytes, bool is_read_only,
                                              mx_handle_t ram, void *ram_address,
                                              uint64_t ram_bytes);

// From now on flights can be begun; a packet with `key` on `port` asks for extent_backend_receive.
void extent_backend_use_port(struct extent_backend *extent, mx_handle_t port, uint64_t key);
// Takes the disk's answers, and completes the flights that they end. When the disk is gone all end.
void extent_backend_receive(struct extent_backend *extent);
