// Keyboards of the screen; see keyboards.h. A driver is not trusted: it can press keys, and nothing
// else.

#include "user/services/screen/keyboards.h"

#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/keyboard.h>
#include <machina_user/process.h>

#define EVENTS_PER_ROUND   64
#define MESSAGES_PER_ROUND 8

// A channel may have this many connected, so that one driver does not take all places.
#define KEYBOARDS_PER_CHANNEL 4

struct keyboard {
    mx_handle_t stream; // MX_HANDLE_INVALID: the place is free
    uint64_t channel;   // the serial of the one it came in, which may be gone
    bool is_armed;
    uint8_t partial[sizeof(struct keyboard_event)]; // of an event that has not come whole
    size_t partial_bytes;
    unsigned sent_indicators;
    uint16_t repeating; // the key that repeat_at is about
    mx_time_t repeat_at;
    struct keyboard_layout layout;
};

enum channel_role {
    ROLE_DRIVER,  // may connect keyboards
    ROLE_MANAGER, // and add drivers
    ROLE_INIT,    // and managers
};

// Where a driver connects its keyboards, or whoever starts drivers brings them.
struct channel {
    mx_handle_t handle; // MX_HANDLE_INVALID: the place is free
    uint64_t serial;    // no other ever has the same
    enum channel_role role;
    bool is_armed;
};

static struct {
    const struct keyboards_ops *ops;
    mx_handle_t port;
    uint64_t first_key;
    uint64_t next_serial;
    struct channel channels[KEYBOARD_CHANNELS_MAX];
    struct keyboard list[KEYBOARDS_MAX];
} keyboards;

void keyboards_init(const struct keyboards_ops *ops, mx_handle_t service, mx_handle_t port,
                    uint64_t first_key)
{
    keyboards.ops = ops;
    keyboards.port = port;
    keyboards.first_key = first_key;
    keyboards.channels[0] =
        (struct channel){.handle = service, .serial = keyboards.next_serial++, .role = ROLE_INIT};
}

bool keyboards_take_packet(uint64_t key)
{
    uint64_t index = key - keyboards.first_key;

    if (key < keyboards.first_key || index >= KEYBOARD_KEYS)
        return false;
    if (index < KEYBOARDS_MAX)
        keyboards.list[index].is_armed = false;
    else
        keyboards.channels[index - KEYBOARDS_MAX].is_armed = false;
    return true;
}

static bool arm(mx_handle_t handle, uint64_t index)
{
    return mx_object_wait_async(handle, keyboards.port, keyboards.first_key + index,
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0) == MX_OK;
}

// --- keyboards that come and go

static mx_status_t read_events(struct keyboard *keyboard);

static void close_keyboard(struct keyboard *keyboard)
{
    // The wait, if there is one, must not be taken for that of the next keyboard in this place.
    if (mx_port_cancel(keyboards.port, keyboard->stream,
                       keyboards.first_key + (uint64_t)(keyboard - keyboards.list)) != MX_OK)
        keyboard->is_armed = false;
    handle_close(keyboard->stream);
    memset(keyboard, 0, sizeof(*keyboard));
}

static size_t count_keyboards(const struct channel *channel)
{
    size_t count = 0;

    for (size_t i = 0; i < KEYBOARDS_MAX; i++) {
        const struct keyboard *keyboard = &keyboards.list[i];
        count += keyboard->stream != MX_HANDLE_INVALID && keyboard->channel == channel->serial;
    }
    return count;
}

// A driver that connects a keyboard again has just closed the stream before, and shall find its
// place free.
static void close_gone_keyboards(void)
{
    for (size_t i = 0; i < KEYBOARDS_MAX; i++) {
        struct keyboard *keyboard = &keyboards.list[i];
        mx_signals_t pending = 0;
        if (keyboard->stream == MX_HANDLE_INVALID ||
            mx_object_wait_one(keyboard->stream, MX_SIGNAL_PEER_CLOSED, 0, &pending) != MX_OK)
            continue;
        mx_status_t ignored = read_events(keyboard);
        (void)ignored;
        close_keyboard(keyboard);
    }
}

static void add_keyboard(const struct channel *channel, mx_handle_t stream)
{
    for (size_t i = 0; i < KEYBOARDS_MAX; i++) {
        struct keyboard *keyboard = &keyboards.list[i];
        if (keyboard->stream != MX_HANDLE_INVALID)
            continue;
        if (count_keyboards(channel) >= KEYBOARDS_PER_CHANNEL)
            break;
        keyboard->stream = stream;
        keyboard->channel = channel->serial;
        keyboard_layout_init(&keyboard->layout);
        return;
    }
    handle_close(stream);
}

static void add_channel(mx_handle_t handle, enum channel_role role)
{
    for (size_t i = 0; i < KEYBOARD_CHANNELS_MAX; i++) {
        if (keyboards.channels[i].handle != MX_HANDLE_INVALID)
            continue;
        keyboards.channels[i] =
            (struct channel){.handle = handle, .serial = keyboards.next_serial++, .role = role};
        return;
    }
    handle_close(handle);
}

// A message that is none of the protocol's, or not for this sender, is dropped with what it
// carries.
static void take_message(const struct channel *channel, const void *bytes, const uint32_t actual[2],
                         const mx_handle_t *handles)
{
    struct keyboard_connect message = {.operation = 0};

    if (actual[0] == sizeof(message) && actual[1] == 1)
        memcpy(&message, bytes, sizeof(message));
    if (message.operation == KEYBOARD_CONNECT) {
        close_gone_keyboards();
        add_keyboard(channel, handles[0]);
    } else if (message.operation == KEYBOARD_ADD_DRIVER && channel->role >= ROLE_MANAGER) {
        add_channel(handles[0], ROLE_DRIVER);
    } else if (message.operation == KEYBOARD_ADD_MANAGER && channel->role == ROLE_INIT) {
        add_channel(handles[0], ROLE_MANAGER);
    } else {
        for (uint32_t i = 0; i < actual[1]; i++)
            handle_close(handles[i]);
    }
}

