// One xHCI controller and the keyboards on it.
//
// The driver is one thread. xhci_step does what there is to do and returns; its caller waits for
// the interrupt and calls it again. Commands and control transfers, which only happen while devices
// come and go, are waited for inside a step, each for a bounded time; reports of keyboards are
// taken meanwhile. What the controller writes is read once and judged: an event that names nothing
// that is under way is counted and passed over, and a controller that breaks the rules where
// nothing can be saved is given up with an error, after which xhci_start may be tried again.
//
// Registers, time, messages and keys are the host's business (struct xhci_host_ops), so that all of
// this runs against a fake controller on the development host.
//
// xHCI 1.2, 4.2 "Host Controller Initialization", 4.3 "USB Device Initialization", 4.6 "Command
// Interface".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <machina/types.h>

#include "user/drivers/input/portable/key_queue.h"
#include "user/drivers/usb/portable/hid_keyboard.h"
#include "user/drivers/usb/portable/xhci_ring.h"

#define XHCI_DEVICES_MAX   16 // slots that are used, hubs among them
#define XHCI_PORTS_MAX     255
#define XHCI_HUB_PORTS_MAX 15 // as many as a route string can name

#define XHCI_PAGE_BYTES        4096u
#define XHCI_DEVICE_DATA_BYTES 2048u // of a control transfer
#define XHCI_REPORT_BYTES_MAX  1024u

struct xhci_host_ops {
    // Registers of 32 bits at an offset into the BAR. A write comes after all earlier writes to
    // memory.
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    mx_time_t (*now)(void *context);
    // Returns when the controller may have interrupted since the last step, when something else
    // wants the caller's attention, or at the deadline.
    void (*wait)(void *context, mx_time_t deadline);
    void (*log)(void *context, const char *line);
    // A keyboard has come; false: it cannot be served. `keyboard` is its index, below
    // XHCI_DEVICES_MAX.
    bool (*keyboard_added)(void *context, uint32_t keyboard);
    // Takes what it can out of the queue.
    void (*keys)(void *context, uint32_t keyboard, struct key_queue *queue);
    // It has gone; its keys that were down have been queued as released.
    void (*keyboard_removed)(void *context, uint32_t keyboard, struct key_queue *queue);
};

struct xhci_host {
    const struct xhci_host_ops *ops;
    void *context;
    uint32_t register_bytes; // size of the BAR
};

// Zeroed, page-aligned memory that driver and controller see.
struct xhci_memory {
    uint8_t *bytes;
    uint64_t address; // for the controller
    uint64_t size_bytes;
};

#define XHCI_REQUEST_TRBS_MAX 3

// A request that is under way; the event that ends it fills the rest.
struct xhci_request {
    bool is_pending;
    uint8_t trb_count;
    uint64_t trbs[XHCI_REQUEST_TRBS_MAX]; // addresses
    uint8_t code;                         // enum xhci_completion
    uint8_t slot;
    uint32_t residue; // bytes of the data that were not transferred
};

// A port of the controller or of a hub.
struct xhci_port {
    bool has_changed;
    bool is_refused; // what is connected there is not used, until it is unplugged
    uint8_t slot;    // of the device there, or 0
};

enum xhci_device_kind {
    XHCI_DEVICE_NEW, // not yet known
    XHCI_DEVICE_KEYBOARD,
    XHCI_DEVICE_HUB,
};

struct xhci_hub {
    uint8_t port_count;
    uint8_t think_time; // of its transaction translator, as the slot context wants it
    struct xhci_port ports[XHCI_HUB_PORTS_MAX + 1]; // by number
};

struct xhci_device {
    bool is_used;
    bool is_attached; // all that is needed to use it has been done
    enum xhci_device_kind kind;
    uint8_t slot;
    uint8_t speed;     // enum xhci_speed
    uint8_t root_port; // from 1
    uint8_t hub_slot;  // of the hub that it is on, or 0
    uint8_t hub_port;
    uint16_t packet_bytes0;
    uint16_t vendor_id, product_id;

    // Memory that is shared with the controller; the same for every device that gets the slot.
    uint8_t *output, *input, *data;
    uint64_t output_address, input_address, data_address;
    struct xhci_ring control_ring, interrupt_ring;

    struct xhci_request control;
    struct xhci_request report; // the interrupt-in transfer
    uint8_t interrupt_dci;      // 0: none
    uint8_t interrupt_address;  // the endpoint's
    uint8_t interface_number;
    uint16_t report_bytes; // asked for with each transfer
    uint8_t failures;      // of the interrupt endpoint in a row
    bool is_failed;        // the interrupt endpoint must be set going again
    bool is_broken;        // a control transfer has no end: the device must be dropped

    struct hid_keyboard keyboard;
    struct key_queue keys;
    uint8_t indicators, wanted_indicators;

    struct xhci_hub hub;
};

struct xhci {
    struct xhci_host host;
    struct xhci_memory memory;

    // What the capability registers say, checked against the size of the BAR.
    uint32_t operational, runtime, doorbells, extended; // offsets
    uint32_t context_bytes;                             // 32 or 64
    uint32_t scratchpad_count;
    uint8_t slot_count, port_count;
    bool has_port_power, has_64_bits;

    uint64_t *slots; // the device context base address array
    struct xhci_ring commands;
    struct xhci_event_ring events;
    struct xhci_request command;
    uint64_t stray_event_count;
    bool is_controller_failed;

    struct xhci_port ports[XHCI_PORTS_MAX + 1];       // by number
    struct xhci_device devices[XHCI_DEVICES_MAX + 1]; // by slot
};

// Reads and checks what the controller says of itself; *memory_bytes is how much xhci_start needs.
// NOT_SUPPORTED: no controller that this driver can use; IO_DATA_INTEGRITY: registers that
// contradict one another. The log says what.
MX_MUST_CHECK mx_status_t xhci_probe(struct xhci *xhci, const struct xhci_host *host,
                                     uint64_t *memory_bytes);

// Takes the controller from the firmware, resets it and starts it; then all ports are to be looked
// at. After an error of any later call it may be called again. NOT_SUPPORTED: it cannot reach the
// memory. TIMED_OUT, IO: it does not answer; the log says what.
MX_MUST_CHECK mx_status_t xhci_start(struct xhci *xhci, const struct xhci_memory *memory);

// Does what there is to do, one thing for each port and device at most. IO: the controller has
// failed or gone; all keyboards have been removed.
MX_MUST_CHECK mx_status_t xhci_step(struct xhci *xhci);

// Whether there is more to do already, so that the next step must not wait.
bool xhci_has_work(const struct xhci *xhci);

// Whether the controller answers at all.
bool xhci_is_present(const struct xhci *xhci);

// The indicators that shall be lit (bits of the boot keyboard's output report), with the next step.
void xhci_set_indicators(struct xhci *xhci, uint32_t keyboard, uint8_t indicators);
