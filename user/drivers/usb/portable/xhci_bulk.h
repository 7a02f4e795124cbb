// Bulk endpoints: transfers between a device and memory that lies anywhere.
//
// xHCI 1.2, 3.2.8 "Bulk Transfers", 4.11.2.1 "Normal TRB".
#pragma once

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/xhci_device.h"
#include "user/drivers/usb/portable/xhci_ring.h"

// Tells the controller of the two endpoints, which are then idle.
MX_MUST_CHECK mx_status_t xhci_bulk_open(struct xhci *xhci, struct xhci_device *device,
                                         const struct usb_endpoint *in,
                                         const struct usb_endpoint *out);

// The device has forgotten all that was (its endpoints expect the first packet of a sequence), and
// so shall the controller. Nothing may be under way.
MX_MUST_CHECK mx_status_t xhci_bulk_reset(struct xhci *xhci, struct xhci_device *device);

// Sets an endpoint that has stalled going again, at both ends. Errors as xhci_device_control.
MX_MUST_CHECK mx_status_t xhci_bulk_clear_halt(struct xhci *xhci, struct xhci_device *device,
                                               struct xhci_bulk *bulk);

// Whether a transfer can have so many pieces.
bool xhci_bulk_fits(const struct xhci_run *runs, uint32_t run_count);

// Starts a transfer; none may be under way. OUT_OF_RANGE: it has too many pieces,
// or none.
MX_MUST_CHECK mx_status_t xhci_bulk_start(struct xhci *xhci, struct xhci_device *device,
                                          struct xhci_bulk *bulk, const struct xhci_run *runs,
                                          uint32_t run_count);

// The bulk endpoint with this index, or NULL.
struct xhci_bulk *xhci_bulk_find(struct xhci_device *device, uint8_t dci);

enum xhci_bulk_event {
    XHCI_BULK_STRAY, // it names nothing of the transfer
    XHCI_BULK_LATE,  // the transfer that it names has ended: some controllers tell of one twice
    XHCI_BULK_ENDED, // `code` and `moved_bytes` say how
};

// A transfer of which the event claims what cannot be ends with XHCI_COMPLETION_INVALID.
enum xhci_bulk_event xhci_bulk_take_event(struct xhci_bulk *bulk, const struct xhci_event *event);
