// The driver's round; see xhci.h.

#include "user/drivers/usb/portable/xhci.h"

#include "user/drivers/usb/portable/usb_device.h"
#include "user/drivers/usb/portable/usb_port.h"
#include "user/drivers/usb/portable/usb_storage.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_events.h"

static void serve_ports(struct xhci *xhci)
{
    for (unsigned port = 1; port <= xhci->port_count; port++) {
        if (xhci->ports[port].has_changed && !xhci->is_controller_failed)
            usb_port_service(xhci, 0, (uint8_t)port);
    }
}

static void serve_devices(struct xhci *xhci)
{
    for (unsigned slot = 1; slot <= XHCI_DEVICES_MAX; slot++) {
        struct xhci_device *device = &xhci->devices[slot];

        if (device->is_used && key_queue_used(&device->keys) > 0)
            xhci->host.ops->keys(xhci->host.context, slot - 1, &device->keys);
        usb_storage_check_time(xhci, device);
        if (usb_device_has_work(device) && !xhci->is_controller_failed)
            usb_device_step(xhci, device);
    }
}

static void lose_devices(struct xhci *xhci)
{
    for (uint8_t slot = 1; slot <= XHCI_DEVICES_MAX; slot++)
        usb_device_detach(xhci, slot);
}

mx_status_t xhci_step(struct xhci *xhci)
{
    if (xhci_take_events(xhci) == MX_OK) {
        serve_ports(xhci);
        serve_devices(xhci);
    }
    if (!xhci->is_controller_failed)
        return MX_OK;
    const bool is_stopped = xhci_stop(xhci);
    lose_devices(xhci);
    return is_stopped ? MX_ERR_IO : MX_ERR_BAD_STATE;
}

mx_time_t xhci_deadline(const struct xhci *xhci)
{
    mx_time_t earliest = MX_TIME_INFINITE;

    for (unsigned slot = 1; slot <= XHCI_DEVICES_MAX; slot++) {
        const mx_time_t deadline = usb_storage_deadline(&xhci->devices[slot]);
        if (deadline < earliest)
            earliest = deadline;
    }
    return earliest;
}

bool xhci_has_work(const struct xhci *xhci)
{
    for (unsigned port = 1; port <= xhci->port_count; port++) {
        if (xhci->ports[port].has_changed)
            return true;
    }
    for (unsigned slot = 1; slot <= XHCI_DEVICES_MAX; slot++) {
        if (usb_device_has_work(&xhci->devices[slot]))
            return true;
    }
    return false;
}

void xhci_set_indicators(struct xhci *xhci, uint32_t keyboard, uint8_t indicators)
{
    if (keyboard < XHCI_DEVICES_MAX)
        xhci->devices[keyboard + 1].wanted_indicators = indicators;
}
