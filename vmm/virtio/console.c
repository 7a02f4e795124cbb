// Virtio console: see console.h.

#include "vmm/virtio/console.h"

#include <string.h>

#define CONSOLE_QUEUE_SIZE      128u
#define CONSOLE_PART_BYTES      512u
#define CONSOLE_CHAIN_BYTES_MAX 65536u // moved of one chain at a time

// struct virtio_console_config, 5.3.4.
struct console_config {
    uint16_t column_count;
    uint16_t row_count;
    uint32_t port_count;
    uint32_t emergency_write;
};
_Static_assert(sizeof(struct console_config) == 12, "virtio 1.2, 5.3.4");

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum virtio_chain_result console_transmit(struct virtio_device *device, unsigned queue_index,
                                                 const struct virtqueue_chain *chain,
                                                 uint32_t *written_bytes)
{
    struct virtio_console *console = (struct virtio_console *)device;
    uint8_t part[CONSOLE_PART_BYTES];
    uint32_t done = 0;

    (void)queue_index;
    *written_bytes = 0;
    // The driver may have changed a held chain; an offset beyond its end then ends it.
    while (console->transmit_offset < chain->readable_bytes) {
        if (done >= CONSOLE_CHAIN_BYTES_MAX)
            return VIRTIO_CHAIN_MORE;
        const size_t size =
            virtqueue_chain_read(chain, console->transmit_offset, part, sizeof(part));
        const size_t taken = smaller(console->stream->transmit(console->context, part, size), size);
        console->transmit_offset += (uint32_t)taken;
        done += (uint32_t)taken;
        if (taken < size)
            return VIRTIO_CHAIN_HELD;
    }
    console->transmit_offset = 0;
    return VIRTIO_CHAIN_DONE;
}

static enum virtio_chain_result console_receive(struct virtio_device *device, unsigned queue_index,
                                                const struct virtqueue_chain *chain,
                                                uint32_t *written_bytes)
{
    const struct virtio_console *console = (const struct virtio_console *)device;
    const size_t capacity = smaller(chain->writable_bytes, CONSOLE_CHAIN_BYTES_MAX);
    uint8_t part[CONSOLE_PART_BYTES];
    size_t done = 0, size, wanted;

    (void)queue_index;
    if (capacity == 0)
        return VIRTIO_CHAIN_DONE; // a chain without room goes straight back
    do {
        wanted = smaller(capacity - done, sizeof(part));
        size = smaller(console->stream->receive(console->context, part, wanted), wanted);
        virtqueue_chain_write(chain, (uint32_t)done, part, size);
        done += size;
    } while (size == wanted && done < capacity);
    *written_bytes = (uint32_t)done;
    return done != 0 ? VIRTIO_CHAIN_DONE : VIRTIO_CHAIN_HELD;
}

static enum virtio_progress console_queue_notify(struct virtio_device *device, unsigned queue_index,
                                                 unsigned budget)
{
    return virtio_device_drain(device, queue_index, budget,
                               queue_index == VIRTIO_CONSOLE_RECEIVE_QUEUE ? console_receive
                                                                           : console_transmit);
}

static void console_reset(struct virtio_device *device)
{
    ((struct virtio_console *)device)->transmit_offset = 0;
}

static uint64_t console_features(const struct virtio_device *device)
{
    const struct virtio_console *console = (const struct virtio_console *)device;
    return console->column_count != 0 && console->row_count != 0 ? VIRTIO_CONSOLE_F_SIZE : 0;
}

static void console_config_read(const struct virtio_device *device, uint8_t *config)
{
    const struct virtio_console *console = (const struct virtio_console *)device;
    const struct console_config values = {
        .column_count = console->column_count,
        .row_count = console->row_count,
        .port_count = 1,
    };
    memcpy(config, &values, sizeof(values));
}

static const struct virtio_device_ops console_ops = {
    .reset = console_reset,
    .features = console_features,
    .config_read = console_config_read,
    .queue_notify = console_queue_notify,
};

void virtio_console_init(struct virtio_console *console,
                         const struct virtio_console_stream_ops *stream, void *context,
                         uint16_t column_count, uint16_t row_count)
{
    memset(console, 0, sizeof(*console));
    console->device.ops = &console_ops;
    console->device.type = VIRTIO_TYPE_CONSOLE;
    console->device.queue_count = 2;
    console->device.queue_size_max = CONSOLE_QUEUE_SIZE;
    console->device.config_bytes = sizeof(struct console_config);
    console->stream = stream;
    console->context = context;
    console->column_count = column_count;
    console->row_count = row_count;
}
