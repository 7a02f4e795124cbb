// The guest manager's guests: each a job with one VMM process, from its launch to its place in the
// list of the ended.
//
// One thread. The manager never waits for a VMM, but for the end of one that it has killed: what a
// VMM says comes as packets of the port.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include <machina_user/guest_manager.h>

#include "vmm/manager/vmm_protocol.h"

// Guests that exist at a time, ended ones that are still listed included.
#define GUESTS_MAX       GUEST_LIST_MAX
#define GUESTS_ENDED_MAX 16

// Keys of the port: what in the upper byte, an id below.
enum manager_key {
    MANAGER_KEY_CLIENT = 1,
    MANAGER_KEY_VMM = 2,    // messages of a guest's VMM
    MANAGER_KEY_PROCESS = 3 // its process ended
};
#define MANAGER_KEY(what, id) ((uint64_t)(what) << 56 | (id))

// Who waits for the answer to a launch.
struct guests_waiter {
    uint64_t client_id; // 0: nobody
    uint32_t transaction;
};

struct guests_host {
    mx_handle_t port;
    mx_handle_t job;        // of all guests
    mx_handle_t hypervisor; // resource
    mx_handle_t system;     // resource, to look at the machine
    mx_handle_t log;
    // The outcome of a launch.
    void (*launched)(const struct guests_waiter *waiter, const struct guest_reply *reply);
};

void guests_init(const struct guests_host *host);

// Starts a guest; `reply` is filled on failure, otherwise host->launched follows. `overrides` are
// pairs of strings.
MX_MUST_CHECK mx_status_t guests_launch(const char *package, uint32_t override_count,
                                        const char *overrides, uint32_t override_bytes,
                                        const struct guests_waiter *waiter,
                                        struct guest_reply *reply);
// NOT_FOUND, BAD_STATE, NOT_SUPPORTED as the protocol says, with a message in `reply`.
MX_MUST_CHECK mx_status_t guests_stop(uint32_t id, bool is_forced, struct guest_reply *reply);
MX_MUST_CHECK mx_status_t guests_attach(uint32_t id, enum vmm_terminal terminal,
                                        mx_handle_t *stream, struct guest_reply *reply);
MX_MUST_CHECK mx_status_t guests_stats(uint32_t id, struct guest_stats_reply *reply);
void guests_list(struct guest_list_reply *reply);

// Packets.
void guests_vmm_event(uint64_t guest_key);
void guests_process_event(uint64_t guest_key);

// Writes a message for people and returns `status`.
mx_status_t guests_refuse(struct guest_reply *reply, mx_status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
