// A stick that does anything, at any time: what it sends, what it leaves out, when it goes. Each
// request ends once or goes with its disk, and the controller is told nothing that it must not be.
// And arbitrary bytes as status wrappers and answers.
#include <stdlib.h>

#include "tests/unit/xhci_fixture.h"
#include "user/drivers/usb/portable/bulk_only.h"
#include "user/drivers/usb/portable/scsi_disk.h"

#define PORT     1
#define RUNS_MAX 16

struct input {
    const uint8_t *at;
    size_t left;
};

static struct input input;
static struct stick stick;
static struct xhci driver;
static struct xhci_run runs[RUNS_MAX];
static struct xhci_disk_request request;
static unsigned started, lost; // requests
static unsigned removed;       // disks
static bool is_busy;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t take(void)
{
    if (input.left == 0)
        return 0;
    input.left--;
    return *input.at++;
}

static void parse(const uint8_t *data, size_t size)
{
    const struct scsi_command command = scsi_transfer(false, 0, 8, 512);
    struct scsi_capacity capacity;
    enum bulk_only_verdict verdict;
    uint32_t residue;
    // Of exactly this size, so that a byte too far is seen.
    uint8_t *bytes = malloc(size + !size);

    if (size > 0)
        memcpy(bytes, data, size);
    if (bulk_only_parse_status(bytes, size, 0x34333231, &command, &verdict, &residue) == MX_OK)
        require(size == 13 && (verdict == BULK_ONLY_PHASE_ERROR || residue <= command.data_bytes));
    for (unsigned i = 0; i < 2; i++) {
        if ((i == 0 ? scsi_parse_capacity10(bytes, size, &capacity)
                    : scsi_parse_capacity16(bytes, size, &capacity)) != MX_OK)
            continue;
        require(capacity.block_bytes >= 512 && capacity.block_bytes <= 4096 &&
                (capacity.block_bytes & (capacity.block_bytes - 1)) == 0);
        require(capacity.block_count > 0 &&
                capacity.block_count <= (uint64_t)INT64_MAX / capacity.block_bytes);
    }
    (void)!scsi_parse_inquiry(bytes, size);
    (void)scsi_is_write_protected(bytes, size);
    (void)scsi_parse_sense(bytes, size);
    free(bytes);
}

static void start_request(struct fake_xhci *fake)
{
    const enum xhci_disk_operation operation = (enum xhci_disk_operation)(take() % 3);
    const uint32_t run_count = operation == XHCI_DISK_FLUSH ? 0 : 1 + take() % RUNS_MAX;

    if (is_busy)
        return;
    for (uint32_t i = 0; i < run_count; i++)
        runs[i] = (struct xhci_run){FAKE_MEMORY_ADDRESS + FAKE_BUFFER + 8192 * i + take() * 16u,
                                    fake->disk_info.capacity.block_bytes};
    request = (struct xhci_disk_request){operation, take(), run_count, runs, run_count};
    is_busy = xhci_start_request(&driver, fake->disk, &request) == MX_OK;
    started += is_busy;
}

static void on_request_done(struct fake_xhci *fake, uint32_t disk)
{
    require(is_busy && disk == fake->disk);
    is_busy = false;
    if (take() & 1)
        start_request(fake);
}

// The stick becomes another.
static void misbehave(void)
{
    const uint8_t what = take();

    switch (what % 10) {
    case 0:
        stick.lie = (enum stick_lie)(take() % STICK_LIES);
        stick.lie_count = take() % 8;
        break;
    case 1:
        stick.data_answer = -(1 + take() % 4);
        stick.data_count = take() % 8;
        break;
    case 2:
        stick.command_answer = -(1 + take() % 4);
        stick.command_count = take() % 8;
        break;
    case 3:
        stick.status_stalls = take() % 4;
        break;
    case 4:
        stick.failing = take() & 1 ? 0x28 : take();
        stick.failing_count = take();
        stick.sense_key = take();
        stick.sense_code = take();
        break;
    case 5:
        stick.left_out = take() * 8u;
        stick.is_stalling = take() & 1;
        stick.is_padding = take() & 1;
        break;
    case 6:
        stick.has_descriptors = what & 0x80;
        stick.unknown = take();
        stick.breaking = take();
        break;
    case 7:
        stick.capacity10[take() % 8] = take();
        break;
    case 8:
        stick.capacity16[take() % 32] = take();
        break;
    default:
        stick.inquiry[take() % 36] = take();
        break;
    }
}

static void plug(struct fake_xhci *fake)
{
    if (fake->devices[PORT].is_connected) {
        fake_disconnect(fake, PORT);
        return;
    }
    if (take() & 1)
        stick_init(&stick);
    fake_stick(fake, PORT, &stick);
    fake->devices[PORT].stalled_request = take() & 1 ? take() : 0;
    fake_connect(fake, PORT);
}

static void act(struct fake_xhci *fake)
{
    if (*fake_register(fake, FAKE_OPERATIONAL + XHCI_USBSTS) & XHCI_USBSTS_HCH)
        return;
    switch (take() % 8) {
    case 0:
        plug(fake);
        break;
    case 1:
        fake->now += MX_SEC(take() % 16);
        break;
    case 2:
        fake->devices[PORT].silent_request = take() & 1 ? take() : 0;
        break;
    case 3:
    case 4:
        misbehave();
        break;
    default:
        if (fake->disks_added > fake->disks_removed)
            start_request(fake);
        break;
    }
}

static void on_wait(struct fake_xhci *fake)
{
    if (input.left > 0 && take() & 1)
        act(fake);
}

static void check_removed(const struct fake_xhci *fake)
{
    // A disk takes its request with it.
    if (removed != fake->disks_removed && is_busy) {
        is_busy = false;
        lost++;
    }
    removed = fake->disks_removed;
    require(!fake->is_broken);
    require(fake->disks_added - fake->disks_removed <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_xhci fake;
    const struct xhci_host host = {&fake_host_ops, &fake, FAKE_BAR_BYTES};
    uint64_t memory_bytes;

    parse(data, size);
    input = (struct input){data, size};
    started = lost = removed = 0;
    is_busy = false;
    fake_init(&fake);
    stick_init(&stick);
    fake_stick(&fake, PORT, &stick);
    fake_connect(&fake, PORT);
    fake.on_request_done = on_request_done;
    require(xhci_probe(&driver, &host, &memory_bytes) == MX_OK && memory_bytes <= FAKE_BUFFER);
    const struct xhci_memory memory = {fake.memory, FAKE_MEMORY_ADDRESS, memory_bytes};
    require(xhci_start(&driver, &memory) == MX_OK);
    if (take() & 1)
        misbehave();
    fake.on_wait = on_wait;
    for (unsigned steps = 0; steps < 400; steps++) {
        require(xhci_step(&driver) == MX_OK);
        check_removed(&fake);
        if (input.left == 0 && !xhci_has_work(&driver))
            break;
        act(&fake);
    }
    // What still runs ends in time.
    for (unsigned steps = 0; steps < 400 && is_busy; steps++) {
        fake.now += MX_SEC(1);
        require(xhci_step(&driver) == MX_OK);
        check_removed(&fake);
    }
    require(!is_busy && fake.requests_done + lost == started);
    return 0;
}
