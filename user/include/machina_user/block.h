// The block protocol: an extent of a disk as a channel.
//
// Whoever holds the channel can read, and unless it is read-only write, the extent's bytes, and
// nothing else of the disk. It can make a narrower extent of it (BLOCK_OPEN) and give that away: a
// disk becomes partitions, a partition files. Requests go by mx_channel_call. Data go between the
// disk and a memory object that the client attached once, such as a guest's RAM: the device itself
// reads and writes it, if it can.
//
// Requests of any size and content are answered; one that makes no sense gets INVALID_ARGS, one
// beyond the extent OUT_OF_RANGE. When the device fails or vanishes, requests get IO; when its
// driver ends, PEER_CLOSED.
#pragma once

#include <stdint.h>

#include <machina/types.h>

#define BLOCK_SEGMENTS_MAX 64
#define BLOCK_MEMORIES_MAX 2 // that one client can attach

enum block_operation {
    BLOCK_INFO = 1,
    // `offset`, `size_bytes`, `flags`; handle: the driver's end of the new extent's channel.
    // ACCESS_DENIED: the extent is final.
    BLOCK_OPEN = 2,
    BLOCK_ATTACH = 3, // handle: a memory object, to read and write; reply: `memory`
    BLOCK_READ = 4,   // NOT_FOUND: no such memory
    BLOCK_WRITE = 5,  // ACCESS_DENIED: read-only
    BLOCK_FLUSH = 6,  // answered when everything answered before is on the medium
};

#define BLOCK_OPEN_READ_ONLY 1u
// No narrower extents can be made of it: for a client that is not trusted with the driver's table
// of them.
#define BLOCK_OPEN_FINAL 2u

// A piece of an attached memory object.
struct block_segment {
    uint64_t offset;
    uint32_t size_bytes;
    uint32_t memory;
};
_Static_assert(sizeof(struct block_segment) == 16, "protocol");

// Followed by segment_count segments, for READ and WRITE, whose sizes make size_bytes.
struct block_request {
    uint32_t transaction;
    uint32_t operation; // enum block_operation
    uint64_t offset;    // in the extent; whole blocks, like the size
    uint64_t size_bytes;
    uint32_t segment_count;
    uint32_t flags;
};
_Static_assert(sizeof(struct block_request) == 32, "protocol");

struct block_message {
    struct block_request request;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
};

struct block_reply {
    uint32_t transaction;
    mx_status_t status;
    uint64_t size_bytes;     // INFO: of the extent
    uint32_t block_bytes;    // INFO: a power of two, at least 512
    uint32_t transfer_bytes; // INFO: at most in one READ or WRITE
    uint32_t memory;         // ATTACH
    uint32_t is_read_only;   // INFO
};
_Static_assert(sizeof(struct block_reply) == 32, "protocol");
