// Device timers on a kernel timer; see system_timer.h.
#include "vmm/monitor/system_timer.h"

#include <machina/syscalls.h>

static uint64_t timer_now(void *context)
{
    (void)context;
    return (uint64_t)mx_clock_get_monotonic();
}

static void timer_changed(void *context, uint64_t deadline_ns)
{
    struct system_timer *timer = context;
    mx_status_t status;

    if (deadline_ns > (uint64_t)MX_TIME_INFINITE) {
        status = mx_timer_cancel(timer->handle);
    } else {
        status = mx_timer_set(timer->handle, (mx_time_t)deadline_ns);
        if (status == MX_OK && !timer->is_waiting) {
            status =
                mx_object_wait_async(timer->handle, timer->guest->port,
                                     guest_event_key(GUEST_EVENT_TIMER, 0), MX_SIGNAL_SIGNALED, 0);
            timer->is_waiting = status == MX_OK;
        }
    }
    if (status != MX_OK)
        guest_end(timer->guest, VMM_OUTCOME_FAILED, status, "a timer cannot be set: %s",
                  mx_status_string(status));
}

static const struct timer_queue_ops system_timer_ops = {.now_ns = timer_now,
                                                        .changed = timer_changed};

mx_status_t system_timer_init(struct system_timer *timer, struct guest *guest)
{
    timer->guest = guest;
    timer->is_waiting = false;
    timer_queue_init(&timer->queue, &system_timer_ops, timer);
    return mx_timer_create(&timer->handle);
}

void system_timer_event(struct system_timer *timer)
{
    timer->is_waiting = false;
    timer_queue_expire(&timer->queue);
}
