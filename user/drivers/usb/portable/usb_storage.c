// Disks on USB; see usb_storage.h.

#include "user/drivers/usb/portable/usb_storage.h"

#include <string.h>

#include "user/drivers/usb/portable/bulk_only.h"
#include "user/drivers/usb/portable/usb_device.h"
#include "user/drivers/usb/portable/xhci_bulk.h"
#include "user/drivers/usb/portable/xhci_controller.h"
#include "user/drivers/usb/portable/xhci_events.h"
#include "user/drivers/usb/portable/xhci_registers.h"

#define REQUEST_RESET 0xff // "Bulk-Only Mass Storage Reset", 3.1
#define TYPE_OUT      (USB_TYPE_CLASS | USB_TYPE_INTERFACE)

#define COMMAND_TIMEOUT MX_SEC(15)
#define START_TIMEOUT   MX_SEC(20) // all of it
#define READY_PAUSE     MX_MSEC(100)
#define READY_TRIES     50

#define ATTEMPTS_MAX 3 // of a request that the disk wants tried again
#define FAILURES_MAX 3 // of the transport while it is carried out

// In the device's data page, behind control transfers and reports.
#define COMMAND_OFFSET (XHCI_DEVICE_DATA_BYTES + XHCI_REPORT_BYTES_MAX)
#define STATUS_OFFSET  (COMMAND_OFFSET + 64u)
#define ANSWER_OFFSET  (STATUS_OFFSET + 64u)
_Static_assert(ANSWER_OFFSET + SCSI_ANSWER_BYTES_MAX <= XHCI_PAGE_BYTES, "one page");

static uint32_t index_of(const struct xhci_device *device)
{
    return device->slot - 1u;
}

// --- the transfers of a command
// -----------------------------------------------------------------------

static void start_transfer(struct xhci *xhci, struct xhci_device *device, struct xhci_bulk *bulk,
                           enum xhci_storage_stage stage, const struct xhci_run *runs,
                           uint32_t run_count)
{
    const mx_status_t status = xhci_bulk_start(xhci, device, bulk, runs, run_count);

    device->storage.stage = status == MX_OK ? stage : XHCI_STORAGE_BROKEN;
}

static void begin(struct xhci *xhci, struct xhci_device *device, const struct scsi_command *command,
                  const struct xhci_run *runs, uint32_t run_count)
{
    const struct xhci_run wrapper = {device->data_address + COMMAND_OFFSET,
                                     BULK_ONLY_COMMAND_BYTES};
    const mx_time_t end = xhci_now(xhci) + COMMAND_TIMEOUT;
    struct xhci_storage *storage = &device->storage;

    storage->command = *command;
    storage->runs = runs;
    storage->run_count = run_count;
    storage->tag++;
    storage->moved_bytes = 0;
    storage->is_status_repeated = false;
    storage->deadline = end < storage->start_deadline ? end : storage->start_deadline;
    bulk_only_write_command(device->data + COMMAND_OFFSET, storage->tag, command);
    start_transfer(xhci, device, &device->bulk_out, XHCI_STORAGE_COMMAND, &wrapper, 1);
}

// The stick of an emulator (QEMU 7.2) loses a status that the controller finds in its ring while it
// still tells of the end of the data. It has told when a register can be read.
static void begin_status(struct xhci *xhci, struct xhci_device *device)
{
    const struct xhci_run wrapper = {device->data_address + STATUS_OFFSET, BULK_ONLY_STATUS_BYTES};

    (void)xhci_read(xhci, xhci->operational + XHCI_USBSTS);
    start_transfer(xhci, device, &device->bulk_in, XHCI_STORAGE_STATUS, &wrapper, 1);
}

static void begin_data(struct xhci *xhci, struct xhci_device *device)
{
    const struct xhci_storage *storage = &device->storage;
    const struct xhci_run answer = {device->data_address + ANSWER_OFFSET,
                                    storage->command.data_bytes};
    struct xhci_bulk *bulk = storage->command.is_in ? &device->bulk_in : &device->bulk_out;

    if (storage->command.data_bytes == 0)
        begin_status(xhci, device);
    else if (storage->run_count == 0)
        start_transfer(xhci, device, bulk, XHCI_STORAGE_DATA, &answer, 1);
    else
        start_transfer(xhci, device, bulk, XHCI_STORAGE_DATA, storage->runs, storage->run_count);
}

