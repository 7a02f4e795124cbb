// The rings that driver and controller share: command and transfer rings, which the driver fills,
// and the event ring, which it empties.
//
// A ring that the driver fills is one segment that ends in a link back to its start. Who owns an
// entry is its cycle bit against the ring's, which changes with each round. The memory can be
// written by the controller at any time: nothing is read back from a ring that the driver fills,
// and an event is copied once and then judged.
//
// xHCI 1.2, 4.9 "TRB Ring", 4.9.2 "Transfer Ring Management", 4.9.3 "Command Ring
// Management", 4.9.4 "Event Ring Management", 6.4.2 "Event TRBs", 6.4.4.1 "Link TRB".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "user/drivers/usb/portable/xhci_trb.h"

// Memory that the driver sees at `entries` and the controller at `address`.
struct xhci_ring {
    struct xhci_trb *entries;
    uint64_t address;
    uint32_t count; // with the link
    uint32_t next;  // the entry that is filled next; never the link
    uint32_t cycle; // of what is filled now
};

// An empty ring of `count` entries, at least 2, in memory that is aligned to 64 bytes. All of it is
// written.
void xhci_ring_init(struct xhci_ring *ring, struct xhci_trb *entries, uint64_t address,
                    uint32_t count);

// Fills the next entry and hands it over; `trb.control` without a cycle bit. Returns its address,
// by which events name it. The caller never has more than count - 1 entries under way.
uint64_t xhci_ring_put(struct xhci_ring *ring, struct xhci_trb trb);

// Has the next `count` entries, fewer than the ring's, follow one another, so that no link is among
// them: what is left of the ring is passed over if it has to be (a transfer may be broken by a link
// in few places only, 4.11.7.1 "TD Fragments"). Nothing may be under way.
void xhci_ring_make_room(struct xhci_ring *ring, uint32_t count);

// Where the next entry will be, with the cycle bit in bit 0, as the controller wants it in contexts
// and commands.
uint64_t xhci_ring_position(const struct xhci_ring *ring);

struct xhci_event_ring {
    const struct xhci_trb *entries;
    uint64_t address;
    uint32_t count;
    uint32_t next;
    uint32_t cycle;
};

// An empty event ring; its memory is zero.
void xhci_event_ring_init(struct xhci_event_ring *ring, struct xhci_trb *entries, uint64_t address,
                          uint32_t count);

// Takes the oldest event. False: there is none.
bool xhci_event_ring_next(struct xhci_event_ring *ring, struct xhci_trb *event);

// The address of the entry that is read next, for the controller's dequeue pointer.
uint64_t xhci_event_ring_position(const struct xhci_event_ring *ring);

enum xhci_event_kind {
    XHCI_EVENT_OTHER, // nothing that the driver waits for
    XHCI_EVENT_TRANSFER,
    XHCI_EVENT_COMMAND,
    XHCI_EVENT_PORT,
    XHCI_EVENT_CONTROLLER,
};

// An event as it says it is. Whether anybody waits for it is for the caller to find out.
struct xhci_event {
    enum xhci_event_kind kind;
    uint64_t address;   // of the command or transfer TRB
    uint32_t residue;   // transfer: bytes that were not transferred
    uint8_t code;       // enum xhci_completion, or another number
    uint8_t slot;       // transfer, command
    uint8_t endpoint;   // transfer: device context index
    uint8_t port;       // port: from 1
    bool is_event_data; // transfer: `address` is not one
};

struct xhci_event xhci_event_decode(const struct xhci_trb *trb);
