// Finding out what a device is; see usb_device.h.

#include "user/drivers/usb/portable/usb_device.h"

#include <stdio.h>

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/usb_hub.h"
#include "user/drivers/usb/portable/usb_keyboard.h"
#include "user/drivers/usb/portable/usb_port.h"
#include "user/drivers/usb/portable/usb_storage.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_registers.h"

// A transfer may fail now and then; an endpoint that fails this often in a row does not work.
#define FAILURES_MAX 3

// What is known of a device before it is used.
struct identity {
    struct usb_device_descriptor descriptor;
    struct usb_configuration configuration;
};

void usb_place_name(const struct xhci_place *place, char name[USB_PLACE_NAME_BYTES])
{
    if (place->hub_slot == 0)
        snprintf(name, USB_PLACE_NAME_BYTES, "port %u", place->root_port);
    else
        snprintf(name, USB_PLACE_NAME_BYTES, "port %u.%u", place->root_port, place->hub_port);
}

void usb_device_name(const struct xhci_device *device, char name[USB_PLACE_NAME_BYTES])
{
    const struct xhci_place place = {device->root_port, device->hub_slot, device->hub_port,
                                     device->speed};

    usb_place_name(&place, name);
}

void usb_device_log(struct xhci *xhci, const struct xhci_device *device, const char *what)
{
    char name[USB_PLACE_NAME_BYTES];

    usb_device_name(device, name);
    xhci_log(xhci, "%s: device %04x:%04x %s", name, device->vendor_id, device->product_id, what);
}

static mx_status_t report_problem(struct xhci *xhci, const struct xhci_device *device,
                                  mx_status_t status, const struct usb_descriptor_problem *problem)
{
    char name[USB_PLACE_NAME_BYTES];

    if (status != MX_ERR_IO_DATA_INTEGRITY)
        return status;
    usb_device_name(device, name);
    xhci_log(xhci, "%s: %s, at byte %u of its descriptor", name, problem->text,
             (unsigned)problem->offset);
    return status;
}

// --- descriptors
// --------------------------------------------------------------------------------------

static mx_status_t get_descriptor(struct xhci *xhci, struct xhci_device *device, uint8_t type,
                                  uint8_t *bytes, uint16_t size_bytes, size_t *actual)
{
    const struct usb_setup setup = {USB_TYPE_IN, USB_REQUEST_GET_DESCRIPTOR, (uint16_t)(type << 8),
                                    0, size_bytes};

    return xhci_device_control(xhci, device, &setup, bytes, actual);
}

// Full speed is the only one that leaves the packet size of endpoint 0 open.
static mx_status_t find_packet_bytes0(struct xhci *xhci, struct xhci_device *device)
{
    uint8_t bytes[USB_DEVICE_DESCRIPTOR_START_BYTES];
    struct usb_descriptor_problem problem;
    uint16_t packet_bytes;
    size_t size_bytes;
    mx_status_t status;

    if (device->speed != XHCI_SPEED_FULL)
        return MX_OK;
    status = get_descriptor(xhci, device, USB_DESCRIPTOR_DEVICE, bytes, sizeof(bytes), &size_bytes);
    if (status != MX_OK)
        return status;
    status = usb_parse_packet_size(bytes, size_bytes, &packet_bytes, &problem);
    if (status != MX_OK)
        return report_problem(xhci, device, status, &problem);
    return xhci_device_set_packet_bytes0(xhci, device, packet_bytes);
}

static mx_status_t read_device(struct xhci *xhci, struct xhci_device *device,
                               struct identity *identity)
{
    uint8_t bytes[USB_DEVICE_DESCRIPTOR_BYTES];
    struct usb_descriptor_problem problem;
    size_t size_bytes;
    mx_status_t status =
        get_descriptor(xhci, device, USB_DESCRIPTOR_DEVICE, bytes, sizeof(bytes), &size_bytes);

    if (status != MX_OK)
        return status;
    status = usb_parse_device(bytes, size_bytes, &identity->descriptor, &problem);
    if (status != MX_OK)
        return report_problem(xhci, device, status, &problem);
    device->vendor_id = identity->descriptor.vendor_id;
    device->product_id = identity->descriptor.product_id;
    return MX_OK;
}

// The first configuration, which is the only one of nearly every device.
static mx_status_t read_configuration(struct xhci *xhci, struct xhci_device *device,
                                      struct identity *identity)
{
    uint8_t bytes[XHCI_DEVICE_DATA_BYTES];
    struct usb_descriptor_problem problem;
    uint16_t total_bytes;
    size_t size_bytes;
    mx_status_t status = get_descriptor(xhci, device, USB_DESCRIPTOR_CONFIGURATION, bytes,
                                        USB_CONFIGURATION_DESCRIPTOR_BYTES, &size_bytes);

    if (status != MX_OK)
        return status;
    status = usb_parse_configuration_size(bytes, size_bytes, &total_bytes, &problem);
    if (status != MX_OK)
        return report_problem(xhci, device, status, &problem);
    if (total_bytes > sizeof(bytes)) {
        usb_device_log(xhci, device, "has a configuration that is too long");
        return MX_ERR_NOT_SUPPORTED;
    }
    status =
        get_descriptor(xhci, device, USB_DESCRIPTOR_CONFIGURATION, bytes, total_bytes, &size_bytes);
    if (status != MX_OK)
        return status;
    status = usb_parse_configuration(bytes, size_bytes, &identity->configuration, &problem);
    return report_problem(xhci, device, status, &problem);
}