static bool is_done(const struct xhci_bulk *bulk)
{
    return bulk->code == XHCI_COMPLETION_SUCCESS || bulk->code == XHCI_COMPLETION_SHORT_PACKET;
}

// False: the transport has failed.
static bool take_status(struct xhci_device *device, const struct xhci_bulk *bulk)
{
    struct xhci_storage *storage = &device->storage;
    uint8_t bytes[BULK_ONLY_STATUS_BYTES];
    enum bulk_only_verdict verdict;
    uint32_t residue;

    memcpy(bytes, device->data + STATUS_OFFSET, sizeof(bytes));
    if (bulk_only_parse_status(bytes, bulk->moved_bytes, storage->tag, &storage->command, &verdict,
                               &residue) != MX_OK ||
        verdict == BULK_ONLY_PHASE_ERROR)
        return false;
    // The disk may fill up what it has left out.
    const uint32_t meant = storage->command.data_bytes - residue;
    storage->moved_bytes = storage->moved_bytes < meant ? storage->moved_bytes : meant;
    storage->has_passed = verdict == BULK_ONLY_PASSED;
    storage->stage = XHCI_STORAGE_IDLE;
    return true;
}

static void command_ended(struct xhci *xhci, struct xhci_device *device);

static void status_ended(struct xhci *xhci, struct xhci_device *device,
                         const struct xhci_bulk *bulk)
{
    struct xhci_storage *storage = &device->storage;

    if (bulk->code == XHCI_COMPLETION_STALL && !storage->is_status_repeated) {
        storage->is_status_repeated = true;
        storage->stage = XHCI_STORAGE_STATUS_STALLED;
    } else if (is_done(bulk) && take_status(device, bulk)) {
        command_ended(xhci, device);
    } else {
        storage->stage = XHCI_STORAGE_BROKEN;
    }
}

void usb_storage_on_transfer(struct xhci *xhci, struct xhci_device *device,
                             const struct xhci_bulk *bulk)
{
    struct xhci_storage *storage = &device->storage;

    if (storage->stage == XHCI_STORAGE_STATUS) {
        status_ended(xhci, device, bulk);
    } else if (storage->stage == XHCI_STORAGE_COMMAND && is_done(bulk) &&
               bulk->moved_bytes == BULK_ONLY_COMMAND_BYTES) {
        begin_data(xhci, device);
    } else if (storage->stage == XHCI_STORAGE_DATA && is_done(bulk)) {
        storage->moved_bytes = bulk->moved_bytes;
        begin_status(xhci, device);
    } else if (storage->stage == XHCI_STORAGE_DATA && bulk->code == XHCI_COMPLETION_STALL) {
        storage->moved_bytes = bulk->moved_bytes;
        storage->stage = XHCI_STORAGE_DATA_STALLED;
    } else {
        storage->stage = XHCI_STORAGE_BROKEN;
    }
}

// --- when a transfer fails
// ----------------------------------------------------------------------------

// A stall ends the data, or puts the status off (6.7.2 "Hi - Host expects to receive data from the
// device", 6.7.3 "Ho", 5.3.3 "Status Transport"). What does not help breaks the transport.
static mx_status_t clear_stall(struct xhci *xhci, struct xhci_device *device)
{
    struct xhci_storage *storage = &device->storage;
    const bool is_in = storage->stage == XHCI_STORAGE_STATUS_STALLED || storage->command.is_in;
    const mx_status_t status =
        xhci_bulk_clear_halt(xhci, device, is_in ? &device->bulk_in : &device->bulk_out);

    if (status == MX_OK)
        begin_status(xhci, device);
    else
        storage->stage = XHCI_STORAGE_BROKEN;
    return status == MX_ERR_TIMED_OUT || xhci->is_controller_failed ? status : MX_OK;
}

