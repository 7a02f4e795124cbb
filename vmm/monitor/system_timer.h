// The device models' timers on one timer object of the kernel, whose packets come to the event
// port.
#pragma once

#include "vmm/monitor/guest.h"
#include "vmm/monitor/portable/timer_queue.h"

struct system_timer {
    struct timer_queue queue; // under the machine's lock
    struct guest *guest;
    mx_handle_t handle;
    bool is_waiting; // a packet will come
};

MX_MUST_CHECK mx_status_t system_timer_init(struct system_timer *timer, struct guest *guest);
// GUEST_EVENT_TIMER came; lock held.
void system_timer_event(struct system_timer *timer);
