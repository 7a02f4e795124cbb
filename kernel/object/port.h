// Ports: queues of packets, which user programs wait on.
#pragma once

#include "kernel/core/thread.h"
#include "kernel/object/object.h"

struct port;

// A packet that its source keeps room for and that is in at most one port at a time: queueing never allocates, and a
// source that fires faster than the port is read costs no memory.
//
// Two kinds: one that belongs to another object (a bell, an interrupt), which cancels it before it goes; and one that
// belongs to the port (`consumed` is set: user packets, asynchronous waits), which is called without locks once
// the packet was taken or the port is closed, and frees it. Whoever takes an owned source off the port's list of
// them, under the port's lock, is the one to call `consumed`.
struct port_source {
    struct list_node node;       // in port->queue
    struct list_node owned_node; // in port->owned
    struct mx_port_packet packet;
    void (*consumed)(struct port_source *source);
};

struct port {
    struct object object;
    struct job *job;        // referenced
    bool is_closed;         // no handles left: nothing is queued any more
    struct list_node queue; // struct port_source; with `owned` under object.lock
    struct list_node owned;
    uint32_t user_packet_count;
    uint32_t async_wait_count; // atomic; see wait.c
    uint32_t waiter_count; // threads in `waiters` or about to be; object.lock
    struct wait_queue waiters;
};

void port_source_init(struct port_source *source, enum mx_packet_type type, uint64_t key);
// Queues the source's packet; if it is queued already adds to a bell's count and replaces address and value.
// Any context. BAD_STATE: the port has no handles left.
MUST_CHECK mx_status_t port_queue_bell(struct port *port, struct port_source *source, uint64_t addr,
                                       uint64_t value);
// For other types; a source that is queued already, or that the port no longer owns, stays as it is. Any context.
void port_queue_source(struct port *port, struct port_source *source);
// Takes the source out of the queue, if it is there; returns whether it was.
bool port_cancel_source(struct port *port, struct port_source *source);
// Makes the port the owner of a source with `consumed` set. BAD_STATE: the port has no handles left.
MUST_CHECK mx_status_t port_own_source(struct port *port, struct port_source *source);
// The same, and queues it at once: the source may be consumed before this returns.
MUST_CHECK mx_status_t port_own_and_queue_source(struct port *port, struct port_source *source);
// Takes the first owned source that `matches` off the port, out of the queue too; the caller calls `consumed`. Or NULL.
struct port_source *port_disown_source(struct port *port,
                                       bool (*matches)(const struct port_source *source, const void *argument),
                                       const void *argument);
