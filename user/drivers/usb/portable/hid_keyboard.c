// Boot keyboard reports; see hid_keyboard.h.

#include "user/drivers/usb/portable/hid_keyboard.h"

#define REPORT_MODIFIERS 0
#define REPORT_KEYS      2 // the byte between them is the maker's

#define MODIFIERS_MASK_WORD (KEY_USAGE_MODIFIER / 32)

static void mark(struct key_state *state, uint16_t usage)
{
    state->down[usage / 32] |= UINT32_C(1) << usage % 32;
}

// The keys that a report says are down. One that reports an error in place of a key says nothing
// about keys: those of `before` stay as they are.
static struct key_state keys_of(const uint8_t *report, const struct key_state *before)
{
    struct key_state now = {0};

    for (size_t i = REPORT_KEYS; i < HID_KEYBOARD_REPORT_BYTES; i++) {
        if (report[i] >= KEY_USAGE_FIRST)
            mark(&now, report[i]);
        else if (report[i] != 0) {
            now = *before;
            now.down[MODIFIERS_MASK_WORD] &= ~UINT32_C(0xff);
            break;
        }
    }
    for (unsigned bit = 0; bit < 8; bit++) {
        if (report[REPORT_MODIFIERS] >> bit & 1)
            mark(&now, (uint16_t)(KEY_USAGE_MODIFIER + bit));
    }
    return now;
}

static void queue_releases(struct hid_keyboard *keyboard, const struct key_state *now,
                           struct key_queue *queue)
{
    for (uint16_t usage = KEY_USAGE_FIRST; usage < KEY_USAGE_COUNT; usage++) {
        if (!key_state_is_down(now, usage))
            (void)key_state_change(&keyboard->keys, usage, false, queue);
    }
}

// In the order of the report, which is that of the key strokes with most keyboards.
static void queue_presses(struct hid_keyboard *keyboard, const uint8_t *report,
                          const struct key_state *now, struct key_queue *queue)
{
    for (uint16_t usage = KEY_USAGE_MODIFIER; usage <= KEY_USAGE_MODIFIER_LAST; usage++) {
        if (key_state_is_down(now, usage))
            (void)key_state_change(&keyboard->keys, usage, true, queue);
    }
    for (size_t i = REPORT_KEYS; i < HID_KEYBOARD_REPORT_BYTES; i++) {
        if (key_state_is_down(now, report[i]))
            (void)key_state_change(&keyboard->keys, report[i], true, queue);
    }
}

mx_status_t hid_keyboard_report(struct hid_keyboard *keyboard, const uint8_t *report,
                                size_t size_bytes, struct key_queue *queue)
{
    if (size_bytes < HID_KEYBOARD_REPORT_BYTES)
        return MX_ERR_IO_DATA_INTEGRITY;
    if (key_queue_room(queue) < HID_KEYBOARD_CHANGES_MAX)
        return MX_ERR_NO_RESOURCES;
    const struct key_state now = keys_of(report, &keyboard->keys);

    queue_releases(keyboard, &now, queue);
    queue_presses(keyboard, report, &now, queue);
    return MX_OK;
}
