// Arbitrary reports and events of keyboards: a key is pressed and released in turn, and never
// twice.
#include <stdlib.h>
#include <string.h>

#include "user/drivers/input/portable/virtio_input.h"
#include "user/drivers/usb/portable/hid_keyboard.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

// Takes what was queued, and follows it in `down`.
static void follow(struct key_queue *queue, uint8_t down[KEY_USAGE_COUNT])
{
    struct key_change change;

    while (key_queue_peek(queue, 0, &change)) {
        require(change.usage >= KEY_USAGE_FIRST && change.usage < KEY_USAGE_COUNT);
        require(down[change.usage] != change.is_pressed);
        down[change.usage] = change.is_pressed;
        key_queue_drop(queue, 1);
    }
}

static void compare(const struct key_state *keys, const uint8_t down[KEY_USAGE_COUNT])
{
    for (uint16_t usage = 0; usage < KEY_USAGE_COUNT; usage++)
        require(key_state_is_down(keys, usage) == down[usage]);
}

static void run_reports(const uint8_t *data, size_t size)
{
    static struct key_queue queue;
    struct hid_keyboard keyboard = {0};
    uint8_t down[KEY_USAGE_COUNT] = {0};

    for (; size > 0; data += 8, size -= 8) {
        const size_t part = size < 8 ? size : 8;
        const uint32_t before = key_queue_used(&queue);
        const mx_status_t status = hid_keyboard_report(&keyboard, data, part, &queue);
        require((status == MX_ERR_IO_DATA_INTEGRITY) == (part < 8));
        require(key_queue_used(&queue) - before <= HID_KEYBOARD_CHANGES_MAX);
        if (status == MX_ERR_NO_RESOURCES || data[0] & 1)
            follow(&queue, down);
        if (part < 8)
            break;
    }
    follow(&queue, down);
    compare(&keyboard.keys, down);
    require(key_state_release_all(&keyboard.keys, &queue));
    follow(&queue, down);
    compare(&(struct key_state){0}, down);
}

static void run_events(const uint8_t *data, size_t size)
{
    static struct key_queue queue;
    struct key_state keys = {0};
    uint8_t down[KEY_USAGE_COUNT] = {0};

    (void)virtio_input_is_keyboard(data, size);
    for (; size >= VIRTIO_INPUT_EVENT_BYTES;
         data += VIRTIO_INPUT_EVENT_BYTES, size -= VIRTIO_INPUT_EVENT_BYTES) {
        require(virtio_input_event(&keys, data, VIRTIO_INPUT_EVENT_BYTES, &queue));
        require(key_queue_used(&queue) <= 1);
        follow(&queue, down);
    }
    compare(&keys, down);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_reports(data, size);
    run_events(data, size);
    return 0;
}
