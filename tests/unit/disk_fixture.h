// A disk of user/drivers/lib/disk.c whose clients, device and system do what a test says. The
// source is included; the system is faked here, and stops the program where a driver breaks its
// rules: memory that a device uses must be attached, tags must be free, handles must be open.
#pragma once

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define exit fake_exit
static _Noreturn void fake_exit(int code);
#include "user/drivers/lib/disk.c"
#undef exit

#define FAKE_BLOCK_BYTES  512u
#define FAKE_DISK_BYTES   (256u * 1024)
#define FAKE_PAGES        40u
#define FAKE_VMO_BYTES    (FAKE_PAGES * MX_PAGE_SIZE)
#define FAKE_CHANNELS_MAX 80u // more than clients
#define FAKE_VMOS_MAX     8u
#define FAKE_QUEUE_MAX    48u
#define FAKE_PORT         2u
#define FAKE_INTERRUPT    3u
#define FAKE_DMA          4u
#define FAKE_CHANNEL(i)   (100u + (i))
#define FAKE_VMO(i)       (1000u + (i))
#define FAKE_KEY_FIRST    7000u
// Device addresses.
#define FAKE_VMO_ADDRESS(i)  (UINT64_C(0x100000000) + (i)*UINT64_C(0x1000000))
#define FAKE_COPY_ADDRESS(i) (UINT64_C(0x900000000) + (i)*UINT64_C(0x1000000))

struct fake_message {
    struct block_message message;
    uint32_t size_bytes;
    mx_handle_t handle;
};

struct fake_channel {
    bool is_open, is_gone; // the driver's end; the client's
    bool is_awaited;
    uint64_t key;
    uint32_t taken_count, sent_count; // to the driver, by way of fake_queues
    struct block_reply last;
    uint32_t reply_count;
};

struct fake_command {
    bool is_used;
    struct disk_transfer transfer;
    struct disk_run runs[DISK_RUNS_MAX];
};

static struct fake_message fake_queues[FAKE_CHANNELS_MAX][FAKE_QUEUE_MAX];
static struct {
    uint8_t disk[FAKE_DISK_BYTES];
    struct fake_channel channels[FAKE_CHANNELS_MAX];
    uint32_t channel_turn;
    struct {
        uint8_t bytes[FAKE_VMO_BYTES];
        bool is_open, is_attached;
    } vmos[FAKE_VMOS_MAX];
    bool is_scattered; // pages of memory objects do not follow each other
    void *copies[DISK_TAGS_MAX];
    uint32_t copy_count;
    mx_status_t allocate_status, attach_status, wait_status;
    // The device.
    struct fake_command commands[DISK_TAGS_MAX];
    uint32_t command_count, run_count;
    uint32_t commands_max, runs_max; // that it has room for
    mx_status_t start_status;
    bool is_dead, does_not_stop;
    uint32_t stop_count;
    mx_time_t now;
    bool has_interrupts; // when commands are done, which is at once
    void (*idle)(void);  // nothing would happen any more
    jmp_buf ended;
    bool expects_end;
} fake;
static struct disk disk;

static _Noreturn void fake_exit(int code)
{
    assert(fake.expects_end && code == EXIT_FAILURE);
    longjmp(fake.ended, 1);
}

// --- the system

static struct fake_channel *fake_channel(mx_handle_t handle)
{
    assert(handle >= FAKE_CHANNEL(0) && handle < FAKE_CHANNEL(FAKE_CHANNELS_MAX));
    return &fake.channels[handle - FAKE_CHANNEL(0)];
}

static bool fake_is_vmo(mx_handle_t handle)
{
    return handle >= FAKE_VMO(0) && handle < FAKE_VMO(FAKE_VMOS_MAX);
}

mx_time_t mx_clock_get_monotonic(void)
{
    return fake.now;
}

void handle_close(mx_handle_t handle)
{
    if (handle == MX_HANDLE_INVALID)
        return;
    bool *is_open = fake_is_vmo(handle) ? &fake.vmos[handle - FAKE_VMO(0)].is_open
                                        : &fake_channel(handle)->is_open;
    assert(*is_open);
    *is_open = false;
}

mx_status_t mx_object_wait_async(mx_handle_t handle, mx_handle_t port, uint64_t key,
                                 mx_signals_t signals, uint32_t options)
{
    (void)signals, (void)options;
    assert(port == FAKE_PORT);
    if (fake.wait_status != MX_OK)
        return fake.wait_status;
    struct fake_channel *channel = fake_channel(handle);
    assert(channel->is_open && !channel->is_awaited);
    channel->is_awaited = true;
    channel->key = key;
    return MX_OK;
}

