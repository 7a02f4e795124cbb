// Hubs; see usb_hub.h.

#include "user/drivers/usb/portable/usb_hub.h"

#include "user/drivers/usb/portable/usb_device.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_events.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define TYPE_HUB  USB_TYPE_CLASS
#define TYPE_PORT (USB_TYPE_CLASS | USB_TYPE_OTHER)

#define FEATURE_PORT_RESET 4
#define FEATURE_PORT_POWER 8
// A change bit n of the port's status is cleared by feature n + 16.
#define FEATURE_CHANGES_FIRST 16
#define FEATURE_CHANGES_COUNT 5

#define DESCRIPTOR_BYTES_MIN   7
#define DESCRIPTOR_PORTS       2
#define DESCRIPTOR_THINK_TIME  3 // bits 5 and 6
#define DESCRIPTOR_POWER_TIME  5 // in 2 ms
#define DESCRIPTOR_BYTES_ASKED 12
#define POWER_TIME_LEAST       MX_MSEC(20)

#define STATUS_CONNECTED  (1u << 0)
#define STATUS_ENABLED    (1u << 1)
#define STATUS_RESET      (1u << 4)
#define STATUS_LOW_SPEED  (1u << 9)
#define STATUS_HIGH_SPEED (1u << 10)
#define STATUS_BYTES      4

// --- setting it up
// ------------------------------------------------------------------------------------

static const struct usb_endpoint *find_endpoint(const struct usb_configuration *configuration)
{
    for (size_t i = 0; i < configuration->interface_count; i++) {
        const struct usb_interface *interface = &configuration->interfaces[i];

        if (interface->interface_class == USB_CLASS_HUB && interface->alternate == 0)
            return usb_find_interrupt_in(interface);
    }
    return NULL;
}

static mx_status_t read_descriptor(struct xhci *xhci, struct xhci_device *device,
                                   mx_time_t *power_time)
{
    const struct usb_setup setup = {USB_TYPE_IN | TYPE_HUB, USB_REQUEST_GET_DESCRIPTOR,
                                    USB_DESCRIPTOR_HUB << 8, 0, DESCRIPTOR_BYTES_ASKED};
    uint8_t bytes[DESCRIPTOR_BYTES_ASKED] = {0};
    size_t size_bytes;
    const mx_status_t status = xhci_device_control(xhci, device, &setup, bytes, &size_bytes);

    if (status != MX_OK)
        return status;
    if (size_bytes < DESCRIPTOR_BYTES_MIN || bytes[1] != USB_DESCRIPTOR_HUB ||
        bytes[DESCRIPTOR_PORTS] == 0) {
        xhci_log(xhci, "port %u: a hub without ports", device->root_port);
        return MX_ERR_NOT_SUPPORTED;
    }
    device->hub.port_count =
        bytes[DESCRIPTOR_PORTS] < XHCI_HUB_PORTS_MAX ? bytes[DESCRIPTOR_PORTS] : XHCI_HUB_PORTS_MAX;
    device->hub.think_time = bytes[DESCRIPTOR_THINK_TIME] >> 5 & 3;
    *power_time = POWER_TIME_LEAST + MX_MSEC(2) * bytes[DESCRIPTOR_POWER_TIME];
    return MX_OK;
}

static mx_status_t power_ports(struct xhci *xhci, struct xhci_device *device, mx_time_t power_time)
{
    for (uint8_t port = 1; port <= device->hub.port_count; port++) {
        const mx_status_t status = xhci_device_request(
            xhci, device, TYPE_PORT, USB_REQUEST_SET_FEATURE, FEATURE_PORT_POWER, port);
        if (status != MX_OK)
            return status;
        device->hub.ports[port].has_changed = true;
    }
    return xhci_pause(xhci, power_time);
}

static mx_status_t configure(struct xhci *xhci, struct xhci_device *device,
                             const struct usb_endpoint *in, uint8_t configuration)
{
    const struct xhci_interrupt_endpoint endpoint = {in->address, in->max_packet_bytes,
                                                     in->interval};
    mx_status_t status = xhci_device_configure(xhci, device, &endpoint);

    if (status == MX_OK)
        status =
            xhci_device_request(xhci, device, 0, USB_REQUEST_SET_CONFIGURATION, configuration, 0);
    return status;
}

