// Events, and what waits for them.
#pragma once

#include "user/drivers/usb/portable/xhci.h"

// Takes the events that there are, a bounded number. IO: the controller has failed or gone.
MX_MUST_CHECK mx_status_t xhci_take_events(struct xhci *xhci);

// Takes events until the request has ended. TIMED_OUT: it stays under way, so what it uses must not
// be used again before the controller has let go of it; IO as above.
MX_MUST_CHECK mx_status_t xhci_await(struct xhci *xhci, struct xhci_request *request,
                                     mx_time_t timeout);

// Takes events for a while: devices need time here and there.
MX_MUST_CHECK mx_status_t xhci_pause(struct xhci *xhci, mx_time_t duration);

// Issues a command and waits for its end: *code is its completion code, *slot (may be NULL) the
// slot that came with it. TIMED_OUT, IO: the controller is of no use any more.
MX_MUST_CHECK mx_status_t xhci_command(struct xhci *xhci, struct xhci_trb trb, uint8_t *code,
                                       uint8_t *slot);

// The same for commands whose every completion but success is an error: IO, with a line in the log
// that says what failed.
MX_MUST_CHECK mx_status_t xhci_command_checked(struct xhci *xhci, struct xhci_trb trb,
                                               const char *what);

void xhci_ring_doorbell(const struct xhci *xhci, uint8_t slot, uint32_t target);
