// The loop of a device process; see device_process.h.
#include "vmm/device/device_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/portable/format.h"

#define KEY_CHANNEL      1
#define HIGH_RAM_ADDRESS (UINT64_C(1) << 32)
// Messages in one go, so that doorbells are not kept waiting.
#define MESSAGES_MAX 16

int device_process_fail(const struct device_process *process, const char *what, mx_status_t status)
{
    char line[MX_LOG_LINE_SIZE];

    snprintf(line, sizeof(line), "%s: %s", what, mx_status_string(status));
    if (process->log != MX_HANDLE_INVALID)
        mx_log_write(process->log, line, strlen(line));
    return EXIT_FAILURE;
}

mx_status_t device_process_number(int argc, char **argv, int index, uint64_t *value)
{
    const char *reason;

    if (index >= argc)
        return MX_ERR_INVALID_ARGS;
    return parse_number(argv[index], strlen(argv[index]), UINT64_MAX, value, &reason);
}

// --- start --------------------------------------------------------------------------------------

static mx_status_t map_ram(struct device_process *process, uint64_t low_bytes, uint64_t high_bytes)
{
    uint64_t address = 0;

    process->ram = startup_handle_take(DEVICE_STARTUP_RAM, 0);
    if (high_bytes > UINT64_MAX - low_bytes)
        return MX_ERR_INVALID_ARGS;
    mx_status_t status =
        mx_aspace_map(startup_handle_look(MX_STARTUP_SELF_ASPACE, 0), MX_MAP_READ | MX_MAP_WRITE,
                      process->ram, 0, low_bytes + high_bytes, &address);
    if (status == MX_OK)
        status =
            guest_memory_add_region(&process->memory, 0, low_bytes, (void *)(uintptr_t)address);
    if (status == MX_OK && high_bytes > 0)
        status = guest_memory_add_region(&process->memory, HIGH_RAM_ADDRESS, high_bytes,
                                         (void *)(uintptr_t)(address + low_bytes));
    return status;
}

static void take_handles(struct device_process *process)
{
    process->port = startup_handle_take(DEVICE_STARTUP_PORT, 0);
    process->channel = startup_channel();
    process->log = startup_handle_take(MX_STARTUP_LOG, 0);
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
        process->irqs[i] = startup_handle_take(DEVICE_STARTUP_IRQ, i);
    process->irqs[VIRTIO_QUEUES_MAX] =
        startup_handle_take(DEVICE_STARTUP_IRQ, VIRTIO_SOURCE_CONFIG);
}

mx_status_t device_process_init(struct device_process *process, int argc, char **argv)
{
    uint64_t low_bytes, high_bytes;

    take_handles(process);
    mx_status_t status = device_process_number(argc, argv, DEVICE_ARGUMENT_LOW_RAM, &low_bytes);
    if (status == MX_OK)
        status = device_process_number(argc, argv, DEVICE_ARGUMENT_HIGH_RAM, &high_bytes);
    if (status == MX_OK && process->port == MX_HANDLE_INVALID)
        status = MX_ERR_NOT_FOUND;
    return status == MX_OK ? map_ram(process, low_bytes, high_bytes) : status;
}

// --- what the host asks for ---------------------------------------------------------------------

// A guest can make the same thing go wrong without end; the log hears of it once.
static void complain_once(struct device_process *process, const char *what, mx_status_t status)
{
    if (!process->has_complained)
        device_process_fail(process, what, status);
    process->has_complained = true;
}

// The kernel object exists for as long as the handle: raising it cannot fail but for a handle that
// was not given.
static void raise_interrupt(void *context, uint16_t source)
{
    struct device_process *process = context;
    const unsigned index = source < VIRTIO_QUEUES_MAX ? source : VIRTIO_QUEUES_MAX;

    if (process->irqs[index] == MX_HANDLE_INVALID ||
        mx_guest_irq_raise(process->irqs[index]) != MX_OK)
        complain_once(process, "an interrupt cannot be raised", MX_ERR_BAD_STATE);
}