mx_status_t usb_hub_start(struct xhci *xhci, struct xhci_device *device,
                          const struct usb_configuration *configuration)
{
    const struct usb_endpoint *in = find_endpoint(configuration);
    mx_time_t power_time;
    mx_status_t status;

    if (device->hub_slot != 0 || device->speed >= XHCI_SPEED_SUPER || in == NULL) {
        xhci_log(xhci, "port %u: a hub that is not used: %s", device->root_port,
                 device->hub_slot != 0 ? "it is behind another hub"
                 : in == NULL          ? "it has no endpoint for changes"
                                       : "it is the SuperSpeed side of one");
        return MX_ERR_NOT_SUPPORTED;
    }
    device->kind = XHCI_DEVICE_HUB;
    status = read_descriptor(xhci, device, &power_time);
    if (status == MX_OK)
        status = configure(xhci, device, in, configuration->value);
    if (status == MX_OK)
        status = power_ports(xhci, device, power_time);
    if (status == MX_OK)
        xhci_device_ask_report(xhci, device);
    return status;
}

void usb_hub_stop(struct xhci *xhci, struct xhci_device *device)
{
    for (uint8_t port = 1; port <= device->hub.port_count; port++)
        usb_device_detach(xhci, device->hub.ports[port].slot);
}

// --- at work
// ------------------------------------------------------------------------------------------

mx_status_t usb_hub_on_report(struct xhci_device *device, const uint8_t *report, size_t size_bytes)
{
    if (size_bytes == 0)
        return MX_ERR_IO_DATA_INTEGRITY;
    for (uint8_t port = 1; port <= device->hub.port_count && port / 8u < size_bytes; port++) {
        if (report[port / 8] >> port % 8 & 1)
            device->hub.ports[port].has_changed = true;
    }
    return MX_OK;
}

static uint8_t changed_port(const struct xhci_device *device)
{
    for (uint8_t port = 1; port <= device->hub.port_count; port++) {
        if (device->hub.ports[port].has_changed)
            return port;
    }
    return 0;
}

bool usb_hub_has_work(const struct xhci_device *device)
{
    return changed_port(device) != 0 || !device->report.is_pending;
}

// The next report is asked for when all ports of the last one have been looked at: a hub reports a
// change until it is cleared.
void usb_hub_step(struct xhci *xhci, struct xhci_device *device)
{
    const uint8_t port = changed_port(device);

    if (port != 0)
        usb_port_service(xhci, device->slot, port);
    else if (!device->report.is_pending)
        xhci_device_ask_report(xhci, device);
}

// --- its ports
// ----------------------------------------------------------------------------------------

static uint8_t speed_of(unsigned status)
{
    if (status & STATUS_LOW_SPEED)
        return XHCI_SPEED_LOW;
    return status & STATUS_HIGH_SPEED ? XHCI_SPEED_HIGH : XHCI_SPEED_FULL;
}

static mx_status_t clear_changes(struct xhci *xhci, struct xhci_device *device, uint8_t port,
                                 unsigned changes)
{
    for (uint16_t bit = 0; bit < FEATURE_CHANGES_COUNT; bit++) {
        if (!(changes >> bit & 1))
            continue;
        const mx_status_t status = xhci_device_request(
            xhci, device, TYPE_PORT, USB_REQUEST_CLEAR_FEATURE, FEATURE_CHANGES_FIRST + bit, port);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

mx_status_t usb_hub_take_port_state(struct xhci *xhci, uint8_t slot, uint8_t port,
                                    struct usb_port_state *state)
{
    const struct usb_setup setup = {USB_TYPE_IN | TYPE_PORT, USB_REQUEST_GET_STATUS, 0, port,
                                    STATUS_BYTES};
    struct xhci_device *device = xhci_find_device(xhci, slot);
    uint8_t bytes[STATUS_BYTES] = {0};
    mx_status_t status;

    if (device == NULL)
        return MX_ERR_NOT_FOUND;
    status = xhci_device_control(xhci, device, &setup, bytes, NULL);
    if (status != MX_OK)
        return status;
    const unsigned found = bytes[0] | (unsigned)bytes[1] << 8;
    const unsigned changes = bytes[2] | (unsigned)bytes[3] << 8;
    *state = (struct usb_port_state){
        .is_connected = (found & STATUS_CONNECTED) != 0,
        .has_connection_changed = (changes & STATUS_CONNECTED) != 0,
        .is_enabled = (found & STATUS_ENABLED) != 0,
        .is_resetting = (found & STATUS_RESET) != 0,
        .speed = speed_of(found),
    };
    return clear_changes(xhci, device, port, changes);
}

mx_status_t usb_hub_start_port_reset(struct xhci *xhci, uint8_t slot, uint8_t port)
{
    struct xhci_device *device = xhci_find_device(xhci, slot);

    if (device == NULL)
        return MX_ERR_NOT_FOUND;
    return xhci_device_request(xhci, device, TYPE_PORT, USB_REQUEST_SET_FEATURE, FEATURE_PORT_RESET,
                               port);
}
