// An xHCI controller of a few hundred lines, with devices on its ports that answer as a test wants,
// and the driver's host.
//
// It carries out what is asked of it at once, when the doorbell is rung. Time only passes while the
// driver waits.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/stick_fixture.h"
#include "user/drivers/usb/portable/usb_descriptors.h"
#include "user/drivers/usb/portable/xhci.h"
#include "user/drivers/usb/portable/xhci_device.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define FAKE_PORTS          4
#define FAKE_HUB_PORTS      3 // what is on port n of the hub is device FAKE_PORTS + n
#define FAKE_DEVICES        (FAKE_PORTS + FAKE_HUB_PORTS + 1)
#define FAKE_SLOTS          8
#define FAKE_SCRATCHPADS    3
#define FAKE_BAR_BYTES      0x4000u
#define FAKE_OPERATIONAL    0x40u
#define FAKE_RUNTIME        0x1000u
#define FAKE_DOORBELLS      0x2000u
#define FAKE_EXTENDED       0x3000u
#define FAKE_MEMORY_BYTES   (896u * 1024) // the driver's, and behind it that of requests
#define FAKE_BUFFER         (512u * 1024)
#define FAKE_MEMORY_ADDRESS UINT64_C(0x100000000)
#define FAKE_REPORTS_MAX    256
#define FAKE_KEYS_MAX       1024
#define FAKE_LOG_BYTES      16384
#define FAKE_PIECES_MAX     128 // TRBs of a transfer
#define FAKE_TRANSFER_BYTES (128u * 1024)

struct fake_device {
    bool is_connected;
    uint8_t speed;
    uint8_t device_descriptor[18];
    uint8_t configuration[256];
    uint16_t configuration_bytes;
    uint8_t stalled_request; // bRequest that it refuses; 0: none
    uint8_t silent_request;  // that it never answers
    bool is_out_of_order;    // every control transfer fails
    uint8_t report_code;     // completion of interrupt transfers instead of success; 0: none
    uint32_t report_residue; // with that code
    uint8_t reports[FAKE_REPORTS_MAX][8];
    unsigned report_head, report_tail;
    unsigned resets, addresses;
    uint8_t protocol;                      // what SET_PROTOCOL said
    uint8_t output;                        // what SET_REPORT said
    unsigned halt_clears, out_halt_clears; // all; those of endpoints out
    bool is_hub;
    struct stick *stick;              // NULL: it is none
    bool is_slow;                     // a stick that does nothing before fake_answer_late
    uint16_t hub_status, hub_changes; // of the port of a hub that this device is on
    uint16_t hub_lies;                // bits that its status has wrong
};

// A ring of the driver's as the controller follows it.
struct fake_ring {
    uint64_t next;
    uint32_t cycle;
};

enum fake_endpoint { FAKE_RUNNING, FAKE_HALTED, FAKE_STOPPED };

struct fake_bulk {
    uint8_t dci; // 0: not configured
    uint16_t packet_bytes;
    struct fake_ring ring;
    enum fake_endpoint state;
};

struct fake_slot {
    bool is_enabled;
    uint8_t port;        // index of the device
    uint32_t translator; // of the slot context: hub and port that speak to it
    struct fake_ring control, interrupt;
    uint8_t interrupt_dci; // 0: not configured
    uint16_t control_packet_bytes;
    bool is_waiting; // the driver has asked for a report
    enum fake_endpoint control_state, interrupt_state;
    struct fake_bulk bulk_in, bulk_out;
};

struct fake_xhci {
    uint32_t registers[FAKE_BAR_BYTES / 4];
    uint8_t memory[FAKE_MEMORY_BYTES] __attribute__((aligned(4096)));
    struct fake_ring commands;
    uint64_t events; // where the next goes
    uint32_t events_cycle;
    struct fake_slot slots[FAKE_SLOTS + 1];
    struct fake_device devices[FAKE_DEVICES];

    bool never_stops, never_resets, never_starts; // faults
    bool keeps_firmware;
    bool ignores_commands;
    bool has_gone;
    bool loses_status;    // of a stick, if no register is read between its data and it
    bool is_telling;      // of the end of data
    uint8_t slot_given;   // by every ENABLE_SLOT; 0: as it should be
    uint8_t command_code; // of every command; 0: as it should be
    bool is_broken;       // the driver did what it must not; see `broken`
    const char *broken;

    // The driver's host.
    mx_time_t now;
    mx_time_t wait_max; // at most so long, as if something happened; 0: to the deadline
    uint8_t taken_usage[FAKE_KEYS_MAX];
    bool taken_press[FAKE_KEYS_MAX];
    unsigned taken;
    unsigned keys_refused; // how many times keys are not taken
    bool is_refusing_keyboards;
    unsigned keyboards_added, keyboards_removed;
    bool is_refusing_disks;
    unsigned disks_added, disks_removed;
    uint32_t disk; // the last one
    struct xhci_disk_info disk_info;
    unsigned requests_done;
    mx_status_t request_status; // of the last
    // Called then, for tests that give the next at once.
    void (*on_request_done)(struct fake_xhci *fake, uint32_t disk);
    char log[FAKE_LOG_BYTES];
    size_t log_bytes;
    // Called with every wait, for tests that change something meanwhile.
    void (*on_wait)(struct fake_xhci *fake);
};

static inline void fake_break(struct fake_xhci *fake, const char *why)
{
    if (!fake->is_broken)
        fake->broken = why;
    fake->is_broken = true;
}

// What the controller sees at an address; a page of nothing for one outside the driver's memory.
static inline uint8_t *fake_at(struct fake_xhci *fake, uint64_t address, uint64_t size)
{
    static uint8_t nothing[4096];

    if (address < FAKE_MEMORY_ADDRESS || address - FAKE_MEMORY_ADDRESS > FAKE_MEMORY_BYTES ||
        size > FAKE_MEMORY_BYTES - (address - FAKE_MEMORY_ADDRESS)) {
        fake_break(fake, "an address outside the driver's memory");
        memset(nothing, 0, sizeof(nothing));
        return nothing;
    }
    return fake->memory + (address - FAKE_MEMORY_ADDRESS);
}

