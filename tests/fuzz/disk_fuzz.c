// Hostile clients of a disk whose device answers late, in any order, what it was not asked, or
// nothing. The fixture judges what reaches the device; here: what the device has under way is what
// the driver thinks it has, nobody waits while there is room, and in the end nothing is left.
#include "tests/unit/disk_fixture.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

#define CLIENTS 6u // that send; more may have extents

struct input {
    const uint8_t *bytes;
    size_t left;
};

// Handles that were sent to the driver.
static bool has_sent_channel[FAKE_CHANNELS_MAX], has_sent_vmo[FAKE_VMOS_MAX];

static uint8_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

// Mostly what makes sense.
static uint64_t take_number(struct input *input, uint32_t unit)
{
    const uint8_t choice = take(input);

    return choice < 250 ? (uint64_t)choice * unit : UINT64_MAX - (255u - choice) * (uint64_t)unit;
}

static mx_handle_t new_channel(void)
{
    for (uint32_t i = 1; i < FAKE_CHANNELS_MAX; i++) {
        if (has_sent_channel[i] && fake.channels[i].is_open)
            continue;
        has_sent_channel[i] = true;
        fake.channels[i] = (struct fake_channel){.is_open = true};
        return FAKE_CHANNEL(i);
    }
    return MX_HANDLE_INVALID;
}

static mx_handle_t new_vmo(void)
{
    for (uint32_t i = 0; i < FAKE_VMOS_MAX; i++) {
        if (has_sent_vmo[i] && fake.vmos[i].is_open)
            continue;
        has_sent_vmo[i] = fake.vmos[i].is_open = true;
        return FAKE_VMO(i);
    }
    return MX_HANDLE_INVALID;
}

static mx_handle_t take_handle(struct input *input, uint32_t operation)
{
    const uint8_t choice = take(input);

    if (choice == 0xff)
        return new_channel();
    if (choice == 0xfe)
        return new_vmo();
    return operation == BLOCK_OPEN     ? new_channel()
           : operation == BLOCK_ATTACH ? new_vmo()
                                       : MX_HANDLE_INVALID;
}

// Pieces of one size at equal distances, in whole blocks together.
static void take_segments(struct input *input, struct block_message *message)
{
    static const uint32_t memories[] = {0, 0, 0, 0, 0, 0, 1, BLOCK_MEMORIES_MAX};
    struct block_request *request = &message->request;
    const uint32_t part = (take(input) + 1u) << take(input) % 6, gap = take(input) * 16u,
                   memory = memories[take(input) % 8];
    uint64_t at = take(input);

    request->segment_count = take(input) % (BLOCK_SEGMENTS_MAX + 1);
    for (uint32_t i = 0; i < request->segment_count; i++) {
        uint32_t size_bytes = part;

        if (i + 1 == request->segment_count)
            size_bytes += (0 - part - (uint32_t)request->size_bytes) % FAKE_BLOCK_BYTES;
        message->segments[i] = (struct block_segment){at, size_bytes, memory};
        request->size_bytes += size_bytes;
        at += size_bytes + gap;
    }
}

static void send(struct input *input)
{
    static const uint8_t operations[] = {BLOCK_READ,   BLOCK_READ,  BLOCK_READ,  BLOCK_READ,
                                         BLOCK_READ,   BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE,
                                         BLOCK_WRITE,  BLOCK_FLUSH, BLOCK_FLUSH, BLOCK_OPEN,
                                         BLOCK_ATTACH, BLOCK_INFO,  0,           BLOCK_FLUSH + 1};
    struct block_message message = {.request = {.operation = operations[take(input) % 16]}};
    struct block_request *request = &message.request;
    const uint32_t channel = take(input) % CLIENTS;

    if (fake.channels[channel].is_gone ||
        fake.channels[channel].sent_count - fake.channels[channel].taken_count == FAKE_QUEUE_MAX)
        return;
    request->offset = take_number(input, FAKE_BLOCK_BYTES);
    request->flags = take(input) % 8;
    if (request->operation == BLOCK_READ || request->operation == BLOCK_WRITE) {
        request->flags &= BLOCK_OPEN_READ_ONLY | BLOCK_OPEN_FINAL;
        take_segments(input, &message);
    } else {
        request->size_bytes = take_number(input, FAKE_BLOCK_BYTES);
    }
    const uint32_t lie = take(input) > 250;
    const uint32_t size_bytes =
        (uint32_t)(sizeof(*request) + request->segment_count * sizeof(message.segments[0])) - lie;
    fake_send(channel, &message, size_bytes, take_handle(input, request->operation));
}

