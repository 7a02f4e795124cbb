// Slot and endpoint contexts; see xhci_context.h.
//
// xHCI 1.2, 6.2.2 "Slot Context", 6.2.3 "Endpoint Context".

#include "user/drivers/usb/portable/xhci_context.h"

#include <string.h>

#include "user/drivers/usb/portable/xhci_registers.h"

// The input context: what to change, then slot and endpoint contexts.
#define INPUT_CONTROL       0
#define INPUT_SLOT          1
#define INPUT_ENDPOINT(dci) (1u + (dci))
#define INPUT_DROP          0 // words
#define INPUT_ADD           1

// Slot context.
#define SLOT0_ROUTE(route)    ((uint32_t)(route)&0xfffff)
#define SLOT0_SPEED(speed)    ((uint32_t)(speed) << 20)
#define SLOT0_HUB             (UINT32_C(1) << 26)
#define SLOT0_ENTRIES(count)  ((uint32_t)(count) << 27)
#define SLOT1_ROOT_PORT(port) ((uint32_t)(port) << 16)
#define SLOT1_PORTS(count)    ((uint32_t)(count) << 24)
#define SLOT2_TT_SLOT(slot)   ((uint32_t)(slot))
#define SLOT2_TT_PORT(port)   ((uint32_t)(port) << 8)
#define SLOT2_THINK_TIME(ttt) ((uint32_t)(ttt) << 16)

// Endpoint context.
#define ENDPOINT0_INTERVAL(exponent)    ((uint32_t)(exponent) << 16)
#define ENDPOINT1_ERRORS                (UINT32_C(3) << 1) // tries of a transaction
#define ENDPOINT1_TYPE(type)            ((uint32_t)(type) << 3)
#define ENDPOINT1_PACKET_BYTES(bytes)   ((uint32_t)(bytes) << 16)
#define ENDPOINT4_AVERAGE_BYTES(bytes)  ((uint32_t)(bytes))
#define ENDPOINT4_INTERVAL_BYTES(bytes) ((uint32_t)(bytes) << 16)

static uint32_t *input_context(const struct xhci *xhci, const struct xhci_device *device,
                               uint32_t index)
{
    return (uint32_t *)(device->input + index * xhci->context_bytes);
}

void xhci_context_begin(const struct xhci *xhci, const struct xhci_device *device, uint32_t drop,
                        uint32_t add)
{
    uint32_t *control = input_context(xhci, device, INPUT_CONTROL);

    memset(device->input, 0, XHCI_PAGE_BYTES);
    control[INPUT_DROP] = drop;
    control[INPUT_ADD] = add;
}

// A device of low or full speed behind a hub of high speed is spoken to by the hub's transaction
// translator.
static bool is_translated(struct xhci *xhci, const struct xhci_device *device)
{
    const struct xhci_device *hub = xhci_find_device(xhci, device->hub_slot);

    return hub != NULL && hub->speed == XHCI_SPEED_HIGH && device->speed < XHCI_SPEED_HIGH;
}

void xhci_context_fill_slot(struct xhci *xhci, const struct xhci_device *device, uint32_t entries)
{
    uint32_t *context = input_context(xhci, device, INPUT_SLOT);

    context[0] =
        SLOT0_ROUTE(device->hub_port) | SLOT0_SPEED(device->speed) | SLOT0_ENTRIES(entries);
    context[1] = SLOT1_ROOT_PORT(device->root_port);
    if (is_translated(xhci, device))
        context[2] = SLOT2_TT_SLOT(device->hub_slot) | SLOT2_TT_PORT(device->hub_port);
    if (device->kind == XHCI_DEVICE_HUB) {
        context[0] |= SLOT0_HUB;
        context[1] |= SLOT1_PORTS(device->hub.port_count);
        if (device->speed == XHCI_SPEED_HIGH)
            context[2] |= SLOT2_THINK_TIME(device->hub.think_time);
    }
}

// How often an endpoint is asked, as a power of two of 125 us (6.2.3.6 "Interval"): bInterval
// counts milliseconds at low and full speed, and is such an exponent plus one above.
static uint32_t interval_exponent(uint8_t speed, uint8_t interval)
{
    uint32_t exponent = 3;

    if (interval == 0)
        interval = 1;
    if (speed >= XHCI_SPEED_HIGH)
        return (interval < 16 ? interval : 16) - 1u;
    while (exponent < 10 && interval >= 2u << (exponent - 3))
        exponent++;
    return exponent;
}

void xhci_context_fill_endpoint(const struct xhci *xhci, const struct xhci_device *device,
                                const struct xhci_endpoint *endpoint)
{
    uint32_t *context = input_context(xhci, device, INPUT_ENDPOINT(endpoint->dci));
    const uint64_t position = xhci_ring_position(endpoint->ring);

    if (endpoint->type == XHCI_ENDPOINT_INTERRUPT_IN)
        context[0] = ENDPOINT0_INTERVAL(interval_exponent(device->speed, endpoint->interval));
    context[1] = ENDPOINT1_ERRORS | ENDPOINT1_TYPE(endpoint->type) |
                 ENDPOINT1_PACKET_BYTES(endpoint->packet_bytes);
    context[2] = (uint32_t)position;
    context[3] = (uint32_t)(position >> 32);
    context[4] = ENDPOINT4_AVERAGE_BYTES(endpoint->average_bytes) |
                 ENDPOINT4_INTERVAL_BYTES(endpoint->interval_bytes);
}
