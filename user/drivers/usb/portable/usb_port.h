// Ports, of the controller and of hubs: who comes, who goes, resets.
#pragma once

#include "user/drivers/usb/portable/xhci_device.h"

// What a port says, the same for both kinds.
struct usb_port_state {
    bool is_connected;
    bool has_connection_changed;
    bool is_enabled;
    bool is_resetting;
    uint8_t speed; // enum xhci_speed; valid while enabled
};

// Looks at a port that may have changed: a device that has gone is detached, one that has come is
// reset and attached. hub_slot is 0 for a port of the controller, and `number` then counts its
// ports, otherwise the hub's. Errors are logged and end with the port.
void usb_port_service(struct xhci *xhci, uint8_t hub_slot, uint8_t number);

// Whether what the device is on still says that it is connected.
bool usb_port_is_connected(struct xhci *xhci, const struct xhci_device *device);

// The port that the device is on.
struct xhci_port *usb_port_of(struct xhci *xhci, const struct xhci_device *device);