static void pump_channel(struct channel *channel)
{
    static _Alignas(8) uint8_t bytes[MX_CHANNEL_MAX_BYTES];
    mx_handle_t handles[MX_CHANNEL_MAX_HANDLES];
    uint32_t actual[2];
    mx_status_t status = MX_OK;

    for (unsigned i = 0; i < MESSAGES_PER_ROUND && status == MX_OK && !channel->is_armed; i++) {
        status = mx_channel_read(channel->handle, bytes, sizeof(bytes), handles,
                                 MX_CHANNEL_MAX_HANDLES, actual);
        if (status == MX_OK)
            take_message(channel, bytes, actual, handles);
    }
    if (status == MX_ERR_SHOULD_WAIT)
        channel->is_armed =
            arm(channel->handle, (uint64_t)(KEYBOARDS_MAX + (channel - keyboards.channels)));
    if (status != MX_OK && !channel->is_armed) {
        handle_close(channel->handle);
        channel->handle = MX_HANDLE_INVALID;
    }
}

// --- events

static void plan_repeat(struct keyboard *keyboard)
{
    if (keyboard->layout.repeating != keyboard->repeating)
        keyboard->repeat_at = mx_clock_get_monotonic() + MX_MSEC(KEY_REPEAT_DELAY_MS);
    keyboard->repeating = keyboard->layout.repeating;
}

static void show_indicators(struct keyboard *keyboard)
{
    uint8_t indicators = (uint8_t)keyboard->layout.indicators;

    if (indicators == keyboard->sent_indicators)
        return;
    // A driver that does not read them shows none.
    if (mx_stream_write(keyboard->stream, &indicators, 1, NULL) == MX_OK)
        keyboard->sent_indicators = indicators;
}

static void take_event(struct keyboard *keyboard, const struct keyboard_event *event)
{
    struct key_result result = keyboard_layout_event(
        &keyboard->layout, event->usage, event->is_pressed == 1, keyboards.ops->modes());

    plan_repeat(keyboard);
    if (result.action != KEY_NOTHING)
        keyboards.ops->key(&result);
}

static mx_status_t read_events(struct keyboard *keyboard)
{
    struct keyboard_event event;
    mx_status_t status = MX_OK;

    for (unsigned i = 0; i < EVENTS_PER_ROUND && status == MX_OK; i++) {
        size_t length = 0;
        status = mx_stream_read(keyboard->stream, keyboard->partial + keyboard->partial_bytes,
                                sizeof(event) - keyboard->partial_bytes, &length);
        if (status == MX_OK)
            keyboard->partial_bytes += length;
        if (keyboard->partial_bytes < sizeof(event))
            continue;
        memcpy(&event, keyboard->partial, sizeof(event));
        keyboard->partial_bytes = 0;
        take_event(keyboard, &event);
    }
    return status;
}

static void repeat_key(struct keyboard *keyboard)
{
    mx_time_t now = mx_clock_get_monotonic();
    struct key_result result;

    if (keyboard->repeating == 0 || now < keyboard->repeat_at)
        return;
    keyboard->repeat_at = now + MX_MSEC(KEY_REPEAT_PERIOD_MS);
    result = keyboard_layout_repeat(&keyboard->layout, keyboards.ops->modes());
    if (result.action != KEY_NOTHING)
        keyboards.ops->key(&result);
}

static void pump_keyboard(struct keyboard *keyboard)
{
    mx_status_t status = keyboard->is_armed ? MX_OK : read_events(keyboard);

    if (status == MX_ERR_SHOULD_WAIT) {
        keyboard->is_armed = arm(keyboard->stream, (uint64_t)(keyboard - keyboards.list));
        status = keyboard->is_armed ? MX_OK : MX_ERR_NO_RESOURCES;
    }
    if (status != MX_OK) {
        close_keyboard(keyboard);
        return;
    }
    repeat_key(keyboard);
    show_indicators(keyboard);
}

void keyboards_pump(void)
{
    for (size_t i = 0; i < KEYBOARD_CHANNELS_MAX; i++) {
        if (keyboards.channels[i].handle != MX_HANDLE_INVALID)
            pump_channel(&keyboards.channels[i]);
    }
    for (size_t i = 0; i < KEYBOARDS_MAX; i++) {
        if (keyboards.list[i].stream != MX_HANDLE_INVALID)
            pump_keyboard(&keyboards.list[i]);
    }
}

mx_time_t keyboards_deadline(void)
{
    mx_time_t deadline = MX_TIME_INFINITE;

    for (size_t i = 0; i < KEYBOARD_CHANNELS_MAX; i++) {
        const struct channel *channel = &keyboards.channels[i];
        if (channel->handle != MX_HANDLE_INVALID && !channel->is_armed)
            return 0;
    }
    for (size_t i = 0; i < KEYBOARDS_MAX; i++) {
        const struct keyboard *keyboard = &keyboards.list[i];
        if (keyboard->stream == MX_HANDLE_INVALID)
            continue;
        // One that floods has more to be read at once.
        if (!keyboard->is_armed)
            return 0;
        if (keyboard->repeating != 0 && keyboard->repeat_at < deadline)
            deadline = keyboard->repeat_at;
    }
    return deadline;
}
