// In place of virtio-rng, for tests/integration/test_robustness.py: the guest's memory says what it
// does to the VMM, as nothing else of a launch comes here: the act is (MiB % 64) / 2.
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/device/device_protocol.h"

#define DEVICE_TYPE 4 // entropy

enum act {
    ACT_DIE = 1,          // before it has answered START
    ACT_OTHER_QUEUES = 2, // describes a device with another number of queues
    ACT_IMPOSSIBLE = 3,   // describes one that cannot be
    ACT_SHORT_REPLY = 4,  // answers START with less than an envelope
    // When it has described itself.
    ACT_SHORT_EVENT = 5,
    ACT_UNKNOWN_EVENT = 6,
    ACT_EVENT_WITH_HANDLE = 7,
    ACT_OTHER_CONFIG = 8, // one of another size
    ACT_FLOOD = 9,        // of events that say nothing
    // When the driver is ready.
    ACT_BAD_READY = 10,  // answers READY with another message
    ACT_LATE_FLOOD = 11, // of events and interrupts, in the place of answers
};

static mx_handle_t channel;
static enum act act;

static void write_bytes(const void *bytes, size_t size_bytes, mx_handle_t handle)
{
    (void)!mx_channel_write(channel, bytes, (uint32_t)size_bytes, &handle,
                            handle != MX_HANDLE_INVALID);
}

static void send_event(uint32_t kind, mx_handle_t handle)
{
    const struct {
        struct device_envelope envelope;
        struct virtio_message_header header;
    } event = {.header = {kind, sizeof(event.header)}};

    write_bytes(&event, sizeof(event), handle);
}

static void send_interrupt(uint32_t source)
{
    const struct {
        struct device_envelope envelope;
        struct virtio_event_interrupt message;
    } event = {.message = {{VIRTIO_EVENT_INTERRUPT, sizeof(event.message)}, source, 0}};

    write_bytes(&event, sizeof(event), MX_HANDLE_INVALID);
}

static void send_config(uint32_t config_bytes)
{
    const struct {
        struct device_envelope envelope;
        struct virtio_event_config_changed message;
    } event = {.message = {.header = {VIRTIO_EVENT_CONFIG_CHANGED, sizeof(event.message)},
                           .config_bytes = config_bytes}};

    write_bytes(&event, sizeof(event), MX_HANDLE_INVALID);
}

static void send_event_with_handle(void)
{
    mx_handle_t ends[2];

    if (mx_channel_create(&ends[0], &ends[1]) == MX_OK)
        send_event(VIRTIO_EVENT_NEEDS_RESET, ends[0]);
}

// The VMM may be slower: what does not fit is left out.
static _Noreturn void flood(void)
{
    mx_handle_t queue = startup_handle_look(DEVICE_STARTUP_IRQ, 0);
    mx_handle_t config = startup_handle_look(DEVICE_STARTUP_IRQ, VIRTIO_SOURCE_CONFIG);

    for (;;) {
        send_interrupt(0);
        send_interrupt(VIRTIO_SOURCE_CONFIG);
        send_config(0);
        send_event(VIRTIO_EVENT_NEEDS_RESET, MX_HANDLE_INVALID);
        if (act == ACT_LATE_FLOOD) {
            (void)!mx_guest_irq_raise(queue);
            (void)!mx_guest_irq_raise(config);
        }
    }
}

// After START.
static void send_events(void)
{
    switch (act) {
    case ACT_SHORT_EVENT:
        write_bytes("rng", 3, MX_HANDLE_INVALID);
        break;
    case ACT_UNKNOWN_EVENT:
        send_event(UINT32_MAX, MX_HANDLE_INVALID);
        break;
    case ACT_EVENT_WITH_HANDLE:
        send_event_with_handle();
        break;
    case ACT_OTHER_CONFIG:
        send_config(VIRTIO_CONFIG_BYTES_MAX);
        break;
    case ACT_FLOOD:
        flood();
    case ACT_DIE:
    case ACT_OTHER_QUEUES:
    case ACT_IMPOSSIBLE:
    case ACT_SHORT_REPLY:
    case ACT_BAD_READY:
    case ACT_LATE_FLOOD:
        break;
    }
}

static void describe(struct virtio_reply *reply)
{
    reply->device_type = DEVICE_TYPE;
    reply->queue_count = act == ACT_OTHER_QUEUES ? 2 : 1;
    reply->queue_size_max = act == ACT_IMPOSSIBLE ? 3 : 64;
    reply->config_bytes = act == ACT_IMPOSSIBLE ? UINT16_MAX : 0;
    reply->features = VIRTIO_F_VERSION_1;
}

static void answer(const struct device_request *request)
{
    const uint32_t kind = request->message.header.kind;
    struct device_reply reply = {.envelope = request->envelope,
                                 .reply.header = {kind, sizeof(reply.reply)}};

    if (kind == VIRTIO_MESSAGE_START && act == ACT_DIE)
        exit(EXIT_FAILURE);
    if (kind == VIRTIO_MESSAGE_START)
        describe(&reply.reply);
    if (kind == VIRTIO_MESSAGE_READY && act == ACT_BAD_READY)
        reply.reply.header.kind = VIRTIO_MESSAGE_START;
    write_bytes(&reply, kind == VIRTIO_MESSAGE_START && act == ACT_SHORT_REPLY ? 4 : sizeof(reply),
                MX_HANDLE_INVALID);
    if (kind == VIRTIO_MESSAGE_START)
        send_events();
    if (kind == VIRTIO_MESSAGE_READY && act == ACT_LATE_FLOOD)
        flood();
}

int main(int argc, char **argv)
{
    struct device_request request;

    if (argc <= DEVICE_ARGUMENT_LOW_RAM)
        return EXIT_FAILURE;
    act = (enum act)((strtoul(argv[DEVICE_ARGUMENT_LOW_RAM], NULL, 10) >> 20) % 64 / 2);
    channel = startup_channel();
    while (mx_object_wait_one(channel, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL) == MX_OK &&
           mx_channel_read(channel, &request, sizeof(request), NULL, 0, NULL) == MX_OK)
        answer(&request);
    return EXIT_SUCCESS;
}