static inline uint32_t *fake_register(struct fake_xhci *fake, uint32_t offset)
{
    return &fake->registers[offset / 4];
}

static inline uint32_t *fake_portsc(struct fake_xhci *fake, unsigned port)
{
    return fake_register(fake, FAKE_OPERATIONAL + XHCI_PORTSC(port));
}

// --- events
// -------------------------------------------------------------------------------------------

static inline void fake_event(struct fake_xhci *fake, uint64_t parameter, uint32_t status,
                              uint32_t control)
{
    struct xhci_trb *trb = (struct xhci_trb *)fake_at(fake, fake->events, sizeof(*trb));
    const uint64_t *segment = (const uint64_t *)fake_at(
        fake,
        *fake_register(fake, FAKE_RUNTIME + XHCI_ERSTBA) |
            (uint64_t)*fake_register(fake, FAKE_RUNTIME + XHCI_ERSTBA + 4) << 32,
        16);

    *trb = (struct xhci_trb){parameter, status, control | fake->events_cycle};
    fake->events += sizeof(*trb);
    if (fake->events >= segment[0] + (segment[1] & 0xffff) * sizeof(*trb)) {
        fake->events = segment[0];
        fake->events_cycle ^= 1;
    }
    *fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) |= XHCI_USBSTS_EINT;
    *fake_register(fake, FAKE_RUNTIME + XHCI_IMAN) |= XHCI_IMAN_IP;
}

static inline void fake_transfer_event(struct fake_xhci *fake, uint64_t trb, uint8_t code,
                                       uint32_t residue, unsigned slot, unsigned dci)
{
    fake_event(fake, trb, (uint32_t)code << 24 | residue,
               XHCI_TRB_TYPE(XHCI_TRB_TRANSFER_EVENT) | slot << 24 | dci << 16);
}

static inline void fake_port_event(struct fake_xhci *fake, unsigned port)
{
    if (!(*fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) & XHCI_USBSTS_HCH))
        fake_event(fake, (uint64_t)port << 24, 1u << 24,
                   XHCI_TRB_TYPE(XHCI_TRB_PORT_STATUS_CHANGE_EVENT));
}

// --- rings
// --------------------------------------------------------------------------------------------

static inline bool fake_take(struct fake_xhci *fake, struct fake_ring *ring, struct xhci_trb *trb,
                             uint64_t *address)
{
    for (unsigned i = 0; i < 2; i++) {
        *trb = *(struct xhci_trb *)fake_at(fake, ring->next, sizeof(*trb));
        if ((trb->control & 1) != ring->cycle)
            return false;
        if ((trb->control >> 10 & 0x3f) != XHCI_TRB_LINK) {
            *address = ring->next;
            ring->next += sizeof(*trb);
            return true;
        }
        ring->next = trb->parameter;
        ring->cycle ^= trb->control >> 1 & 1;
    }
    fake_break(fake, "a link to a link");
    return false;
}

static inline void fake_set_ring(struct fake_ring *ring, uint64_t position)
{
    ring->next = position & ~UINT64_C(15);
    ring->cycle = position & 1;
}

// --- devices
// ------------------------------------------------------------------------------------------

// A request to a port of the hub.
static inline int fake_answer_port(struct fake_xhci *fake, const struct usb_setup *setup,
                                   uint8_t *data)
{
    if (setup->index == 0 || setup->index > FAKE_HUB_PORTS) {
        fake_break(fake, "a port that the hub does not have");
        return -1;
    }
    struct fake_device *child = &fake->devices[FAKE_PORTS + setup->index];
    const uint16_t status = child->hub_status ^ child->hub_lies;

    switch (setup->request) {
    case USB_REQUEST_GET_STATUS:
        if (setup->length < 4)
            return 0;
        memcpy(data, &status, 2);
        memcpy(data + 2, &child->hub_changes, 2);
        return 4;
    case USB_REQUEST_CLEAR_FEATURE:
        child->hub_changes &= (uint16_t) ~(1u << (setup->value - 16) % 16);
        return 0;
    case USB_REQUEST_SET_FEATURE:
        if (setup->value == 4 && child->is_connected) {
            child->resets++;
            child->hub_status = (uint16_t)(3 | (child->speed == XHCI_SPEED_LOW ? 1u << 9 : 0));
            child->hub_changes |= 1u << 4;
        }
        return 0;
    default:
        return 0;
    }
}

// Returns how many bytes the device sends, or -1 for a stall.
static inline int fake_answer(struct fake_xhci *fake, struct fake_device *device,
                              const struct usb_setup *setup, uint8_t *data)
{
    static const uint8_t hub_descriptor[] = {9, 0x29, FAKE_HUB_PORTS, 0x60, 0, 1, 0, 0, 0xff};
    const uint8_t *source = device->device_descriptor;
    size_t size = sizeof(device->device_descriptor);

    if (device->stalled_request != 0 && setup->request == device->stalled_request)
        return -1;
    if (device->is_hub && (setup->type & 0x7f) == (USB_TYPE_CLASS | USB_TYPE_OTHER))
        return fake_answer_port(fake, setup, data);
    switch (setup->request) {
    case USB_REQUEST_GET_DESCRIPTOR:
        if (setup->value >> 8 == USB_DESCRIPTOR_HUB) {
            source = hub_descriptor;
            size = sizeof(hub_descriptor);
        }
        if (setup->value >> 8 == USB_DESCRIPTOR_CONFIGURATION) {
            source = device->configuration;
            size = device->configuration_bytes;
        }
        if (size > setup->length)
            size = setup->length;
        memcpy(data, source, size);
        return (int)size;
    case USB_REQUEST_CLEAR_FEATURE:
        device->halt_clears++;
        device->out_halt_clears += (setup->index & USB_ENDPOINT_IN) == 0;
        return 0;
    case 0xff:
        if (device->stick != NULL)
            stick_reset(device->stick);
        return 0;
    case 0x0b:
        device->protocol = (uint8_t)setup->value;
        return 0;
    case USB_REQUEST_SET_CONFIGURATION: // and SET_REPORT
        if (setup->type == (USB_TYPE_CLASS | USB_TYPE_INTERFACE))
            device->output = data[0];
        return setup->length;
    default:
        return 0;
    }
}

