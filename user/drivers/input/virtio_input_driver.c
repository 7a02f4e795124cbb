// The driver process of a virtio keyboard (Virtio 1.2, 5.8 "Input Device").
//
// The device has a buffer for each event that it may tell. A buffer is given back only while the
// queue of keys has room for all that the device may still tell, so that nothing is dropped when
// the screen is slow.

#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include "user/drivers/input/keyboard_link.h"
#include "user/drivers/input/portable/virtio_input.h"
#include "user/drivers/lib/virtio_device.h"

#define EVENTS_QUEUE 0
#define BUFFERS_MAX  64

#define KEY_INTERRUPT 0
#define KEY_SCREEN    1

static struct {
    struct driver_device device;
    struct virtio_device virtio;
    struct virtio_device_queue events;
    struct driver_memory memory; // the buffers
    mx_handle_t port;
    struct keyboard_link link;
    struct key_queue keys;
    struct key_state state;
    uint32_t held[BUFFERS_MAX]; // buffers that the device does not have
    uint32_t held_count, given_count;
} keyboard;

// What the device tells of itself: `select` and `subselect` choose. Returns how many bytes were
// read.
static size_t read_config(uint8_t select, uint8_t subselect,
                          uint8_t data[VIRTIO_INPUT_CONFIG_DATA_MAX])
{
    struct virtio_device *virtio = &keyboard.virtio;

    if (virtio->config == NULL || virtio->config_bytes < VIRTIO_INPUT_CONFIG_DATA)
        return 0;
    virtio->config[VIRTIO_INPUT_CONFIG_SELECT] = select;
    virtio->config[VIRTIO_INPUT_CONFIG_SUBSELECT] = subselect;
    uint64_t size_bytes = virtio_device_config(virtio, VIRTIO_INPUT_CONFIG_SIZE, 1);
    if (size_bytes > VIRTIO_INPUT_CONFIG_DATA_MAX)
        size_bytes = VIRTIO_INPUT_CONFIG_DATA_MAX;
    for (uint32_t i = 0; i < size_bytes; i++)
        data[i] = (uint8_t)virtio_device_config(virtio, VIRTIO_INPUT_CONFIG_DATA + i, 1);
    return size_bytes;
}

static bool is_keyboard(void)
{
    uint8_t bits[VIRTIO_INPUT_CONFIG_DATA_MAX];
    const size_t size_bytes = read_config(VIRTIO_INPUT_SELECT_EVENTS, VIRTIO_INPUT_EVENT_KEY, bits);

    return virtio_input_is_keyboard(bits, size_bytes);
}

static void give_buffers(void)
{
    bool is_any_given = false;

    while (keyboard.held_count > 0 && key_queue_room(&keyboard.keys) > keyboard.given_count) {
        const uint32_t buffer = keyboard.held[keyboard.held_count - 1];
        const struct virtio_piece piece = {
            keyboard.memory.address + buffer * VIRTIO_INPUT_EVENT_BYTES, VIRTIO_INPUT_EVENT_BYTES};
        if (virtio_queue_add(&keyboard.events.ring, &piece, 0, 1, buffer) != MX_OK)
            break;
        keyboard.held_count--;
        keyboard.given_count++;
        is_any_given = true;
    }
    if (is_any_given && virtio_queue_publish(&keyboard.events.ring))
        virtio_device_notify(&keyboard.events);
}

// IO: the device has broken the rules, or gone.
static mx_status_t take_events(void)
{
    uint32_t buffer, written_bytes;

    while (virtio_queue_take(&keyboard.events.ring, &buffer, &written_bytes)) {
        const uint8_t *bytes =
            (const uint8_t *)keyboard.memory.bytes + buffer * VIRTIO_INPUT_EVENT_BYTES;
        keyboard.held[keyboard.held_count++] = buffer;
        keyboard.given_count--;
        if (!virtio_input_event(&keyboard.state, bytes, written_bytes, &keyboard.keys))
            return MX_ERR_IO;
    }
    return keyboard.events.ring.is_broken || virtio_device_is_broken(&keyboard.virtio) ? MX_ERR_IO
                                                                                       : MX_OK;
}

static mx_status_t run(void)
{
    struct mx_port_packet packet;
    uint8_t indicators; // the device has none that are driven
    mx_status_t status = MX_OK;

    while (status == MX_OK) {
        status = take_events();
        keyboard_link_send(&keyboard.link, &keyboard.keys);
        give_buffers();
        if (status == MX_OK)
            status = mx_port_wait(keyboard.port, MX_TIME_INFINITE, &packet);
        if (status != MX_OK)
            break;
        if (packet.key == KEY_INTERRUPT)
            status = mx_interrupt_ack(keyboard.device.interrupt);
        else
            (void)keyboard_link_receive(&keyboard.link, packet.signal.trigger, &indicators);
    }
    return status;
}

static mx_status_t open_queue(const char **why)
{
    mx_status_t status;

    *why = "no memory for its events";
    status =
        driver_allocate(&keyboard.device, BUFFERS_MAX * VIRTIO_INPUT_EVENT_BYTES, &keyboard.memory);
    if (status != MX_OK)
        return status;
    *why = "it has no queue for events";
    status = virtio_device_add_queue(&keyboard.virtio, EVENTS_QUEUE, BUFFERS_MAX, &keyboard.events);
    for (uint32_t i = 0; status == MX_OK && i < keyboard.events.ring.size; i++)
        keyboard.held[keyboard.held_count++] = i;
    return status;
}

static mx_status_t connect_screen(const char **why)
{
    mx_status_t status = mx_port_create(&keyboard.port);

    *why = "its interrupt cannot be waited for";
    if (status == MX_OK)
        status = mx_interrupt_bind(keyboard.device.interrupt, keyboard.port, KEY_INTERRUPT);
    if (status != MX_OK)
        return status;
    *why = "nobody takes its keys";
    return keyboard_link_open(&keyboard.link, keyboard.port, KEY_SCREEN);
}

static mx_status_t start(const char **why)
{
    uint64_t features;
    mx_status_t status = virtio_device_open(&keyboard.virtio, &keyboard.device, 0, &features, why);

    if (status != MX_OK)
        return status;
    *why = "it is not a keyboard; not used";
    if (!is_keyboard())
        return MX_ERR_NOT_SUPPORTED;
    status = open_queue(why);
    if (status != MX_OK)
        return status;
    // The device has its buffers before anybody can see that there is a keyboard to type on.
    virtio_device_start(&keyboard.virtio);
    give_buffers();
    return connect_screen(why);
}

int main(int argc, char **argv)
{
    const char *why = "";

    if (driver_start(&keyboard.device, argc, argv) != MX_OK)
        return EXIT_FAILURE;
    mx_status_t status = start(&why);
    if (status == MX_OK) {
        printf("virtio keyboard %s: in use\n", keyboard.device.name);
        status = run();
        why = "it broke the rules, or has gone";
        (void)virtio_device_stop(&keyboard.virtio); // the end of the process does what is left
    }
    printf("virtio keyboard %s: %s: %s\n", keyboard.device.name, why, mx_status_string(status));
    return EXIT_FAILURE;
}
