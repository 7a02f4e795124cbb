// One xHCI controller, and the keyboards and disks on it.
//
// The driver is one thread. xhci_step does what there is to do and returns; its caller waits for
// the interrupt and calls it again. Commands and control transfers, which only happen while devices
// come and go or fail, are waited for inside a step, each for a bounded time; meanwhile reports of
// keyboards are taken, and requests of disks carried out. What the controller writes is read once
// and judged: an event that names nothing that is under way is counted and passed over, and a
// controller that breaks the rules where nothing can be saved is given up with an error, after
// which xhci_start may be tried again.
//
// Registers, time, messages, keys and requests of disks are the host's business (struct
// xhci_host_ops), so that all of this runs against a fake controller on the development host.
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
#include "user/drivers/usb/portable/scsi_disk.h"
#include "user/drivers/usb/portable/xhci_ring.h"

#define XHCI_DEVICES_MAX   16 // slots that are used, hubs among them
#define XHCI_PORTS_MAX     255
#define XHCI_HUB_PORTS_MAX 15 // as many as a route string can name

#define USB_PLACE_NAME_BYTES 16 // "port 5", or "port 5.2" behind a hub

#define XHCI_PAGE_BYTES        4096u
#define XHCI_DEVICE_DATA_BYTES 2048u // of a control transfer
#define XHCI_REPORT_BYTES_MAX  1024u
#define XHCI_BULK_TRBS_MAX     100u // of a transfer

// Contiguous memory of the controller's addresses.
struct xhci_run {
    uint64_t address;
    uint32_t size_bytes;
};

struct xhci_disk_info {
    struct scsi_capacity capacity;
    bool is_read_only;
    char place[USB_PLACE_NAME_BYTES];
};

enum xhci_disk_operation { XHCI_DISK_READ, XHCI_DISK_WRITE, XHCI_DISK_FLUSH };

struct xhci_disk_request {
    enum xhci_disk_operation operation;
    uint64_t block; // within the disk, like the last one
    uint32_t block_count;
    const struct xhci_run *runs; // of block_count blocks
    uint32_t run_count;
};

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
    // A disk has come; false: it cannot be served. `disk` is its index, below XHCI_DEVICES_MAX.
    bool (*disk_added)(void *context, uint32_t disk, const struct xhci_disk_info *info);
    // The request that xhci_start_request took has been carried out; the next may be given at once.
    void (*request_done)(void *context, uint32_t disk, mx_status_t status);
    // It has gone, with the request that was under way. The controller does not use its memory any
    // more.
    void (*disk_removed)(void *context, uint32_t disk);
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

// A bulk endpoint. One transfer is under way at a time.
struct xhci_bulk {
    struct xhci_ring ring;
    uint8_t dci;     // 0: none
    uint8_t address; // the endpoint's
    uint16_t packet_bytes;
    bool is_pending;
    uint8_t code; // enum xhci_completion of the last transfer
    uint32_t moved_bytes;
    uint64_t first; // address of the transfer's first TRB, behind which the others are
    uint32_t trb_count;
    uint32_t ends[XHCI_BULK_TRBS_MAX]; // of each TRB's data in the transfer's
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
    XHCI_DEVICE_DISK,
};

// Where the command of a disk is.
enum xhci_storage_stage {
    XHCI_STORAGE_IDLE,
    XHCI_STORAGE_COMMAND, // these three are transfers that are under way
    XHCI_STORAGE_DATA,
    XHCI_STORAGE_STATUS,
    XHCI_STORAGE_DATA_STALLED, // from here on a step is needed
    XHCI_STORAGE_STATUS_STALLED,
    XHCI_STORAGE_BROKEN,
    XHCI_STORAGE_LATE,
    XHCI_STORAGE_EMPTY, // the medium has gone
};

struct xhci_storage {
    enum xhci_storage_stage stage;
    struct scsi_command command;
    const struct xhci_run *runs; // of its data; run_count 0: the device's own memory
    uint32_t run_count;
    uint32_t tag;
    uint32_t moved_bytes; // of its data
    bool is_status_repeated;
    bool has_passed; // of the last command that ended
    bool is_sensing; // the command asks why the request's has failed
    mx_time_t deadline, start_deadline;
    const struct xhci_disk_request *request; // NULL: none
    uint8_t attempts;                        // of the request
    uint8_t failures;                        // of the transport meanwhile
    struct scsi_capacity capacity;
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

    struct xhci_bulk bulk_in, bulk_out;
    struct xhci_storage storage;

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
    bool is_stopped; // by xhci_stop

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
// failed or gone; all keyboards and disks have been removed. BAD_STATE: it has failed and cannot be
// stopped, so that it may still use the memory of requests; whoever gave it to the driver must not
// get it back.
MX_MUST_CHECK mx_status_t xhci_step(struct xhci *xhci);

// Whether there is more to do already, so that the next step must not wait.
bool xhci_has_work(const struct xhci *xhci);

// When the next step must be made, even if nothing happens.
mx_time_t xhci_deadline(const struct xhci *xhci);

// Whether the controller answers at all.
bool xhci_is_present(const struct xhci *xhci);

// The indicators that shall be lit (bits of the boot keyboard's output report), with the next step.
void xhci_set_indicators(struct xhci *xhci, uint32_t keyboard, uint8_t indicators);

// Starts a request of a disk that has none under way; it and its runs stay as they are until
// request_done or disk_removed. OUT_OF_RANGE: too many runs; BAD_STATE: there is no such disk, or
// it is going. May be called at any time, also out of host operations.
MX_MUST_CHECK mx_status_t xhci_start_request(struct xhci *xhci, uint32_t disk,
                                             const struct xhci_disk_request *request);
