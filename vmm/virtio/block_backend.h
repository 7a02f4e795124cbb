// What holds a virtual disk's bytes, and the back ends that need nothing from the system.
//
//   memory     bytes in a mapped buffer: a file of a package (read-only) or a RAM disk
//   volatile   copy on write in memory over any other back end, which is only read
//   fault      fails chosen operations of another back end, for tests
//
// Offsets and sizes are bytes; the caller has checked that they lie within size_bytes. The memory
// that is read into or written from may belong to the guest and change during the call.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

struct block_backend;
struct virtqueue_buffer;

// `size_bytes` between the disk and consecutive buffers, from `skip_bytes` into the first on.
struct block_transfer {
    uint64_t offset;
    const struct virtqueue_buffer *buffers;
    uint32_t skip_bytes;
    uint32_t size_bytes;
    bool is_write;
};

// Takes the next piece off a transfer of which something is left: at most `limit` bytes, in one
// buffer.
struct virtqueue_buffer block_transfer_take(struct block_transfer *left, uint32_t limit);

// What was begun and ends later. Whoever begins it supplies the memory until then.
struct block_flight {
    void (*completed)(struct block_flight *flight, mx_status_t status);
    // The back end's own:
    uint32_t pending;
    mx_status_t status;
};

// Any error reaches the guest as an I/O error.
struct block_backend_ops {
    mx_status_t (*read)(struct block_backend *backend, uint64_t offset, void *bytes, size_t size);
    mx_status_t (*write)(struct block_backend *backend, uint64_t offset, const void *bytes,
                         size_t size);
    // What was written before is on the medium when it returns.
    mx_status_t (*flush)(struct block_backend *backend);
    // The content of the range may be anything afterwards.
    mx_status_t (*discard)(struct block_backend *backend, uint64_t offset, uint64_t size);
    mx_status_t (*write_zeroes)(struct block_backend *backend, uint64_t offset, uint64_t size);
    // In one go. May be NULL: read and write do, buffer by buffer.
    mx_status_t (*transfer)(struct block_backend *backend, const struct block_transfer *transfer);
    // Begins a transfer, or with NULL a flush of what was completed before; on MX_OK the flight
    // ends later, in a call of its function. SHOULD_WAIT: there is no room before another ends.
    // NOT_SUPPORTED: the functions above have to do it. May be NULL.
    mx_status_t (*start)(struct block_backend *backend, const struct block_transfer *transfer,
                         struct block_flight *flight);
    // Waits until no flight is under way; none is told of its end. With `start`.
    void (*settle)(struct block_backend *backend);
};

// Embedded as the first member of each back end.
struct block_backend {
    const struct block_backend_ops *ops;
    uint64_t size_bytes;
    bool is_read_only;
};

struct block_backend_memory {
    struct block_backend backend;
    uint8_t *bytes;
};

// `bytes` must outlive it, and is never written if is_read_only.
void block_backend_memory_init(struct block_backend_memory *memory, void *bytes,
                               uint64_t size_bytes, bool is_read_only);

#define BLOCK_BACKEND_CLUSTER_BYTES 65536u

struct block_backend_volatile {
    struct block_backend backend;
    struct block_backend *base;
    uint8_t **clusters; // NULL: not written yet, read from base
    uint64_t cluster_count;
    uint64_t clusters_left; // how many more may be allocated
};

// A writable disk over `base`, which must outlive it, that keeps at most `memory_bytes_max` of
// written clusters; a write beyond that fails with NO_SPACE. NO_MEMORY: no memory for the table.
MX_MUST_CHECK mx_status_t block_backend_volatile_init(struct block_backend_volatile *overlay,
                                                      struct block_backend *base,
                                                      uint64_t memory_bytes_max);

// Frees what was written.
void block_backend_volatile_destroy(struct block_backend_volatile *overlay);

struct block_backend_fault {
    struct block_backend backend;
    struct block_backend *base;
    mx_status_t status;  // what a failing operation returns
    uint64_t bad_offset; // operations that touch the range fail; flush if the size is not zero
    uint64_t bad_size_bytes;
    unsigned flush_count; // how many flushes arrived
};

// Passes everything on to `base` until a bad range is set.
void block_backend_fault_init(struct block_backend_fault *fault, struct block_backend *base);