static inline void fake_control(struct fake_xhci *fake, unsigned slot_number)
{
    struct fake_slot *slot = &fake->slots[slot_number];
    struct fake_device *device = &fake->devices[slot->port];
    struct xhci_trb setup_trb, trb;
    uint64_t address;
    struct usb_setup setup;
    uint8_t unused[8];
    uint8_t *data = unused;

    if (slot->control_state != FAKE_RUNNING ||
        !fake_take(fake, &slot->control, &setup_trb, &address))
        return;
    memcpy(&setup, &setup_trb.parameter, sizeof(setup));
    if (device->silent_request != 0 && setup.request == device->silent_request)
        return;
    if (!device->is_connected || device->is_out_of_order) {
        slot->control_state = FAKE_HALTED;
        fake_transfer_event(fake, address, XHCI_COMPLETION_TRANSACTION_ERROR, 0, slot_number, 1);
        return;
    }
    if (setup.length > 0) {
        if (!fake_take(fake, &slot->control, &trb, &address) ||
            (trb.status & 0x1ffff) != setup.length)
            fake_break(fake, "a control transfer without its data stage");
        data = fake_at(fake, trb.parameter, setup.length);
    }
    const int size = fake_answer(fake, device, &setup, data);
    if (size < 0) {
        slot->control_state = FAKE_HALTED;
        fake_transfer_event(fake, address, XHCI_COMPLETION_STALL, 0, slot_number, 1);
        return;
    }
    if (size < setup.length)
        fake_transfer_event(fake, address, XHCI_COMPLETION_SHORT_PACKET,
                            (uint32_t)(setup.length - size), slot_number, 1);
    if (!fake_take(fake, &slot->control, &trb, &address) ||
        (trb.control >> 10 & 0x3f) != XHCI_TRB_STATUS_STAGE)
        fake_break(fake, "a control transfer without its status stage");
    fake_transfer_event(fake, address, XHCI_COMPLETION_SUCCESS, 0, slot_number, 1);
}

// Which ports of the hub have changed.
static inline uint8_t fake_hub_report(const struct fake_xhci *fake)
{
    uint8_t report = 0;

    for (unsigned port = 1; port <= FAKE_HUB_PORTS; port++)
        report |= (uint8_t)((fake->devices[FAKE_PORTS + port].hub_changes != 0) << port);
    return report;
}

// Sends the next report if the driver waits for one.
static inline void fake_send_report(struct fake_xhci *fake, unsigned slot_number)
{
    struct fake_slot *slot = &fake->slots[slot_number];
    struct fake_device *device = &fake->devices[slot->port];
    struct xhci_trb trb;
    uint64_t address;

    if (!slot->is_enabled || slot->interrupt_dci == 0 || slot->interrupt_state != FAKE_RUNNING ||
        !device->is_connected)
        return;
    if (device->report_code == 0 &&
        (device->is_hub ? fake_hub_report(fake) == 0 : device->report_head == device->report_tail))
        return;
    if (!fake_take(fake, &slot->interrupt, &trb, &address))
        return;
    uint32_t length = trb.status & 0x1ffff;
    if (device->report_code != 0) {
        if (device->report_code != XHCI_COMPLETION_SUCCESS &&
            device->report_code != XHCI_COMPLETION_SHORT_PACKET)
            slot->interrupt_state = FAKE_HALTED;
        fake_transfer_event(fake, address, device->report_code, device->report_residue, slot_number,
                            slot->interrupt_dci);
        return;
    }
    if (device->is_hub) {
        *fake_at(fake, trb.parameter, length) = fake_hub_report(fake);
        fake_transfer_event(fake, address, XHCI_COMPLETION_SHORT_PACKET, length - 1, slot_number,
                            slot->interrupt_dci);
        return;
    }
    const uint32_t size = length < 8 ? length : 8;
    memcpy(fake_at(fake, trb.parameter, length),
           device->reports[device->report_tail++ % FAKE_REPORTS_MAX], size);
    fake_transfer_event(fake, address,
                        size < length ? XHCI_COMPLETION_SHORT_PACKET : XHCI_COMPLETION_SUCCESS,
                        length - size, slot_number, slot->interrupt_dci);
}

// --- bulk transfers
// --------------------------------------------------------------------------------------

struct fake_transfer {
    struct xhci_trb trbs[FAKE_PIECES_MAX];
    uint64_t addresses[FAKE_PIECES_MAX];
    unsigned count;
    uint32_t size_bytes;
};

static inline uint32_t fake_length(const struct xhci_trb *trb)
{
    return trb->status & XHCI_TRB_LENGTH_MASK;
}

// 4.11.2.4, 6.4.1.1.
static inline void fake_check_transfer(struct fake_xhci *fake, const struct fake_transfer *transfer,
                                       uint32_t packet)
{
    const uint32_t packets = (transfer->size_bytes + packet - 1) / packet;
    uint32_t end = 0;

    for (unsigned i = 0; i < transfer->count; i++) {
        const struct xhci_trb *trb = &transfer->trbs[i];
        end += fake_length(trb);
        uint32_t left = packets - end / packet;
        left = i + 1 == transfer->count ? 0 : left < 31 ? left : 31;
        if ((trb->status >> 17 & 31) != left || fake_length(trb) == 0 ||
            trb->parameter % 65536 + fake_length(trb) > 65536)
            fake_break(fake, "a TRB that is not as it must be");
        if (i > 0 && transfer->addresses[i] != transfer->addresses[i - 1] + 16)
            fake_break(fake, "a link inside a transfer");
    }
}