// --- coming and going
// ---------------------------------------------------------------------------------

static const char *const kind_names[] = {
    [XHCI_DEVICE_KEYBOARD] = "is a keyboard",
    [XHCI_DEVICE_HUB] = "is a hub",
    [XHCI_DEVICE_DISK] = "is a disk",
};

static mx_status_t use_device(struct xhci *xhci, struct xhci_device *device,
                              const struct identity *identity)
{
    if (identity->descriptor.device_class == USB_CLASS_HUB)
        return usb_hub_start(xhci, device, &identity->configuration);
    if (usb_find_boot_keyboard(&identity->configuration) != NULL)
        return usb_keyboard_start(xhci, device, &identity->configuration);
    if (usb_find_storage(&identity->configuration) != NULL)
        return usb_storage_start(xhci, device, &identity->configuration);
    usb_device_log(xhci, device, "is neither a boot keyboard nor a disk; not used");
    return MX_ERR_NOT_SUPPORTED;
}

mx_status_t usb_device_attach(struct xhci *xhci, const struct xhci_place *place, uint8_t *slot)
{
    struct xhci_device *device;
    struct identity identity;
    mx_status_t status = xhci_device_open(xhci, place, &device);

    if (status != MX_OK)
        return status;
    status = find_packet_bytes0(xhci, device);
    if (status == MX_OK)
        status = read_device(xhci, device, &identity);
    if (status == MX_OK)
        status = read_configuration(xhci, device, &identity);
    if (status == MX_OK)
        status = use_device(xhci, device, &identity);
    if (status != MX_OK) {
        usb_device_detach(xhci, device->slot);
        return status;
    }
    usb_device_log(xhci, device, kind_names[device->kind]);
    device->is_attached = true;
    *slot = device->slot;
    return MX_OK;
}

void usb_device_detach(struct xhci *xhci, uint8_t slot)
{
    struct xhci_device *device = xhci_find_device(xhci, slot);

    if (device == NULL)
        return;
    if (device->kind == XHCI_DEVICE_KEYBOARD)
        usb_keyboard_stop(xhci, device);
    else if (device->kind == XHCI_DEVICE_HUB)
        usb_hub_stop(xhci, device);
    if (device->is_attached)
        usb_device_log(xhci, device, "removed");
    xhci_device_close(xhci, device);
    // The controller uses a disk's memory until then.
    if (device->kind == XHCI_DEVICE_DISK)
        usb_storage_stop(xhci, device);
}

// --- at work
// ------------------------------------------------------------------------------------------

void usb_device_on_report(struct xhci *xhci, struct xhci_device *device)
{
    uint8_t report[XHCI_REPORT_BYTES_MAX];
    size_t size_bytes;
    mx_status_t status = xhci_device_report(device, report, &size_bytes);

    if (status == MX_OK && device->kind == XHCI_DEVICE_KEYBOARD)
        status = usb_keyboard_on_report(xhci, device, report, size_bytes);
    else if (status == MX_OK && device->kind == XHCI_DEVICE_HUB)
        status = usb_hub_on_report(device, report, size_bytes);
    if (status == MX_OK)
        device->failures = 0;
    else
        device->is_failed = true;
}

// What fails because it was unplugged only goes earlier than its port tells; anything else stays
// away until it is plugged in again.
static void drop(struct xhci *xhci, struct xhci_device *device)
{
    struct xhci_port *port = usb_port_of(xhci, device);

    if (usb_port_is_connected(xhci, device)) {
        usb_device_log(xhci, device,
                       "does not work as it must; dropped until it is plugged in again");
        port->is_refused = true;
    } else {
        port->has_changed = true;
    }
    port->slot = 0;
    usb_device_detach(xhci, device->slot);
}

static void recover(struct xhci *xhci, struct xhci_device *device)
{
    device->is_failed = false;
    if (device->is_broken || ++device->failures > FAILURES_MAX ||
        xhci_device_recover(xhci, device) != MX_OK)
        drop(xhci, device);
}

bool usb_device_has_work(const struct xhci_device *device)
{
    if (!device->is_used || !device->is_attached)
        return false;
    if (device->is_failed || device->is_broken)
        return true;
    switch (device->kind) {
    case XHCI_DEVICE_KEYBOARD:
        return usb_keyboard_has_work(device);
    case XHCI_DEVICE_HUB:
        return usb_hub_has_work(device);
    case XHCI_DEVICE_DISK:
        return usb_storage_has_work(device);
    case XHCI_DEVICE_NEW:
        break;
    }
    return false;
}

void usb_device_step(struct xhci *xhci, struct xhci_device *device)
{
    if (device->is_failed || device->is_broken)
        recover(xhci, device);
    else if (device->kind == XHCI_DEVICE_HUB)
        usb_hub_step(xhci, device);
    else if (device->kind == XHCI_DEVICE_KEYBOARD)
        usb_keyboard_step(xhci, device);
    else if (usb_storage_step(xhci, device) != MX_OK)
        drop(xhci, device);
}
