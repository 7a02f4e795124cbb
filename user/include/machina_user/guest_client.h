// Talking to the guest manager (<machina_user/guest_manager.h>) from init and the tools.
#pragma once

#include <stddef.h>

#include <machina_user/guest_manager.h>

// The one reply buffer of a program; valid until the next call.
union guest_client_reply {
    struct guest_reply header;
    struct guest_list_reply list;
    struct guest_stats_reply stats;
    struct guest_packages_reply packages;
};

// Sends a request, which starts with struct guest_request, over `manager` and waits for the reply;
// *stream, if not NULL, gets the handle that came with it. Only a reply of at least struct
// guest_reply, whose lists are as long as they say and whose texts end, is handed out; the status
// is the manager's own when it refused. BAD_STATE: no manager. TIMED_OUT, PEER_CLOSED: it does not
// answer.
MX_MUST_CHECK mx_status_t guest_client_call(mx_handle_t manager, void *request,
                                            size_t request_bytes, union guest_client_reply **reply,
                                            mx_handle_t *stream);

// A channel of its own for somebody else. PEER_CLOSED.
MX_MUST_CHECK mx_status_t guest_client_connect(mx_handle_t manager, mx_handle_t *channel);
