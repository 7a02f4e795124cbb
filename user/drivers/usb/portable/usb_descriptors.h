// What a USB device says of itself: device, configuration, interface, HID and endpoint descriptors.
//
// Everything here comes from the device and may lie. A parser looks at no more than it was given; a
// descriptor that is shorter than its kind, reaches beyond the end, or stands where it cannot is
// refused with the offset and a sentence. How many interfaces and endpoints a descriptor announces
// is not believed: what is there counts. Kinds that are not known are skipped.
//
// USB 2.0, 9.6 "Standard USB Descriptor Definitions"; Device Class Definition for HID 1.11, 6.2.1
// "HID Descriptor"; USB 3.2, 9.6.1 "Device" (the packet size as an exponent).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/status.h>

enum usb_descriptor_type {
    USB_DESCRIPTOR_DEVICE = 1,
    USB_DESCRIPTOR_CONFIGURATION = 2,
    USB_DESCRIPTOR_STRING = 3,
    USB_DESCRIPTOR_INTERFACE = 4,
    USB_DESCRIPTOR_ENDPOINT = 5,
    USB_DESCRIPTOR_HID = 0x21,
    USB_DESCRIPTOR_HUB = 0x29,
};

#define USB_DEVICE_DESCRIPTOR_BYTES 18
#define USB_DEVICE_DESCRIPTOR_START_BYTES \
    8 // up to the packet size, which every device sends in one packet
#define USB_CONFIGURATION_DESCRIPTOR_BYTES 9

#define USB_CLASS_HID             3
#define USB_CLASS_STORAGE         8
#define USB_CLASS_HUB             9
#define USB_HID_SUBCLASS_BOOT     1
#define USB_HID_PROTOCOL_KEYBOARD 1
#define USB_STORAGE_SCSI          6    // subclass: SCSI transparent command set
#define USB_STORAGE_BULK_ONLY     0x50 // protocol

#define USB_ENDPOINT_IN             0x80
#define USB_ENDPOINT_NUMBER_MASK    0x0f
#define USB_ENDPOINT_TYPE_MASK      0x03
#define USB_ENDPOINT_TYPE_BULK      2
#define USB_ENDPOINT_TYPE_INTERRUPT 3

#define USB_INTERFACES_MAX 16 // settings of interfaces that are kept
#define USB_ENDPOINTS_MAX  4  // of each

// Why a descriptor was refused.
struct usb_descriptor_problem {
    size_t offset;
    const char *text;
};

struct usb_device_descriptor {
    uint16_t usb_version; // 0x0200 is USB 2.0
    uint8_t device_class;
    uint8_t max_packet_bytes0; // as it stands there: an exponent from USB 3 on
    uint16_t vendor_id, product_id;
    uint8_t configuration_count;
};

struct usb_endpoint {
    uint8_t address; // with USB_ENDPOINT_IN
    uint8_t type;
    uint16_t max_packet_bytes; // 1 to 1024
    uint8_t interval;          // bInterval
};

struct usb_interface {
    uint8_t number, alternate;
    uint8_t interface_class, subclass, protocol;
    bool has_hid;
    uint16_t report_descriptor_bytes; // of the HID descriptor; 0 without one
    uint8_t endpoint_count;
    struct usb_endpoint endpoints[USB_ENDPOINTS_MAX];
};

struct usb_configuration {
    uint8_t value;   // for SET_CONFIGURATION
    bool is_partial; // more interfaces or endpoints than are kept
    uint8_t interface_count;
    struct usb_interface interfaces[USB_INTERFACES_MAX];
};

// The packet size of endpoint 0 from the first USB_DEVICE_DESCRIPTOR_START_BYTES of a device
// descriptor, for a device that is not SuperSpeed. IO_DATA_INTEGRITY: no such descriptor, or a size
// other than 8, 16, 32 and 64.
MX_MUST_CHECK mx_status_t usb_parse_packet_size(const uint8_t *bytes, size_t size_bytes,
                                                uint16_t *packet_bytes,
                                                struct usb_descriptor_problem *problem);

// IO_DATA_INTEGRITY.
MX_MUST_CHECK mx_status_t usb_parse_device(const uint8_t *bytes, size_t size_bytes,
                                           struct usb_device_descriptor *device,
                                           struct usb_descriptor_problem *problem);

// How long the whole configuration says that it is, from its first
// USB_CONFIGURATION_DESCRIPTOR_BYTES. IO_DATA_INTEGRITY.
MX_MUST_CHECK mx_status_t usb_parse_configuration_size(const uint8_t *bytes, size_t size_bytes,
                                                       uint16_t *total_bytes,
                                                       struct usb_descriptor_problem *problem);

// A configuration with all that belongs to it. `bytes` may be more or less than it says; the
// shorter counts. IO_DATA_INTEGRITY.
MX_MUST_CHECK mx_status_t usb_parse_configuration(const uint8_t *bytes, size_t size_bytes,
                                                  struct usb_configuration *configuration,
                                                  struct usb_descriptor_problem *problem);

// The first interrupt-in endpoint of an interface, or NULL.
const struct usb_endpoint *usb_find_interrupt_in(const struct usb_interface *interface);

// The first interface (in its setting 0) that is a boot keyboard with an interrupt-in endpoint, or
// NULL.
const struct usb_interface *usb_find_boot_keyboard(const struct usb_configuration *configuration);

// The first bulk endpoint of an interface with this direction (USB_ENDPOINT_IN or 0), or NULL.
const struct usb_endpoint *usb_find_bulk(const struct usb_interface *interface, uint8_t direction);

// The first interface (in its setting 0) that is mass storage with SCSI commands over the Bulk-Only
// Transport, with its two endpoints, or NULL.
const struct usb_interface *usb_find_storage(const struct usb_configuration *configuration);
