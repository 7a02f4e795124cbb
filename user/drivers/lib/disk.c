// Extents of a disk and their clients; see disk.h.
#include "user/drivers/lib/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina_user/process.h>

#define CLIENTS_MAX   DISK_KEYS
#define KEY_INTERRUPT DISK_KEYS
#define TIMEOUT       MX_SEC(15)
#define TICK          MX_SEC(1)
// Messages that a client has taken at a time, so that one that writes them without end keeps
// nobody waiting.
#define MESSAGES_MAX 8
// One request may be stuck while others go on.
#define TIMEOUT_CHECK_PACKETS 1024

struct memory {
    mx_handle_t vmo;
    uint32_t id; // of mx_dma_attach
    uint64_t size_bytes;
    uint64_t *addresses; // of each page; 0: not asked for yet
};

// The holder of an extent's channel.
struct client {
    mx_handle_t channel; // MX_HANDLE_INVALID: the row is free, or waits for its requests in flight
    bool is_used;
    bool is_stalled; // has messages for which there was no room
    struct block_extent extent;
    struct memory memories[BLOCK_MEMORIES_MAX];
    uint32_t in_flight;
};

struct flight {
    bool is_used;
    struct client *client;
    uint32_t transaction;
    mx_time_t since;
    // With a copy: where the data come from or go to.
    bool is_copied, is_read;
    struct driver_memory copy; // made when first needed
    uint32_t segment_count;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
};

struct disk_state {
    struct client clients[CLIENTS_MAX];
    struct flight flights[DISK_TAGS_MAX];
    uint32_t flight_count;
    uint32_t turn; // of clients that wait for room
    // A message that was taken and checked, but the device had no room: no other is taken before it
    // is in. Its client is stalled.
    struct {
        struct client *client; // NULL: there is none
        struct block_message message;
        uint64_t disk_offset;
    } held;
    mx_handle_t port;
    uint64_t key_first; // of the clients' packets
};

// --- memory
// -------------------------------------------------------------------------------------------

static void memory_drop(struct disk *disk, struct memory *memory)
{
    if (memory->id && mx_dma_detach(disk->device.dma, memory->id) != MX_OK)
        abort();
    handle_close(memory->vmo);
    free(memory->addresses);
    *memory = (struct memory){.id = 0};
}

// Consumes the handle.
static mx_status_t memory_attach(struct disk *disk, struct client *client, mx_handle_t vmo,
                                 uint32_t *index)
{
    struct mx_info_vmo info;
    struct memory *memory = client->memories;

    while (memory < client->memories + BLOCK_MEMORIES_MAX && memory->id)
        memory++;
    mx_status_t status = MX_ERR_NO_RESOURCES;
    if (memory < client->memories + BLOCK_MEMORIES_MAX)
        status = mx_object_get_info(vmo, MX_INFO_VMO, &info, sizeof(info), NULL);
    if (status != MX_OK) {
        handle_close(vmo);
        return status;
    }
    *memory = (struct memory){.vmo = vmo, .size_bytes = info.size_bytes};
    memory->addresses = calloc(info.size_bytes / MX_PAGE_SIZE + 1, sizeof(uint64_t));
    status =
        memory->addresses ? mx_dma_attach(disk->device.dma, vmo, &memory->id) : MX_ERR_NO_MEMORY;
    if (status != MX_OK)
        memory_drop(disk, memory);
    *index = (uint32_t)(memory - client->memories);
    return status;
}

static mx_status_t page_address(struct disk *disk, struct memory *memory, uint64_t page,
                                uint64_t *address)
{
    if (memory->addresses[page] == 0) {
        mx_status_t status = mx_dma_addresses(disk->device.dma, memory->id, page * MX_PAGE_SIZE, 1,
                                              &memory->addresses[page]);
        if (status != MX_OK)
            return status;
    }
    *address = memory->addresses[page];
    return MX_OK;
}

struct runs {
    struct disk_run run[DISK_RUNS_MAX];
    uint32_t count;
    bool has_overflown; // short segments that lie each in two pages
};

