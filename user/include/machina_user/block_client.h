// The client's side of the block protocol (machina_user/block.h).
#pragma once

#include <machina_user/block.h>

struct block_client {
    mx_handle_t channel;
    uint64_t size_bytes;
    uint32_t block_bytes, transfer_bytes;
    bool is_read_only;
};

// Takes the channel and asks what the extent is. IO_DATA_INTEGRITY: the answer makes no sense. The
// channel is the caller's to close.
MX_MUST_CHECK mx_status_t block_client_open(struct block_client *client, mx_handle_t channel);
// Attaches a memory object (the handle stays the caller's); *memory names it in segments.
MX_MUST_CHECK mx_status_t block_client_attach(struct block_client *client, mx_handle_t vmo,
                                              uint32_t *memory);
// A narrower extent; `flags` of BLOCK_OPEN.
MX_MUST_CHECK mx_status_t block_client_split(struct block_client *client, uint64_t offset,
                                             uint64_t size_bytes, uint32_t flags,
                                             mx_handle_t *channel);
// READ, WRITE or FLUSH with the segments already in the message, of which the request's other
// fields are filled in.
MX_MUST_CHECK mx_status_t block_client_transfer(struct block_client *client,
                                                struct block_message *message,
                                                enum block_operation operation, uint64_t offset,
                                                uint32_t segment_count);
// The same without waiting, for clients with several requests under way: sends one that its answer
// will name as `transaction` (below 2^31; the kernel has the others for calls).
MX_MUST_CHECK mx_status_t block_client_send(struct block_client *client,
                                            struct block_message *message,
                                            enum block_operation operation, uint32_t transaction,
                                            uint64_t offset, uint32_t segment_count);
// Takes one answer to block_client_send. SHOULD_WAIT: there is none. IO_DATA_INTEGRITY: what came
// is none. Any other error: none will ever come.
MX_MUST_CHECK mx_status_t block_client_receive(struct block_client *client, uint32_t *transaction,
                                               mx_status_t *result);
MX_MUST_CHECK mx_status_t block_client_flush(struct block_client *client);
// Reads or writes `size_bytes`, in as many requests as it takes, from or to `memory` at
// `memory_offset`.
MX_MUST_CHECK mx_status_t block_client_copy(struct block_client *client,
                                            enum block_operation operation, uint64_t offset,
                                            uint64_t size_bytes, uint32_t memory,
                                            uint64_t memory_offset);