static inline bool fake_take_transfer(struct fake_xhci *fake, struct fake_bulk *bulk,
                                      struct fake_transfer *transfer)
{
    transfer->count = 0;
    transfer->size_bytes = 0;
    do {
        struct xhci_trb *trb = &transfer->trbs[transfer->count];
        if (transfer->count == FAKE_PIECES_MAX ||
            !fake_take(fake, &bulk->ring, trb, &transfer->addresses[transfer->count])) {
            if (transfer->count > 0)
                fake_break(fake, "a transfer without end");
            return false;
        }
        transfer->size_bytes += fake_length(trb);
    } while (transfer->trbs[transfer->count++].control & XHCI_TRB_CHAIN);
    struct fake_ring behind = bulk->ring;
    struct xhci_trb trb;
    uint64_t address;
    if (fake_take(fake, &behind, &trb, &address))
        fake_break(fake, "something behind the transfer");
    fake_check_transfer(fake, transfer, bulk->packet_bytes);
    if (transfer->size_bytes > FAKE_TRANSFER_BYTES) {
        fake_break(fake, "a transfer that is too long");
        return false;
    }
    return true;
}

// Between the transfer's memory and `bytes`.
static inline void fake_copy(struct fake_xhci *fake, const struct fake_transfer *transfer,
                             uint8_t *bytes, uint32_t size, bool is_in)
{
    for (unsigned i = 0; i < transfer->count && size > 0; i++) {
        uint32_t part = fake_length(&transfer->trbs[i]);
        uint8_t *memory = fake_at(fake, transfer->trbs[i].parameter, part);
        part = part < size ? part : size;
        memcpy(is_in ? memory : bytes, is_in ? bytes : memory, part);
        bytes += part;
        size -= part;
    }
}

// Where `moved` bytes lead, and what is left of that TRB.
static inline void fake_end_transfer(struct fake_xhci *fake, const struct fake_transfer *transfer,
                                     uint32_t moved, uint8_t code, unsigned slot, unsigned dci)
{
    unsigned i = 0;
    uint32_t end = fake_length(&transfer->trbs[0]);

    while (i + 1 < transfer->count && moved >= end)
        end += fake_length(&transfer->trbs[++i]);
    fake_transfer_event(fake, transfer->addresses[i], code, end - moved, slot, dci);
}

static inline void fake_run_bulk(struct fake_xhci *fake, unsigned slot_number, bool is_in)
{
    static uint8_t bytes[FAKE_TRANSFER_BYTES];
    static struct fake_transfer transfer;
    struct fake_slot *slot = &fake->slots[slot_number];
    struct fake_device *device = &fake->devices[slot->port];
    struct fake_bulk *bulk = is_in ? &slot->bulk_in : &slot->bulk_out;
    uint8_t code = XHCI_COMPLETION_SUCCESS;

    if (bulk->state != FAKE_RUNNING || !device->is_connected || device->stick == NULL ||
        device->is_slow || !fake_take_transfer(fake, bulk, &transfer))
        return;
    if (!is_in)
        fake_copy(fake, &transfer, bytes, transfer.size_bytes, false);
    if (fake->loses_status && fake->is_telling && is_in)
        return;
    fake->is_telling = is_in;
    const int answer = is_in ? stick_give(device->stick, bytes, transfer.size_bytes)
                             : stick_take(device->stick, bytes, transfer.size_bytes);
    if (answer == STICK_SLEEPS)
        return;
    if (answer < 0) {
        code = answer == STICK_STALLS    ? XHCI_COMPLETION_STALL
               : answer == STICK_BABBLES ? XHCI_COMPLETION_BABBLE
                                         : XHCI_COMPLETION_TRANSACTION_ERROR;
        bulk->state = FAKE_HALTED;
    } else if (answer < (int)transfer.size_bytes) {
        code = XHCI_COMPLETION_SHORT_PACKET;
    }
    if (is_in && answer > 0)
        fake_copy(fake, &transfer, bytes, (uint32_t)answer, true);
    fake_end_transfer(fake, &transfer, answer < 0 ? 0 : (uint32_t)answer, code, slot_number,
                      bulk->dci);
}

// --- commands
// -----------------------------------------------------------------------------------------

static inline const uint32_t *fake_context(struct fake_xhci *fake, uint64_t input, unsigned index)
{
    const uint32_t size = *fake_register(fake, XHCI_HCCPARAMS1) & XHCI_HCCPARAMS1_CSZ ? 64 : 32;

    return (const uint32_t *)fake_at(fake, input + index * size, size);
}

static inline uint64_t fake_dequeue(const uint32_t *context)
{
    return context[2] | (uint64_t)context[3] << 32;
}

// The device that a slot context names: on a port, or on one of the hub.
static inline uint8_t fake_find(const uint32_t *slot_context)
{
    const uint32_t route = slot_context[0] & 0xfffff;
    const uint32_t port = slot_context[1] >> 16 & 0xff;

    if (port == 0 || port > FAKE_PORTS || route > FAKE_HUB_PORTS)
        return 0;
    return (uint8_t)(route == 0 ? port : FAKE_PORTS + route);
}