static mx_status_t add_segment(struct disk *disk, struct memory *memory,
                               const struct block_segment *segment, struct runs *runs)
{
    uint64_t at = segment->offset, end = segment->offset + segment->size_bytes, address;

    while (at < end) {
        uint64_t within = at % MX_PAGE_SIZE, part = MX_PAGE_SIZE - within;
        mx_status_t status = page_address(disk, memory, at / MX_PAGE_SIZE, &address);
        if (status != MX_OK)
            return status;
        part = part < end - at ? part : end - at;
        struct disk_run *last = runs->count ? &runs->run[runs->count - 1] : NULL;
        if (last && last->address + last->size_bytes == address + within)
            last->size_bytes += (uint32_t)part;
        else if (runs->count < DISK_RUNS_MAX)
            runs->run[runs->count++] = (struct disk_run){address + within, (uint32_t)part};
        else
            runs->has_overflown = true;
        at += part;
    }
    return MX_OK;
}

static bool is_page_list(const struct runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        const struct disk_run *run = &runs->run[i];

        if (run->address % 4 != 0 || (i > 0 && run->address % MX_PAGE_SIZE != 0) ||
            (i + 1 < runs->count && (run->address + run->size_bytes) % MX_PAGE_SIZE != 0))
            return false;
    }
    return true;
}

static bool is_word_list(const struct runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if ((runs->run[i].address | runs->run[i].size_bytes) % 2 != 0)
            return false;
    }
    return true;
}

static bool is_suitable(const struct disk *disk, const struct runs *runs)
{
    return !runs->has_overflown && (!disk->ops->needs_pages || is_page_list(runs)) &&
           (!disk->ops->needs_words || is_word_list(runs)) &&
           (disk->runs_max == 0 || runs->count <= disk->runs_max);
}

// Between the copy and the client's memory, segment by segment.
static mx_status_t copy_segments(const struct flight *flight, bool is_to_client)
{
    uint8_t *at = flight->copy.bytes;

    for (uint32_t i = 0; i < flight->segment_count; i++) {
        const struct block_segment *segment = &flight->segments[i];
        mx_handle_t vmo = flight->client->memories[segment->memory].vmo;
        mx_status_t status = is_to_client
                                 ? mx_vmo_write(vmo, at, segment->offset, segment->size_bytes)
                                 : mx_vmo_read(vmo, at, segment->offset, segment->size_bytes);
        if (status != MX_OK)
            return status;
        at += segment->size_bytes;
    }
    return MX_OK;
}

static mx_status_t use_copy(struct disk *disk, struct flight *flight,
                            const struct block_message *message, struct runs *runs)
{
    mx_status_t status = MX_OK;

    if (!flight->copy.bytes)
        status = driver_allocate(&disk->device, DISK_TRANSFER_BYTES, &flight->copy);
    if (status != MX_OK)
        return status;
    flight->is_copied = true;
    flight->segment_count = message->request.segment_count;
    memcpy(flight->segments, message->segments,
           flight->segment_count * sizeof(flight->segments[0]));
    runs->run[0] = (struct disk_run){flight->copy.address, (uint32_t)message->request.size_bytes};
    runs->count = 1;
    return message->request.operation == BLOCK_WRITE ? copy_segments(flight, false) : MX_OK;
}

// --- clients
// ------------------------------------------------------------------------------------------

static void client_free_if_done(struct disk *disk, struct client *client)
{
    if (!client->is_used || client->channel != MX_HANDLE_INVALID || client->in_flight != 0)
        return;
    for (uint32_t i = 0; i < BLOCK_MEMORIES_MAX; i++)
        memory_drop(disk, &client->memories[i]);
    *client = (struct client){.is_used = false};
}

static void client_close(struct disk *disk, struct client *client)
{
    handle_close(client->channel);
    client->channel = MX_HANDLE_INVALID;
    client->is_stalled = false;
    client_free_if_done(disk, client);
}

static uint64_t key_of(const struct disk_state *state, const struct client *client)
{
    return state->key_first + (uint64_t)(client - state->clients);
}