static void complete(struct input *input)
{
    const uint32_t first = take(input);
    const mx_status_t status = take(input) & 7 ? MX_OK : MX_ERR_IO;

    for (uint32_t i = 0; i < DISK_TAGS_MAX; i++) {
        const uint32_t tag = (first + i) % DISK_TAGS_MAX;

        if (!fake.commands[tag].is_used)
            continue;
        fake_complete(tag, status);
        return;
    }
    if (first == 0xff)
        disk_complete(&disk, take(input), status);
}

static void change_device(struct input *input)
{
    fake.commands_max = take(input) % (DISK_TAGS_MAX + 1);
    fake.runs_max = take(input) + 1;
    fake.start_status = take(input) > 250 ? MX_ERR_IO : MX_OK;
    fake.allocate_status = take(input) > 250 ? MX_ERR_NO_MEMORY : MX_OK;
    fake.wait_status = take(input) > 250 ? MX_ERR_NO_MEMORY : MX_OK;
    fake.attach_status = take(input) > 250 ? MX_ERR_NO_RESOURCES : MX_OK;
    fake.is_dead = take(input) == 0xff;
}

static void check_flights(void)
{
    uint32_t count = 0;

    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++) {
        assert(disk.state->flights[tag].is_used == fake.commands[tag].is_used);
        count += fake.commands[tag].is_used;
    }
    assert(disk.state->flight_count == count && fake.command_count == count);
}

// When the driver would wait.
static void check_clients(void)
{
    const bool is_room = disk.state->flight_count < DISK_TAGS_MAX && !disk.state->held.client;

    // Something will happen that makes room.
    assert(!disk.state->held.client || disk.state->flight_count != 0);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &disk.state->clients[i];

        assert(!client->is_stalled || !is_room);
        if (client->channel != MX_HANDLE_INVALID)
            assert(client->is_stalled != fake_channel(client->channel)->is_awaited);
        else
            assert(client->is_used == (client->in_flight != 0));
    }
}

static void step(struct input *input)
{
    const uint8_t choice = take(input);
    uint64_t key;

    if (choice < 120) {
        send(input);
    } else if (choice < 190) {
        complete(input);
    } else if (choice < 200) {
        if (fake_take_packet(&key))
            disk_serve_packet(&disk, key);
    } else if (choice < 210) {
        fake.channels[take(input) % CLIENTS].is_gone = true;
    } else if (choice < 220) {
        change_device(input);
    } else if (choice < 222) {
        fake.now += MX_SEC(take(input) % 16);
        check_timeouts(&disk);
    } else {
        fake_serve();
        check_clients();
    }
    check_flights();
}

static void ask(uint32_t channel, enum block_operation operation, uint32_t flags,
                mx_handle_t handle)
{
    const struct block_message message = {
        .request = {.operation = operation, .size_bytes = FAKE_DISK_BYTES, .flags = flags}};

    fake_send(channel, &message, sizeof(message.request), handle);
    fake_serve();
}

// Four clients with a memory each: the whole disk, and extents as wide of three kinds.
static void begin(void)
{
    has_sent_channel[0] = true;
    if (disk_open(&disk, FAKE_CHANNEL(0), FAKE_PORT, FAKE_KEY_FIRST) != MX_OK)
        abort();
    ask(0, BLOCK_ATTACH, 0, new_vmo());
    for (uint32_t i = 1; i < 4; i++) {
        ask(0, BLOCK_OPEN, i - 1, new_channel());
        ask(i, BLOCK_ATTACH, 0, new_vmo());
        assert(fake.channels[i].last.status == MX_OK);
    }
}

static void end(void)
{
    // The device uses no memory any more.
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++)
        fake.commands[tag].is_used = false;
    disk_close(&disk);
    for (uint32_t i = 0; i < DISK_TAGS_MAX; i++)
        assert(!fake.copies[i]);
    for (uint32_t i = 0; i < FAKE_VMOS_MAX; i++)
        assert(!fake.vmos[i].is_attached);
    for (uint32_t i = 0; i < FAKE_CHANNELS_MAX; i++)
        assert(!fake.channels[i].is_awaited);
}

// What the driver says of each failure is not of interest.
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct disk_ops ops;
    struct input input = {bytes, size_bytes};
    const uint8_t kind = take(&input);

    ops = (struct disk_ops){.needs_pages = kind & 1, .needs_words = kind & 2};
    fake_reset(&ops);
    memset(has_sent_channel, 0, sizeof(has_sent_channel));
    memset(has_sent_vmo, 0, sizeof(has_sent_vmo));
    disk.has_no_cache = kind & 4;
    disk.runs_max = kind & 8 ? 5 : 0;
    fake.is_scattered = kind & 16;
    begin();
    while (input.left != 0)
        step(&input);
    end();
    return 0;
}