static inline uint8_t fake_address(struct fake_xhci *fake, struct fake_slot *slot, uint64_t input)
{
    const uint32_t *context = fake_context(fake, input, 1);
    const uint8_t found = fake_find(context);
    struct fake_device *device = &fake->devices[found];

    if (found == 0 || fake_context(fake, input, 0)[1] != 3) {
        fake_break(fake, "an address for a device on no port");
        return XHCI_COMPLETION_PARAMETER_ERROR;
    }
    slot->port = found;
    slot->translator = context[2];
    slot->control_packet_bytes = (uint16_t)(fake_context(fake, input, 2)[1] >> 16);
    fake_set_ring(&slot->control, fake_dequeue(fake_context(fake, input, 2)));
    device->addresses++;
    const bool is_enabled = found > FAKE_PORTS ? (device->hub_status & 2) != 0
                                               : (*fake_portsc(fake, found) & XHCI_PORTSC_PED) != 0;
    return device->is_connected && is_enabled ? XHCI_COMPLETION_SUCCESS
                                              : XHCI_COMPLETION_TRANSACTION_ERROR;
}

static inline struct fake_bulk *fake_bulk_of(struct fake_slot *slot, unsigned dci)
{
    if (dci == slot->bulk_in.dci)
        return &slot->bulk_in;
    return dci == slot->bulk_out.dci ? &slot->bulk_out : NULL;
}

static inline bool fake_add_endpoint(struct fake_xhci *fake, struct fake_slot *slot, uint64_t input,
                                     unsigned dci)
{
    const uint32_t *context = fake_context(fake, input, 1 + dci);
    const unsigned type = context[1] >> 3 & 7;
    struct fake_bulk *bulk = type == 6 ? &slot->bulk_in : &slot->bulk_out;

    if (type == 7 && dci % 2 == 1) {
        slot->interrupt_dci = (uint8_t)dci;
        fake_set_ring(&slot->interrupt, fake_dequeue(context));
        return true;
    }
    if ((type != 6 || dci % 2 != 1) && (type != 2 || dci % 2 != 0))
        return false;
    *bulk = (struct fake_bulk){.dci = (uint8_t)dci, .packet_bytes = (uint16_t)(context[1] >> 16)};
    fake_set_ring(&bulk->ring, fake_dequeue(context));
    return true;
}

// 4.6.6: what is dropped must not run.
static inline uint8_t fake_configure(struct fake_xhci *fake, struct fake_slot *slot, uint64_t input)
{
    const uint32_t drop = fake_context(fake, input, 0)[0], add = fake_context(fake, input, 0)[1];
    const uint32_t entries = fake_context(fake, input, 1)[0] >> 27;
    unsigned count = 0;

    for (unsigned dci = 2; dci < 32; dci++) {
        const struct fake_bulk *bulk = fake_bulk_of(slot, dci);
        if (drop >> dci & 1 && (bulk == NULL || bulk->state == FAKE_RUNNING))
            fake_break(fake, "an endpoint dropped that runs, or is none");
        if (!(add >> dci & 1))
            continue;
        if (dci > entries || !fake_add_endpoint(fake, slot, input, dci))
            fake_break(fake, "an endpoint that is none");
        count++;
    }
    if (count > 0 && add & 1)
        return XHCI_COMPLETION_SUCCESS;
    fake_break(fake, "a configuration without endpoint");
    return XHCI_COMPLETION_PARAMETER_ERROR;
}

static inline uint8_t fake_enable_slot(struct fake_xhci *fake, unsigned *number)
{
    for (*number = 1; *number <= FAKE_SLOTS; ++*number) {
        if (fake->slots[*number].is_enabled)
            continue;
        fake->slots[*number] = (struct fake_slot){.is_enabled = true};
        return XHCI_COMPLETION_SUCCESS;
    }
    *number = 0;
    return XHCI_COMPLETION_NO_SLOTS;
}

static inline enum fake_endpoint *fake_endpoint_state(struct fake_slot *slot,
                                                      const struct xhci_trb *trb)
{
    const unsigned dci = trb->control >> 16 & 0x1f;
    struct fake_bulk *bulk = fake_bulk_of(slot, dci);

    if (bulk != NULL && dci > 1)
        return &bulk->state;
    return dci == 1 ? &slot->control_state : &slot->interrupt_state;
}

// 4.6.9: of one that runs.
static inline uint8_t fake_stop_endpoint(struct fake_slot *slot, const struct xhci_trb *trb)
{
    enum fake_endpoint *state = fake_endpoint_state(slot, trb);

    if (*state != FAKE_RUNNING)
        return XHCI_COMPLETION_CONTEXT_STATE_ERROR;
    *state = FAKE_STOPPED;
    return XHCI_COMPLETION_SUCCESS;
}

// xHCI 1.2, 4.6.8: of an endpoint that has halted, and of no other.
static inline uint8_t fake_reset_endpoint(struct fake_slot *slot, const struct xhci_trb *trb)
{
    enum fake_endpoint *state = fake_endpoint_state(slot, trb);

    if (*state != FAKE_HALTED)
        return XHCI_COMPLETION_CONTEXT_STATE_ERROR;
    *state = FAKE_STOPPED;
    return XHCI_COMPLETION_SUCCESS;
}

// 4.6.10: of an endpoint that has stopped.
static inline uint8_t fake_set_dequeue(struct fake_slot *slot, const struct xhci_trb *trb)
{
    const unsigned dci = trb->control >> 16 & 0x1f;
    struct fake_bulk *bulk = fake_bulk_of(slot, dci);

    if (*fake_endpoint_state(slot, trb) != FAKE_STOPPED)
        return XHCI_COMPLETION_CONTEXT_STATE_ERROR;
    fake_set_ring(bulk != NULL && dci > 1 ? &bulk->ring
                  : dci == 1              ? &slot->control
                                          : &slot->interrupt,
                  trb->parameter);
    return XHCI_COMPLETION_SUCCESS;
}