// 5.3.4 "Reset Recovery".
static mx_status_t reset_recovery(struct xhci *xhci, struct xhci_device *device)
{
    mx_status_t status =
        xhci_device_request(xhci, device, TYPE_OUT, REQUEST_RESET, 0, device->interface_number);

    if (status == MX_OK)
        status = xhci_device_request(xhci, device, USB_TYPE_ENDPOINT, USB_REQUEST_CLEAR_FEATURE,
                                     USB_FEATURE_ENDPOINT_HALT, device->bulk_in.address);
    if (status == MX_OK)
        status = xhci_device_request(xhci, device, USB_TYPE_ENDPOINT, USB_REQUEST_CLEAR_FEATURE,
                                     USB_FEATURE_ENDPOINT_HALT, device->bulk_out.address);
    return status == MX_OK ? xhci_bulk_reset(xhci, device) : status;
}

// --- setting it up
// ------------------------------------------------------------------------------------

static bool is_stalled(const struct xhci_storage *storage)
{
    return storage->stage == XHCI_STORAGE_DATA_STALLED ||
           storage->stage == XHCI_STORAGE_STATUS_STALLED;
}

// Waits for the command. IO: the transport has failed.
static mx_status_t execute(struct xhci *xhci, struct xhci_device *device,
                           struct scsi_command command)
{
    struct xhci_storage *storage = &device->storage;
    mx_status_t status = MX_OK;

    begin(xhci, device, &command, NULL, 0);
    while (status == MX_OK) {
        const bool is_late = xhci_now(xhci) >= storage->deadline;
        status = xhci_take_events(xhci);
        if (status == MX_OK && storage->stage == XHCI_STORAGE_IDLE)
            return MX_OK;
        if (status == MX_OK && storage->stage == XHCI_STORAGE_BROKEN)
            return MX_ERR_IO;
        if (status == MX_OK && is_stalled(storage))
            status = clear_stall(xhci, device);
        else if (status == MX_OK && is_late)
            status = MX_ERR_TIMED_OUT;
        else if (status == MX_OK)
            xhci->host.ops->wait(xhci->host.context, storage->deadline);
    }
    return status;
}

// What came of the last command, copied so that it stays as it is; returns its size.
static size_t take_answer(const struct xhci_device *device, uint8_t bytes[SCSI_ANSWER_BYTES_MAX])
{
    memcpy(bytes, device->data + ANSWER_OFFSET, SCSI_ANSWER_BYTES_MAX);
    return device->storage.moved_bytes;
}

static enum scsi_sense take_sense(const struct xhci_device *device)
{
    uint8_t bytes[SCSI_ANSWER_BYTES_MAX];
    const size_t size_bytes = take_answer(device, bytes);

    return device->storage.has_passed ? scsi_parse_sense(bytes, size_bytes) : SCSI_SENSE_FAILED;
}

static mx_status_t refuse(struct xhci *xhci, const struct xhci_device *device, const char *why)
{
    usb_device_log(xhci, device, why);
    return MX_ERR_NOT_SUPPORTED;
}

static mx_status_t inquire(struct xhci *xhci, struct xhci_device *device)
{
    uint8_t bytes[SCSI_ANSWER_BYTES_MAX];
    const mx_status_t status = execute(xhci, device, scsi_inquiry());

    if (status != MX_OK)
        return status;
    const size_t size_bytes = take_answer(device, bytes);
    if (!device->storage.has_passed || scsi_parse_inquiry(bytes, size_bytes) != MX_OK)
        return refuse(xhci, device, "has storage that is not a disk; not used");
    return MX_OK;
}

static mx_status_t await_ready(struct xhci *xhci, struct xhci_device *device)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; status == MX_OK && i < READY_TRIES; i++) {
        status = execute(xhci, device, scsi_test_unit_ready());
        if (status == MX_OK && device->storage.has_passed)
            return MX_OK;
        if (status == MX_OK)
            status = execute(xhci, device, scsi_request_sense());
        // Another medium than before is nothing new at this point; the next try says what is there.
        if (status == MX_OK && i > 0 && take_sense(device) == SCSI_SENSE_EMPTY)
            return refuse(xhci, device, "is a disk without a medium; not used");
        if (status == MX_OK)
            status = xhci_pause(xhci, READY_PAUSE);
    }
    return status == MX_OK ? refuse(xhci, device, "is a disk that does not become ready; not used")
                           : status;
}

