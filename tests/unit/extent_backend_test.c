// A guest's disk on an extent of a host's: what the disk's driver is asked, and what comes of its
// answers, late, wrong or none. The source is included; driver, port and time are faked below.
#include "vmm/device/extent_backend.c"

#include "tests/test.h"

#define BLOCK_BYTES    512u
#define TRANSFER_BYTES 4096u
#define DISK_BYTES     (64u * 1024)
#define RAM_BYTES      (32u * 1024)
#define RAM_VMO        7u
#define CHANNEL        8u
#define PORT           9u
#define BOUNCE_VMO     10u
#define KEY            77u
#define ANSWERS_MAX    256u
#define FLOOD_MAX      100000u

static struct {
    uint8_t disk[DISK_BYTES], ram[RAM_BYTES], bounce[BOUNCE_BYTES];
    struct block_message requests[ANSWERS_MAX]; // that were sent and wait for an answer
    uint32_t request_count;
    struct {
        uint32_t transaction;
        mx_status_t status;
    } answers[ANSWERS_MAX];
    uint32_t answer_count, taken_count;
    uint32_t wait_count; // packets asked for
    uint32_t closed_count, flood_count;
    bool is_gone;    // the driver has ended
    bool lies;       // answers what is no answer
    bool floods;     // answers without end what it was not asked
    bool is_drowned; // all of the flood was taken
    mx_time_t now;
} fake;
static struct extent_backend extent;

// --- the system

mx_time_t mx_clock_get_monotonic(void)
{
    return fake.now;
}

mx_status_t mx_object_wait_async(mx_handle_t handle, mx_handle_t port, uint64_t key,
                                 mx_signals_t signals, uint32_t options)
{
    (void)signals, (void)options;
    if (handle == MX_HANDLE_INVALID)
        return MX_ERR_BAD_HANDLE;
    EXPECT_TRUE(handle == CHANNEL && port == PORT && key == KEY);
    fake.wait_count++;
    return MX_OK;
}

static bool has_answer(void)
{
    return fake.floods || fake.taken_count < fake.answer_count;
}

mx_status_t mx_object_wait_one(mx_handle_t handle, mx_signals_t signals, mx_time_t deadline,
                               mx_signals_t *pending)
{
    (void)signals, (void)pending;
    EXPECT_EQ(handle, CHANNEL);
    fake.now += MX_MSEC(1);
    if (has_answer() || fake.is_gone)
        return MX_OK;
    fake.now = deadline;
    return MX_ERR_TIMED_OUT;
}

mx_status_t mx_vmo_create(uint64_t size_bytes, mx_handle_t *out)
{
    EXPECT_EQ(size_bytes, BOUNCE_BYTES);
    *out = BOUNCE_VMO;
    return MX_OK;
}

mx_status_t mx_aspace_map(mx_handle_t aspace, uint32_t options, mx_handle_t vmo,
                          uint64_t vmo_offset, uint64_t size_bytes, uint64_t *addr)
{
    (void)aspace, (void)options, (void)vmo_offset, (void)size_bytes;
    EXPECT_EQ(vmo, BOUNCE_VMO);
    *addr = (uint64_t)(uintptr_t)fake.bounce;
    return MX_OK;
}

mx_handle_t startup_handle_look(uint32_t kind, uint32_t arg)
{
    (void)kind, (void)arg;
    return 1;
}

void handle_close(mx_handle_t handle)
{
    EXPECT_EQ(handle, CHANNEL);
    fake.closed_count++;
}

// --- the driver

static mx_status_t perform(const struct block_message *message)
{
    uint64_t at = message->request.offset;

    if (at % BLOCK_BYTES != 0 || message->request.size_bytes % BLOCK_BYTES != 0 ||
        message->request.size_bytes > TRANSFER_BYTES)
        return MX_ERR_INVALID_ARGS;
    for (uint32_t i = 0; i < message->request.segment_count; i++) {
        const struct block_segment *segment = &message->segments[i];
        uint8_t *memory = (segment->memory == RAM_VMO ? fake.ram : fake.bounce) + segment->offset;

        if (message->request.operation == BLOCK_READ)
            memcpy(memory, fake.disk + at, segment->size_bytes);
        else
            memcpy(fake.disk + at, memory, segment->size_bytes);
        at += segment->size_bytes;
    }
    return MX_OK;
}