static inline uint8_t fake_run(struct fake_xhci *fake, const struct xhci_trb *trb, unsigned *number)
{
    *number = trb->control >> 24;
    const unsigned type = trb->control >> 10 & 0x3f;

    if (type == XHCI_TRB_ENABLE_SLOT)
        return fake_enable_slot(fake, number);
    if (*number == 0 || *number > FAKE_SLOTS || !fake->slots[*number].is_enabled)
        return XHCI_COMPLETION_SLOT_NOT_ENABLED;
    struct fake_slot *slot = &fake->slots[*number];
    switch (type) {
    case XHCI_TRB_DISABLE_SLOT:
        slot->is_enabled = false;
        return XHCI_COMPLETION_SUCCESS;
    case XHCI_TRB_ADDRESS_DEVICE:
        return fake_address(fake, slot, trb->parameter);
    case XHCI_TRB_EVALUATE_CONTEXT:
        slot->control_packet_bytes = (uint16_t)(fake_context(fake, trb->parameter, 2)[1] >> 16);
        return XHCI_COMPLETION_SUCCESS;
    case XHCI_TRB_CONFIGURE_ENDPOINT:
        return fake_configure(fake, slot, trb->parameter);
    case XHCI_TRB_RESET_ENDPOINT:
        return fake_reset_endpoint(slot, trb);
    case XHCI_TRB_STOP_ENDPOINT:
        return fake_stop_endpoint(slot, trb);
    case XHCI_TRB_SET_TR_DEQUEUE:
        return fake_set_dequeue(slot, trb);
    default:
        fake_break(fake, "an unknown command");
        return XHCI_COMPLETION_TRB_ERROR;
    }
}

static inline void fake_run_commands(struct fake_xhci *fake)
{
    struct xhci_trb trb;
    uint64_t address;
    unsigned slot;

    while (!fake->ignores_commands && fake_take(fake, &fake->commands, &trb, &address)) {
        uint8_t code = fake_run(fake, &trb, &slot);
        if (fake->slot_given != 0 && (trb.control >> 10 & 0x3f) == XHCI_TRB_ENABLE_SLOT)
            slot = fake->slot_given;
        if (fake->command_code != 0)
            code = fake->command_code;
        fake_event(fake, address, (uint32_t)code << 24,
                   XHCI_TRB_TYPE(XHCI_TRB_COMMAND_COMPLETION_EVENT) | slot << 24);
    }
}

// It sets an endpoint that has stopped going.
static inline void fake_doorbell(struct fake_xhci *fake, unsigned number, uint32_t target)
{
    if (number == 0) {
        fake_run_commands(fake);
        return;
    }
    if (number > FAKE_SLOTS || !fake->slots[number].is_enabled) {
        fake_break(fake, "a doorbell of a slot that is not enabled");
        return;
    }
    struct fake_slot *slot = &fake->slots[number];
    const struct xhci_trb endpoint = {.control = XHCI_TRB_ENDPOINT(target)};
    enum fake_endpoint *state = fake_endpoint_state(slot, &endpoint);
    if (*state == FAKE_STOPPED)
        *state = FAKE_RUNNING;
    if (target == 1)
        fake_control(fake, number);
    else if (fake_bulk_of(slot, target) != NULL)
        fake_run_bulk(fake, number, target == slot->bulk_in.dci);
    else
        fake_send_report(fake, number);
}

// --- registers
// ----------------------------------------------------------------------------------------

static inline void fake_connect(struct fake_xhci *fake, unsigned port)
{
    fake->devices[port].is_connected = true;
    *fake_portsc(fake, port) |= XHCI_PORTSC_CCS | XHCI_PORTSC_CSC;
    fake_port_event(fake, port);
}

static inline void fake_disconnect(struct fake_xhci *fake, unsigned port)
{
    fake->devices[port].is_connected = false;
    *fake_portsc(fake, port) &= ~(XHCI_PORTSC_CCS | XHCI_PORTSC_PED);
    *fake_portsc(fake, port) |= XHCI_PORTSC_CSC;
    fake_port_event(fake, port);
}

static inline void fake_write_port(struct fake_xhci *fake, unsigned port, uint32_t value)
{
    uint32_t *state = fake_portsc(fake, port);
    struct fake_device *device = &fake->devices[port];

    if (value & XHCI_PORTSC_PED)
        fake_break(fake, "a port that is disabled by accident");
    *state &= ~(value & XHCI_PORTSC_CHANGES);
    *state = (*state & ~XHCI_PORTSC_PP) | (value & XHCI_PORTSC_PP);
    if (value & XHCI_PORTSC_PR && device->is_connected) {
        device->resets++;
        *state = (*state & ~UINT32_C(0x3c00)) | XHCI_PORTSC_PED | XHCI_PORTSC_PRC |
                 (uint32_t)device->speed << 10;
        fake_port_event(fake, port);
    }
}

static inline void fake_write_command(struct fake_xhci *fake, uint32_t value)
{
    uint32_t *state = fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS);
    uint32_t *command = fake_register(fake, FAKE_OPERATIONAL + XHCI_USBCMD);

    *command = value;
    if (value & XHCI_USBCMD_HCRST) {
        memset(fake->slots, 0, sizeof(fake->slots));
        if (!fake->never_resets)
            *command = 0;
        *state = XHCI_USBSTS_HCH;
    } else if (!(value & XHCI_USBCMD_RS)) {
        if (!fake->never_stops)
            *state |= XHCI_USBSTS_HCH;
    } else if (!fake->never_starts) {
        *state &= ~XHCI_USBSTS_HCH;
        const uint64_t table = *fake_register(fake, FAKE_RUNTIME + XHCI_ERSTBA) |
                               (uint64_t)*fake_register(fake, FAKE_RUNTIME + XHCI_ERSTBA + 4) << 32;
        fake->events = *(const uint64_t *)fake_at(fake, table, 16);
        fake->events_cycle = 1;
        fake_set_ring(&fake->commands,
                      *fake_register(fake, FAKE_OPERATIONAL + XHCI_CRCR) |
                          (uint64_t)*fake_register(fake, FAKE_OPERATIONAL + XHCI_CRCR + 4) << 32);
    }
}

