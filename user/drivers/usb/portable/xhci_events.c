// Taking events off the event ring and finding out what they end; see xhci_events.h.

#include "user/drivers/usb/portable/xhci_events.h"

#include <stddef.h>

#include "user/drivers/usb/portable/usb_device.h"
#include "user/drivers/usb/portable/usb_storage.h"
#include "user/drivers/usb/portable/xhci_bulk.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_device.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define COMMAND_TIMEOUT MX_SEC(5)

// Half of what the ring holds, so that the controller finds room in it: it is told of what was
// taken afterwards.
#define EVENTS_AT_ONCE 128

#define STRAYS_LOGGED 4

#define DCI_CONTROL 1

void xhci_ring_doorbell(const struct xhci *xhci, uint8_t slot, uint32_t target)
{
    xhci_write(xhci, xhci->doorbells + slot * XHCI_DOORBELL_BYTES, target);
}

static void stray(struct xhci *xhci, const struct xhci_event *event, const char *what)
{
    if (xhci->stray_event_count++ < STRAYS_LOGGED)
        xhci_log(xhci, "an event of %s that is not under way (slot %u, endpoint %u, code %u)", what,
                 event->slot, event->endpoint, event->code);
}

static bool names(const struct xhci_request *request, const struct xhci_event *event)
{
    if (!request->is_pending || event->is_event_data)
        return false;
    for (unsigned i = 0; i < request->trb_count; i++) {
        if (request->trbs[i] == event->address)
            return true;
    }
    return false;
}

static bool is_last_of(const struct xhci_request *request, const struct xhci_event *event)
{
    return event->address == request->trbs[request->trb_count - 1];
}

static void end_request(struct xhci_request *request, const struct xhci_event *event)
{
    request->code = event->code;
    request->slot = event->slot;
    request->is_pending = false;
}

static void on_command(struct xhci *xhci, const struct xhci_event *event)
{
    if (names(&xhci->command, event))
        end_request(&xhci->command, event);
    else
        stray(xhci, event, "a command");
}

// A data stage that is short is told before the status stage, which ends the transfer.
static void on_control(struct xhci *xhci, struct xhci_device *device,
                       const struct xhci_event *event)
{
    struct xhci_request *request = &device->control;

    if (!names(request, event)) {
        stray(xhci, event, "a control transfer");
        return;
    }
    if (!is_last_of(request, event) &&
        (event->code == XHCI_COMPLETION_SHORT_PACKET || event->code == XHCI_COMPLETION_SUCCESS)) {
        request->residue = event->residue;
        return;
    }
    end_request(request, event);
}

static void on_bulk(struct xhci *xhci, struct xhci_device *device, struct xhci_bulk *bulk,
                    const struct xhci_event *event)
{
    switch (xhci_bulk_take_event(bulk, event)) {
    case XHCI_BULK_STRAY:
        stray(xhci, event, "a bulk transfer");
        break;
    case XHCI_BULK_LATE:
        xhci->stray_event_count++;
        break;
    case XHCI_BULK_ENDED:
        usb_storage_on_transfer(xhci, device, bulk);
        break;
    }
}

static void on_transfer(struct xhci *xhci, const struct xhci_event *event)
{
    struct xhci_device *device = xhci_find_device(xhci, event->slot);

    if (device == NULL) {
        xhci->stray_event_count++; // the last words of one that was unplugged
    } else if (event->endpoint == DCI_CONTROL) {
        on_control(xhci, device, event);
    } else if (xhci_bulk_find(device, event->endpoint) != NULL) {
        on_bulk(xhci, device, xhci_bulk_find(device, event->endpoint), event);
    } else if (event->endpoint == device->interrupt_dci && names(&device->report, event)) {
        device->report.residue = event->residue;
        end_request(&device->report, event);
        usb_device_on_report(xhci, device);
    } else {
        stray(xhci, event, "a transfer");
    }
}

static void on_port(struct xhci *xhci, const struct xhci_event *event)
{
    if (event->port == 0 || event->port > xhci->port_count)
        stray(xhci, event, "a port");
    else
        xhci->ports[event->port].has_changed = true;
}

static void dispatch(struct xhci *xhci, const struct xhci_event *event)
{
    switch (event->kind) {
    case XHCI_EVENT_TRANSFER:
        on_transfer(xhci, event);
        break;
    case XHCI_EVENT_COMMAND:
        on_command(xhci, event);
        break;
    case XHCI_EVENT_PORT:
        on_port(xhci, event);
        break;
    case XHCI_EVENT_CONTROLLER:
        xhci_log(xhci, "the controller reports an error of its own: code %u", event->code);
        break;
    case XHCI_EVENT_OTHER:
        break;
    }
}