mx_status_t mx_port_cancel(mx_handle_t port, mx_handle_t handle, uint64_t key)
{
    assert(port == FAKE_PORT);
    if (handle == MX_HANDLE_INVALID || !fake_channel(handle)->is_awaited)
        return MX_ERR_NOT_FOUND;
    assert(fake_channel(handle)->key == key);
    fake_channel(handle)->is_awaited = false;
    return MX_OK;
}

mx_status_t mx_channel_read(mx_handle_t handle, void *bytes, uint32_t capacity_bytes,
                            mx_handle_t *handles, uint32_t handle_capacity, uint32_t *actual)
{
    struct fake_channel *channel = fake_channel(handle);

    assert(channel->is_open && handle_capacity == 1);
    if (channel->taken_count == channel->sent_count)
        return channel->is_gone ? MX_ERR_PEER_CLOSED : MX_ERR_SHOULD_WAIT;
    const struct fake_message *next =
        &fake_queues[handle - FAKE_CHANNEL(0)][channel->taken_count % FAKE_QUEUE_MAX];
    if (next->size_bytes > capacity_bytes)
        return MX_ERR_BUFFER_TOO_SMALL;
    channel->taken_count++;
    memcpy(bytes, &next->message, next->size_bytes);
    actual[0] = next->size_bytes;
    actual[1] = next->handle != MX_HANDLE_INVALID;
    if (actual[1])
        *handles = next->handle;
    return MX_OK;
}

mx_status_t mx_channel_write(mx_handle_t handle, const void *bytes, uint32_t size_bytes,
                             const mx_handle_t *handles, uint32_t handle_count)
{
    struct fake_channel *channel = fake_channel(handle);

    (void)handles;
    assert(channel->is_open && size_bytes == sizeof(struct block_reply) && handle_count == 0);
    if (channel->is_gone)
        return MX_ERR_PEER_CLOSED;
    memcpy(&channel->last, bytes, sizeof(channel->last));
    channel->reply_count++;
    return MX_OK;
}

mx_status_t mx_object_get_info(mx_handle_t handle, uint32_t topic, void *buffer,
                               size_t buffer_bytes, size_t *actual_bytes)
{
    const struct mx_info_vmo info = {.size_bytes = FAKE_VMO_BYTES};

    (void)actual_bytes;
    assert(topic == MX_INFO_VMO && buffer_bytes == sizeof(info));
    if (!fake_is_vmo(handle))
        return MX_ERR_WRONG_TYPE;
    memcpy(buffer, &info, sizeof(info));
    return MX_OK;
}

mx_status_t mx_dma_attach(mx_handle_t dma, mx_handle_t vmo, uint32_t *id)
{
    assert(dma == FAKE_DMA && fake_is_vmo(vmo) && !fake.vmos[vmo - FAKE_VMO(0)].is_attached);
    if (fake.attach_status != MX_OK)
        return fake.attach_status;
    fake.vmos[vmo - FAKE_VMO(0)].is_attached = true;
    *id = vmo - FAKE_VMO(0) + 1;
    return MX_OK;
}

mx_status_t mx_dma_detach(mx_handle_t dma, uint32_t id)
{
    assert(dma == FAKE_DMA && id != 0 && id <= FAKE_VMOS_MAX);
    assert(fake.vmos[id - 1].is_attached);
    fake.vmos[id - 1].is_attached = false;
    return MX_OK;
}

mx_status_t mx_dma_addresses(mx_handle_t dma, uint32_t id, uint64_t offset, uint32_t page_count,
                             uint64_t *addresses)
{
    assert(dma == FAKE_DMA && page_count == 1 && fake.vmos[id - 1].is_attached);
    assert(offset % MX_PAGE_SIZE == 0 && offset < FAKE_VMO_BYTES);
    *addresses = FAKE_VMO_ADDRESS(id - 1) + offset * (fake.is_scattered ? 2 : 1);
    return MX_OK;
}

static uint8_t *fake_vmo_bytes(mx_handle_t vmo, uint64_t offset, size_t size_bytes)
{
    assert(fake_is_vmo(vmo) && fake.vmos[vmo - FAKE_VMO(0)].is_open);
    assert(offset <= FAKE_VMO_BYTES && size_bytes <= FAKE_VMO_BYTES - offset);
    return fake.vmos[vmo - FAKE_VMO(0)].bytes + offset;
}

mx_status_t mx_vmo_read(mx_handle_t vmo, void *buffer, uint64_t offset, size_t size_bytes)
{
    memcpy(buffer, fake_vmo_bytes(vmo, offset, size_bytes), size_bytes);
    return MX_OK;
}