static inline uint32_t fake_read(void *context, uint32_t offset)
{
    struct fake_xhci *fake = context;

    if (offset % 4 != 0 || offset >= FAKE_BAR_BYTES) {
        fake_break(fake, "a register outside the BAR");
        return 0;
    }
    fake->is_telling = false;
    return fake->has_gone ? UINT32_MAX : *fake_register(fake, offset);
}

static inline void fake_write(void *context, uint32_t offset, uint32_t value)
{
    struct fake_xhci *fake = context;

    if (offset % 4 != 0 || offset >= FAKE_BAR_BYTES) {
        fake_break(fake, "a register outside the BAR");
        return;
    }
    if (fake->has_gone)
        return;
    if (offset == FAKE_OPERATIONAL + XHCI_USBCMD)
        fake_write_command(fake, value);
    else if (offset == FAKE_OPERATIONAL + XHCI_USBSTS)
        *fake_register(fake, offset) &= ~(value & XHCI_USBSTS_EINT);
    else if (offset == FAKE_RUNTIME + XHCI_IMAN)
        *fake_register(fake, offset) =
            (value & XHCI_IMAN_IE) | (*fake_register(fake, offset) & ~value & XHCI_IMAN_IP);
    else if (offset >= FAKE_OPERATIONAL + 0x400 &&
             offset < FAKE_OPERATIONAL + XHCI_PORTSC(FAKE_PORTS + 1))
        fake_write_port(fake, (offset - FAKE_OPERATIONAL - 0x400) / 16 + 1, value);
    else if (offset >= FAKE_DOORBELLS && offset < FAKE_DOORBELLS + 4 * 256)
        fake_doorbell(fake, (offset - FAKE_DOORBELLS) / 4, value);
    else if (offset == FAKE_EXTENDED && !fake->keeps_firmware && value & XHCI_USBLEGSUP_OS)
        *fake_register(fake, offset) = value & ~XHCI_USBLEGSUP_BIOS;
    else
        *fake_register(fake, offset) = value;
}

// --- the driver's host
// --------------------------------------------------------------------------------

static inline mx_time_t fake_now(void *context)
{
    return ((struct fake_xhci *)context)->now;
}

static inline void fake_wait(void *context, mx_time_t deadline)
{
    struct fake_xhci *fake = context;

    if (fake->wait_max != 0 && deadline - fake->now > fake->wait_max)
        deadline = fake->now + fake->wait_max;
    if (deadline > fake->now)
        fake->now = deadline;
    if (fake->on_wait != NULL)
        fake->on_wait(fake);
}

static inline void fake_log(void *context, const char *line)
{
    struct fake_xhci *fake = context;
    const int size =
        snprintf(fake->log + fake->log_bytes, FAKE_LOG_BYTES - fake->log_bytes, "%s\n", line);

    if (size > 0 && (size_t)size < FAKE_LOG_BYTES - fake->log_bytes)
        fake->log_bytes += (size_t)size;
}

static inline bool fake_keyboard_added(void *context, uint32_t keyboard)
{
    struct fake_xhci *fake = context;

    (void)keyboard;
    if (!fake->is_refusing_keyboards)
        fake->keyboards_added++;
    return !fake->is_refusing_keyboards;
}

static inline void fake_keys(void *context, uint32_t keyboard, struct key_queue *queue)
{
    struct fake_xhci *fake = context;
    struct key_change change;

    (void)keyboard;
    if (fake->keys_refused > 0) {
        fake->keys_refused--;
        return;
    }
    while (key_queue_peek(queue, 0, &change)) {
        fake->taken_usage[fake->taken % FAKE_KEYS_MAX] = (uint8_t)change.usage;
        fake->taken_press[fake->taken++ % FAKE_KEYS_MAX] = change.is_pressed;
        key_queue_drop(queue, 1);
    }
}

static inline void fake_keyboard_removed(void *context, uint32_t keyboard, struct key_queue *queue)
{
    fake_keys(context, keyboard, queue);
    ((struct fake_xhci *)context)->keyboards_removed++;
}

static inline bool fake_disk_added(void *context, uint32_t disk, const struct xhci_disk_info *info)
{
    struct fake_xhci *fake = context;

    fake->disk = disk;
    fake->disk_info = *info;
    if (!fake->is_refusing_disks)
        fake->disks_added++;
    return !fake->is_refusing_disks;
}

static inline void fake_request_done(void *context, uint32_t disk, mx_status_t status)
{
    struct fake_xhci *fake = context;

    fake->requests_done++;
    fake->request_status = status;
    if (fake->on_request_done != NULL)
        fake->on_request_done(fake, disk);
}

static inline void fake_disk_removed(void *context, uint32_t disk)
{
    struct fake_xhci *fake = context;

    if (fake->slots[disk + 1].is_enabled)
        fake_break(fake, "a disk removed whose slot is still enabled");
    fake->disks_removed++;
}

static const struct xhci_host_ops fake_host_ops = {
    .read = fake_read,
    .write = fake_write,
    .now = fake_now,
    .wait = fake_wait,
    .log = fake_log,
    .keyboard_added = fake_keyboard_added,
    .keys = fake_keys,
    .keyboard_removed = fake_keyboard_removed,
    .disk_added = fake_disk_added,
    .request_done = fake_request_done,
    .disk_removed = fake_disk_removed,
};

// --- for tests
// ----------------------------------------------------------------------------------------