static mx_status_t read_capacity(struct xhci *xhci, struct xhci_device *device)
{
    struct scsi_capacity *capacity = &device->storage.capacity;
    uint8_t bytes[SCSI_ANSWER_BYTES_MAX];
    mx_status_t parsed = MX_ERR_NOT_SUPPORTED;
    mx_status_t status = execute(xhci, device, scsi_read_capacity10());

    if (status == MX_OK && device->storage.has_passed)
        parsed = scsi_parse_capacity10(bytes, take_answer(device, bytes), capacity);
    if (status == MX_OK && parsed == MX_ERR_OUT_OF_RANGE) {
        parsed = MX_ERR_NOT_SUPPORTED;
        status = execute(xhci, device, scsi_read_capacity16());
        if (status == MX_OK && device->storage.has_passed)
            parsed = scsi_parse_capacity16(bytes, take_answer(device, bytes), capacity);
    }
    if (status == MX_OK && parsed != MX_OK)
        return refuse(
            xhci, device,
            "is a disk of impossible size, or not of blocks of 512 to 4096 bytes; not used");
    return status;
}

// A disk that does not know the command can be written.
static mx_status_t read_protection(struct xhci *xhci, struct xhci_device *device,
                                   bool *is_read_only)
{
    uint8_t bytes[SCSI_ANSWER_BYTES_MAX];
    const mx_status_t status = execute(xhci, device, scsi_mode_sense());

    if (status != MX_OK)
        return status;
    const size_t size_bytes = take_answer(device, bytes);
    *is_read_only = device->storage.has_passed && scsi_is_write_protected(bytes, size_bytes);
    return MX_OK;
}

static mx_status_t open_endpoints(struct xhci *xhci, struct xhci_device *device,
                                  const struct usb_configuration *configuration)
{
    const struct usb_interface *interface = usb_find_storage(configuration);
    mx_status_t status;

    if (!xhci->has_64_bits)
        return refuse(xhci, device,
                      "is a disk, but its controller cannot reach all memory; not used");
    device->interface_number = interface->number;
    status = xhci_bulk_open(xhci, device, usb_find_bulk(interface, USB_ENDPOINT_IN),
                            usb_find_bulk(interface, 0));
    if (status == MX_OK)
        status = xhci_device_request(xhci, device, 0, USB_REQUEST_SET_CONFIGURATION,
                                     configuration->value, 0);
    return status;
}

mx_status_t usb_storage_start(struct xhci *xhci, struct xhci_device *device,
                              const struct usb_configuration *configuration)
{
    struct xhci_disk_info info = {.is_read_only = false};
    mx_status_t status = open_endpoints(xhci, device, configuration);

    device->storage.start_deadline = xhci_now(xhci) + START_TIMEOUT;
    if (status == MX_OK)
        status = inquire(xhci, device);
    if (status == MX_OK)
        status = await_ready(xhci, device);
    if (status == MX_OK)
        status = read_capacity(xhci, device);
    if (status == MX_OK)
        status = read_protection(xhci, device, &info.is_read_only);
    if (status != MX_OK)
        return status;
    device->storage.start_deadline = MX_TIME_INFINITE;
    info.capacity = device->storage.capacity;
    usb_device_name(device, info.place);
    if (!xhci->host.ops->disk_added(xhci->host.context, index_of(device), &info))
        return MX_ERR_NOT_SUPPORTED;
    device->kind = XHCI_DEVICE_DISK;
    return MX_OK;
}

void usb_storage_stop(struct xhci *xhci, struct xhci_device *device)
{
    device->storage.request = NULL;
    // A controller that did not close the device may use the request's memory until it is stopped.
    if (!xhci->is_controller_failed || xhci_stop(xhci))
        xhci->host.ops->disk_removed(xhci->host.context, index_of(device));
}

// --- requests
// -----------------------------------------------------------------------------------------

static void begin_request(struct xhci *xhci, struct xhci_device *device)
{
    const struct xhci_disk_request *request = device->storage.request;
    const struct scsi_command command =
        request->operation == XHCI_DISK_FLUSH
            ? scsi_synchronize_cache()
            : scsi_transfer(request->operation == XHCI_DISK_WRITE, request->block,
                            request->block_count, device->storage.capacity.block_bytes);

    device->storage.is_sensing = false;
    begin(xhci, device, &command, request->runs, request->run_count);
}

