// Contexts: what the controller is told of a device's slot and of its endpoints.
//
// xHCI 1.2, 6.2 "Contexts and Data Structures", 6.2.5 "Input Context".
#pragma once

#include "user/drivers/usb/portable/xhci_device.h"

// What a command changes: bits of the input control context.
#define XHCI_CONTEXT_SLOT          (UINT32_C(1) << 0)
#define XHCI_CONTEXT_ENDPOINT(dci) (UINT32_C(1) << (dci))

enum xhci_endpoint_type {
    XHCI_ENDPOINT_BULK_OUT = 2,
    XHCI_ENDPOINT_CONTROL = 4,
    XHCI_ENDPOINT_BULK_IN = 6,
    XHCI_ENDPOINT_INTERRUPT_IN = 7,
};

struct xhci_endpoint {
    uint32_t dci; // device context index
    enum xhci_endpoint_type type;
    uint16_t packet_bytes;
    uint16_t average_bytes;  // of a TRB
    uint16_t interval_bytes; // periodic endpoints only
    uint8_t interval;        // bInterval; the same
    const struct xhci_ring *ring;
};

// An empty input context that drops and adds these contexts.
void xhci_context_begin(const struct xhci *xhci, const struct xhci_device *device, uint32_t drop,
                        uint32_t add);
// `entries` is the highest device context index that is in use.
void xhci_context_fill_slot(struct xhci *xhci, const struct xhci_device *device, uint32_t entries);
// The endpoint goes on where its ring is.
void xhci_context_fill_endpoint(const struct xhci *xhci, const struct xhci_device *device,
                                const struct xhci_endpoint *endpoint);
