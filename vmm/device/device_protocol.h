// What passes between a VMM and its device processes besides the virtio messages
// (vmm/virtio/protocol.h): what a device process is given at its start, and the envelope of every
// message on its start-up channel.
#pragma once

#include <stdint.h>

#include <machina/startup.h>

#include "vmm/virtio/protocol.h"

// Start-up handles.
#define DEVICE_STARTUP_RAM (MX_STARTUP_USER + 0) // memory object: all of the guest's RAM
#define DEVICE_STARTUP_PORT \
    (MX_STARTUP_USER + 1) // doorbells; the process adds what else it waits for
#define DEVICE_STARTUP_IRQ (MX_STARTUP_USER + 2) // arg: queue index or VIRTIO_SOURCE_CONFIG
#define DEVICE_STARTUP_BACKEND \
    (MX_STARTUP_USER +         \
     3) // what the device stands for: a disk's memory object, or its extent's channel

// Arguments: program name, bytes of RAM at address 0, bytes of RAM at 4 GiB (behind the former in
// the memory object), and then the device's own, below. Numbers are decimal.
enum device_argument {
    DEVICE_ARGUMENT_LOW_RAM = 1,
    DEVICE_ARGUMENT_HIGH_RAM = 2,
    DEVICE_ARGUMENT_OWN = 3,
};

// virtio-block: mode (BLOCK_MODE_*), bytes of the disk, number of queues, name for GET_ID, kind of
// the back end (BLOCK_KIND_*)
#define BLOCK_KIND_MEMORY     "memory"
#define BLOCK_KIND_EXTENT     "extent" // <machina_user/block.h>
#define BLOCK_MODE_READ_ONLY  "ro"
#define BLOCK_MODE_READ_WRITE "rw"
#define BLOCK_MODE_VOLATILE   "volatile"

// Keys of the doorbells in the port: this and the queue index. The device process' own keys are
// below it.
#define DEVICE_BELL_KEY (UINT64_C(1) << 40)

enum device_envelope_kind {
    DEVICE_ENVELOPE_VIRTIO = 0, // a message of vmm/virtio/protocol.h follows
    DEVICE_ENVELOPE_ATTACH = 1, // handle: a stream for the console; no answer
};

// In front of every message. Requests come by mx_channel_call, whose transaction goes back with the
// reply; events have transaction zero.
struct device_envelope {
    uint32_t transaction;
    uint32_t kind; // enum device_envelope_kind
};
_Static_assert(sizeof(struct device_envelope) == 8, "protocol");

struct device_request {
    struct device_envelope envelope;
    union virtio_message message;
};

struct device_reply {
    struct device_envelope envelope;
    struct virtio_reply reply;
};
_Static_assert(sizeof(struct device_reply) == 296, "protocol");