static mx_status_t await_messages(const struct disk_state *state, const struct client *client)
{
    return mx_object_wait_async(client->channel, state->port, key_of(state, client),
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

// Consumes the channel.
static mx_status_t client_add(struct disk *disk, mx_handle_t channel,
                              const struct block_extent *extent)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &disk->state->clients[i];

        if (client->is_used)
            continue;
        *client = (struct client){.channel = channel, .is_used = true, .extent = *extent};
        mx_status_t status = await_messages(disk->state, client);
        if (status == MX_OK)
            return MX_OK;
        *client = (struct client){.is_used = false};
        handle_close(channel);
        return status;
    }
    handle_close(channel);
    return MX_ERR_NO_RESOURCES;
}

static void answer(struct client *client, const struct block_reply *reply)
{
    // One that does not read its answers loses them.
    if (client->channel != MX_HANDLE_INVALID)
        (void)!mx_channel_write(client->channel, reply, sizeof(*reply), NULL, 0);
}

void disk_complete(struct disk *disk, uint32_t tag, mx_status_t status)
{
    struct flight *flight = tag < DISK_TAGS_MAX ? &disk->state->flights[tag] : NULL;

    if (!flight || !flight->is_used) {
        disk_fail(disk, "it answered a request that was not made");
        return;
    }
    struct client *client = flight->client;
    if (flight->is_copied && flight->is_read && status == MX_OK)
        status = copy_segments(flight, true);
    flight->is_used = false;
    disk->state->flight_count--;
    client->in_flight--;
    answer(client, &(struct block_reply){.transaction = flight->transaction, .status = status});
    client_free_if_done(disk, client);
}

// What is in flight, when the device does nothing more.
static void answer_all(struct disk *disk)
{
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++) {
        if (disk->state->flights[tag].is_used)
            disk_complete(disk, tag, MX_ERR_IO);
    }
}

void disk_fail(struct disk *disk, const char *why)
{
    if (disk->is_failed)
        return;
    disk->is_failed = true;
    printf("disk %s: %s; its requests fail from now on\n", disk->device.name, why);
    if (!disk->ops->stop(disk)) {
        // The device manager switches it off before the memory that it may write to is anybody's.
        printf("disk %s: it does not stop; its driver ends\n", disk->device.name);
        exit(EXIT_FAILURE);
    }
    answer_all(disk);
}

static mx_status_t start_transfer(struct disk *disk, struct client *client,
                                  const struct block_message *message, uint64_t disk_offset)
{
    static struct runs runs;
    uint32_t tag = 0;
    mx_status_t status = MX_OK;

    while (disk->state->flights[tag].is_used)
        tag++;
    struct flight *flight = &disk->state->flights[tag];
    flight->client = client;
    flight->transaction = message->request.transaction;
    flight->is_copied = false;
    flight->is_read = message->request.operation == BLOCK_READ;
    runs.count = 0;
    runs.has_overflown = false;
    for (uint32_t i = 0; i < message->request.segment_count && status == MX_OK; i++)
        status = add_segment(disk, &client->memories[message->segments[i].memory],
                             &message->segments[i], &runs);
    if (status == MX_OK && !is_suitable(disk, &runs))
        status = use_copy(disk, flight, message, &runs);
    if (status != MX_OK)
        return status;
    const struct disk_transfer transfer = {
        .tag = tag,
        .operation = (enum block_operation)message->request.operation,
        .offset = disk_offset,
        .size_bytes = (uint32_t)message->request.size_bytes,
        .runs = runs.run,
        .run_count = runs.count,
    };
    status = disk->ops->start(disk, &transfer);
    if (status != MX_OK)
        return status;
    flight->is_used = true;
    flight->since = mx_clock_get_monotonic();
    disk->state->flight_count++;
    client->in_flight++;
    return MX_OK;
}

static mx_status_t open_extent(struct disk *disk, const struct client *client,
                               const struct block_message *message, uint64_t disk_offset,
                               mx_handle_t channel)
{
    struct block_extent extent = {
        .offset = disk_offset,
        .size_bytes = message->request.size_bytes,
        .is_read_only =
            client->extent.is_read_only || (message->request.flags & BLOCK_OPEN_READ_ONLY),
        .is_final = (message->request.flags & BLOCK_OPEN_FINAL) != 0,
    };

    return client_add(disk, channel, &extent);
}

