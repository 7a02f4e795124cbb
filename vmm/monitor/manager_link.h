// The VMM's end of its channel to the guest manager (vmm/manager/vmm_protocol.h).
#pragma once

#include "vmm/monitor/guest.h"

// A launch request as it was received; the strings lie in the buffer.
struct manager_launch {
    struct vmm_launch header;
    char overrides[GUEST_OVERRIDE_BYTES_MAX];
};

// Waits for LAUNCH. IO_DATA_INTEGRITY: something else came. TIMED_OUT, PEER_CLOSED.
MX_MUST_CHECK mx_status_t manager_wait_for_launch(struct guest *guest,
                                                  struct manager_launch *launch);
// The next override; NULL at the end. Start with *at = 0.
const char *manager_next_override(const struct manager_launch *launch, size_t *at,
                                  const char **value);

// A memory object, or the channel of an extent (<machina_user/block.h>).
struct manager_file {
    mx_handle_t handle; // to be closed
    bool is_extent;
    uint64_t size_bytes;
    char reason[GUEST_MESSAGE_SIZE]; // after a failure: what the manager says, or ""
};

// A file of the package, or a device program. NOT_FOUND, BAD_PATH; ACCESS_DENIED: `is_writable`,
// and the file cannot be written; UNAVAILABLE: another guest uses it.
MX_MUST_CHECK mx_status_t manager_open(struct guest *guest, enum vmm_file_kind kind,
                                       const char *path, bool is_writable,
                                       struct manager_file *file);
// Says what the guest will need. On failure `message` says why not.
MX_MUST_CHECK mx_status_t manager_reserve(struct guest *guest, uint64_t extra_bytes, char *message,
                                          size_t message_bytes);
MX_MUST_CHECK mx_status_t manager_tell_running(struct guest *guest);
// Tells guest->end, with the serial port's stream if there is one. Takes it.
void manager_tell_ended(struct guest *guest, mx_handle_t serial);

// A command from the manager. `stream` comes with ATTACH, else MX_HANDLE_INVALID. SHOULD_WAIT:
// none.
MX_MUST_CHECK mx_status_t manager_read_command(struct guest *guest, struct vmm_attach *command,
                                               mx_handle_t *stream);
