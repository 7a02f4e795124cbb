// A hub on a port of the controller. Hubs behind hubs are refused; so is the SuperSpeed side of a
// USB 3 hub, whose other side is a USB 2.0 hub with a port of its own.
//
// USB 2.0, 11.23 "Descriptors" and 11.24 "Requests" of hubs.
#pragma once

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/usb_port.h"

// Sets the hub up; its ports are then to be looked at. NOT_SUPPORTED: a hub behind a hub, or one
// that has no ports.
MX_MUST_CHECK mx_status_t usb_hub_start(struct xhci *xhci, struct xhci_device *device,
                                        const struct usb_configuration *configuration);
// Detaches what is behind it.
void usb_hub_stop(struct xhci *xhci, struct xhci_device *device);

// Which ports have changed. IO_DATA_INTEGRITY: an empty report.
MX_MUST_CHECK mx_status_t usb_hub_on_report(struct xhci_device *device, const uint8_t *report,
                                            size_t size_bytes);

bool usb_hub_has_work(const struct xhci_device *device);
void usb_hub_step(struct xhci *xhci, struct xhci_device *device);

// See usb_port.c.
MX_MUST_CHECK mx_status_t usb_hub_take_port_state(struct xhci *xhci, uint8_t slot, uint8_t port,
                                                  struct usb_port_state *state);
MX_MUST_CHECK mx_status_t usb_hub_start_port_reset(struct xhci *xhci, uint8_t slot, uint8_t port);
