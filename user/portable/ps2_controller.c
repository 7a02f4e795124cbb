// The PS/2 controller and its keyboard; see ps2_controller.h.
#include "user/portable/ps2_controller.h"

#include "user/include/machina_user/keyboard.h"

enum {
    STATUS_OUTPUT_FULL = 0x01, // a byte can be read
    STATUS_INPUT_FULL = 0x02,  // a byte cannot be written
    STATUS_FROM_MOUSE = 0x20,
    STATUS_ABSENT = 0xff,

    COMMAND_READ_CONFIG = 0x20,
    COMMAND_WRITE_CONFIG = 0x60,
    COMMAND_DISABLE_MOUSE = 0xa7,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_DISABLE_KEYBOARD = 0xad,
    COMMAND_ENABLE_KEYBOARD = 0xae,
    SELF_TEST_PASSED = 0x55,

    CONFIG_KEYBOARD_INTERRUPT = 0x01,
    CONFIG_MOUSE_INTERRUPT = 0x02,
    CONFIG_KEYBOARD_OFF = 0x10,
    CONFIG_TRANSLATE = 0x40, // scan codes of set 2 into set 1

    KEYBOARD_SET_INDICATORS = 0xed,
    KEYBOARD_SET_CODES = 0xf0,
    KEYBOARD_ENABLE = 0xf4,
    KEYBOARD_RESET = 0xff,
    KEYBOARD_ACK = 0xfa,
    KEYBOARD_RESEND = 0xfe,
    KEYBOARD_PASSED = 0xaa,
    OVERRUN_SET_2 = 0x00,
    OVERRUN_SET_1 = 0xff,
};

#define ANSWER_TIMEOUT_NS ((int64_t)250 * 1000 * 1000)
#define RESET_TIMEOUT_NS  ((int64_t)2000 * 1000 * 1000) // a keyboard tests itself first
#define FLUSH_MAX         64                            // bytes that firmware may have left
#define TRIES             3

// --- the controller

// Waits until the bits of `mask` in the status are `value`.
static bool wait_status(const struct ps2_controller *controller, uint8_t mask, uint8_t value,
                        int64_t timeout_ns)
{
    int64_t deadline_ns = controller->ops->now_ns() + timeout_ns;

    while ((controller->ops->read_status() & mask) != value) {
        if (controller->ops->now_ns() >= deadline_ns)
            return false;
        controller->ops->pause();
    }
    return true;
}

static bool send_command(const struct ps2_controller *controller, uint8_t command)
{
    return wait_status(controller, STATUS_INPUT_FULL, 0, ANSWER_TIMEOUT_NS) &&
           controller->ops->write_command(command);
}

static bool send_data(const struct ps2_controller *controller, uint8_t value)
{
    return wait_status(controller, STATUS_INPUT_FULL, 0, ANSWER_TIMEOUT_NS) &&
           controller->ops->write_data(value);
}

static bool receive(const struct ps2_controller *controller, uint8_t *value, int64_t timeout_ns)
{
    if (!wait_status(controller, STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL, timeout_ns))
        return false;
    *value = controller->ops->read_data();
    return true;
}

static void flush(const struct ps2_controller *controller)
{
    for (unsigned i = 0; i < FLUSH_MAX && (controller->ops->read_status() & STATUS_OUTPUT_FULL);
         i++)
        controller->ops->read_data();
}

static bool read_config(const struct ps2_controller *controller, uint8_t *config)
{
    return send_command(controller, COMMAND_READ_CONFIG) &&
           receive(controller, config, ANSWER_TIMEOUT_NS);
}

static bool write_config(const struct ps2_controller *controller, uint8_t config)
{
    return send_command(controller, COMMAND_WRITE_CONFIG) && send_data(controller, config);
}

