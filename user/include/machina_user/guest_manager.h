// The guest manager's protocol: how tools launch, list, stop and attach to guests.
//
// A client has a channel and sends requests by mx_channel_call. Every request starts with struct
// guest_request, every reply with struct guest_reply, whose `message` says for people what was
// wrong ("FILE:LINE:COLUMN:
// ..." for a config). Requests of any size and content are answered; one that is malformed gets
// INVALID_ARGS.
//
// GUEST_CONNECT is how a client gets a channel of its own: it is written (not called) with one end
// of a new channel, and has no reply. The shell does that for each tool that it gives access to
// guests.
#pragma once

#include <stdint.h>

#include <machina/hypervisor.h>
#include <machina/types.h>

#define GUEST_NAME_SIZE   64  // of a package, with the NUL
#define GUEST_REASON_SIZE 128 // why a guest ended, with the NUL
#define GUEST_MESSAGE_SIZE \
    512 // of a reply, with the NUL; wide enough for a config's path and sentence
#define GUEST_LIST_MAX           64
#define GUEST_OVERRIDES_MAX      32
#define GUEST_OVERRIDE_BYTES_MAX 8192 // all keys and values with their NULs

enum guest_operation {
    GUEST_CONNECT = 1,        // handle: the manager's end of the new channel
    GUEST_LAUNCH = 2,         // struct guest_launch_request; reply: id
    GUEST_LIST = 3,           // struct guest_request; reply: struct guest_list_reply
    GUEST_STOP = 4,           // struct guest_stop_request; answered when the button was pressed
    GUEST_ATTACH_SERIAL = 5,  // struct guest_id_request; reply with a stream handle
    GUEST_ATTACH_CONSOLE = 6, // struct guest_id_request; reply with a stream handle
    GUEST_STATS = 7,          // struct guest_id_request; reply: struct guest_stats_reply
    GUEST_PACKAGES = 8,       // struct guest_request; reply: struct guest_packages_reply
};

struct guest_request {
    uint32_t transaction;
    uint32_t operation; // enum guest_operation
};
_Static_assert(sizeof(struct guest_request) == 8, "protocol");

struct guest_reply {
    uint32_t transaction;
    mx_status_t status;
    uint32_t id; // of the guest that the request was about
    uint32_t reserved;
    char message[GUEST_MESSAGE_SIZE]; // empty when all is well
};
_Static_assert(sizeof(struct guest_reply) == 528, "protocol");

// Followed by override_count pairs of strings, key and value, each ending in NUL; keys as in
// guest.cfg. Replied when the configuration was accepted and the guest is starting, or with why
// not. NOT_FOUND: no such package. NO_MEMORY: more than the host has.
struct guest_launch_request {
    struct guest_request request;
    char package[GUEST_NAME_SIZE];
    uint32_t override_count;
    uint32_t override_bytes; // of the strings that follow
};
_Static_assert(sizeof(struct guest_launch_request) == 80, "protocol");

// NOT_FOUND: no such guest, also for those below. A guest that has ended already: BAD_STATE.
struct guest_stop_request {
    struct guest_request request;
    uint32_t id;
    uint32_t is_forced; // kill it at once; otherwise press its power button
};
_Static_assert(sizeof(struct guest_stop_request) == 16, "protocol");

// An attached stream carries the guest's bytes both ways until it is closed: by the guest's end, by
// the tool that detaches, or because another tool attached to the same device, which takes it over.
// BAD_STATE: the guest has ended. NOT_SUPPORTED: it has no such device.
struct guest_id_request {
    struct guest_request request;
    uint32_t id;
    uint32_t reserved;
};
_Static_assert(sizeof(struct guest_id_request) == 16, "protocol");

enum guest_state {
    GUEST_STARTING = 0,
    GUEST_RUNNING = 1,
    GUEST_STOPPING = 2, // the power button was pressed
    GUEST_ENDED = 3,    // kept in the list with its reason
};

struct guest_list_entry {
    uint32_t id;
    uint32_t state; // enum guest_state
    char package[GUEST_NAME_SIZE];
    mx_time_t uptime_ns; // until now, or until it ended
    uint64_t memory_bytes;
    uint32_t cpu_count;
    uint32_t reserved;
    char reason[GUEST_REASON_SIZE]; // how it ended: "powered off", "triple fault at ..."
};
_Static_assert(sizeof(struct guest_list_entry) == 224, "protocol");

struct guest_list_reply {
    struct guest_reply reply;
    uint32_t count; // at most GUEST_LIST_MAX
    uint32_t reserved;
    struct guest_list_entry entries[GUEST_LIST_MAX]; // `count` of them are sent
};

struct guest_stats_reply {
    struct guest_reply reply;
    uint32_t count; // vCPUs
    uint32_t reserved;
    struct mx_info_vcpu vcpus[MX_GUEST_MAX_VCPUS]; // `count` of them are sent
};

#define GUEST_PACKAGES_MAX 64
struct guest_packages_reply {
    struct guest_reply reply;
    uint32_t count;
    uint32_t reserved;
    char names[GUEST_PACKAGES_MAX][GUEST_NAME_SIZE]; // `count` of them are sent
};

// The key that leaves an attached terminal: Ctrl-] and then d; Ctrl-] twice sends one Ctrl-] to the
// guest.
#define GUEST_DETACH_PREFIX 0x1d
#define GUEST_DETACH_KEY    'd'
