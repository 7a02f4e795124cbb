// Slots, contexts and transfers of devices; see xhci_device.h.
//
// xHCI 1.2, 4.3.3 "Device Slot Initialization", 4.6.8 "Reset Endpoint", 4.6.10 "Set
// TR Dequeue Pointer", 4.11.2.2 "Setup Stage, Data Stage, and Status Stage TRBs".

#include "user/drivers/usb/portable/xhci_device.h"

#include <string.h>

#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/xhci_context.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_events.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define CONTROL_TIMEOUT MX_SEC(5)

// Where the report lies in a device's data page.
#define REPORT_OFFSET XHCI_DEVICE_DATA_BYTES
_Static_assert(XHCI_DEVICE_DATA_BYTES + XHCI_REPORT_BYTES_MAX <= XHCI_PAGE_BYTES, "one page");

#define DCI_CONTROL           1
#define CONTROL_AVERAGE_BYTES 8

static void fill_control_endpoint(const struct xhci *xhci, const struct xhci_device *device)
{
    const struct xhci_endpoint endpoint = {.dci = DCI_CONTROL,
                                           .type = XHCI_ENDPOINT_CONTROL,
                                           .packet_bytes = device->packet_bytes0,
                                           .average_bytes = CONTROL_AVERAGE_BYTES,
                                           .ring = &device->control_ring};

    xhci_context_fill_endpoint(xhci, device, &endpoint);
}

// --- slots
// --------------------------------------------------------------------------------------------

struct xhci_device *xhci_find_device(struct xhci *xhci, uint8_t slot)
{
    if (slot == 0 || slot > XHCI_DEVICES_MAX || !xhci->devices[slot].is_used)
        return NULL;
    return &xhci->devices[slot];
}

static uint16_t assumed_packet_bytes0(uint8_t speed)
{
    if (speed >= XHCI_SPEED_SUPER)
        return 512;
    return speed == XHCI_SPEED_HIGH ? 64 : 8;
}

static struct xhci_trb slot_command(enum xhci_trb_type type, const struct xhci_device *device,
                                    uint64_t parameter)
{
    return (struct xhci_trb){parameter, 0, XHCI_TRB_TYPE(type) | XHCI_TRB_SLOT(device->slot)};
}

static mx_status_t enable_slot(struct xhci *xhci, uint8_t *slot)
{
    const struct xhci_trb trb = {.control = XHCI_TRB_TYPE(XHCI_TRB_ENABLE_SLOT)};
    uint8_t code;
    const mx_status_t status = xhci_command(xhci, trb, &code, slot);

    if (status != MX_OK)
        return status;
    if (code != XHCI_COMPLETION_SUCCESS) {
        xhci_log(xhci, "no room for another device: %s (%u)", xhci_completion_name(code), code);
        return MX_ERR_IO;
    }
    if (*slot == 0 || *slot > xhci->slot_count || xhci->devices[*slot].is_used) {
        xhci_log(xhci, "the controller gives out slot %u, which is not free", *slot);
        xhci->is_controller_failed = true;
        return MX_ERR_IO;
    }
    return MX_OK;
}

static void reset_ring(struct xhci_ring *ring, const struct xhci_ring *before)
{
    xhci_ring_init(ring, before->entries, before->address, before->count);
}

// What remains of a device that had the slot before is cleared; where its memory is stays.
static struct xhci_device *take_slot(struct xhci *xhci, uint8_t slot,
                                     const struct xhci_place *place)
{
    struct xhci_device *device = &xhci->devices[slot];
    const struct xhci_device before = *device;

    *device = (struct xhci_device){
        .is_used = true,
        .slot = slot,
        .speed = place->speed,
        .root_port = place->root_port,
        .hub_slot = place->hub_slot,
        .hub_port = place->hub_port,
        .packet_bytes0 = assumed_packet_bytes0(place->speed),
        .output = before.output,
        .input = before.input,
        .data = before.data,
        .output_address = before.output_address,
        .input_address = before.input_address,
        .data_address = before.data_address,
    };
    reset_ring(&device->control_ring, &before.control_ring);
    reset_ring(&device->interrupt_ring, &before.interrupt_ring);
    reset_ring(&device->bulk_in.ring, &before.bulk_in.ring);
    reset_ring(&device->bulk_out.ring, &before.bulk_out.ring);
    memset(device->output, 0, XHCI_PAGE_BYTES);
    memset(device->data, 0, XHCI_PAGE_BYTES);
    return device;
}

