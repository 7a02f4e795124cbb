// What a device on the bus turns out to be, and what then becomes of it.
#pragma once

#include "user/drivers/usb/portable/xhci_device.h"

// "port 5", or "port 5.2" behind a hub.
void usb_place_name(const struct xhci_place *place, char name[USB_PLACE_NAME_BYTES]);

void usb_device_name(const struct xhci_device *device, char name[USB_PLACE_NAME_BYTES]);

// "port 5: device 1234:5678 `what`".
void usb_device_log(struct xhci *xhci, const struct xhci_device *device, const char *what);

// Takes a device that was just reset into use; *slot is its slot. NOT_SUPPORTED: it is nothing that
// this driver has a use for, or refuses what it must be able to do (the log says which). IO,
// TIMED_OUT, IO_DATA_INTEGRITY: it may work after another reset.
MX_MUST_CHECK mx_status_t usb_device_attach(struct xhci *xhci, const struct xhci_place *place,
                                            uint8_t *slot);

// It has been unplugged, or is of no use: its keyboard or disk is removed, devices behind it as
// well, and its slot given back. A slot without a device is passed over.
void usb_device_detach(struct xhci *xhci, uint8_t slot);

// The transfer of its report has ended.
void usb_device_on_report(struct xhci *xhci, struct xhci_device *device);

// Whether usb_device_step has something to do.
bool usb_device_has_work(const struct xhci_device *device);

// One thing that there is to do for the device: drop it, set it going again, ask for the next
// report, its indicators, its ports, its command.
void usb_device_step(struct xhci *xhci, struct xhci_device *device);