static void send_event(void *context, const void *message, size_t size_bytes)
{
    struct device_process *process = context;
    struct device_request event = {.envelope.kind = DEVICE_ENVELOPE_VIRTIO};

    if (size_bytes > sizeof(event.message))
        return;
    memcpy(&event.message, message, size_bytes);
    const mx_status_t status = mx_channel_write(
        process->channel, &event, (uint32_t)(sizeof(event.envelope) + size_bytes), NULL, 0);
    if (status != MX_OK)
        complain_once(process, "an event cannot be sent", status);
}

static const struct device_host_ops host_ops = {.raise_interrupt = raise_interrupt,
                                                .send_event = send_event};

// --- messages -----------------------------------------------------------------------------------

static mx_status_t answer(struct device_process *process, const struct device_request *request,
                          size_t size_bytes)
{
    struct device_reply reply = {.envelope = request->envelope};

    device_host_handle_message(&process->host, &request->message,
                               size_bytes - sizeof(request->envelope), &reply.reply);
    // READY and QUEUE_NOTIFY leave chains to work on, without a doorbell to come.
    process->has_work = process->has_work || process->host.pending_queues != 0;
    return mx_channel_write(process->channel, &reply, sizeof(reply), NULL, 0);
}

static mx_status_t take_message(struct device_process *process)
{
    struct device_request request;
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint32_t actual[2];
    mx_status_t status =
        mx_channel_read(process->channel, &request, sizeof(request), &handle, 1, actual);

    if (status != MX_OK)
        return status;
    if (actual[0] < sizeof(request.envelope))
        status = MX_ERR_IO_DATA_INTEGRITY;
    else if (request.envelope.kind == DEVICE_ENVELOPE_VIRTIO)
        status = answer(process, &request, actual[0]);
    if (status == MX_OK && request.envelope.kind == DEVICE_ENVELOPE_ATTACH && actual[1] == 1 &&
        process->ops && process->ops->attach)
        process->ops->attach(process, handle);
    else if (actual[1] == 1)
        handle_close(handle);
    return status;
}

static mx_status_t wait_for_messages(const struct device_process *process)
{
    return mx_object_wait_async(process->channel, process->port, KEY_CHANNEL,
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

static mx_status_t take_messages(struct device_process *process)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; status == MX_OK && i < MESSAGES_MAX; i++)
        status = take_message(process);
    return status == MX_OK || status == MX_ERR_SHOULD_WAIT ? wait_for_messages(process) : status;
}

// --- the loop -----------------------------------------------------------------------------------

void device_process_wake_queue(struct device_process *process, unsigned queue_index)
{
    if (device_host_doorbell(&process->host, queue_index))
        process->has_work = true;
}

static mx_status_t handle_packet(struct device_process *process,
                                 const struct mx_port_packet *packet)
{
    if (packet->key >= DEVICE_BELL_KEY) {
        const uint64_t queue_index = packet->key - DEVICE_BELL_KEY;
        if (queue_index < VIRTIO_QUEUES_MAX)
            device_process_wake_queue(process, (unsigned)queue_index);
        return MX_OK;
    }
    if (packet->key == KEY_CHANNEL)
        return take_messages(process);
    if (process->ops && process->ops->packet)
        process->ops->packet(process, packet->key);
    return MX_OK;
}

static mx_status_t serve_one(struct device_process *process)
{
    struct mx_port_packet packet;

    if (process->ops && process->ops->idle)
        process->ops->idle(process);
    mx_status_t status =
        mx_port_wait(process->port, process->has_work ? 0 : MX_TIME_INFINITE, &packet);
    if (status == MX_OK)
        status = handle_packet(process, &packet);
    else if (status == MX_ERR_TIMED_OUT)
        status = MX_OK;
    if (status == MX_OK && process->has_work)
        process->has_work = device_host_continue(&process->host);
    return status;
}

int device_process_run(struct device_process *process, struct virtio_device *device,
                       const struct device_process_ops *ops)
{
    process->ops = ops;
    device_host_init(&process->host, device, &process->memory, &host_ops, process);
    mx_status_t status = wait_for_messages(process);
    while (status == MX_OK)
        status = serve_one(process);
    if (status == MX_ERR_PEER_CLOSED)
        return EXIT_SUCCESS;
    return device_process_fail(process, "the device ends", status);
}
