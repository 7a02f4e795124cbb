// Disks on USB: wrappers, SCSI commands and answers, and the driver against a stick that may lie.
#include "tests/test.h"
#include "tests/unit/xhci_fixture.h"
#include "user/drivers/usb/portable/bulk_only.h"
#include "user/drivers/usb/portable/scsi_disk.h"

static struct fake_xhci fake;
static struct stick stick;
static struct xhci driver;

#define PORT 2

// --- wrappers and commands
// ------------------------------------------------------------------------------

TEST(bulk_only_wraps_commands)
{
    const struct scsi_command read = scsi_transfer(false, 0x01020304, 0x80, 512);
    static const uint8_t expected[BULK_ONLY_COMMAND_BYTES] = {
        'U',  'S', 'B', 'S' - 16, 0x44, 0x33, 0x22, 0x11, 0, 0, 1, 0,
        0x80, 0,   10,  0x28,     0,    1,    2,    3,    4, 0, 0, 0x80};
    uint8_t bytes[BULK_ONLY_COMMAND_BYTES];

    bulk_only_write_command(bytes, 0x11223344, &read);
    EXPECT_BYTES_EQ(bytes, expected, sizeof(expected));
}

TEST(bulk_only_refuses_status_wrappers_that_cannot_be)
{
    const struct scsi_command command = scsi_transfer(true, 0, 1, 512);
    const uint8_t good[BULK_ONLY_STATUS_BYTES] = {'U', 'S', 'B', 'S', 7, 0, 0, 0, 0, 2, 0, 0, 1};
    static const struct {
        uint8_t at, value;
    } lies[] = {{0, 'u'}, {3, 'C'}, {4, 8}, {7, 1}, {8, 1}, {11, 0x80}, {12, 3}, {12, 0xff}};
    uint8_t bytes[BULK_ONLY_STATUS_BYTES + 1] = {0};
    enum bulk_only_verdict verdict;
    uint32_t residue;

    memcpy(bytes, good, sizeof(good));
    ASSERT_OK(bulk_only_parse_status(bytes, sizeof(good), 7, &command, &verdict, &residue));
    EXPECT_EQ(verdict, BULK_ONLY_FAILED);
    EXPECT_EQ(residue, 512);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                  bulk_only_parse_status(bytes, 12, 7, &command, &verdict, &residue));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                  bulk_only_parse_status(bytes, 14, 7, &command, &verdict, &residue));
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        memcpy(bytes, good, sizeof(good));
        bytes[lies[i].at] = lies[i].value;
        EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY,
                      bulk_only_parse_status(bytes, sizeof(good), 7, &command, &verdict, &residue));
    }
    // With a phase error the residue means nothing.
    memcpy(bytes, good, sizeof(good));
    bytes[11] = 0xff;
    bytes[12] = 2;
    EXPECT_OK(bulk_only_parse_status(bytes, sizeof(good), 7, &command, &verdict, &residue));
    EXPECT_EQ(verdict, BULK_ONLY_PHASE_ERROR);
}

TEST(scsi_uses_long_commands_beyond_the_short_ones)
{
    const struct scsi_command last = scsi_transfer(false, UINT64_C(0xfffffffe), 1, 512);
    const struct scsi_command beyond = scsi_transfer(true, UINT64_C(0xffffffff), 2, 4096);
    static const uint8_t expected[16] = {0x8a, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2};

    EXPECT_EQ(last.bytes[0], 0x28);
    EXPECT_EQ(last.size_bytes, 10);
    EXPECT_TRUE(last.is_in);
    EXPECT_EQ(beyond.size_bytes, 16);
    EXPECT_FALSE(beyond.is_in);
    EXPECT_EQ(beyond.data_bytes, 8192);
    EXPECT_BYTES_EQ(beyond.bytes, expected, sizeof(expected));
}

static mx_status_t parse16(uint64_t last, uint32_t block, struct scsi_capacity *capacity)
{
    uint8_t bytes[32] = {0};

    stick_put(bytes, last, 8);
    stick_put(bytes + 8, block, 4);
    return scsi_parse_capacity16(bytes, sizeof(bytes), capacity);
}

