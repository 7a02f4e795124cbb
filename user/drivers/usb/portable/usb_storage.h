// A disk on USB: mass storage with SCSI commands over the Bulk-Only Transport.
//
// One command is under way at a time. Its three transfers follow one another as their events come,
// without a step; what needs commands to the controller or control transfers (a stall, a reset) is
// done in a step. A transport that fails is reset (Reset Recovery) and the request tried again, a
// few times at most; then, or if a command takes too long, or if the medium goes, the disk
// is dropped. A command that fails is asked about; its request fails, and nothing else.
//
// Universal Serial Bus Mass Storage Class, Bulk-Only Transport 1.0, 5 "Command/Data/Status
// Protocol", 6.7 "Host/Device Data Transfers".
#pragma once

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/xhci_device.h"

// Sets the disk up and tells the host of it. NOT_SUPPORTED: it is none that can be used, the log
// says why. Other errors: it may work after another reset.
MX_MUST_CHECK mx_status_t usb_storage_start(struct xhci *xhci, struct xhci_device *device,
                                            const struct usb_configuration *configuration);

// Tells the host that the disk has gone, when the controller has closed the device.
void usb_storage_stop(struct xhci *xhci, struct xhci_device *device);

// A transfer of the command has ended.
void usb_storage_on_transfer(struct xhci *xhci, struct xhci_device *device,
                             const struct xhci_bulk *bulk);

// When the command must have ended; MX_TIME_INFINITE: there is none.
mx_time_t usb_storage_deadline(const struct xhci_device *device);
// Whether it has not, by now, is for the next step.
void usb_storage_check_time(struct xhci *xhci, struct xhci_device *device);

bool usb_storage_has_work(const struct xhci_device *device);
// An error: the disk must be dropped, the log says why.
MX_MUST_CHECK mx_status_t usb_storage_step(struct xhci *xhci, struct xhci_device *device);