const char *ps2_controller_start(struct ps2_controller *controller,
                                 const struct ps2_controller_ops *ops)
{
    uint8_t config, answer;

    *controller = (struct ps2_controller){.ops = ops};
    if (ops->read_status() == STATUS_ABSENT)
        return "there is none";
    if (!send_command(controller, COMMAND_DISABLE_KEYBOARD) ||
        !send_command(controller, COMMAND_DISABLE_MOUSE))
        return "it takes no commands";
    flush(controller);
    if (!read_config(controller, &config))
        return "it does not answer";
    config &= (uint8_t) ~(CONFIG_KEYBOARD_INTERRUPT | CONFIG_MOUSE_INTERRUPT | CONFIG_TRANSLATE);
    if (!send_command(controller, COMMAND_SELF_TEST) ||
        !receive(controller, &answer, ANSWER_TIMEOUT_NS) || answer != SELF_TEST_PASSED)
        return "its self-test failed";
    // After the test, which resets some controllers.
    if (!write_config(controller, config) || !read_config(controller, &config))
        return "it cannot be set up";
    controller->config = config;
    controller->is_translated = (config & CONFIG_TRANSLATE) != 0;
    if (!send_command(controller, COMMAND_ENABLE_KEYBOARD))
        return "it takes no commands";
    return NULL;
}

// The configuration is not read again: the keyboard is on, and what it sends now would be taken for
// the answer.
const char *ps2_controller_enable_interrupt(struct ps2_controller *controller)
{
    uint8_t config = controller->config & (uint8_t)~CONFIG_KEYBOARD_OFF;

    return write_config(controller, config | CONFIG_KEYBOARD_INTERRUPT) ? NULL
                                                                        : "it cannot be set up";
}

// --- the keyboard

static void keep(struct ps2_controller *controller, uint8_t byte)
{
    if (controller->typed_count == PS2_TYPED_MAX)
        return;
    if (controller->typed_count == PS2_TYPED_MAX - 1)
        byte = controller->is_translated ? OVERRUN_SET_1 : OVERRUN_SET_2;
    controller->typed[(controller->typed_first + controller->typed_count) % PS2_TYPED_MAX] = byte;
    controller->typed_count++;
}

bool ps2_controller_take(struct ps2_controller *controller, uint8_t *byte)
{
    if (controller->typed_count != 0) {
        *byte = controller->typed[controller->typed_first];
        controller->typed_first = (controller->typed_first + 1) % PS2_TYPED_MAX;
        controller->typed_count--;
        return true;
    }
    for (unsigned i = 0; i < FLUSH_MAX; i++) {
        uint8_t flags = controller->ops->read_status();
        if (!(flags & STATUS_OUTPUT_FULL) || flags == STATUS_ABSENT)
            return false;
        *byte = controller->ops->read_data();
        if (!(flags & STATUS_FROM_MOUSE))
            return true;
    }
    return false;
}

// Sends a byte until it is acknowledged; what else comes meanwhile was typed, and wins no time.
static bool tell_keyboard(struct ps2_controller *controller, uint8_t value)
{
    uint8_t answer;

    for (unsigned i = 0; i < TRIES; i++) {
        if (!send_data(controller, value))
            return false;
        int64_t deadline_ns = controller->ops->now_ns() + ANSWER_TIMEOUT_NS;
        for (unsigned j = 0; j < FLUSH_MAX; j++) {
            if (!receive(controller, &answer, deadline_ns - controller->ops->now_ns()))
                return false;
            if (answer == KEYBOARD_ACK)
                return true;
            if (answer == KEYBOARD_RESEND)
                break;
            keep(controller, answer);
        }
    }
    return false;
}

bool ps2_keyboard_reset(struct ps2_controller *controller)
{
    uint8_t answer;
    bool is_passed = tell_keyboard(controller, KEYBOARD_RESET) &&
                     receive(controller, &answer, RESET_TIMEOUT_NS) && answer == KEYBOARD_PASSED;

    // What was typed before was not for this driver.
    controller->typed_count = 0;
    return is_passed;
}

// Set 2 is what every keyboard begins with and the only one that all of them get right.
bool ps2_keyboard_start(struct ps2_controller *controller)
{
    return tell_keyboard(controller, KEYBOARD_SET_CODES) && tell_keyboard(controller, 2) &&
           tell_keyboard(controller, KEYBOARD_ENABLE);
}

void ps2_keyboard_show(struct ps2_controller *controller, uint8_t indicators)
{
    // HID's order is Num, Caps, Scroll; PS/2's is Scroll, Num, Caps.
    uint8_t bits = (indicators & KEYBOARD_SCROLL_LOCK ? 1 : 0) |
                   (indicators & KEYBOARD_NUM_LOCK ? 2 : 0) |
                   (indicators & KEYBOARD_CAPS_LOCK ? 4 : 0);

    if (tell_keyboard(controller, KEYBOARD_SET_INDICATORS))
        (void)tell_keyboard(controller, bits);
}
