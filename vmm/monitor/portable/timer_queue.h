// The timers of all device models of a machine, served by one timer of the system.
//
// Each device has one entry with a deadline or none. The owner is told when the earliest deadline
// has changed, and calls timer_queue_expire when it has passed. All calls are made under the
// machine's lock.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

#include "vmm/device.h"

#define TIMER_QUEUE_MAX   16
#define TIMER_QUEUE_NEVER UINT64_MAX

struct timer_queue;

struct timer_queue_entry {
    struct timer_queue *queue;
    uint64_t deadline_ns; // TIMER_QUEUE_NEVER: not armed
    void (*expired)(void *device);
    void *device;
};

struct timer_queue_ops {
    uint64_t (*now_ns)(void *context);
    // The earliest deadline is now this one, or TIMER_QUEUE_NEVER.
    void (*changed)(void *context, uint64_t deadline_ns);
};

struct timer_queue {
    const struct timer_queue_ops *ops;
    void *context;
    uint64_t earliest_ns; // as last reported
    size_t count;
    struct timer_queue_entry entries[TIMER_QUEUE_MAX];
};

void timer_queue_init(struct timer_queue *queue, const struct timer_queue_ops *ops, void *context);

// A timer that calls expired(device); both outlive the queue. NO_RESOURCES: too many.
MX_MUST_CHECK mx_status_t timer_queue_add(struct timer_queue *queue, void (*expired)(void *device),
                                          void *device, struct device_timer *timer);

// Calls every device whose deadline has passed by now, each once, and reports the next deadline in
// any case.
void timer_queue_expire(struct timer_queue *queue);