mx_status_t xhci_start_request(struct xhci *xhci, uint32_t disk,
                               const struct xhci_disk_request *request)
{
    struct xhci_device *device =
        disk < XHCI_DEVICES_MAX ? xhci_find_device(xhci, (uint8_t)(disk + 1)) : NULL;

    if (device == NULL || device->kind != XHCI_DEVICE_DISK || device->storage.request != NULL ||
        xhci->is_controller_failed)
        return MX_ERR_BAD_STATE;
    if (!xhci_bulk_fits(request->runs, request->run_count))
        return MX_ERR_OUT_OF_RANGE;
    device->storage.request = request;
    device->storage.attempts = device->storage.failures = 0;
    begin_request(xhci, device);
    return MX_OK;
}

static void finish(struct xhci *xhci, struct xhci_device *device, mx_status_t status)
{
    device->storage.request = NULL;
    xhci->host.ops->request_done(xhci->host.context, index_of(device), status);
}

static void judge_failure(struct xhci *xhci, struct xhci_device *device, enum scsi_sense sense)
{
    struct xhci_storage *storage = &device->storage;
    const bool is_flush = storage->request->operation == XHCI_DISK_FLUSH;

    if (sense == SCSI_SENSE_EMPTY)
        storage->stage = XHCI_STORAGE_EMPTY;
    else if (sense == SCSI_SENSE_AGAIN && ++storage->attempts < ATTEMPTS_MAX)
        begin_request(xhci, device);
    else
        // A disk that does not know how to flush has nothing to flush.
        finish(xhci, device, sense == SCSI_SENSE_UNKNOWN && is_flush ? MX_OK : MX_ERR_IO);
}

static void command_ended(struct xhci *xhci, struct xhci_device *device)
{
    struct xhci_storage *storage = &device->storage;
    const struct scsi_command ask = scsi_request_sense();

    if (storage->request == NULL)
        return; // `execute` looks for itself
    if (storage->is_sensing) {
        judge_failure(xhci, device, take_sense(device));
    } else if (storage->has_passed) {
        finish(xhci, device,
               storage->moved_bytes == storage->command.data_bytes ? MX_OK : MX_ERR_IO);
    } else {
        storage->is_sensing = true;
        begin(xhci, device, &ask, NULL, 0);
    }
}

// --- at work
// ------------------------------------------------------------------------------------------

mx_time_t usb_storage_deadline(const struct xhci_device *device)
{
    const enum xhci_storage_stage stage = device->storage.stage;

    if (!device->is_used || (stage != XHCI_STORAGE_COMMAND && stage != XHCI_STORAGE_DATA &&
                             stage != XHCI_STORAGE_STATUS))
        return MX_TIME_INFINITE;
    return device->storage.deadline;
}

void usb_storage_check_time(struct xhci *xhci, struct xhci_device *device)
{
    const mx_time_t deadline = usb_storage_deadline(device);

    if (deadline != MX_TIME_INFINITE && xhci_now(xhci) >= deadline)
        device->storage.stage = XHCI_STORAGE_LATE;
}

bool usb_storage_has_work(const struct xhci_device *device)
{
    return device->storage.stage >= XHCI_STORAGE_DATA_STALLED;
}

static mx_status_t fail(struct xhci *xhci, const struct xhci_device *device, const char *why)
{
    usb_device_log(xhci, device, why);
    return MX_ERR_IO;
}

static mx_status_t repair(struct xhci *xhci, struct xhci_device *device)
{
    if (++device->storage.failures > FAILURES_MAX)
        return fail(xhci, device, "fails again and again");
    const mx_status_t status = reset_recovery(xhci, device);

    if (status == MX_OK)
        begin_request(xhci, device);
    return status;
}

mx_status_t usb_storage_step(struct xhci *xhci, struct xhci_device *device)
{
    switch (device->storage.stage) {
    case XHCI_STORAGE_DATA_STALLED:
    case XHCI_STORAGE_STATUS_STALLED:
        return clear_stall(xhci, device);
    case XHCI_STORAGE_BROKEN:
        return repair(xhci, device);
    case XHCI_STORAGE_LATE:
        return fail(xhci, device, "does not carry out a command");
    case XHCI_STORAGE_EMPTY:
        return fail(xhci, device, "has lost its medium, or got another");
    case XHCI_STORAGE_IDLE:
    case XHCI_STORAGE_COMMAND:
    case XHCI_STORAGE_DATA:
    case XHCI_STORAGE_STATUS:
        break;
    }
    return MX_OK;
}
