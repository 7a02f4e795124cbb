// Parsing USB descriptors; see usb_descriptors.h.

#include "user/drivers/usb/portable/usb_descriptors.h"

#include <string.h>

// Every descriptor starts with its length and its type.
#define HEADER_BYTES 2

#define DEVICE_VERSION        2
#define DEVICE_CLASS          4
#define DEVICE_PACKET_SIZE    7
#define DEVICE_VENDOR         8
#define DEVICE_PRODUCT        10
#define DEVICE_CONFIGURATIONS 17

#define CONFIGURATION_TOTAL 2
#define CONFIGURATION_VALUE 5

#define INTERFACE_BYTES     9
#define INTERFACE_NUMBER    2
#define INTERFACE_ALTERNATE 3
#define INTERFACE_CLASS     5
#define INTERFACE_SUBCLASS  6
#define INTERFACE_PROTOCOL  7

#define ENDPOINT_BYTES       7
#define ENDPOINT_ADDRESS     2
#define ENDPOINT_ATTRIBUTES  3
#define ENDPOINT_PACKET_SIZE 4
#define ENDPOINT_INTERVAL    6
#define PACKET_SIZE_MASK     0x7ff // the bits above count further transactions
#define PACKET_SIZE_MAX      1024

#define HID_BYTES        9 // with one class descriptor, which every HID has
#define HID_REPORT_BYTES 7

static uint16_t read_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static mx_status_t refuse(struct usb_descriptor_problem *problem, size_t offset, const char *text)
{
    *problem = (struct usb_descriptor_problem){offset, text};
    return MX_ERR_IO_DATA_INTEGRITY;
}

// Whether a descriptor of this type with at least `least_bytes` starts at the front and lies within
// `size_bytes` or, if only its start was asked for, claims to.
static mx_status_t check_start(const uint8_t *bytes, size_t size_bytes, uint8_t type,
                               uint8_t least_bytes, size_t needed_bytes,
                               struct usb_descriptor_problem *problem)
{
    if (size_bytes < needed_bytes)
        return refuse(problem, 0, "the device sent less than the descriptor that was asked for");
    if (bytes[1] != type)
        return refuse(problem, 1, "a descriptor of another type than was asked for");
    if (bytes[0] < least_bytes)
        return refuse(problem, 0, "a descriptor that says it is shorter than its type is");
    return MX_OK;
}

mx_status_t usb_parse_packet_size(const uint8_t *bytes, size_t size_bytes, uint16_t *packet_bytes,
                                  struct usb_descriptor_problem *problem)
{
    const mx_status_t status =
        check_start(bytes, size_bytes, USB_DESCRIPTOR_DEVICE, USB_DEVICE_DESCRIPTOR_BYTES,
                    USB_DEVICE_DESCRIPTOR_START_BYTES, problem);

    if (status != MX_OK)
        return status;
    switch (bytes[DEVICE_PACKET_SIZE]) {
    case 8:
    case 16:
    case 32:
    case 64:
        *packet_bytes = bytes[DEVICE_PACKET_SIZE];
        return MX_OK;
    default:
        return refuse(problem, DEVICE_PACKET_SIZE,
                      "a packet size of endpoint 0 that is not 8, 16, 32 or 64");
    }
}

mx_status_t usb_parse_device(const uint8_t *bytes, size_t size_bytes,
                             struct usb_device_descriptor *device,
                             struct usb_descriptor_problem *problem)
{
    const mx_status_t status =
        check_start(bytes, size_bytes, USB_DESCRIPTOR_DEVICE, USB_DEVICE_DESCRIPTOR_BYTES,
                    USB_DEVICE_DESCRIPTOR_BYTES, problem);

    if (status != MX_OK)
        return status;
    if (bytes[DEVICE_CONFIGURATIONS] == 0)
        return refuse(problem, DEVICE_CONFIGURATIONS, "a device without configurations");
    *device = (struct usb_device_descriptor){
        .usb_version = read_u16(bytes + DEVICE_VERSION),
        .device_class = bytes[DEVICE_CLASS],
        .max_packet_bytes0 = bytes[DEVICE_PACKET_SIZE],
        .vendor_id = read_u16(bytes + DEVICE_VENDOR),
        .product_id = read_u16(bytes + DEVICE_PRODUCT),
        .configuration_count = bytes[DEVICE_CONFIGURATIONS],
    };
    return MX_OK;
}

