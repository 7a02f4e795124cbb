// Boot keyboards; see usb_keyboard.h.

#include "user/drivers/usb/portable/usb_keyboard.h"

#define HID_SET_REPORT    0x09
#define HID_SET_IDLE      0x0a
#define HID_SET_PROTOCOL  0x0b
#define HID_PROTOCOL_BOOT 0
#define HID_IDLE_FOREVER  0 // no report but for a change
#define HID_REPORT_OUTPUT 0x0200

#define TYPE_OUT (USB_TYPE_CLASS | USB_TYPE_INTERFACE)

static uint32_t index_of(const struct xhci_device *device)
{
    return device->slot - 1u;
}

static mx_status_t class_request(struct xhci *xhci, struct xhci_device *device, uint8_t request,
                                 uint16_t value)
{
    return xhci_device_request(xhci, device, TYPE_OUT, request, value, device->interface_number);
}

static bool has_room(const struct xhci_device *device)
{
    return key_queue_room(&device->keys) >= HID_KEYBOARD_CHANGES_MAX;
}

// A keyboard need not know SET_IDLE; without, it may repeat reports, which change nothing.
static mx_status_t set_up(struct xhci *xhci, struct xhci_device *device, uint8_t configuration)
{
    mx_status_t status =
        xhci_device_request(xhci, device, 0, USB_REQUEST_SET_CONFIGURATION, configuration, 0);

    if (status == MX_OK)
        status = class_request(xhci, device, HID_SET_PROTOCOL, HID_PROTOCOL_BOOT);
    if (status != MX_OK)
        return status;
    status = class_request(xhci, device, HID_SET_IDLE, HID_IDLE_FOREVER);
    return status == MX_ERR_UNAVAILABLE ? MX_OK : status;
}

mx_status_t usb_keyboard_start(struct xhci *xhci, struct xhci_device *device,
                               const struct usb_configuration *configuration)
{
    const struct usb_interface *interface = usb_find_boot_keyboard(configuration);
    const struct usb_endpoint *in = usb_find_interrupt_in(interface);
    const struct xhci_interrupt_endpoint endpoint = {in->address, in->max_packet_bytes,
                                                     in->interval};
    mx_status_t status;

    device->interface_number = interface->number;
    status = xhci_device_configure(xhci, device, &endpoint);
    if (status == MX_OK)
        status = set_up(xhci, device, configuration->value);
    if (status != MX_OK)
        return status;
    if (!xhci->host.ops->keyboard_added(xhci->host.context, index_of(device)))
        return MX_ERR_NOT_SUPPORTED;
    device->kind = XHCI_DEVICE_KEYBOARD;
    xhci_device_ask_report(xhci, device);
    return MX_OK;
}

void usb_keyboard_stop(struct xhci *xhci, struct xhci_device *device)
{
    const struct xhci_host *host = &xhci->host;

    host->ops->keys(host->context, index_of(device), &device->keys);
    // What there is no room for, its reader lets go by itself when the keyboard is gone.
    (void)key_state_release_all(&device->keyboard.keys, &device->keys);
    host->ops->keyboard_removed(host->context, index_of(device), &device->keys);
}

mx_status_t usb_keyboard_on_report(struct xhci *xhci, struct xhci_device *device,
                                   const uint8_t *report, size_t size_bytes)
{
    const mx_status_t status =
        hid_keyboard_report(&device->keyboard, report, size_bytes, &device->keys);

    if (status != MX_OK)
        return status;
    xhci->host.ops->keys(xhci->host.context, index_of(device), &device->keys);
    if (has_room(device))
        xhci_device_ask_report(xhci, device);
    return MX_OK;
}

static bool is_held(const struct xhci_device *device)
{
    return !device->report.is_pending && has_room(device);
}

bool usb_keyboard_has_work(const struct xhci_device *device)
{
    return is_held(device) || device->indicators != device->wanted_indicators;
}

static void show_indicators(struct xhci *xhci, struct xhci_device *device)
{
    const struct usb_setup setup = {TYPE_OUT, HID_SET_REPORT, HID_REPORT_OUTPUT,
                                    device->interface_number, 1};
    uint8_t report = device->wanted_indicators;

    // A keyboard without indicators may refuse; they are no reason to drop it.
    device->indicators = report;
    (void)!xhci_device_control(xhci, device, &setup, &report, NULL);
}

void usb_keyboard_step(struct xhci *xhci, struct xhci_device *device)
{
    xhci->host.ops->keys(xhci->host.context, index_of(device), &device->keys);
    if (is_held(device))
        xhci_device_ask_report(xhci, device);
    if (device->indicators != device->wanted_indicators)
        show_indicators(xhci, device);
}