// READ, WRITE or FLUSH. False: *status is the answer. True: it comes later.
static bool begin_transfer(struct disk *disk, struct client *client,
                           const struct block_message *message, uint64_t disk_offset,
                           mx_status_t *status)
{
    struct disk_state *state = disk->state;

    *status = disk->is_failed ? MX_ERR_IO : MX_OK;
    if (disk->is_failed || (message->request.operation == BLOCK_FLUSH && disk->has_no_cache))
        return false;
    *status = start_transfer(disk, client, message, disk_offset);
    if (*status != MX_ERR_SHOULD_WAIT || state->flight_count == 0)
        return *status == MX_OK;
    // Something is in flight, and makes room when it is done.
    if (message != &state->held.message)
        state->held.message = *message;
    state->held.client = client;
    state->held.disk_offset = disk_offset;
    return true;
}

// `handle` is MX_HANDLE_INVALID but for OPEN and ATTACH.
static void handle_request(struct disk *disk, struct client *client,
                           const struct block_message *message, uint64_t disk_offset,
                           mx_handle_t handle)
{
    struct block_reply reply = {.transaction = message->request.transaction};

    switch (message->request.operation) {
    case BLOCK_INFO:
        reply.size_bytes = client->extent.size_bytes;
        reply.block_bytes = disk->geometry.block_bytes;
        reply.transfer_bytes = disk->geometry.transfer_bytes;
        reply.is_read_only = client->extent.is_read_only;
        break;
    case BLOCK_OPEN:
        reply.status = open_extent(disk, client, message, disk_offset, handle);
        break;
    case BLOCK_ATTACH:
        reply.status = memory_attach(disk, client, handle, &reply.memory);
        break;
    default: // READ, WRITE, FLUSH
        if (begin_transfer(disk, client, message, disk_offset, &reply.status))
            return;
        break;
    }
    answer(client, &reply);
}

// Takes one message. False: there is none, and perhaps never again.
static bool take_message(struct disk *disk, struct client *client)
{
    struct block_message message;
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint64_t memory_bytes[BLOCK_MEMORIES_MAX], disk_offset;
    uint32_t actual[2] = {0};
    mx_status_t status =
        mx_channel_read(client->channel, &message, sizeof(message), &handle, 1, actual);

    if (status == MX_ERR_SHOULD_WAIT)
        return false;
    if (status != MX_OK || actual[0] < sizeof(message.request)) {
        // Gone, or it does not speak the protocol.
        handle_close(handle);
        client_close(disk, client);
        return false;
    }
    for (uint32_t i = 0; i < BLOCK_MEMORIES_MAX; i++)
        memory_bytes[i] = client->memories[i].size_bytes;
    status = block_check(&client->extent, &disk->geometry, memory_bytes, &message, actual[0],
                         actual[1], &disk_offset);
    if (status == MX_OK) {
        handle_request(disk, client, &message, disk_offset, handle);
        return true;
    }
    handle_close(handle);
    answer(client,
           &(struct block_reply){.transaction = message.request.transaction, .status = status});
    return true;
}

static bool is_full(const struct disk_state *state)
{
    return state->held.client || state->flight_count == DISK_TAGS_MAX;
}

// At most `limit` messages. What is left makes the client stalled, or a packet.
static void serve_client(struct disk *disk, struct client *client, uint32_t limit)
{
    const struct disk_state *state = disk->state;
    bool has_more = true;

    if (client->channel == MX_HANDLE_INVALID)
        return;
    for (; limit != 0 && has_more && !is_full(state); limit--)
        has_more = take_message(disk, client);
    if (client->channel == MX_HANDLE_INVALID)
        return;
    client->is_stalled = has_more && is_full(state);
    if (!client->is_stalled && await_messages(state, client) != MX_OK)
        client_close(disk, client);
}

static void retry_held(struct disk *disk)
{
    struct disk_state *state = disk->state;
    struct client *client = state->held.client;

    if (!client)
        return;
    state->held.client = NULL;
    handle_request(disk, client, &state->held.message, state->held.disk_offset, MX_HANDLE_INVALID);
}

