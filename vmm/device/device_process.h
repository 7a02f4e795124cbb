// What all device processes share: guest RAM, doorbells, messages, interrupts, and the loop that
// serves them.
//
// A device process holds the guest's RAM, its own port, its own interrupt lines, its back end and
// the log, and nothing else. It ends when the VMM closes the channel.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include "vmm/device/device_protocol.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/virtio/device_host.h"

struct device_process;

// What a device may want of the loop; any member may be NULL.
struct device_process_ops {
    // Takes the stream.
    void (*attach)(struct device_process *process, mx_handle_t stream);
    // A packet with a key below DEVICE_BELL_KEY that is not the loop's own.
    void (*packet)(struct device_process *process, uint64_t key);
    // Before the process sleeps.
    void (*idle)(struct device_process *process);
};

// Keys that a device may use for its own waits.
#define DEVICE_PROCESS_OWN_KEY 16

struct device_process {
    struct device_host host;
    struct guest_memory memory;
    const struct device_process_ops *ops;
    mx_handle_t ram; // the object behind `memory`, mapped in one piece; a device that does not hand
                     // it on closes it
    mx_handle_t port;
    mx_handle_t channel;
    mx_handle_t log;
    mx_handle_t irqs[VIRTIO_QUEUES_MAX + 1]; // the last is the configuration's
    bool has_work;
    bool has_complained;
};

// Takes the start-up handles and maps RAM. INVALID_ARGS, NOT_FOUND: the VMM did not give what
// belongs here.
MX_MUST_CHECK mx_status_t device_process_init(struct device_process *process, int argc,
                                              char **argv);
// Serves the device until the VMM is gone; the process' exit code.
int device_process_run(struct device_process *process, struct virtio_device *device,
                       const struct device_process_ops *ops);

// A queue's back end can go on (device_host_doorbell).
void device_process_wake_queue(struct device_process *process, unsigned queue_index);
// A line in the log, and an exit code.
int device_process_fail(const struct device_process *process, const char *what, mx_status_t status);
// A decimal argument; INVALID_ARGS.
MX_MUST_CHECK mx_status_t device_process_number(int argc, char **argv, int index, uint64_t *value);
