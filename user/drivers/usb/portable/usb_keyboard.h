// A keyboard in the boot protocol.
//
// Device Class Definition for HID 1.11, 7.2 "Class-Specific Requests", F "Legacy Keyboard
// Implementation".
#pragma once

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/xhci_device.h"

// Sets the keyboard up and asks for its first report. NOT_SUPPORTED: it refuses the boot protocol,
// or nobody takes its keys.
MX_MUST_CHECK mx_status_t usb_keyboard_start(struct xhci *xhci, struct xhci_device *device,
                                             const struct usb_configuration *configuration);

// Tells whoever takes the keys that it is gone; what was down is released.
void usb_keyboard_stop(struct xhci *xhci, struct xhci_device *device);

// IO_DATA_INTEGRITY: no such report.
MX_MUST_CHECK mx_status_t usb_keyboard_on_report(struct xhci *xhci, struct xhci_device *device,
                                                 const uint8_t *report, size_t size_bytes);

bool usb_keyboard_has_work(const struct xhci_device *device);
void usb_keyboard_step(struct xhci *xhci, struct xhci_device *device);
