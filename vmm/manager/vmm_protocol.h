// Messages between the guest manager and the VMM of one guest, over the VMM's start-up channel.
//
// The manager sends commands, which have no answers: it never waits for a VMM. The VMM asks for
// what it needs by mx_channel_call and tells what becomes of the guest by events. Neither trusts
// the other: every size, number and string is checked by its receiver.
//
//   manager -> VMM   LAUNCH once and first; POWER_BUTTON, ATTACH
//   VMM -> manager   calls: OPEN, RESERVE; events: RUNNING, ENDED
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include <machina_user/guest_manager.h>

#define VMM_PATH_SIZE 256 // with the NUL

enum vmm_message_kind {
    VMM_LAUNCH = 1,
    VMM_POWER_BUTTON = 2,
    VMM_ATTACH = 3, // handle: the stream
    VMM_OPEN = 16,  // reply: size, and the memory object or the extent as handle
    VMM_RESERVE = 17,
    VMM_RUNNING = 18, // handle: the guest, to look at
    VMM_ENDED = 19,   // handle: the stream attached to its serial port, if one is
};

struct vmm_header {
    uint32_t transaction; // zero but in calls and their replies
    uint32_t kind;        // enum vmm_message_kind
};

// Followed by override_count pairs of strings, key and value, each ending in NUL.
struct vmm_launch {
    struct vmm_header header;
    mx_time_t utc_at_zero_s; // UTC seconds at monotonic time zero
    uint32_t override_count;
    uint32_t override_bytes;
};
_Static_assert(sizeof(struct vmm_launch) == 24, "protocol");

enum vmm_terminal {
    VMM_TERMINAL_SERIAL = 0,
    VMM_TERMINAL_CONSOLE = 1,
};

struct vmm_attach {
    struct vmm_header header;
    uint32_t terminal; // enum vmm_terminal
    uint32_t reserved;
};
_Static_assert(sizeof(struct vmm_attach) == 16, "protocol");

enum vmm_file_kind {
    VMM_FILE_PACKAGE = 0, // `path` is relative to the guest's package
    VMM_FILE_DEVICE = 1,  // `path` is the name of a device program
};

// NOT_FOUND: no such file. BAD_PATH: one that no package can have. ACCESS_DENIED: `is_writable`,
// and the configuration has no rw disk of that path. UNAVAILABLE: another guest has it open, and
// one of the two writes it.
struct vmm_open {
    struct vmm_header header;
    uint32_t file_kind;   // enum vmm_file_kind
    uint32_t is_writable; // of a package on a disk; else it is read-only
    char path[VMM_PATH_SIZE];
};
_Static_assert(sizeof(struct vmm_open) == 272, "protocol");

// The configuration was accepted and the guest will need this. NO_MEMORY: more than there is.
struct vmm_reserve {
    struct vmm_header header;
    uint64_t memory_bytes; // of the guest
    uint64_t extra_bytes;  // for disks in memory, at most
    uint32_t cpu_count;
    uint32_t has_console;
};
_Static_assert(sizeof(struct vmm_reserve) == 32, "protocol");

struct vmm_reply {
    struct vmm_header header;
    mx_status_t status;
    uint32_t
        is_extent; // OPEN: the handle is a channel of <machina_user/block.h>: the file is on a disk
    uint64_t size_bytes;              // OPEN
    char message[GUEST_MESSAGE_SIZE]; // what is wrong, when status is not MX_OK
};
_Static_assert(sizeof(struct vmm_reply) == 536, "protocol");

enum vmm_outcome {
    VMM_OUTCOME_REFUSED = 0, // it was never started; the message is for who launched it
    VMM_OUTCOME_POWER_OFF = 1,
    VMM_OUTCOME_REBOOT = 2, // to be started again
    VMM_OUTCOME_FAILED = 3,
};

struct vmm_ended {
    struct vmm_header header;
    mx_status_t status;
    uint32_t outcome; // enum vmm_outcome
    char message[GUEST_MESSAGE_SIZE];
};
_Static_assert(sizeof(struct vmm_ended) == 528, "protocol");