mx_status_t xhci_device_open(struct xhci *xhci, const struct xhci_place *place,
                             struct xhci_device **out)
{
    struct xhci_device *device;
    uint8_t slot;
    mx_status_t status = enable_slot(xhci, &slot);

    if (status != MX_OK)
        return status;
    device = take_slot(xhci, slot, place);
    xhci_context_begin(xhci, device, 0, XHCI_CONTEXT_SLOT | XHCI_CONTEXT_ENDPOINT(DCI_CONTROL));
    xhci_context_fill_slot(xhci, device, DCI_CONTROL);
    fill_control_endpoint(xhci, device);
    __atomic_store_n(&xhci->slots[slot], device->output_address, __ATOMIC_RELEASE);
    status = xhci_command_checked(
        xhci, slot_command(XHCI_TRB_ADDRESS_DEVICE, device, device->input_address),
        "give a device its address");
    if (status != MX_OK) {
        xhci_device_close(xhci, device);
        return status;
    }
    *out = device;
    return MX_OK;
}

void xhci_device_close(struct xhci *xhci, struct xhci_device *device)
{
    uint8_t code;

    device->is_used = false;
    if (xhci->is_controller_failed)
        return;
    if (xhci_command(xhci, slot_command(XHCI_TRB_DISABLE_SLOT, device, 0), &code, NULL) != MX_OK)
        return;
    if (code != XHCI_COMPLETION_SUCCESS && code != XHCI_COMPLETION_SLOT_NOT_ENABLED) {
        xhci_log(xhci, "the controller keeps slot %u: %s (%u)", device->slot,
                 xhci_completion_name(code), code);
        xhci->is_controller_failed = true;
        return;
    }
    xhci->slots[device->slot] = 0;
}

mx_status_t xhci_device_set_packet_bytes0(struct xhci *xhci, struct xhci_device *device,
                                          uint16_t packet_bytes)
{
    if (device->packet_bytes0 == packet_bytes)
        return MX_OK;
    device->packet_bytes0 = packet_bytes;
    xhci_context_begin(xhci, device, 0, XHCI_CONTEXT_ENDPOINT(DCI_CONTROL));
    fill_control_endpoint(xhci, device);
    return xhci_command_checked(
        xhci, slot_command(XHCI_TRB_EVALUATE_CONTEXT, device, device->input_address),
        "change a device's packet size");
}

mx_status_t xhci_device_configure(struct xhci *xhci, struct xhci_device *device,
                                  const struct xhci_interrupt_endpoint *endpoint)
{
    const uint8_t dci = (uint8_t)(2 * (endpoint->address & USB_ENDPOINT_NUMBER_MASK) + 1);
    const struct xhci_endpoint in = {.dci = dci,
                                     .type = XHCI_ENDPOINT_INTERRUPT_IN,
                                     .packet_bytes = endpoint->packet_bytes,
                                     .average_bytes = endpoint->packet_bytes,
                                     .interval_bytes = endpoint->packet_bytes,
                                     .interval = endpoint->interval,
                                     .ring = &device->interrupt_ring};

    xhci_context_begin(xhci, device, 0, XHCI_CONTEXT_SLOT | XHCI_CONTEXT_ENDPOINT(dci));
    xhci_context_fill_slot(xhci, device, dci);
    xhci_context_fill_endpoint(xhci, device, &in);
    device->interrupt_dci = dci;
    device->interrupt_address = endpoint->address;
    device->report_bytes = endpoint->packet_bytes;
    return xhci_device_send_context(xhci, device);
}