mx_status_t block_client_open(struct block_client *client, mx_handle_t channel)
{
    *client = (struct block_client){channel, DISK_BYTES, BLOCK_BYTES, TRANSFER_BYTES, false};
    return MX_OK;
}

mx_status_t block_client_attach(struct block_client *client, mx_handle_t vmo, uint32_t *memory)
{
    (void)client;
    *memory = vmo;
    return MX_OK;
}

static struct block_message fill_in(const struct block_message *message,
                                    enum block_operation operation, uint64_t offset,
                                    uint32_t segment_count)
{
    struct block_message filled = {
        .request = {.operation = operation, .offset = offset, .segment_count = segment_count}};

    for (uint32_t i = 0; i < segment_count; i++) {
        filled.segments[i] = message->segments[i];
        filled.request.size_bytes += message->segments[i].size_bytes;
    }
    return filled;
}

mx_status_t block_client_transfer(struct block_client *client, struct block_message *message,
                                  enum block_operation operation, uint64_t offset,
                                  uint32_t segment_count)
{
    const struct block_message filled = fill_in(message, operation, offset, segment_count);

    (void)client;
    return fake.is_gone ? MX_ERR_PEER_CLOSED : perform(&filled);
}

mx_status_t block_client_copy(struct block_client *client, enum block_operation operation,
                              uint64_t offset, uint64_t size_bytes, uint32_t memory,
                              uint64_t memory_offset)
{
    while (size_bytes != 0) {
        const uint32_t part = size_bytes < TRANSFER_BYTES ? (uint32_t)size_bytes : TRANSFER_BYTES;
        struct block_message message = {.segments = {{memory_offset, part, memory}}};
        mx_status_t status = block_client_transfer(client, &message, operation, offset, 1);

        if (status != MX_OK)
            return status;
        offset += part;
        memory_offset += part;
        size_bytes -= part;
    }
    return MX_OK;
}

mx_status_t block_client_flush(struct block_client *client)
{
    (void)client;
    return MX_OK;
}

mx_status_t block_client_send(struct block_client *client, struct block_message *message,
                              enum block_operation operation, uint32_t transaction, uint64_t offset,
                              uint32_t segment_count)
{
    if (client->channel == MX_HANDLE_INVALID)
        return MX_ERR_BAD_HANDLE;
    if (fake.is_gone)
        return MX_ERR_PEER_CLOSED;
    fake.requests[fake.request_count] = fill_in(message, operation, offset, segment_count);
    fake.requests[fake.request_count++].request.transaction = transaction;
    return MX_OK;
}

mx_status_t block_client_receive(struct block_client *client, uint32_t *transaction,
                                 mx_status_t *result)
{
    (void)client;
    if (fake.floods && ++fake.flood_count <= FLOOD_MAX) {
        *transaction = fake.flood_count;
        *result = MX_OK;
        return MX_OK;
    }
    fake.is_drowned = fake.floods;
    if (fake.is_gone || fake.is_drowned)
        return MX_ERR_PEER_CLOSED;
    if (!has_answer())
        return MX_ERR_SHOULD_WAIT;
    if (fake.lies)
        return MX_ERR_IO_DATA_INTEGRITY;
    *transaction = fake.answers[fake.taken_count].transaction;
    *result = fake.answers[fake.taken_count++].status;
    return MX_OK;
}

static void answer(uint32_t transaction, mx_status_t status)
{
    fake.answers[fake.answer_count].transaction = transaction;
    fake.answers[fake.answer_count++].status = status;
}

// Does what was asked first, or fails it.
static void serve(uint32_t index, bool is_good)
{
    const struct block_message *message = &fake.requests[index];

    answer(message->request.transaction, is_good ? perform(message) : MX_ERR_IO);
}

// --- the device

struct flight {
    struct block_flight flight;
    uint32_t end_count;
    mx_status_t status;
};

static void completed(struct block_flight *flight, mx_status_t status)
{
    struct flight *mine = (struct flight *)flight;

    mine->end_count++;
    mine->status = status;
}

static struct flight new_flight(void)
{
    return (struct flight){.flight.completed = completed};
}

static void set_up(void)
{
    memset(&fake, 0, sizeof(fake));
    memset(&extent, 0, sizeof(extent));
    for (uint32_t i = 0; i < DISK_BYTES; i++)
        fake.disk[i] = (uint8_t)(i / BLOCK_BYTES + i % 7);
    EXPECT_OK(
        extent_backend_init(&extent, CHANNEL, DISK_BYTES, false, RAM_VMO, fake.ram, RAM_BYTES));
    extent_backend_use_port(&extent, PORT, KEY);
}