TEST(scsi_refuses_capacities_that_cannot_be)
{
    struct scsi_capacity capacity = {0};
    uint8_t bytes[8] = {0};
    static const uint32_t bad_blocks[] = {0, 1, 256, 511, 513, 520, 768, 8192, 65536, UINT32_MAX};

    ASSERT_OK(parse16(UINT64_C(0x1ffffffff), 512, &capacity));
    EXPECT_EQ(capacity.block_count, UINT64_C(0x200000000));
    EXPECT_OK(parse16(0, 4096, &capacity));
    EXPECT_EQ(capacity.block_count, 1);
    for (size_t i = 0; i < sizeof(bad_blocks) / sizeof(bad_blocks[0]); i++)
        EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, parse16(1000, bad_blocks[i], &capacity));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, parse16(UINT64_MAX, 512, &capacity));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, parse16((UINT64_C(1) << 54) - 1, 512, &capacity));
    EXPECT_OK(parse16((UINT64_C(1) << 54) - 2, 512, &capacity));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, scsi_parse_capacity16(bytes, 8, &capacity));
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, scsi_parse_capacity10(bytes, 7, &capacity));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, scsi_parse_capacity10(bytes, 8, &capacity));
    stick_put(bytes, UINT32_MAX, 4);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, scsi_parse_capacity10(bytes, 8, &capacity));
}

TEST(scsi_understands_both_kinds_of_sense_data)
{
    const uint8_t changed[18] = {0xf0, 0, 0xe6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x28};
    const uint8_t none[] = {0x72, 0x02, 0x3a};

    EXPECT_EQ(scsi_parse_sense(changed, 18), SCSI_SENSE_EMPTY);
    EXPECT_EQ(scsi_parse_sense(changed, 12), SCSI_SENSE_AGAIN); // without its code
    EXPECT_EQ(scsi_parse_sense(none, 3), SCSI_SENSE_EMPTY);
    EXPECT_EQ(scsi_parse_sense(none, 2), SCSI_SENSE_FAILED);
    EXPECT_EQ(scsi_parse_sense(none + 1, 2), SCSI_SENSE_FAILED);
    EXPECT_EQ(scsi_parse_sense((const uint8_t[]){0x70, 0, 0x05}, 3), SCSI_SENSE_UNKNOWN);
    EXPECT_EQ(scsi_parse_sense((const uint8_t[]){0x70, 0, 0x03}, 3), SCSI_SENSE_FAILED);
    EXPECT_EQ(scsi_parse_sense((const uint8_t[]){0x00, 0, 0x05}, 3), SCSI_SENSE_FAILED);
}

// --- the driver
// ---------------------------------------------------------------------------------------

static mx_status_t start(void)
{
    const struct xhci_host host = {&fake_host_ops, &fake, FAKE_BAR_BYTES};
    uint64_t memory_bytes;
    const mx_status_t status = xhci_probe(&driver, &host, &memory_bytes);

    if (status != MX_OK)
        return status;
    EXPECT_LE(memory_bytes, FAKE_BUFFER);
    const struct xhci_memory memory = {fake.memory, FAKE_MEMORY_ADDRESS, memory_bytes};
    return xhci_start(&driver, &memory);
}

// Until there is nothing more to do, and no interrupt.
static mx_status_t run(void)
{
    const mx_status_t status = fake_run_driver(&fake, &driver);

    EXPECT_FALSE(status == MX_OK && xhci_has_work(&driver));
    EXPECT_FALSE(fake.is_broken);
    return status;
}

static bool has_logged(const char *text)
{
    return strstr(fake.log, text) != NULL;
}

static void prepare(void)
{
    fake_init(&fake);
    stick_init(&stick);
    fake_stick(&fake, PORT, &stick);
    fake_connect(&fake, PORT);
}

static void begin(void)
{
    EXPECT_OK(start());
    EXPECT_OK(run());
}

static void begin_with_disk(void)
{
    prepare();
    begin();
    EXPECT_EQ(fake.disks_added, 1);
    EXPECT_STR_EQ(fake.log, "port 2: device 1234:5678 is a disk\n");
}

#define RUNS_MAX 101u

static struct xhci_run runs[RUNS_MAX];
static struct xhci_disk_request request;