mx_status_t xhci_device_send_context(struct xhci *xhci, struct xhci_device *device)
{
    return xhci_command_checked(
        xhci, slot_command(XHCI_TRB_CONFIGURE_ENDPOINT, device, device->input_address),
        "configure a device");
}

// --- endpoints that have halted
// -----------------------------------------------------------------------

static struct xhci_trb endpoint_command(enum xhci_trb_type type, const struct xhci_device *device,
                                        uint32_t dci, uint64_t parameter)
{
    struct xhci_trb trb = slot_command(type, device, parameter);

    trb.control |= XHCI_TRB_ENDPOINT(dci);
    return trb;
}

// One that has not halted, as after a report that is too short, refuses both commands (4.6.8,
// 4.6.10) and goes on by itself.
mx_status_t xhci_device_restart_endpoint(struct xhci *xhci, struct xhci_device *device,
                                         uint32_t dci, const struct xhci_ring *ring)
{
    uint8_t code;
    const mx_status_t status =
        xhci_command(xhci, endpoint_command(XHCI_TRB_RESET_ENDPOINT, device, dci, 0), &code, NULL);

    if (status != MX_OK || code == XHCI_COMPLETION_CONTEXT_STATE_ERROR)
        return status;
    return xhci_command_checked(
        xhci, endpoint_command(XHCI_TRB_SET_TR_DEQUEUE, device, dci, xhci_ring_position(ring)),
        "restart an endpoint");
}

mx_status_t xhci_device_stop_endpoint(struct xhci *xhci, struct xhci_device *device, uint32_t dci)
{
    uint8_t code;

    return xhci_command(xhci, endpoint_command(XHCI_TRB_STOP_ENDPOINT, device, dci, 0), &code,
                        NULL);
}

mx_status_t xhci_device_recover(struct xhci *xhci, struct xhci_device *device)
{
    const bool is_stalled = device->report.code == XHCI_COMPLETION_STALL;
    const mx_status_t status =
        xhci_device_restart_endpoint(xhci, device, device->interrupt_dci, &device->interrupt_ring);

    if (status != MX_OK || !is_stalled)
        return status;
    return xhci_device_request(xhci, device, USB_TYPE_ENDPOINT, USB_REQUEST_CLEAR_FEATURE,
                               USB_FEATURE_ENDPOINT_HALT, device->interrupt_address);
}

// --- control transfers
// --------------------------------------------------------------------------------

static struct xhci_trb setup_stage(const struct usb_setup *setup)
{
    struct xhci_trb trb = {.status = sizeof(*setup),
                           .control =
                               XHCI_TRB_TYPE(XHCI_TRB_SETUP_STAGE) | XHCI_TRB_IMMEDIATE_DATA};

    memcpy(&trb.parameter, setup, sizeof(*setup));
    if (setup->length == 0)
        trb.control |= XHCI_TRB_SETUP_NO_DATA;
    else
        trb.control |= setup->type & USB_TYPE_IN ? XHCI_TRB_SETUP_DATA_IN : XHCI_TRB_SETUP_DATA_OUT;
    return trb;
}

static struct xhci_trb data_stage(const struct xhci_device *device, const struct usb_setup *setup)
{
    return (struct xhci_trb){.parameter = device->data_address,
                             .status = setup->length,
                             .control = XHCI_TRB_TYPE(XHCI_TRB_DATA_STAGE) |
                                        XHCI_TRB_INTERRUPT_ON_SHORT |
                                        (setup->type & USB_TYPE_IN ? XHCI_TRB_DIRECTION_IN : 0)};
}

// Its direction is against that of the data, or in.
static struct xhci_trb status_stage(const struct usb_setup *setup)
{
    const bool is_data_in = setup->length > 0 && setup->type & USB_TYPE_IN;

    return (struct xhci_trb){.control = XHCI_TRB_TYPE(XHCI_TRB_STATUS_STAGE) |
                                        XHCI_TRB_INTERRUPT_ON_COMPLETION |
                                        (is_data_in ? 0 : XHCI_TRB_DIRECTION_IN)};
}

