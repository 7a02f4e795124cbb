// Events of virtio input devices; see virtio_input.h.

#include "user/drivers/input/portable/virtio_input.h"

#include <string.h>

#include "user/drivers/input/portable/linux_keys.h"

#define VALUE_PRESSED 1

#define CODE_COUNT (VIRTIO_INPUT_CONFIG_DATA_MAX * 8)

#define USAGE_A     0x04
#define USAGE_Z     0x1d
#define USAGE_ENTER 0x28
#define USAGE_SPACE 0x2c

bool virtio_input_is_keyboard(const uint8_t *key_bits, size_t size_bytes)
{
    struct key_state has = {0};

    for (uint16_t code = 0; code < CODE_COUNT && code / 8 < size_bytes; code++) {
        const uint16_t usage = linux_key_usage(code);
        if ((key_bits[code / 8] >> code % 8 & 1) != 0 && usage != 0)
            has.down[usage / 32] |= UINT32_C(1) << usage % 32;
    }
    for (uint16_t usage = USAGE_A; usage <= USAGE_Z; usage++) {
        if (!key_state_is_down(&has, usage))
            return false;
    }
    return key_state_is_down(&has, USAGE_ENTER) && key_state_is_down(&has, USAGE_SPACE);
}

bool virtio_input_event(struct key_state *keys, const uint8_t *bytes, size_t written_bytes,
                        struct key_queue *queue)
{
    struct virtio_input_event event;

    if (written_bytes < sizeof(event))
        return false;
    memcpy(&event, bytes, sizeof(event));
    if (event.type == VIRTIO_INPUT_EVENT_KEY && event.value <= VALUE_PRESSED)
        (void)key_state_change(keys, linux_key_usage(event.code), event.value == VALUE_PRESSED,
                               queue);
    return true;
}