static uint8_t *buffer(void)
{
    return fake.memory + FAKE_BUFFER;
}

// One piece.
static const struct xhci_disk_request *make(enum xhci_disk_operation operation, uint64_t block,
                                            uint32_t count)
{
    runs[0] = (struct xhci_run){FAKE_MEMORY_ADDRESS + FAKE_BUFFER, count * STICK_BLOCK_BYTES};
    request =
        (struct xhci_disk_request){operation, block, count, runs, operation != XHCI_DISK_FLUSH};
    return &request;
}

static mx_status_t transfer(enum xhci_disk_operation operation, uint64_t block, uint32_t count)
{
    const unsigned done = fake.requests_done;

    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(operation, block, count)));
    EXPECT_OK(run());
    EXPECT_EQ(fake.requests_done, done + 1);
    return fake.request_status;
}

static void expect_readable(void)
{
    memset(buffer(), 0, 8 * STICK_BLOCK_BYTES);
    EXPECT_OK(transfer(XHCI_DISK_READ, 3, 8));
    EXPECT_BYTES_EQ(buffer(), stick.blocks + 3 * STICK_BLOCK_BYTES, 8 * STICK_BLOCK_BYTES);
}

static void expect_dropped(const char *why)
{
    EXPECT_TRUE(has_logged(why));
    EXPECT_TRUE(has_logged("dropped until it is plugged in again"));
    EXPECT_EQ(fake.disks_removed, 1);
    EXPECT_EQ(fake.disks_added, 1);
    EXPECT_STATUS(MX_ERR_BAD_STATE,
                  xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    // Another one, in its place, works.
    fake_disconnect(&fake, PORT);
    EXPECT_OK(run());
    stick_init(&stick);
    fake_connect(&fake, PORT);
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_added, 2);
    expect_readable();
    EXPECT_EQ(fake.disks_removed, 1);
}

TEST(usb_storage_finds_a_stick_and_says_what_it_is)
{
    begin_with_disk();
    EXPECT_EQ(fake.disk_info.capacity.block_count, STICK_BLOCKS);
    EXPECT_EQ(fake.disk_info.capacity.block_bytes, STICK_BLOCK_BYTES);
    EXPECT_FALSE(fake.disk_info.is_read_only);
    EXPECT_STR_EQ(fake.disk_info.place, "port 2");
    prepare();
    stick.mode[2] = 0x80;
    *fake_register(&fake, XHCI_HCCPARAMS1) |= XHCI_HCCPARAMS1_CSZ;
    fake.devices[PORT].speed = XHCI_SPEED_SUPER;
    fake.devices[PORT].device_descriptor[7] = 9;
    begin();
    EXPECT_TRUE(fake.disk_info.is_read_only);
    expect_readable();
}

TEST(usb_storage_finds_a_stick_behind_a_hub)
{
    fake_init(&fake);
    stick_init(&stick);
    fake_hub(&fake, 1);
    fake_connect(&fake, 1);
    begin();
    fake_stick(&fake, FAKE_PORTS + 2, &stick);
    fake_hub_change(&fake, 1, 2, true);
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_added, 1);
    EXPECT_STR_EQ(fake.disk_info.place, "port 1.2");
    expect_readable();
    fake_disconnect(&fake, 1); // with the hub
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_removed, 1);
}

TEST(usb_storage_asks_large_disks_how_large_they_are)
{
    prepare();
    stick_put(stick.capacity10, UINT32_MAX, 4);
    stick_put(stick.capacity16, UINT64_C(0x123456789), 8);
    begin();
    EXPECT_EQ(fake.disk_info.capacity.block_count, UINT64_C(0x12345678a));
    EXPECT_STATUS(MX_ERR_IO, transfer(XHCI_DISK_READ, UINT64_C(0x100000000), 1));
    EXPECT_EQ(stick.seen[(stick.seen_count - 2) % STICK_COMMANDS], 0x88);
}

