// The device models' timers; see timer_queue.h.
#include "vmm/monitor/portable/timer_queue.h"

static uint64_t find_earliest(const struct timer_queue *queue)
{
    uint64_t earliest = TIMER_QUEUE_NEVER;

    for (size_t i = 0; i < queue->count; i++) {
        if (queue->entries[i].deadline_ns < earliest)
            earliest = queue->entries[i].deadline_ns;
    }
    return earliest;
}

// A later deadline is not reported: the system's timer then comes too early once, which costs less
// than setting it with every change.
static void report_earlier(struct timer_queue *queue, uint64_t deadline_ns)
{
    if (deadline_ns >= queue->earliest_ns)
        return;
    queue->earliest_ns = deadline_ns;
    queue->ops->changed(queue->context, deadline_ns);
}

static void entry_arm(void *context, uint64_t deadline_ns)
{
    struct timer_queue_entry *entry = context;

    entry->deadline_ns = deadline_ns;
    report_earlier(entry->queue, deadline_ns);
}

static void entry_disarm(void *context)
{
    struct timer_queue_entry *entry = context;

    entry->deadline_ns = TIMER_QUEUE_NEVER;
}

static uint64_t entry_now(void *context)
{
    const struct timer_queue_entry *entry = context;

    return entry->queue->ops->now_ns(entry->queue->context);
}

void timer_queue_init(struct timer_queue *queue, const struct timer_queue_ops *ops, void *context)
{
    *queue = (struct timer_queue){.ops = ops, .context = context, .earliest_ns = TIMER_QUEUE_NEVER};
}

mx_status_t timer_queue_add(struct timer_queue *queue, void (*expired)(void *device), void *device,
                            struct device_timer *timer)
{
    if (queue->count == TIMER_QUEUE_MAX)
        return MX_ERR_NO_RESOURCES;
    struct timer_queue_entry *entry = &queue->entries[queue->count++];
    *entry = (struct timer_queue_entry){
        .queue = queue, .deadline_ns = TIMER_QUEUE_NEVER, .expired = expired, .device = device};
    *timer = (struct device_timer){
        .arm = entry_arm, .disarm = entry_disarm, .now_ns = entry_now, .context = entry};
    return MX_OK;
}

void timer_queue_expire(struct timer_queue *queue)
{
    const uint64_t now = queue->ops->now_ns(queue->context);

    // Nothing that a device arms meanwhile is reported: the whole is, below.
    queue->earliest_ns = 0;
    for (size_t i = 0; i < queue->count; i++) {
        struct timer_queue_entry *entry = &queue->entries[i];
        if (entry->deadline_ns > now)
            continue;
        entry->deadline_ns = TIMER_QUEUE_NEVER;
        entry->expired(entry->device);
    }
    queue->earliest_ns = find_earliest(queue);
    queue->ops->changed(queue->context, queue->earliest_ns);
}