mx_status_t usb_parse_configuration_size(const uint8_t *bytes, size_t size_bytes,
                                         uint16_t *total_bytes,
                                         struct usb_descriptor_problem *problem)
{
    const mx_status_t status = check_start(bytes, size_bytes, USB_DESCRIPTOR_CONFIGURATION,
                                           USB_CONFIGURATION_DESCRIPTOR_BYTES,
                                           USB_CONFIGURATION_DESCRIPTOR_BYTES, problem);

    if (status != MX_OK)
        return status;
    *total_bytes = read_u16(bytes + CONFIGURATION_TOTAL);
    if (*total_bytes < bytes[0])
        return refuse(problem, CONFIGURATION_TOTAL,
                      "a configuration that says it is shorter than its own descriptor");
    return MX_OK;
}

// Where the walk through a configuration is.
struct walk {
    const uint8_t *at; // one descriptor, all of whose at[0] bytes are there
    size_t offset;
    struct usb_configuration *configuration;
    bool is_interface_seen;
    struct usb_interface *interface; // the latest; NULL: none, or it was not kept
    struct usb_descriptor_problem *problem;
};

static mx_status_t add_interface(struct walk *walk)
{
    struct usb_configuration *configuration = walk->configuration;

    if (walk->at[0] < INTERFACE_BYTES)
        return refuse(walk->problem, walk->offset, "an interface descriptor that is too short");
    walk->is_interface_seen = true;
    walk->interface = NULL;
    if (configuration->interface_count == USB_INTERFACES_MAX) {
        configuration->is_partial = true;
        return MX_OK;
    }
    walk->interface = &configuration->interfaces[configuration->interface_count++];
    *walk->interface = (struct usb_interface){
        .number = walk->at[INTERFACE_NUMBER],
        .alternate = walk->at[INTERFACE_ALTERNATE],
        .interface_class = walk->at[INTERFACE_CLASS],
        .subclass = walk->at[INTERFACE_SUBCLASS],
        .protocol = walk->at[INTERFACE_PROTOCOL],
    };
    return MX_OK;
}

static mx_status_t check_endpoint(const struct walk *walk)
{
    const uint16_t packet_bytes = read_u16(walk->at + ENDPOINT_PACKET_SIZE) & PACKET_SIZE_MASK;

    if (!walk->is_interface_seen)
        return refuse(walk->problem, walk->offset, "an endpoint in front of every interface");
    if ((walk->at[ENDPOINT_ADDRESS] & USB_ENDPOINT_NUMBER_MASK) == 0)
        return refuse(walk->problem, walk->offset + ENDPOINT_ADDRESS,
                      "an endpoint with the number 0");
    if (packet_bytes == 0 || packet_bytes > PACKET_SIZE_MAX)
        return refuse(walk->problem, walk->offset + ENDPOINT_PACKET_SIZE,
                      "an endpoint whose packet size is impossible");
    return MX_OK;
}

static mx_status_t add_endpoint(struct walk *walk)
{
    if (walk->at[0] < ENDPOINT_BYTES)
        return refuse(walk->problem, walk->offset, "an endpoint descriptor that is too short");
    const mx_status_t status = check_endpoint(walk);

    if (status != MX_OK)
        return status;
    if (walk->interface == NULL || walk->interface->endpoint_count == USB_ENDPOINTS_MAX) {
        walk->configuration->is_partial = true;
        return MX_OK;
    }
    walk->interface->endpoints[walk->interface->endpoint_count++] = (struct usb_endpoint){
        .address = walk->at[ENDPOINT_ADDRESS],
        .type = walk->at[ENDPOINT_ATTRIBUTES] & USB_ENDPOINT_TYPE_MASK,
        .max_packet_bytes = read_u16(walk->at + ENDPOINT_PACKET_SIZE) & PACKET_SIZE_MASK,
        .interval = walk->at[ENDPOINT_INTERVAL],
    };
    return MX_OK;
}