TEST(usb_storage_moves_every_byte_to_its_place)
{
    static uint8_t expected[STICK_BLOCKS * STICK_BLOCK_BYTES];

    begin_with_disk();
    for (uint32_t i = 0; i < sizeof(expected); i++)
        expected[i] = (uint8_t)(i * 7 + i / STICK_BLOCK_BYTES);
    memcpy(stick.blocks, expected, sizeof(expected));
    // Pieces of all sizes, scattered, in both directions; often enough that the rings come round.
    for (uint32_t round = 0; round < 200; round++) {
        const uint32_t block = round * 37 % (STICK_BLOCKS - 128), count = 1 + round * 29 % 127;
        const uint32_t size = count * STICK_BLOCK_BYTES;
        const bool is_write = round % 3 == 1;
        uint32_t left = size, at = round * 113 % 4096, run_count = 0;
        while (left > 0) {
            uint32_t part = round % 2 == 0 ? 1 + (run_count * 2711 + round) % 9000 : size;
            part = part < left ? part : left;
            runs[run_count++] = (struct xhci_run){FAKE_MEMORY_ADDRESS + FAKE_BUFFER + at, part};
            for (uint32_t i = 0; i < part; i++)
                buffer()[at + i] = (uint8_t)(is_write ? round + i * 3 : 0);
            at += part + 5;
            left -= part;
        }
        request = (struct xhci_disk_request){is_write ? XHCI_DISK_WRITE : XHCI_DISK_READ, block,
                                             count, runs, run_count};
        ASSERT_OK(xhci_start_request(&driver, fake.disk, &request));
        ASSERT_OK(run());
        ASSERT_OK(fake.request_status);
        uint8_t *disk = expected + block * STICK_BLOCK_BYTES;
        for (uint32_t i = 0; i < run_count; i++) {
            uint8_t *memory = fake.memory + (runs[i].address - FAKE_MEMORY_ADDRESS);
            if (is_write)
                memcpy(disk, memory, runs[i].size_bytes);
            EXPECT_BYTES_EQ(memory, disk, runs[i].size_bytes);
            disk += runs[i].size_bytes;
        }
    }
    EXPECT_EQ(fake.requests_done, 200);
    EXPECT_BYTES_EQ(stick.blocks, expected, sizeof(expected));
}

TEST(usb_storage_takes_as_many_pieces_as_it_can_and_no_more)
{
    begin_with_disk();
    for (uint32_t i = 0; i < RUNS_MAX; i++)
        runs[i] = (struct xhci_run){FAKE_MEMORY_ADDRESS + FAKE_BUFFER + 2048 * i, 512};
    request = (struct xhci_disk_request){XHCI_DISK_READ, 0, 101, runs, 101};
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, xhci_start_request(&driver, fake.disk, &request));
    request = (struct xhci_disk_request){XHCI_DISK_READ, 0, 100, runs, 100};
    for (unsigned i = 0; i < 5; i++) {
        EXPECT_OK(xhci_start_request(&driver, fake.disk, &request));
        EXPECT_STATUS(MX_ERR_BAD_STATE, xhci_start_request(&driver, fake.disk, &request));
        EXPECT_OK(run());
        EXPECT_OK(fake.request_status);
    }
    EXPECT_BYTES_EQ(buffer() + 99 * 2048, stick.blocks + 99 * 512, 512);
    EXPECT_STATUS(MX_ERR_BAD_STATE, xhci_start_request(&driver, fake.disk + 1, &request));
    EXPECT_STATUS(MX_ERR_BAD_STATE, xhci_start_request(&driver, XHCI_DEVICES_MAX, &request));
}

static unsigned chain_left;

static void start_next(struct fake_xhci *controller, uint32_t disk)
{
    if (controller->request_status == MX_OK && chain_left-- > 0)
        EXPECT_OK(xhci_start_request(&driver, disk, &request));
}

TEST(usb_storage_takes_the_next_request_when_one_is_done)
{
    begin_with_disk();
    chain_left = 999;
    fake.on_request_done = start_next;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 1, 2)));
    EXPECT_OK(run());
    EXPECT_EQ(fake.requests_done, 1000);
}

