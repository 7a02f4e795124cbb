// Devices: slots, contexts, transfers.
#pragma once

#include "user/drivers/usb/portable/xhci.h"

// Where a device is: on a port of the controller, or on one of a hub that is on it.
struct xhci_place {
    uint8_t root_port;
    uint8_t hub_slot; // 0: none
    uint8_t hub_port;
    uint8_t speed; // enum xhci_speed
};

// A request on endpoint 0 (USB 2.0, 9.3 "USB Device Requests").
struct usb_setup {
    uint8_t type;
    uint8_t request;
    uint16_t value;
    uint16_t index;
    uint16_t length;
};
_Static_assert(sizeof(struct usb_setup) == 8, "USB 2.0, 9.3");

#define USB_TYPE_IN        0x80
#define USB_TYPE_CLASS     0x20
#define USB_TYPE_INTERFACE 0x01
#define USB_TYPE_ENDPOINT  0x02
#define USB_TYPE_OTHER     0x03

#define USB_REQUEST_GET_STATUS        0
#define USB_REQUEST_CLEAR_FEATURE     1
#define USB_REQUEST_SET_FEATURE       3
#define USB_REQUEST_GET_DESCRIPTOR    6
#define USB_REQUEST_SET_CONFIGURATION 9

#define USB_FEATURE_ENDPOINT_HALT 0

// An interrupt-in endpoint as the controller wants to know it.
struct xhci_interrupt_endpoint {
    uint8_t address; // with USB_ENDPOINT_IN
    uint16_t packet_bytes;
    uint8_t interval; // bInterval
};

// The device in a slot, or NULL.
struct xhci_device *xhci_find_device(struct xhci *xhci, uint8_t slot);

// A slot for a device, which gets an address: *out answers control transfers then. IO: the device
// or the controller refused, the log says what; nothing is left behind.
MX_MUST_CHECK mx_status_t xhci_device_open(struct xhci *xhci, const struct xhci_place *place,
                                           struct xhci_device **out);

// Gives the slot back. Its memory is free for another device then; a controller that does not let
// go of it has failed.
void xhci_device_close(struct xhci *xhci, struct xhci_device *device);

// A packet size of endpoint 0 that is not the one that was assumed.
MX_MUST_CHECK mx_status_t xhci_device_set_packet_bytes0(struct xhci *xhci,
                                                        struct xhci_device *device,
                                                        uint16_t packet_bytes);

// Tells the controller of the interrupt endpoint, and, for a hub, of its ports. The endpoint is
// then idle.
MX_MUST_CHECK mx_status_t xhci_device_configure(struct xhci *xhci, struct xhci_device *device,
                                                const struct xhci_interrupt_endpoint *endpoint);

// The input context, which is filled, as the new configuration of the device's endpoints.
MX_MUST_CHECK mx_status_t xhci_device_send_context(struct xhci *xhci, struct xhci_device *device);

// Sets an endpoint that has halted going again, behind whatever was under way.
MX_MUST_CHECK mx_status_t xhci_device_restart_endpoint(struct xhci *xhci,
                                                       struct xhci_device *device, uint32_t dci,
                                                       const struct xhci_ring *ring);

// Stops an endpoint; one that has halted stays so.
MX_MUST_CHECK mx_status_t xhci_device_stop_endpoint(struct xhci *xhci, struct xhci_device *device,
                                                    uint32_t dci);

// A control transfer. Data of at most XHCI_DEVICE_DATA_BYTES goes out of `data` or comes into it;
// *actual (may be NULL) says how much came. UNAVAILABLE: the device stalled, which is how it
// refuses. IO: another error. TIMED_OUT: the device is broken.
MX_MUST_CHECK mx_status_t xhci_device_control(struct xhci *xhci, struct xhci_device *device,
                                              const struct usb_setup *setup, void *data,
                                              size_t *actual);

// The part that most requests share: a request without data.
MX_MUST_CHECK mx_status_t xhci_device_request(struct xhci *xhci, struct xhci_device *device,
                                              uint8_t type, uint8_t request, uint16_t value,
                                              uint16_t index);

// Asks for the next report, of device->report_bytes. Nothing may be under way.
void xhci_device_ask_report(struct xhci *xhci, struct xhci_device *device);

// What came of it; copied, so that it stays as it is. `report` has room for XHCI_REPORT_BYTES_MAX.
// IO: the endpoint has failed or the controller claims more than was asked for.
MX_MUST_CHECK mx_status_t xhci_device_report(const struct xhci_device *device, uint8_t *report,
                                             size_t *size_bytes);

// Sets a failed interrupt endpoint going again. Errors as xhci_device_control.
MX_MUST_CHECK mx_status_t xhci_device_recover(struct xhci *xhci, struct xhci_device *device);