mx_status_t mx_vmo_write(mx_handle_t vmo, const void *buffer, uint64_t offset, size_t size_bytes)
{
    memcpy(fake_vmo_bytes(vmo, offset, size_bytes), buffer, size_bytes);
    return MX_OK;
}

mx_status_t driver_allocate(struct driver_device *device, uint64_t size_bytes,
                            struct driver_memory *memory)
{
    (void)device;
    assert(size_bytes == DISK_TRANSFER_BYTES && fake.copy_count < DISK_TAGS_MAX);
    if (fake.allocate_status != MX_OK)
        return fake.allocate_status;
    void *bytes = calloc(1, size_bytes);
    fake.copies[fake.copy_count] = bytes;
    *memory =
        (struct driver_memory){.bytes = bytes, .address = FAKE_COPY_ADDRESS(fake.copy_count++)};
    return MX_OK;
}

void driver_free(struct driver_device *device, struct driver_memory *memory)
{
    (void)device;
    fake.copies[(memory->address - FAKE_COPY_ADDRESS(0)) / 0x1000000] = NULL;
    free(memory->bytes);
    memset(memory, 0, sizeof(*memory));
}

mx_status_t mx_port_create(mx_handle_t *out)
{
    *out = FAKE_PORT;
    return MX_OK;
}

mx_status_t mx_interrupt_bind(mx_handle_t interrupt, mx_handle_t port, uint64_t key)
{
    assert(interrupt == FAKE_INTERRUPT && port == FAKE_PORT && key == DISK_KEYS);
    return MX_OK;
}

// A client with something for the driver, each in its turn. Its wait is over.
static bool fake_take_packet(uint64_t *key)
{
    for (uint32_t i = 0; i < FAKE_CHANNELS_MAX; i++) {
        fake.channel_turn = (fake.channel_turn + 1) % FAKE_CHANNELS_MAX;
        struct fake_channel *channel = &fake.channels[fake.channel_turn];

        if (!channel->is_open || !channel->is_awaited ||
            (channel->taken_count == channel->sent_count && !channel->is_gone))
            continue;
        channel->is_awaited = false;
        *key = channel->key;
        return true;
    }
    return false;
}

mx_status_t mx_port_wait(mx_handle_t port, mx_time_t deadline, struct mx_port_packet *packet)
{
    assert(port == FAKE_PORT);
    *packet = (struct mx_port_packet){.key = DISK_KEYS};
    if (fake_take_packet(&packet->key))
        return MX_OK;
    if (fake.has_interrupts && fake.command_count != 0)
        return MX_OK;
    if (deadline == MX_TIME_INFINITE) {
        assert(fake.idle);
        fake.idle();
        return fake_take_packet(&packet->key) ? MX_OK : MX_ERR_BAD_STATE;
    }
    fake.now = deadline;
    return MX_ERR_TIMED_OUT;
}

// --- the device

static uint8_t *fake_device_memory(uint64_t address)
{
    if (address >= FAKE_COPY_ADDRESS(0)) {
        uint8_t *copy = fake.copies[(address - FAKE_COPY_ADDRESS(0)) / 0x1000000];
        assert(copy && address % 0x1000000 < DISK_TRANSFER_BYTES);
        return copy + address % 0x1000000;
    }
    const uint64_t index = (address - FAKE_VMO_ADDRESS(0)) / 0x1000000;
    uint64_t offset = address % 0x1000000;
    assert(index < FAKE_VMOS_MAX && fake.vmos[index].is_attached);
    if (fake.is_scattered)
        offset = offset / (2 * MX_PAGE_SIZE) * MX_PAGE_SIZE + offset % MX_PAGE_SIZE;
    assert(offset < FAKE_VMO_BYTES);
    return fake.vmos[index].bytes + offset;
}

static void fake_check_transfer(const struct disk_transfer *transfer)
{
    uint64_t total = 0;

    assert(transfer->tag < DISK_TAGS_MAX && !fake.commands[transfer->tag].is_used);
    assert(transfer->run_count <= DISK_RUNS_MAX);
    assert(disk.runs_max == 0 || transfer->run_count <= disk.runs_max);
    for (uint32_t i = 0; i < transfer->run_count; i++) {
        const struct disk_run *run = &transfer->runs[i];

        assert(run->size_bytes != 0);
        total += run->size_bytes;
        if (disk.ops->needs_words)
            assert((run->address | run->size_bytes) % 2 == 0);
        if (disk.ops->needs_pages) {
            assert(run->address % 4 == 0 && (i == 0 || run->address % MX_PAGE_SIZE == 0));
            assert(i + 1 == transfer->run_count ||
                   (run->address + run->size_bytes) % MX_PAGE_SIZE == 0);
        }
    }
    if (transfer->operation == BLOCK_FLUSH) {
        assert(transfer->run_count == 0);
        return;
    }
    assert(total == transfer->size_bytes && total <= disk.geometry.transfer_bytes);
    assert(transfer->offset <= FAKE_DISK_BYTES && total <= FAKE_DISK_BYTES - transfer->offset);
}