static mx_status_t begin_read(struct flight *flight, uint64_t offset, uint32_t ram_offset,
                              uint32_t size_bytes)
{
    const struct virtqueue_buffer buffer = {fake.ram + ram_offset, size_bytes};

    *flight = new_flight();
    return extent.backend.ops->start(
        &extent.backend, &(struct block_transfer){offset, &buffer, 0, size_bytes, false},
        &flight->flight);
}

TEST(data_go_straight_between_disk_and_ram)
{
    const struct virtqueue_buffer buffers[] = {
        {fake.ram + 16, 16}, {fake.ram + 1000, 300}, {fake.ram, 0}, {fake.ram + 4000, 212}};
    const struct block_transfer transfer = {1024, buffers, 16, 512, false};
    struct flight flight = new_flight();

    set_up();
    EXPECT_OK(extent.backend.ops->start(&extent.backend, &transfer, &flight.flight));
    ASSERT_EQ(fake.request_count, 1u);
    EXPECT_EQ(fake.wait_count, 1u);
    EXPECT_EQ(fake.requests[0].request.segment_count, 2u);
    EXPECT_EQ(fake.requests[0].segments[1].offset, 4000u);
    serve(0, true);
    EXPECT_EQ(flight.end_count, 0u);
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 1u);
    EXPECT_OK(flight.status);
    EXPECT_EQ(memcmp(fake.ram + 1000, fake.disk + 1024, 300), 0);
    EXPECT_EQ(memcmp(fake.ram + 4000, fake.disk + 1324, 212), 0);
}

// A block that lies partly elsewhere cannot be the device's to write.
TEST(what_is_not_in_ram_goes_by_way_of_a_buffer)
{
    uint8_t elsewhere[1000];
    const struct virtqueue_buffer buffers[] = {
        {fake.ram + 64, 1024}, {elsewhere, sizeof(elsewhere)}, {fake.ram + 5000, 536}};
    const struct block_transfer transfer = {2048, buffers, 0, 2560, false};
    struct flight flight = new_flight();

    set_up();
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED,
                  extent.backend.ops->start(&extent.backend, &transfer, &flight.flight));
    EXPECT_EQ(fake.request_count, 0u);
    EXPECT_OK(extent.backend.ops->transfer(&extent.backend, &transfer));
    EXPECT_EQ(memcmp(fake.ram + 64, fake.disk + 2048, 1024), 0);
    EXPECT_EQ(memcmp(elsewhere, fake.disk + 3072, 1000), 0);
    EXPECT_EQ(memcmp(fake.ram + 5000, fake.disk + 4072, 536), 0);
    memset(elsewhere, 0x5a, sizeof(elsewhere));
    const struct block_transfer back = {2048, buffers, 0, 2560, true};
    EXPECT_OK(extent.backend.ops->transfer(&extent.backend, &back));
    EXPECT_EQ(memcmp(elsewhere, fake.disk + 3072, 1000), 0);
}

TEST(long_transfer_ends_with_the_last_of_its_requests_and_the_first_error)
{
    struct flight flight;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, 3 * TRANSFER_BYTES));
    ASSERT_EQ(fake.request_count, 3u);
    EXPECT_EQ(fake.wait_count, 1u);
    EXPECT_EQ(fake.requests[2].request.offset, 2u * TRANSFER_BYTES);
    serve(2, true);
    serve(0, false);
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_EQ(fake.wait_count, 2u);
    serve(1, true);
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 1u);
    EXPECT_STATUS(MX_ERR_IO, flight.status);
    // Nothing is under way: no packet is to come.
    EXPECT_EQ(fake.wait_count, 2u);
}

TEST(there_is_room_for_so_many_and_again_when_one_has_ended)
{
    static struct flight flights[EXTENT_REQUESTS_MAX + 1];

    set_up();
    for (uint32_t i = 0; i < EXTENT_REQUESTS_MAX; i++)
        EXPECT_OK(begin_read(&flights[i], 0, 0, BLOCK_BYTES));
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT, begin_read(&flights[EXTENT_REQUESTS_MAX], 0, 0, BLOCK_BYTES));
    serve(5, true);
    extent_backend_receive(&extent);
    EXPECT_EQ(flights[5].end_count, 1u);
    EXPECT_STATUS(MX_ERR_SHOULD_WAIT,
                  begin_read(&flights[EXTENT_REQUESTS_MAX], 0, 0, 2 * TRANSFER_BYTES));
    EXPECT_OK(begin_read(&flights[EXTENT_REQUESTS_MAX], 0, 0, BLOCK_BYTES));
}

