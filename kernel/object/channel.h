// Channels, for the part of the kernel that makes the first process.
#pragma once

#include "kernel/object/handle.h"

struct channel;

// Both ends, with one reference each.
MUST_CHECK mx_status_t channel_create(struct job *job, struct object **out0, struct object **out1);
// Writes a message as mx_channel_write does; consumes the transfers, also on failure.
MUST_CHECK mx_status_t channel_write(struct object *channel, const void *bytes, uint32_t size_bytes,
                                     const struct transfer *transfers, uint32_t handle_count);
extern const mx_rights_t channel_default_rights;
