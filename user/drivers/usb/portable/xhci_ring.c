// Command, transfer and event rings; see xhci_ring.h.

#include "user/drivers/usb/portable/xhci_ring.h"

#include <string.h>

#define EVENT_DATA (UINT32_C(1) << 2)

// The cycle bit hands an entry over, so it is written after the rest; pairs with the controller's
// read of it.
static void hand_over(struct xhci_trb *entry, uint64_t parameter, uint32_t status, uint32_t control)
{
    entry->parameter = parameter;
    entry->status = status;
    __atomic_store_n(&entry->control, control, __ATOMIC_RELEASE);
}

void xhci_ring_init(struct xhci_ring *ring, struct xhci_trb *entries, uint64_t address,
                    uint32_t count)
{
    memset(entries, 0, count * sizeof(*entries));
    *ring = (struct xhci_ring){
        .entries = entries, .address = address, .count = count, .cycle = XHCI_TRB_CYCLE};
}

static void hand_over_link(struct xhci_ring *ring, uint32_t index)
{
    hand_over(&ring->entries[index], ring->address, 0,
              XHCI_TRB_TYPE(XHCI_TRB_LINK) | XHCI_TRB_TOGGLE_CYCLE | ring->cycle);
    ring->next = 0;
    ring->cycle ^= XHCI_TRB_CYCLE;
}

uint64_t xhci_ring_put(struct xhci_ring *ring, struct xhci_trb trb)
{
    const uint32_t index = ring->next++;

    hand_over(&ring->entries[index], trb.parameter, trb.status, trb.control | ring->cycle);
    if (ring->next == ring->count - 1)
        hand_over_link(ring, ring->next);
    return ring->address + index * sizeof(struct xhci_trb);
}

// What is passed over gets this round's cycle bit, so that in the next round none of it is taken
// for handed over.
void xhci_ring_make_room(struct xhci_ring *ring, uint32_t count)
{
    if (count <= ring->count - 1 - ring->next)
        return;
    for (uint32_t i = ring->next + 1; i < ring->count; i++)
        hand_over(&ring->entries[i], 0, 0, ring->cycle);
    hand_over_link(ring, ring->next);
}

uint64_t xhci_ring_position(const struct xhci_ring *ring)
{
    return (ring->address + ring->next * sizeof(struct xhci_trb)) | ring->cycle;
}

void xhci_event_ring_init(struct xhci_event_ring *ring, struct xhci_trb *entries, uint64_t address,
                          uint32_t count)
{
    memset(entries, 0, count * sizeof(*entries));
    *ring = (struct xhci_event_ring){
        .entries = entries, .address = address, .count = count, .cycle = XHCI_TRB_CYCLE};
}

bool xhci_event_ring_next(struct xhci_event_ring *ring, struct xhci_trb *event)
{
    const struct xhci_trb *entry = &ring->entries[ring->next];

    // Pairs with the controller's write of the cycle bit, which it writes last.
    event->control = __atomic_load_n(&entry->control, __ATOMIC_ACQUIRE);
    if ((event->control & XHCI_TRB_CYCLE) != ring->cycle)
        return false;
    event->parameter = __atomic_load_n(&entry->parameter, __ATOMIC_RELAXED);
    event->status = __atomic_load_n(&entry->status, __ATOMIC_RELAXED);
    if (++ring->next == ring->count) {
        ring->next = 0;
        ring->cycle ^= XHCI_TRB_CYCLE;
    }
    return true;
}

uint64_t xhci_event_ring_position(const struct xhci_event_ring *ring)
{
    return ring->address + ring->next * sizeof(struct xhci_trb);
}

static enum xhci_event_kind kind_of(uint32_t control)
{
    switch (control >> XHCI_TRB_TYPE_SHIFT & XHCI_TRB_TYPE_MASK) {
    case XHCI_TRB_TRANSFER_EVENT:
        return XHCI_EVENT_TRANSFER;
    case XHCI_TRB_COMMAND_COMPLETION_EVENT:
        return XHCI_EVENT_COMMAND;
    case XHCI_TRB_PORT_STATUS_CHANGE_EVENT:
        return XHCI_EVENT_PORT;
    case XHCI_TRB_HOST_CONTROLLER_EVENT:
        return XHCI_EVENT_CONTROLLER;
    default:
        return XHCI_EVENT_OTHER;
    }
}

struct xhci_event xhci_event_decode(const struct xhci_trb *trb)
{
    return (struct xhci_event){
        .kind = kind_of(trb->control),
        .address = trb->parameter,
        .residue = trb->status & XHCI_EVENT_RESIDUE_MASK,
        .code = (uint8_t)(trb->status >> XHCI_EVENT_CODE_SHIFT),
        .slot = (uint8_t)(trb->control >> XHCI_TRB_SLOT_SHIFT),
        .endpoint = trb->control >> XHCI_TRB_ENDPOINT_SHIFT & XHCI_TRB_ENDPOINT_MASK,
        .port = (uint8_t)(trb->parameter >> XHCI_EVENT_PORT_SHIFT),
        .is_event_data = (trb->control & EVENT_DATA) != 0,
    };
}

const char *xhci_completion_name(uint32_t code)
{
    switch (code) {
    case XHCI_COMPLETION_SUCCESS:
        return "success";
    case XHCI_COMPLETION_DATA_BUFFER_ERROR:
        return "data buffer error";
    case XHCI_COMPLETION_BABBLE:
        return "babble";
    case XHCI_COMPLETION_TRANSACTION_ERROR:
        return "transaction error";
    case XHCI_COMPLETION_TRB_ERROR:
        return "TRB error";
    case XHCI_COMPLETION_STALL:
        return "stall";
    case XHCI_COMPLETION_RESOURCE_ERROR:
        return "no resources";
    case XHCI_COMPLETION_BANDWIDTH_ERROR:
        return "no bandwidth";
    case XHCI_COMPLETION_NO_SLOTS:
        return "no slots";
    case XHCI_COMPLETION_SLOT_NOT_ENABLED:
        return "slot not enabled";
    case XHCI_COMPLETION_ENDPOINT_NOT_ENABLED:
        return "endpoint not enabled";
    case XHCI_COMPLETION_SHORT_PACKET:
        return "short packet";
    case XHCI_COMPLETION_PARAMETER_ERROR:
        return "parameter error";
    case XHCI_COMPLETION_CONTEXT_STATE_ERROR:
        return "context state error";
    case XHCI_COMPLETION_SPLIT_TRANSACTION:
        return "split transaction error";
    default:
        return "unknown error";
    }
}