static inline void fake_init(struct fake_xhci *fake)
{
    memset(fake, 0, sizeof(*fake));
    *fake_register(fake, XHCI_CAPLENGTH) = FAKE_OPERATIONAL | 0x01000000;
    *fake_register(fake, XHCI_HCSPARAMS1) = FAKE_SLOTS | 1 << 8 | (uint32_t)FAKE_PORTS << 24;
    *fake_register(fake, XHCI_HCSPARAMS2) = (uint32_t)FAKE_SCRATCHPADS << 27;
    *fake_register(fake, XHCI_HCCPARAMS1) =
        XHCI_HCCPARAMS1_AC64 | XHCI_HCCPARAMS1_PPC | FAKE_EXTENDED >> 2 << 16;
    *fake_register(fake, XHCI_DBOFF) = FAKE_DOORBELLS;
    *fake_register(fake, XHCI_RTSOFF) = FAKE_RUNTIME;
    *fake_register(fake, FAKE_OPERATIONAL + XHCI_PAGESIZE) = XHCI_PAGESIZE_4K;
    *fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) = XHCI_USBSTS_HCH;
    *fake_register(fake, FAKE_EXTENDED) = XHCI_EXTENDED_LEGACY | XHCI_USBLEGSUP_BIOS;
    *fake_register(fake, FAKE_EXTENDED + XHCI_USBLEGCTLSTS) = 0x0000e011;
}

// A boot keyboard on a port that is empty; connected by fake_connect.
static inline struct fake_device *fake_keyboard(struct fake_xhci *fake, unsigned port)
{
    static const uint8_t descriptor[18] = {18,   1,    0x00, 0x02, 0, 0, 0, 32, 0x34,
                                           0x12, 0x78, 0x56, 0,    0, 0, 0, 0,  1};
    static const uint8_t configuration[34] = {9,    2,  34, 0, 1, 1,    0, 0xa0, 50,   9, 4, 0,
                                              0,    1,  3,  1, 1, 0,    9, 0x21, 0x11, 1, 0, 1,
                                              0x22, 63, 0,  7, 5, 0x81, 3, 8,    0,    10};
    struct fake_device *device = &fake->devices[port];

    memset(device, 0, sizeof(*device));
    device->speed = XHCI_SPEED_FULL;
    memcpy(device->device_descriptor, descriptor, sizeof(descriptor));
    memcpy(device->configuration, configuration, sizeof(configuration));
    device->configuration_bytes = sizeof(configuration);
    device->protocol = 1;
    return device;
}

// A hub of high speed.
static inline struct fake_device *fake_hub(struct fake_xhci *fake, unsigned port)
{
    struct fake_device *device = fake_keyboard(fake, port);

    device->speed = XHCI_SPEED_HIGH;
    device->is_hub = true;
    device->device_descriptor[4] = USB_CLASS_HUB;
    device->configuration[14] = USB_CLASS_HUB;
    device->configuration[15] = device->configuration[16] = 0;
    return device;
}

// A stick of high speed; its data endpoints are 1 in and 2 out.
static inline struct fake_device *fake_stick(struct fake_xhci *fake, unsigned port,
                                             struct stick *stick)
{
    static const uint8_t configuration[32] = {9, 2, 32, 0, 1, 1,    0, 0x80, 50, 9,    4,
                                              0, 0, 2,  8, 6, 0x50, 0, 7,    5,  0x81, 2,
                                              0, 2, 0,  7, 5, 0x02, 2, 0,    2,  0};
    struct fake_device *device = fake_keyboard(fake, port);

    device->speed = XHCI_SPEED_HIGH;
    device->device_descriptor[7] = 64;
    memcpy(device->configuration, configuration, sizeof(configuration));
    device->configuration_bytes = sizeof(configuration);
    device->stick = stick;
    return device;
}

// What slow sticks were asked for; the next thing waits again.
static inline void fake_answer_late(struct fake_xhci *fake)
{
    for (unsigned slot = 1; slot <= FAKE_SLOTS; slot++) {
        struct fake_device *device = &fake->devices[fake->slots[slot].port];
        if (!fake->slots[slot].is_enabled || !device->is_slow)
            continue;
        device->is_slow = false;
        fake_run_bulk(fake, slot, false);
        fake_run_bulk(fake, slot, true);
        device->is_slow = true;
    }
}

static inline void fake_tell(struct fake_xhci *fake, unsigned device)
{
    for (unsigned slot = 1; slot <= FAKE_SLOTS; slot++) {
        if (fake->slots[slot].is_enabled && fake->slots[slot].port == device)
            fake_send_report(fake, slot);
    }
}

// What fake_keyboard put at FAKE_PORTS + port comes or goes at the port of the hub `hub`.
static inline void fake_hub_change(struct fake_xhci *fake, unsigned hub, unsigned port,
                                   bool is_connected)
{
    struct fake_device *device = &fake->devices[FAKE_PORTS + port];

    device->is_connected = is_connected;
    device->hub_status = is_connected;
    device->hub_changes |= 1;
    fake_tell(fake, hub);
}

// A report with one key (0: none); sent when the driver asks.
static inline void fake_type(struct fake_xhci *fake, unsigned port, uint8_t modifiers, uint8_t key)
{
    struct fake_device *device = &fake->devices[port];
    uint8_t *report = device->reports[device->report_head++ % FAKE_REPORTS_MAX];

    memset(report, 0, 8);
    report[0] = modifiers;
    report[2] = key;
    fake_tell(fake, port);
}

static inline bool fake_is_interrupting(struct fake_xhci *fake)
{
    return (*fake_register(fake, FAKE_RUNTIME + XHCI_IMAN) & XHCI_IMAN_IP) != 0;
}

// The driver, until there is nothing more to do, and no interrupt; bounded.
static inline mx_status_t fake_run_driver(struct fake_xhci *fake, struct xhci *driver)
{
    mx_status_t status = xhci_step(driver);

    for (unsigned i = 0;
         status == MX_OK && i < 1000 && (xhci_has_work(driver) || fake_is_interrupting(fake)); i++)
        status = xhci_step(driver);
    return status;
}