// Those that wait for room take turns: each gets one request in before any gets its next.
void disk_serve_stalled(struct disk *disk)
{
    struct disk_state *state = disk->state;

    retry_held(disk);
    for (uint32_t i = 0; i < CLIENTS_MAX && !is_full(state); i++) {
        state->turn = (state->turn + 1) % CLIENTS_MAX;
        if (state->clients[state->turn].is_stalled)
            serve_client(disk, &state->clients[state->turn], 1);
    }
}

void disk_serve_packet(struct disk *disk, uint64_t key)
{
    if (key - disk->state->key_first < CLIENTS_MAX)
        serve_client(disk, &disk->state->clients[key - disk->state->key_first], MESSAGES_MAX);
}

static void check_timeouts(struct disk *disk)
{
    mx_time_t now = mx_clock_get_monotonic();

    if (disk->state->flight_count != 0 && !disk->ops->is_alive(disk))
        disk_fail(disk, "it failed, or is gone");
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++) {
        if (disk->state->flights[tag].is_used && now - disk->state->flights[tag].since > TIMEOUT)
            disk_fail(disk, "it does not answer");
    }
}

static bool has_clients(const struct disk *disk)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        if (disk->state->clients[i].is_used)
            return true;
    }
    return false;
}

// --- a disk's clients, from the first to the last
// ------------------------------------------------------

mx_status_t disk_open(struct disk *disk, mx_handle_t channel, mx_handle_t port, uint64_t key_first)
{
    const struct block_extent whole = {.size_bytes = disk->size_bytes,
                                       .is_read_only = disk->is_read_only};

    disk->state = calloc(1, sizeof(*disk->state));
    if (!disk->state) {
        handle_close(channel);
        return MX_ERR_NO_MEMORY;
    }
    disk->state->port = port;
    disk->state->key_first = key_first;
    const mx_status_t status = client_add(disk, channel, &whole);
    if (status != MX_OK) {
        free(disk->state);
        disk->state = NULL;
    }
    return status;
}

void disk_close(struct disk *disk)
{
    struct disk_state *state = disk->state;

    disk->is_failed = true;
    answer_all(disk);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &state->clients[i];

        if (!client->is_used)
            continue;
        // NOT_FOUND: nothing was waited for.
        (void)!mx_port_cancel(state->port, client->channel, key_of(state, client));
        client_close(disk, client);
    }
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++) {
        if (state->flights[tag].copy.bytes)
            driver_free(&disk->device, &state->flights[tag].copy);
    }
    free(state);
    disk->state = NULL;
}

static mx_status_t take_service(struct disk *disk, mx_handle_t port)
{
    const mx_handle_t service = disk->device.service;

    disk->device.service = MX_HANDLE_INVALID;
    return service == MX_HANDLE_INVALID ? MX_ERR_NOT_FOUND : disk_open(disk, service, port, 0);
}

int disk_run(struct disk *disk)
{
    struct mx_port_packet packet;
    uint32_t packet_count = 0;
    mx_handle_t port;
    mx_status_t status = mx_port_create(&port);

    if (status == MX_OK)
        status = mx_interrupt_bind(disk->device.interrupt, port, KEY_INTERRUPT);
    if (status == MX_OK)
        status = take_service(disk, port);
    while (status == MX_OK && has_clients(disk)) {
        mx_time_t deadline =
            disk->state->flight_count ? mx_clock_get_monotonic() + TICK : MX_TIME_INFINITE;
        mx_status_t waited = mx_port_wait(port, deadline, &packet);
        if (waited == MX_ERR_TIMED_OUT || ++packet_count % TIMEOUT_CHECK_PACKETS == 0)
            check_timeouts(disk);
        if (waited == MX_OK && packet.key == KEY_INTERRUPT && !disk->is_failed)
            disk->ops->interrupt(disk);
        else if (waited == MX_OK)
            disk_serve_packet(disk, packet.key);
        else if (waited != MX_ERR_TIMED_OUT)
            status = waited;
        disk_serve_stalled(disk);
    }
    (void)!disk->ops->stop(disk); // the end of the process does what is left
    if (status != MX_OK)
        printf("disk %s: %s\n", disk->device.name, mx_status_string(status));
    return status == MX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
