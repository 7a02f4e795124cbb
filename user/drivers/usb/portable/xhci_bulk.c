// Bulk endpoints; see xhci_bulk.h.
//
// xHCI 1.2, 4.6.6 "Configure Endpoint", 4.8.3 "Endpoint Context State", 4.10.1.1 "Short Transfers",
// 4.11.2.4 "TD Size", 6.4.1.1 "Normal TRB".

#include "user/drivers/usb/portable/xhci_bulk.h"

#include "user/drivers/usb/portable/xhci_context.h"
#include "user/drivers/usb/portable/xhci_events.h"

#define AVERAGE_BYTES 3072 // as 4.14.1.1 proposes

// --- endpoints
// ----------------------------------------------------------------------------------------

static void init(struct xhci_bulk *bulk, const struct usb_endpoint *endpoint)
{
    const bool is_in = (endpoint->address & USB_ENDPOINT_IN) != 0;

    bulk->dci = (uint8_t)(2 * (endpoint->address & USB_ENDPOINT_NUMBER_MASK) + is_in);
    bulk->address = endpoint->address;
    bulk->packet_bytes = endpoint->max_packet_bytes;
}

static void fill(const struct xhci *xhci, const struct xhci_device *device,
                 const struct xhci_bulk *bulk, enum xhci_endpoint_type type)
{
    const struct xhci_endpoint endpoint = {.dci = bulk->dci,
                                           .type = type,
                                           .packet_bytes = bulk->packet_bytes,
                                           .average_bytes = AVERAGE_BYTES,
                                           .ring = &bulk->ring};

    xhci_context_fill_endpoint(xhci, device, &endpoint);
}

static mx_status_t configure(struct xhci *xhci, struct xhci_device *device, bool is_again)
{
    const struct xhci_bulk *in = &device->bulk_in, *out = &device->bulk_out;
    const uint32_t both = XHCI_CONTEXT_ENDPOINT(in->dci) | XHCI_CONTEXT_ENDPOINT(out->dci);

    xhci_context_begin(xhci, device, is_again ? both : 0, XHCI_CONTEXT_SLOT | both);
    xhci_context_fill_slot(xhci, device, in->dci > out->dci ? in->dci : out->dci);
    fill(xhci, device, in, XHCI_ENDPOINT_BULK_IN);
    fill(xhci, device, out, XHCI_ENDPOINT_BULK_OUT);
    return xhci_device_send_context(xhci, device);
}

mx_status_t xhci_bulk_open(struct xhci *xhci, struct xhci_device *device,
                           const struct usb_endpoint *in, const struct usb_endpoint *out)
{
    init(&device->bulk_in, in);
    init(&device->bulk_out, out);
    return configure(xhci, device, false);
}

mx_status_t xhci_bulk_reset(struct xhci *xhci, struct xhci_device *device)
{
    mx_status_t status = xhci_device_stop_endpoint(xhci, device, device->bulk_in.dci);

    if (status == MX_OK)
        status = xhci_device_stop_endpoint(xhci, device, device->bulk_out.dci);
    return status == MX_OK ? configure(xhci, device, true) : status;
}

mx_status_t xhci_bulk_clear_halt(struct xhci *xhci, struct xhci_device *device,
                                 struct xhci_bulk *bulk)
{
    const mx_status_t status = xhci_device_restart_endpoint(xhci, device, bulk->dci, &bulk->ring);

    if (status != MX_OK)
        return status;
    return xhci_device_request(xhci, device, USB_TYPE_ENDPOINT, USB_REQUEST_CLEAR_FEATURE,
                               USB_FEATURE_ENDPOINT_HALT, bulk->address);
}

struct xhci_bulk *xhci_bulk_find(struct xhci_device *device, uint8_t dci)
{
    if (dci != 0 && device->bulk_in.dci == dci)
        return &device->bulk_in;
    return dci != 0 && device->bulk_out.dci == dci ? &device->bulk_out : NULL;
}

// --- transfers
// ----------------------------------------------------------------------------------------

// The part of the runs, from `offset` of run `index` on, that one TRB can have.
static uint32_t piece_bytes(const struct xhci_run *run, uint32_t offset)
{
    const uint32_t left = run->size_bytes - offset;
    const uint32_t room =
        XHCI_TRB_BOUNDARY - (uint32_t)((run->address + offset) % XHCI_TRB_BOUNDARY);

    return left < room ? left : room;
}