static unsigned take_events(struct xhci *xhci)
{
    struct xhci_trb trb;
    unsigned count = 0;

    while (count < EVENTS_AT_ONCE && xhci_event_ring_next(&xhci->events, &trb)) {
        const struct xhci_event event = xhci_event_decode(&trb);
        dispatch(xhci, &event);
        count++;
    }
    return count;
}

static mx_status_t check_state(struct xhci *xhci, uint32_t state)
{
    if (xhci->is_controller_failed)
        return MX_ERR_IO;
    if (state == UINT32_MAX) {
        xhci_log(xhci, "the controller has gone");
    } else if (state & (XHCI_USBSTS_HSE | XHCI_USBSTS_HCE | XHCI_USBSTS_HCH)) {
        xhci_log(xhci, "the controller has stopped with an error (status 0x%x)", state);
    } else {
        return MX_OK;
    }
    xhci->is_controller_failed = true;
    return MX_ERR_IO;
}

// The interrupt is acknowledged before events are looked for. When the new dequeue pointer is not
// where the controller is by then, it interrupts again (4.17.2 "Interrupter Mapping", 5.5.2.3.3
// "Event Ring Dequeue Pointer Register").
mx_status_t xhci_take_events(struct xhci *xhci)
{
    const uint32_t state = xhci_read(xhci, xhci->operational + XHCI_USBSTS);

    if (check_state(xhci, state) != MX_OK)
        return MX_ERR_IO;
    if (state & XHCI_USBSTS_EINT)
        xhci_write(xhci, xhci->operational + XHCI_USBSTS, XHCI_USBSTS_EINT);
    xhci_write(xhci, xhci->runtime + XHCI_IMAN, XHCI_IMAN_IP | XHCI_IMAN_IE);
    take_events(xhci);
    xhci_write64(xhci, xhci->runtime + XHCI_ERDP,
                 xhci_event_ring_position(&xhci->events) | XHCI_ERDP_EHB);
    return MX_OK;
}

// Once more behind the deadline: a host that let the driver wait is no reason to give up a
// controller that did its work.
mx_status_t xhci_await(struct xhci *xhci, struct xhci_request *request, mx_time_t timeout)
{
    const mx_time_t end = xhci_now(xhci) + timeout;

    for (;;) {
        const bool is_last = xhci_now(xhci) >= end;
        if (xhci_take_events(xhci) != MX_OK)
            return MX_ERR_IO;
        if (!request->is_pending)
            return MX_OK;
        if (is_last)
            return MX_ERR_TIMED_OUT;
        xhci->host.ops->wait(xhci->host.context, end);
    }
}

mx_status_t xhci_pause(struct xhci *xhci, mx_time_t duration)
{
    struct xhci_request nothing = {.is_pending = true};
    const mx_status_t status = xhci_await(xhci, &nothing, duration);

    return status == MX_ERR_TIMED_OUT ? MX_OK : status;
}

mx_status_t xhci_command(struct xhci *xhci, struct xhci_trb trb, uint8_t *code, uint8_t *slot)
{
    struct xhci_request *request = &xhci->command;
    const uint64_t address = xhci_ring_put(&xhci->commands, trb);
    mx_status_t status;

    *request = (struct xhci_request){.is_pending = true, .trb_count = 1, .trbs = {address}};
    xhci_ring_doorbell(xhci, 0, XHCI_DOORBELL_COMMAND);
    status = xhci_await(xhci, request, COMMAND_TIMEOUT);
    if (status == MX_ERR_TIMED_OUT) {
        xhci_log(xhci, "the controller does not carry out a command");
        xhci->is_controller_failed = true;
    }
    *code = request->code;
    if (slot != NULL)
        *slot = request->slot;
    return status;
}

mx_status_t xhci_command_checked(struct xhci *xhci, struct xhci_trb trb, const char *what)
{
    uint8_t code;
    const mx_status_t status = xhci_command(xhci, trb, &code, NULL);

    if (status != MX_OK || code == XHCI_COMPLETION_SUCCESS)
        return status;
    xhci_log(xhci, "cannot %s: %s (%u)", what, xhci_completion_name(code), code);
    return MX_ERR_IO;
}