TEST(answers_to_what_was_not_asked_end_nothing)
{
    struct flight flight;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, BLOCK_BYTES));
    answer(1, MX_OK);
    answer(EXTENT_REQUESTS_MAX, MX_OK);
    answer(UINT32_MAX, MX_OK);
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_EQ(extent.request_count, 1u);
    serve(0, true);
    serve(0, true); // once more than it was asked
    extent_backend_receive(&extent);
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 1u);
    EXPECT_EQ(extent.request_count, 0u);
}

// The guest's doorbells have their turn between packets.
TEST(answers_without_end_are_taken_a_few_at_a_time)
{
    struct flight flight;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, BLOCK_BYTES));
    fake.floods = true;
    extent_backend_receive(&extent);
    EXPECT_LE(fake.flood_count, EXTENT_REQUESTS_MAX);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_EQ(fake.wait_count, 2u);
}

TEST(disk_that_is_gone_ends_all_with_an_error)
{
    struct flight first, second, third;

    set_up();
    EXPECT_OK(begin_read(&first, 0, 0, BLOCK_BYTES));
    EXPECT_OK(begin_read(&second, 0, 0, 2 * TRANSFER_BYTES));
    fake.is_gone = true;
    extent_backend_receive(&extent);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, first.status);
    EXPECT_STATUS(MX_ERR_PEER_CLOSED, second.status);
    EXPECT_EQ(first.end_count + second.end_count, 2u);
    EXPECT_NE(begin_read(&third, 0, 0, BLOCK_BYTES), MX_OK);
    EXPECT_EQ(third.end_count, 0u);
}

// Or an answer to a request that was given up would be taken for one to the next in its place.
TEST(disk_whose_answer_is_none_is_asked_no_more)
{
    struct flight flight, other;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, BLOCK_BYTES));
    serve(0, true);
    fake.lies = true;
    extent_backend_receive(&extent);
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, flight.status);
    EXPECT_EQ(fake.closed_count, 1u);
    EXPECT_NE(begin_read(&other, 0, 0, BLOCK_BYTES), MX_OK);
    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, BLOCK_BYTES));
    serve(0, true);
    fake.lies = true;
    extent.backend.ops->settle(&extent.backend);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_EQ(fake.closed_count, 1u);
    EXPECT_NE(begin_read(&other, 0, 0, BLOCK_BYTES), MX_OK);
}

TEST(settling_waits_for_all_and_tells_nobody)
{
    struct flight flight, other;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, 2 * TRANSFER_BYTES));
    serve(1, true);
    serve(0, true);
    extent.backend.ops->settle(&extent.backend);
    EXPECT_EQ(fake.taken_count, 2u);
    EXPECT_EQ(extent.request_count, 0u);
    EXPECT_EQ(fake.closed_count, 0u);
    // The packet that was asked for comes all the same.
    extent_backend_receive(&extent);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_OK(begin_read(&other, 0, 0, BLOCK_BYTES));
    serve(2, true);
    extent_backend_receive(&extent);
    EXPECT_EQ(other.end_count, 1u);
}

static void expect_given_up(bool floods)
{
    struct flight flight, other;

    set_up();
    EXPECT_OK(begin_read(&flight, 0, 0, BLOCK_BYTES));
    fake.floods = floods;
    extent.backend.ops->settle(&extent.backend);
    EXPECT_FALSE(fake.is_drowned);
    EXPECT_GE(fake.now, SETTLE_TIMEOUT);
    EXPECT_EQ(fake.closed_count, 1u);
    EXPECT_EQ(flight.end_count, 0u);
    EXPECT_NE(begin_read(&other, 0, 0, BLOCK_BYTES), MX_OK);
}

TEST(disk_that_does_not_settle_is_given_up)
{
    expect_given_up(false);
}

TEST(disk_that_answers_anything_but_what_was_asked_is_given_up)
{
    expect_given_up(true);
}