TEST(usb_storage_flushes_disks_that_can)
{
    begin_with_disk();
    EXPECT_OK(transfer(XHCI_DISK_FLUSH, 0, 0));
    EXPECT_EQ(stick.seen[(stick.seen_count - 1) % STICK_COMMANDS], 0x35);
    stick.unknown = 0x35;
    EXPECT_OK(transfer(XHCI_DISK_FLUSH, 0, 0));
    stick.failing = 0x35;
    stick.failing_count = 1;
    stick.sense_key = 3;
    EXPECT_STATUS(MX_ERR_IO, transfer(XHCI_DISK_FLUSH, 0, 0));
    expect_readable();
}

TEST(usb_storage_asks_for_the_status_when_the_controller_has_told_of_the_data)
{
    begin_with_disk();
    fake.loses_status = true;
    expect_readable();
}

// --- disks that fail, within the rules
// ------------------------------------------------------------------

TEST(usb_storage_fails_the_request_that_the_disk_fails_and_no_other)
{
    static const uint8_t commands[] = {0x28, 0x2a};

    begin_with_disk();
    for (unsigned i = 0; i < 2; i++) {
        const unsigned clears = fake.devices[PORT].halt_clears;
        stick.failing = commands[i];
        stick.failing_count = 1;
        stick.sense_key = 3;
        stick.sense_code = 0x11;
        stick.has_descriptors = i == 1;
        EXPECT_STATUS(MX_ERR_IO, transfer(i == 0 ? XHCI_DISK_READ : XHCI_DISK_WRITE, 100, 4));
        // The data were stalled.
        EXPECT_EQ(fake.devices[PORT].halt_clears, clears + 1);
        expect_readable();
    }
    EXPECT_EQ(stick.resets, 0);
    EXPECT_EQ(fake.disks_removed, 0);
}

TEST(usb_storage_tries_again_what_the_disk_wants_tried_again)
{
    begin_with_disk();
    stick.failing = 0x28;
    stick.failing_count = 2;
    stick.sense_key = 6;
    stick.sense_code = 0x29; // it was reset
    expect_readable();
    EXPECT_EQ(stick.failing_count, 0);
    stick.failing_count = 1000;
    EXPECT_STATUS(MX_ERR_IO, transfer(XHCI_DISK_READ, 0, 1));
    EXPECT_EQ(stick.failing_count, 997);
}

TEST(usb_storage_drops_a_disk_whose_medium_goes)
{
    static const uint8_t senses[][2] = {{2, 0x3a}, {6, 0x28}};

    for (unsigned i = 0; i < 2; i++) {
        begin_with_disk();
        stick.failing = 0x2a;
        stick.failing_count = 1;
        stick.sense_key = senses[i][0];
        stick.sense_code = senses[i][1];
        EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_WRITE, 0, 1)));
        EXPECT_OK(run());
        EXPECT_EQ(fake.requests_done, 0);
        expect_dropped("has lost its medium, or got another");
    }
}

TEST(usb_storage_fails_requests_of_which_data_are_left_out)
{
    begin_with_disk();
    for (unsigned kind = 0; kind < 3; kind++) {
        stick.left_out = kind == 1 ? 4 * STICK_BLOCK_BYTES : 100;
        stick.is_stalling = kind == 1;
        stick.is_padding = kind == 2;
        EXPECT_STATUS(MX_ERR_IO, transfer(XHCI_DISK_READ, 0, 4));
        stick.left_out = 0;
        stick.is_stalling = stick.is_padding = false;
        expect_readable();
    }
    EXPECT_EQ(stick.resets, 0);
}

TEST(usb_storage_asks_again_for_a_status_that_is_stalled)
{
    begin_with_disk();
    stick.status_stalls = 1;
    expect_readable();
    EXPECT_EQ(stick.resets, 0);
    EXPECT_EQ(fake.devices[PORT].halt_clears, 1);
    stick.status_stalls = 1;
    EXPECT_OK(transfer(XHCI_DISK_WRITE, 0, 1));
    EXPECT_EQ(fake.devices[PORT].halt_clears, 2);
    EXPECT_EQ(fake.devices[PORT].out_halt_clears, 0);
}

// --- disks that break the rules
// -------------------------------------------------------------------------

