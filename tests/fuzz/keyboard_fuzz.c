// Any bytes of a PS/2 keyboard in either set, and any events of a driver: keys give few bytes, and
// what repeats is held.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/portable/keyboard_layout.h"
#include "user/portable/ps2_scancodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(const struct key_result *result)
{
    if (result->length > KEY_BYTES_MAX || (result->action == KEY_SWITCH && result->number >= 12) ||
        (result->action == KEY_BYTES) != (result->length > 0))
        abort();
}

static void press(struct keyboard_layout *keyboard, uint16_t usage, bool is_pressed, unsigned modes)
{
    struct key_result result = keyboard_layout_event(keyboard, usage, is_pressed, modes);

    check_result(&result);
    result = keyboard_layout_repeat(keyboard, modes);
    check_result(&result);
    uint16_t held = keyboard->repeating;
    if (held != 0 && !(keyboard->is_down[held / 8] & 1u << held % 8))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyboard_layout keyboard;
    struct ps2_scancodes codes;
    struct keyboard_event event;

    if (size == 0)
        return 0;
    keyboard_layout_init(&keyboard);
    ps2_scancodes_init(&codes, data[0] & 1);
    for (size_t i = 1; i < size; i++) {
        if (ps2_scancodes_feed(&codes, data[i], &event) != PS2_KEY)
            continue;
        if (event.usage == 0 || event.usage >= KEYBOARD_USAGES)
            abort();
        press(&keyboard, event.usage, event.is_pressed, data[0] >> 1);
    }
    keyboard_layout_init(&keyboard);
    for (size_t i = 1; i + 2 < size; i += 3) {
        uint16_t usage;
        memcpy(&usage, &data[i], sizeof(usage));
        press(&keyboard, usage, data[i + 2] & 1, data[0] >> 1);
    }
    return 0;
}