static mx_status_t put_control(struct xhci *xhci, struct xhci_device *device,
                               const struct usb_setup *setup)
{
    struct xhci_request *request = &device->control;

    *request = (struct xhci_request){.is_pending = true};
    request->trbs[request->trb_count++] = xhci_ring_put(&device->control_ring, setup_stage(setup));
    if (setup->length > 0)
        request->trbs[request->trb_count++] =
            xhci_ring_put(&device->control_ring, data_stage(device, setup));
    request->trbs[request->trb_count++] = xhci_ring_put(&device->control_ring, status_stage(setup));
    xhci_ring_doorbell(xhci, device->slot, DCI_CONTROL);
    const mx_status_t status = xhci_await(xhci, request, CONTROL_TIMEOUT);
    device->is_broken = status == MX_ERR_TIMED_OUT;
    return status;
}

static mx_status_t judge_control(struct xhci *xhci, struct xhci_device *device)
{
    const uint8_t code = device->control.code;
    mx_status_t status;

    if (code == XHCI_COMPLETION_SUCCESS || code == XHCI_COMPLETION_SHORT_PACKET)
        return MX_OK;
    status = xhci_device_restart_endpoint(xhci, device, DCI_CONTROL, &device->control_ring);
    if (status != MX_OK)
        return status;
    return code == XHCI_COMPLETION_STALL ? MX_ERR_UNAVAILABLE : MX_ERR_IO;
}

mx_status_t xhci_device_control(struct xhci *xhci, struct xhci_device *device,
                                const struct usb_setup *setup, void *data, size_t *actual)
{
    const bool is_in = (setup->type & USB_TYPE_IN) != 0;
    mx_status_t status;

    if (setup->length > XHCI_DEVICE_DATA_BYTES)
        return MX_ERR_OUT_OF_RANGE;
    if (device->is_broken)
        return MX_ERR_TIMED_OUT;
    if (!is_in && setup->length > 0)
        memcpy(device->data, data, setup->length);
    status = put_control(xhci, device, setup);
    if (status == MX_OK)
        status = judge_control(xhci, device);
    if (status != MX_OK)
        return status;
    if (device->control.residue > setup->length)
        return MX_ERR_IO;
    const size_t size_bytes = setup->length - device->control.residue;
    if (is_in && size_bytes > 0)
        memcpy(data, device->data, size_bytes);
    if (actual != NULL)
        *actual = size_bytes;
    return MX_OK;
}

mx_status_t xhci_device_request(struct xhci *xhci, struct xhci_device *device, uint8_t type,
                                uint8_t request, uint16_t value, uint16_t index)
{
    const struct usb_setup setup = {type, request, value, index, 0};

    return xhci_device_control(xhci, device, &setup, NULL, NULL);
}

// --- reports
// ------------------------------------------------------------------------------------------

void xhci_device_ask_report(struct xhci *xhci, struct xhci_device *device)
{
    const uint64_t address = xhci_ring_put(
        &device->interrupt_ring,
        (struct xhci_trb){.parameter = device->data_address + REPORT_OFFSET,
                          .status = device->report_bytes,
                          .control = XHCI_TRB_TYPE(XHCI_TRB_NORMAL) | XHCI_TRB_INTERRUPT_ON_SHORT |
                                     XHCI_TRB_INTERRUPT_ON_COMPLETION});

    device->report = (struct xhci_request){.is_pending = true, .trb_count = 1, .trbs = {address}};
    xhci_ring_doorbell(xhci, device->slot, device->interrupt_dci);
}

mx_status_t xhci_device_report(const struct xhci_device *device, uint8_t *report,
                               size_t *size_bytes)
{
    const struct xhci_request *request = &device->report;

    if ((request->code != XHCI_COMPLETION_SUCCESS &&
         request->code != XHCI_COMPLETION_SHORT_PACKET) ||
        request->residue > device->report_bytes)
        return MX_ERR_IO;
    *size_bytes = device->report_bytes - request->residue;
    memcpy(report, device->data + REPORT_OFFSET, *size_bytes);
    return MX_OK;
}