TEST(usb_storage_resets_a_disk_that_lies_about_its_status)
{
    for (unsigned lie = STICK_WRONG_SIGNATURE; lie < STICK_LIES; lie++) {
        begin_with_disk();
        stick.lie = (enum stick_lie)lie;
        stick.lie_count = 2;
        expect_readable();
        EXPECT_EQ(stick.lie_count, 0);
        EXPECT_EQ(stick.resets, 2);
        EXPECT_EQ(fake.devices[PORT].out_halt_clears, 2);
        EXPECT_GE(fake.devices[PORT].halt_clears, 4);
        // It counts for one request only.
        stick.lie_count = 3;
        expect_readable();
        stick.lie_count = 4;
        EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
        EXPECT_OK(run());
        expect_dropped("fails again and again");
    }
}

TEST(usb_storage_resets_a_disk_whose_transfers_fail)
{
    static const int answers[] = {STICK_FAILS, STICK_BABBLES};

    for (unsigned i = 0; i < 2; i++) {
        begin_with_disk();
        stick.data_answer = stick.command_answer = answers[i];
        stick.data_count = 1;
        expect_readable();
        EXPECT_EQ(stick.resets, 1);
        stick.command_count = 2;
        expect_readable();
        EXPECT_EQ(stick.resets, 3);
        stick.data_count = 2;
        memset(buffer(), 0x5a, STICK_BLOCK_BYTES);
        EXPECT_OK(transfer(XHCI_DISK_WRITE, 7, 1));
        EXPECT_EQ(stick.blocks[7 * STICK_BLOCK_BYTES], 0x5a);
        EXPECT_EQ(stick.resets, 5);
        stick.command_count = 100;
        EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
        EXPECT_OK(run());
        EXPECT_EQ(stick.resets, 8);
        expect_dropped("fails again and again");
    }
    begin_with_disk();
    stick.command_answer = STICK_STALLS;
    stick.command_count = 1;
    expect_readable();
    EXPECT_EQ(stick.resets, 1);
}

TEST(usb_storage_ends_a_request_whose_failure_cannot_be_asked_about)
{
    begin_with_disk();
    stick.failing = 0x28;
    stick.failing_count = 1000;
    stick.breaking = 0x03;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    EXPECT_OK(run());
    EXPECT_EQ(stick.resets, 3);
    expect_dropped("fails again and again");
}

TEST(usb_storage_drops_a_disk_that_refuses_to_be_reset)
{
    begin_with_disk();
    fake.devices[PORT].stalled_request = 0xff;
    stick.data_answer = STICK_FAILS;
    stick.data_count = 1;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    EXPECT_OK(run());
    EXPECT_EQ(stick.resets, 0);
    fake.devices[PORT].stalled_request = 0;
    expect_dropped("does not work as it must");
}

TEST(usb_storage_drops_a_disk_that_does_not_answer)
{
    static const enum xhci_disk_operation operations[] = {XHCI_DISK_READ, XHCI_DISK_WRITE};

    for (unsigned i = 0; i < 2; i++) {
        begin_with_disk();
        stick.data_answer = STICK_SLEEPS;
        stick.data_count = 1;
        const mx_time_t now = fake.now;
        EXPECT_EQ(xhci_deadline(&driver), MX_TIME_INFINITE);
        EXPECT_OK(xhci_start_request(&driver, fake.disk, make(operations[i], 0, 1)));
        EXPECT_OK(run());
        EXPECT_EQ(xhci_deadline(&driver), now + MX_SEC(15));
        EXPECT_EQ(fake.disks_removed, 0);
        fake.now = xhci_deadline(&driver);
        EXPECT_OK(run());
        EXPECT_EQ(fake.requests_done, 0);
        EXPECT_EQ(xhci_deadline(&driver), MX_TIME_INFINITE);
        expect_dropped("does not carry out a command");
    }
}