static mx_status_t fake_start(struct disk *started, const struct disk_transfer *transfer)
{
    assert(started == &disk && fake.stop_count == 0);
    fake_check_transfer(transfer);
    if (fake.start_status != MX_OK)
        return fake.start_status;
    if (fake.command_count == fake.commands_max ||
        fake.run_count + transfer->run_count > fake.runs_max)
        return MX_ERR_SHOULD_WAIT;
    struct fake_command *command = &fake.commands[transfer->tag];
    *command = (struct fake_command){.is_used = true, .transfer = *transfer};
    if (transfer->run_count)
        memcpy(command->runs, transfer->runs, transfer->run_count * sizeof(command->runs[0]));
    fake.command_count++;
    fake.run_count += transfer->run_count;
    return MX_OK;
}

static void fake_perform(const struct fake_command *command)
{
    uint64_t at = command->transfer.offset;

    for (uint32_t i = 0; i < command->transfer.run_count; i++) {
        for (uint32_t done = 0; done < command->runs[i].size_bytes; done++, at++) {
            uint8_t *memory = fake_device_memory(command->runs[i].address + done);

            if (command->transfer.operation == BLOCK_READ)
                *memory = fake.disk[at];
            else
                fake.disk[at] = *memory;
        }
    }
}

// What the device has under way with that tag is done, or has failed.
static void fake_complete(uint32_t tag, mx_status_t status)
{
    struct fake_command *command = &fake.commands[tag];

    if (status == MX_OK)
        fake_perform(command);
    command->is_used = false;
    fake.command_count--;
    fake.run_count -= command->transfer.run_count;
    disk_complete(&disk, tag, status);
}

static void fake_interrupt(struct disk *interrupted)
{
    assert(interrupted == &disk);
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++) {
        if (fake.commands[tag].is_used)
            fake_complete(tag, MX_OK);
    }
}

static bool fake_is_alive(struct disk *asked)
{
    assert(asked == &disk);
    return !fake.is_dead;
}

static bool fake_stop(struct disk *stopped)
{
    assert(stopped == &disk);
    fake.stop_count++;
    if (fake.does_not_stop)
        return false;
    for (uint32_t tag = 0; tag < DISK_TAGS_MAX; tag++)
        fake.commands[tag].is_used = false;
    fake.command_count = fake.run_count = 0;
    return true;
}

// --- clients

static void fake_reset(struct disk_ops *ops)
{
    *ops = (struct disk_ops){.needs_pages = ops->needs_pages,
                             .needs_words = ops->needs_words,
                             .start = fake_start,
                             .interrupt = fake_interrupt,
                             .is_alive = fake_is_alive,
                             .stop = fake_stop};
    memset(&fake, 0, sizeof(fake));
    fake.commands_max = DISK_TAGS_MAX;
    fake.runs_max = UINT32_MAX;
    for (uint32_t i = 0; i < FAKE_DISK_BYTES; i++)
        fake.disk[i] = (uint8_t)(i / FAKE_BLOCK_BYTES + i % 7);
    for (uint32_t i = 0; i < FAKE_CHANNELS_MAX; i++)
        fake.channels[i].is_open = true;
    for (uint32_t i = 0; i < FAKE_VMOS_MAX; i++)
        fake.vmos[i].is_open = true;
    disk = (struct disk){.device = {.name = "fake",
                                    .interrupt = FAKE_INTERRUPT,
                                    .dma = FAKE_DMA,
                                    .service = FAKE_CHANNEL(0)},
                         .ops = ops,
                         .size_bytes = FAKE_DISK_BYTES,
                         .geometry = {FAKE_BLOCK_BYTES, DISK_TRANSFER_BYTES}};
}

static void fake_send(uint32_t channel, const struct block_message *message, uint32_t size_bytes,
                      mx_handle_t handle)
{
    struct fake_channel *to = &fake.channels[channel];

    assert(to->sent_count - to->taken_count < FAKE_QUEUE_MAX);
    fake_queues[channel][to->sent_count++ % FAKE_QUEUE_MAX] =
        (struct fake_message){*message, size_bytes, handle};
}

// What a driver does that waits by itself, until nothing is left to do.
static void fake_serve(void)
{
    uint64_t key;

    disk_serve_stalled(&disk);
    while (fake_take_packet(&key)) {
        disk_serve_packet(&disk, key);
        disk_serve_stalled(&disk);
    }
}
