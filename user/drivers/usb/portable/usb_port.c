// Ports of the controller and of hubs; see usb_port.h.
//
// xHCI 1.2, 4.19 "Root Hub", 5.4.8 "Port Status and Control Register"; USB 2.0, 7.1.7.3 "Connect
// and Disconnect Signaling" (debounce interval, reset recovery time), 11.24.2.7 "Get Port Status".

#include "user/drivers/usb/portable/usb_port.h"

#include "user/drivers/usb/portable/usb_device.h"
#include "user/drivers/usb/portable/usb_hub.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_events.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define DEBOUNCE_TIME   MX_MSEC(100)
#define RESET_STEP      MX_MSEC(10)
#define RESET_STEPS     100
#define RECOVERY_TIME   MX_MSEC(10)
#define ATTACH_ATTEMPTS 3

// The two kinds of ports.
struct port_ops {
    // Reads the state, and clears what it says has changed.
    mx_status_t (*take_state)(struct xhci *xhci, uint8_t hub_slot, uint8_t number,
                              struct usb_port_state *state);
    mx_status_t (*start_reset)(struct xhci *xhci, uint8_t hub_slot, uint8_t number);
};

static mx_status_t take_root_state(struct xhci *xhci, uint8_t hub_slot, uint8_t number,
                                   struct usb_port_state *state)
{
    const uint32_t offset = xhci->operational + XHCI_PORTSC(number);
    const uint32_t value = xhci_read(xhci, offset);

    (void)hub_slot;
    if (value == UINT32_MAX)
        return MX_ERR_IO;
    if (value & XHCI_PORTSC_CHANGES)
        xhci_write(xhci, offset, value & (XHCI_PORTSC_KEPT | XHCI_PORTSC_CHANGES));
    *state = (struct usb_port_state){
        .is_connected = (value & XHCI_PORTSC_CCS) != 0,
        .has_connection_changed = (value & XHCI_PORTSC_CSC) != 0,
        .is_enabled = (value & XHCI_PORTSC_PED) != 0,
        .is_resetting = (value & XHCI_PORTSC_PR) != 0,
        .speed = XHCI_PORTSC_SPEED(value),
    };
    return MX_OK;
}

static mx_status_t start_root_reset(struct xhci *xhci, uint8_t hub_slot, uint8_t number)
{
    const uint32_t offset = xhci->operational + XHCI_PORTSC(number);

    (void)hub_slot;
    xhci_write(xhci, offset, (xhci_read(xhci, offset) & XHCI_PORTSC_KEPT) | XHCI_PORTSC_PR);
    return MX_OK;
}

static const struct port_ops root_port_ops = {take_root_state, start_root_reset};
static const struct port_ops hub_port_ops = {usb_hub_take_port_state, usb_hub_start_port_reset};

static const struct port_ops *ops_of(uint8_t hub_slot)
{
    return hub_slot == 0 ? &root_port_ops : &hub_port_ops;
}

static struct xhci_port *find_port(struct xhci *xhci, uint8_t hub_slot, uint8_t number)
{
    struct xhci_device *hub = xhci_find_device(xhci, hub_slot);

    return hub == NULL ? &xhci->ports[number] : &hub->hub.ports[number];
}

static uint8_t number_of(const struct xhci_device *device)
{
    return device->hub_slot == 0 ? device->root_port : device->hub_port;
}

struct xhci_port *usb_port_of(struct xhci *xhci, const struct xhci_device *device)
{
    return find_port(xhci, device->hub_slot, number_of(device));
}

bool usb_port_is_connected(struct xhci *xhci, const struct xhci_device *device)
{
    struct usb_port_state state;

    if (ops_of(device->hub_slot)->take_state(xhci, device->hub_slot, number_of(device), &state) !=
        MX_OK)
        return false;
    return state.is_connected && !state.has_connection_changed;
}