TEST(usb_storage_passes_over_events_that_cannot_be)
{
    begin_with_disk();
    stick.data_answer = STICK_SLEEPS;
    stick.data_count = 1;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    EXPECT_OK(run());
    const unsigned slot = fake.disk + 1;
    const uint64_t at = fake.slots[slot].bulk_in.ring.next;
    fake_transfer_event(&fake, at, XHCI_COMPLETION_SUCCESS, 0, slot, 3);
    fake_transfer_event(&fake, at - 8, XHCI_COMPLETION_SUCCESS, 0, slot, 3);
    fake_transfer_event(&fake, at - 16, XHCI_COMPLETION_SUCCESS, 0, slot, 4);
    fake_transfer_event(&fake, at - 16, XHCI_COMPLETION_SUCCESS, 0, slot, 5);
    EXPECT_OK(run());
    EXPECT_EQ(driver.stray_event_count, 4);
    EXPECT_EQ(fake.requests_done, 0);
    // More left than there was: the transport is set up anew, and the request made again.
    fake_transfer_event(&fake, at - 16, XHCI_COMPLETION_SHORT_PACKET, 513, slot, 3);
    EXPECT_OK(run());
    EXPECT_EQ(stick.resets, 1);
    EXPECT_EQ(fake.requests_done, 1);
    EXPECT_OK(fake.request_status);
    // What has ended is told of again, as some controllers do; nobody needs to know.
    const uint64_t last = fake.slots[slot].bulk_in.ring.next - 16;
    fake_transfer_event(&fake, last, XHCI_COMPLETION_SUCCESS, 0, slot, 3);
    fake.log_bytes = 0;
    fake.log[0] = '\0';
    EXPECT_OK(run());
    EXPECT_STR_EQ(fake.log, "");
    EXPECT_EQ(fake.requests_done, 1);
}

// --- disks that are not used
// ----------------------------------------------------------------------------

static void expect_refused(const char *why)
{
    begin();
    EXPECT_TRUE(has_logged(why));
    EXPECT_EQ(fake.disks_added, 0);
    for (unsigned slot = 1; slot <= FAKE_SLOTS; slot++)
        EXPECT_FALSE(fake.slots[slot].is_enabled);
}

TEST(usb_storage_refuses_what_is_no_disk_that_it_can_use)
{
    prepare();
    stick.inquiry[0] = 5; // an optical drive
    expect_refused("port 2: device 1234:5678 has storage that is not a disk; not used");
    prepare();
    stick.failing = 0;
    stick.failing_count = 1000;
    stick.sense_key = 2;
    stick.sense_code = 0x3a;
    expect_refused("is a disk without a medium; not used");
    prepare();
    stick.failing = 0;
    stick.failing_count = 1000;
    stick.sense_key = 2;
    stick.sense_code = 4;
    expect_refused("is a disk that does not become ready; not used");
    prepare();
    stick_put(stick.capacity10 + 4, 0, 4);
    expect_refused("is a disk of impossible size");
    prepare();
    stick_put(stick.capacity10, UINT32_MAX, 4);
    stick_put(stick.capacity16, UINT64_MAX, 8);
    expect_refused("is a disk of impossible size");
    prepare();
    stick.unknown = 0x25;
    expect_refused("is a disk of impossible size");
    prepare();
    EXPECT_OK(start());
    driver.has_64_bits = false;
    EXPECT_OK(run());
    EXPECT_TRUE(has_logged("its controller cannot reach all memory; not used"));
    EXPECT_EQ(fake.disks_added, 0);
    prepare();
    fake.is_refusing_disks = true;
    begin();
    EXPECT_EQ(fake.disks_removed, 0);
    EXPECT_FALSE(fake.slots[1].is_enabled);
}

TEST(usb_storage_waits_for_a_disk_that_becomes_ready)
{
    prepare();
    stick.failing = 0;
    stick.failing_count = 5;
    stick.sense_key = 6;
    stick.sense_code = 0x28; // as after every start
    stick.unknown = 0x1a;
    begin();
    EXPECT_EQ(fake.disks_added, 0);
    prepare();
    stick.failing = 0;
    stick.failing_count = 1;
    stick.sense_key = 6;
    stick.sense_code = 0x28;
    stick.unknown = 0x1a;
    begin();
    EXPECT_EQ(fake.disks_added, 1);
    EXPECT_FALSE(fake.disk_info.is_read_only);
    prepare();
    stick.failing = 0;
    stick.failing_count = 20;
    stick.sense_key = 2;
    stick.sense_code = 4;
    begin();
    EXPECT_EQ(fake.disks_added, 1);
}