bool xhci_bulk_fits(const struct xhci_run *runs, uint32_t run_count)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t offset = 0; offset < runs[i].size_bytes && count <= XHCI_BULK_TRBS_MAX;
             count++)
            offset += piece_bytes(&runs[i], offset);
    }
    return count <= XHCI_BULK_TRBS_MAX;
}

// Fills bulk->ends.
static void split(struct xhci_bulk *bulk, const struct xhci_run *runs, uint32_t run_count)
{
    uint32_t end = 0;

    bulk->trb_count = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t offset = 0, part; offset < runs[i].size_bytes; offset += part) {
            part = piece_bytes(&runs[i], offset);
            end += part;
            bulk->ends[bulk->trb_count++] = end;
        }
    }
}

static uint32_t start_of(const struct xhci_bulk *bulk, uint32_t index)
{
    return index == 0 ? 0 : bulk->ends[index - 1];
}

// How many packets of the transfer come after this TRB, in the TRB's own words.
static uint32_t packets_left(const struct xhci_bulk *bulk, uint32_t index)
{
    const uint32_t packet = bulk->packet_bytes;
    const uint32_t all = (bulk->ends[bulk->trb_count - 1] + packet - 1) / packet;
    const uint32_t left = all - bulk->ends[index] / packet;

    if (index + 1 == bulk->trb_count)
        return 0;
    return left < XHCI_TRB_PACKETS_LEFT_MAX ? left : XHCI_TRB_PACKETS_LEFT_MAX;
}

static void put(struct xhci_bulk *bulk, uint32_t index, uint64_t address)
{
    const bool is_last = index + 1 == bulk->trb_count;
    const uint64_t at = xhci_ring_put(
        &bulk->ring, (struct xhci_trb){
                         .parameter = address,
                         .status = (bulk->ends[index] - start_of(bulk, index)) |
                                   packets_left(bulk, index) << XHCI_TRB_PACKETS_LEFT_SHIFT,
                         .control = XHCI_TRB_TYPE(XHCI_TRB_NORMAL) | XHCI_TRB_INTERRUPT_ON_SHORT |
                                    (is_last ? XHCI_TRB_INTERRUPT_ON_COMPLETION : XHCI_TRB_CHAIN)});

    if (index == 0)
        bulk->first = at;
}

mx_status_t xhci_bulk_start(struct xhci *xhci, struct xhci_device *device, struct xhci_bulk *bulk,
                            const struct xhci_run *runs, uint32_t run_count)
{
    uint32_t index = 0;

    if (!xhci_bulk_fits(runs, run_count))
        return MX_ERR_OUT_OF_RANGE;
    split(bulk, runs, run_count);
    if (bulk->trb_count == 0)
        return MX_ERR_OUT_OF_RANGE;
    xhci_ring_make_room(&bulk->ring, bulk->trb_count);
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t offset = 0; offset < runs[i].size_bytes; index++) {
            put(bulk, index, runs[i].address + offset);
            offset += bulk->ends[index] - start_of(bulk, index);
        }
    }
    bulk->is_pending = true;
    xhci_ring_doorbell(xhci, device->slot, bulk->dci);
    return MX_OK;
}

enum xhci_bulk_event xhci_bulk_take_event(struct xhci_bulk *bulk, const struct xhci_event *event)
{
    const uint64_t distance = event->address - bulk->first;
    const uint32_t index = (uint32_t)(distance / sizeof(struct xhci_trb));

    if (event->is_event_data || distance % sizeof(struct xhci_trb) != 0 ||
        distance / sizeof(struct xhci_trb) >= bulk->trb_count)
        return XHCI_BULK_STRAY;
    if (!bulk->is_pending)
        return XHCI_BULK_LATE;
    const uint32_t size_bytes = bulk->ends[index] - start_of(bulk, index);
    bulk->is_pending = false;
    bulk->code = event->code;
    // Only the last one is told of when it succeeds, and none has more left than it had.
    if (event->residue > size_bytes ||
        (event->code == XHCI_COMPLETION_SUCCESS && index + 1 != bulk->trb_count))
        bulk->code = XHCI_COMPLETION_INVALID;
    else
        bulk->moved_bytes = bulk->ends[index] - event->residue;
    return XHCI_BULK_ENDED;
}