static struct xhci_place place_of(struct xhci *xhci, uint8_t hub_slot, uint8_t number,
                                  uint8_t speed)
{
    const struct xhci_device *hub = xhci_find_device(xhci, hub_slot);

    if (hub == NULL)
        return (struct xhci_place){.root_port = number, .speed = speed};
    return (struct xhci_place){hub->root_port, hub_slot, number, speed};
}

// A device of SuperSpeed is enabled without a reset, and keeps its address then as if it had one.
static mx_status_t reset_port(struct xhci *xhci, uint8_t hub_slot, uint8_t number,
                              struct usb_port_state *state, bool is_forced)
{
    const struct port_ops *ops = ops_of(hub_slot);
    mx_status_t status = MX_OK;

    if (state->is_enabled && !is_forced)
        return MX_OK;
    status = ops->start_reset(xhci, hub_slot, number);
    for (unsigned i = 0; status == MX_OK && i < RESET_STEPS; i++) {
        status = xhci_pause(xhci, RESET_STEP);
        if (status == MX_OK)
            status = ops->take_state(xhci, hub_slot, number, state);
        if (status == MX_OK &&
            (!state->is_connected || (state->is_enabled && !state->is_resetting)))
            return state->is_connected ? xhci_pause(xhci, RECOVERY_TIME) : MX_ERR_NOT_FOUND;
    }
    return status == MX_OK ? MX_ERR_TIMED_OUT : status;
}

// NOT_FOUND: it has gone again.
static mx_status_t attach(struct xhci *xhci, uint8_t hub_slot, uint8_t number, bool is_again,
                          uint8_t *slot)
{
    struct usb_port_state state;
    mx_status_t status = ops_of(hub_slot)->take_state(xhci, hub_slot, number, &state);

    if (status == MX_OK && !state.is_connected)
        status = MX_ERR_NOT_FOUND;
    if (status == MX_OK)
        status = reset_port(xhci, hub_slot, number, &state, is_again);
    if (status != MX_OK)
        return status;
    const struct xhci_place place = place_of(xhci, hub_slot, number, state.speed);
    return usb_device_attach(xhci, &place, slot);
}

static void connect(struct xhci *xhci, uint8_t hub_slot, uint8_t number)
{
    const struct xhci_place place = place_of(xhci, hub_slot, number, 0);
    char name[USB_PLACE_NAME_BYTES];
    uint8_t slot = 0;
    mx_status_t status = xhci_pause(xhci, DEBOUNCE_TIME);

    for (unsigned i = 0; status == MX_OK && slot == 0 && i < ATTACH_ATTEMPTS; i++) {
        status = attach(xhci, hub_slot, number, i > 0, &slot);
        // Another reset may help against anything but a device that is understood and not wanted,
        // or gone.
        if (status != MX_OK && status != MX_ERR_NOT_SUPPORTED && status != MX_ERR_NOT_FOUND &&
            !xhci->is_controller_failed && i + 1 < ATTACH_ATTEMPTS)
            status = MX_OK;
    }
    struct xhci_port *port = find_port(xhci, hub_slot, number);
    port->slot = slot;
    port->is_refused = slot == 0 && status != MX_ERR_NOT_FOUND;
    if (slot != 0 || status == MX_ERR_NOT_FOUND || status == MX_ERR_NOT_SUPPORTED)
        return;
    usb_place_name(&place, name);
    xhci_log(xhci, "%s: the device there does not answer as it must; not used", name);
}

void usb_port_service(struct xhci *xhci, uint8_t hub_slot, uint8_t number)
{
    struct xhci_port *port = find_port(xhci, hub_slot, number);
    struct usb_port_state state;

    port->has_changed = false;
    if (ops_of(hub_slot)->take_state(xhci, hub_slot, number, &state) != MX_OK)
        return;
    if (!state.is_connected || state.has_connection_changed) {
        usb_device_detach(xhci, port->slot);
        port->slot = 0;
        port->is_refused = false;
    }
    if (state.is_connected && port->slot == 0 && !port->is_refused)
        connect(xhci, hub_slot, number);
}