static mx_status_t add_hid(struct walk *walk)
{
    // The type belongs to the class: with others it means something else.
    if (walk->interface == NULL || walk->interface->interface_class != USB_CLASS_HID)
        return MX_OK;
    if (walk->at[0] < HID_BYTES)
        return refuse(walk->problem, walk->offset, "an HID descriptor that is too short");
    walk->interface->has_hid = true;
    walk->interface->report_descriptor_bytes = read_u16(walk->at + HID_REPORT_BYTES);
    return MX_OK;
}

static mx_status_t add_descriptor(struct walk *walk)
{
    switch (walk->at[1]) {
    case USB_DESCRIPTOR_INTERFACE:
        return add_interface(walk);
    case USB_DESCRIPTOR_ENDPOINT:
        return add_endpoint(walk);
    case USB_DESCRIPTOR_HID:
        return add_hid(walk);
    case USB_DESCRIPTOR_CONFIGURATION:
        return refuse(walk->problem, walk->offset, "a configuration inside a configuration");
    default:
        return MX_OK;
    }
}

mx_status_t usb_parse_configuration(const uint8_t *bytes, size_t size_bytes,
                                    struct usb_configuration *configuration,
                                    struct usb_descriptor_problem *problem)
{
    struct walk walk = {.configuration = configuration, .problem = problem};
    uint16_t total_bytes;
    mx_status_t status = usb_parse_configuration_size(bytes, size_bytes, &total_bytes, problem);

    memset(configuration, 0, sizeof(*configuration));
    if (status != MX_OK)
        return status;
    if (size_bytes > total_bytes)
        size_bytes = total_bytes;
    configuration->value = bytes[CONFIGURATION_VALUE];
    // The first descriptor may be longer than its type, and than what was sent.
    for (size_t offset = bytes[0]; offset < size_bytes && status == MX_OK;
         offset += bytes[offset]) {
        if (size_bytes - offset < HEADER_BYTES || bytes[offset] > size_bytes - offset)
            return refuse(problem, offset,
                          "a descriptor that reaches beyond the end of its configuration");
        if (bytes[offset] < HEADER_BYTES)
            return refuse(problem, offset, "a descriptor of length 0 or 1");
        walk.at = bytes + offset;
        walk.offset = offset;
        status = add_descriptor(&walk);
    }
    return status;
}

static const struct usb_endpoint *find_endpoint(const struct usb_interface *interface, uint8_t type,
                                                uint8_t direction)
{
    for (size_t i = 0; i < interface->endpoint_count; i++) {
        const struct usb_endpoint *endpoint = &interface->endpoints[i];

        if (endpoint->type == type && (endpoint->address & USB_ENDPOINT_IN) == direction)
            return endpoint;
    }
    return NULL;
}

const struct usb_endpoint *usb_find_interrupt_in(const struct usb_interface *interface)
{
    return find_endpoint(interface, USB_ENDPOINT_TYPE_INTERRUPT, USB_ENDPOINT_IN);
}

const struct usb_endpoint *usb_find_bulk(const struct usb_interface *interface, uint8_t direction)
{
    return find_endpoint(interface, USB_ENDPOINT_TYPE_BULK, direction);
}

const struct usb_interface *usb_find_boot_keyboard(const struct usb_configuration *configuration)
{
    for (size_t i = 0; i < configuration->interface_count; i++) {
        const struct usb_interface *interface = &configuration->interfaces[i];

        if (interface->interface_class == USB_CLASS_HID &&
            interface->subclass == USB_HID_SUBCLASS_BOOT &&
            interface->protocol == USB_HID_PROTOCOL_KEYBOARD && interface->alternate == 0 &&
            usb_find_interrupt_in(interface) != NULL)
            return interface;
    }
    return NULL;
}

const struct usb_interface *usb_find_storage(const struct usb_configuration *configuration)
{
    for (size_t i = 0; i < configuration->interface_count; i++) {
        const struct usb_interface *interface = &configuration->interfaces[i];

        if (interface->interface_class == USB_CLASS_STORAGE &&
            interface->subclass == USB_STORAGE_SCSI &&
            interface->protocol == USB_STORAGE_BULK_ONLY && interface->alternate == 0 &&
            usb_find_bulk(interface, USB_ENDPOINT_IN) != NULL &&
            usb_find_bulk(interface, 0) != NULL)
            return interface;
    }
    return NULL;
}