TEST(usb_storage_gives_up_a_disk_that_never_answers_in_bounded_time)
{
    prepare();
    stick.command_answer = STICK_SLEEPS;
    stick.command_count = 1000;
    expect_refused("does not answer as it must");
    EXPECT_LE(fake.now, MX_SEC(120));
    prepare();
    fake.devices[PORT].is_slow = true; // it answers everything, but late
    fake.on_wait = fake_answer_late;
    fake.wait_max = MX_SEC(4);
    expect_refused("does not answer as it must");
    EXPECT_LE(fake.now, MX_SEC(120));
    prepare();
    stick.command_answer = STICK_FAILS;
    stick.command_count = 2; // another reset of the port helps
    begin();
    EXPECT_EQ(fake.disks_added, 1);
    EXPECT_EQ(fake.devices[PORT].resets, 3);
}

TEST(usb_storage_finds_no_disk_in_other_interfaces)
{
    static const uint8_t changes[][2] = {{14, 3}, {15, 5},    {16, 0x62}, {12, 1},
                                         {21, 3}, {20, 0x01}, {27, 0x82}};

    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        prepare();
        fake.devices[PORT].configuration[changes[i][0]] = changes[i][1];
        expect_refused("is neither a boot keyboard nor a disk; not used");
    }
}

// --- coming and going
// -----------------------------------------------------------------------------------

static void unplug(struct fake_xhci *controller)
{
    if (controller->devices[PORT].is_connected)
        fake_disconnect(controller, PORT);
}

TEST(usb_storage_removes_a_disk_that_is_unplugged_with_its_request)
{
    begin_with_disk();
    stick.data_answer = STICK_SLEEPS;
    stick.data_count = 1;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    EXPECT_OK(run());
    fake_disconnect(&fake, PORT);
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_removed, 1);
    EXPECT_EQ(fake.requests_done, 0);
    stick_init(&stick);
    fake_connect(&fake, PORT);
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_added, 2);
    expect_readable();
    // Unplugged while it is being reset.
    stick.data_answer = STICK_FAILS;
    stick.data_count = 1;
    fake.devices[PORT].silent_request = 0xff;
    fake.on_wait = unplug;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_removed, 2);
    EXPECT_FALSE(has_logged("dropped"));
}

TEST(usb_storage_serves_disks_while_another_device_does_not_answer)
{
    begin_with_disk();
    fake_keyboard(&fake, 1)->silent_request = USB_REQUEST_GET_DESCRIPTOR;
    chain_left = 10;
    fake.on_request_done = start_next;
    EXPECT_OK(xhci_start_request(&driver, fake.disk, make(XHCI_DISK_READ, 0, 1)));
    fake_connect(&fake, 1);
    EXPECT_OK(run());
    EXPECT_EQ(fake.requests_done, 11);
    EXPECT_TRUE(has_logged("port 1: the device there does not answer"));
    EXPECT_EQ(fake.disks_removed, 0);
}

TEST(usb_storage_removes_disks_of_a_controller_that_fails_when_it_is_stopped)
{
    begin_with_disk();
    *fake_register(&fake, FAKE_OPERATIONAL + XHCI_USBSTS) |= XHCI_USBSTS_HSE;
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_EQ(fake.disks_removed, 1);
    ASSERT_OK(start());
    EXPECT_OK(run());
    EXPECT_EQ(fake.disks_added, 2);
    fake.has_gone = true;
    fake.slots[fake.disk + 1].is_enabled = false; // with its slots
    EXPECT_STATUS(MX_ERR_IO, run());
    EXPECT_EQ(fake.disks_removed, 2);
}

TEST(usb_storage_removes_no_disk_of_a_controller_that_cannot_be_stopped)
{
    for (unsigned i = 0; i < 2; i++) {
        begin_with_disk();
        fake.never_resets = true;
        if (i == 0) {
            *fake_register(&fake, FAKE_OPERATIONAL + XHCI_USBSTS) |= XHCI_USBSTS_HSE;
        } else {
            fake.command_code = XHCI_COMPLETION_TRB_ERROR; // the slot is not given back
            fake_disconnect(&fake, PORT);
        }
        EXPECT_STATUS(MX_ERR_BAD_STATE, run());
        EXPECT_EQ(fake.disks_removed, 0);
    }
}
