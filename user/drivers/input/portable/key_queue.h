// Key events on their way from a keyboard to whoever takes them: one bounded queue, and which keys
// are down.
//
// Every keyboard has a key_state of its own, so that a key is never pressed twice nor released
// without having been pressed, whatever the keyboard says, and so that what it held is released
// when it goes away. A driver takes a report from a keyboard only while the queue has room for all
// that one report can mean: nothing is ever dropped.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// USB HID usages of the keyboard page (HID Usage Tables 1.12, 10 "Keyboard/Keypad Page").
#define KEY_USAGE_FIRST         4    // those below are no keys but errors
#define KEY_USAGE_MODIFIER      0xe0 // left control, to 0xe7, right GUI
#define KEY_USAGE_MODIFIER_LAST 0xe7
#define KEY_USAGE_COUNT         256

#define KEY_QUEUE_CAPACITY 128u // a power of two

struct key_change {
    uint16_t usage;
    bool is_pressed;
};

struct key_queue {
    struct key_change changes[KEY_QUEUE_CAPACITY];
    uint32_t head, tail; // both only grow; the queue holds [tail, head)
};

// Which keys of one keyboard are down.
struct key_state {
    uint32_t down[KEY_USAGE_COUNT / 32];
};

uint32_t key_queue_used(const struct key_queue *queue);
uint32_t key_queue_room(const struct key_queue *queue);

// The change `index` places behind the oldest; it stays in the queue until key_queue_drop. False:
// there is none.
bool key_queue_peek(const struct key_queue *queue, uint32_t index, struct key_change *change);
// Takes the `count` oldest changes out, at most all.
void key_queue_drop(struct key_queue *queue, uint32_t count);

bool key_state_is_down(const struct key_state *state, uint16_t usage);

// Notes the change and queues it. False, and nothing happens: the usage is no key, the key is in
// that state already, or the queue is full.
bool key_state_change(struct key_state *state, uint16_t usage, bool is_pressed,
                      struct key_queue *queue);

// Releases every key that is down, as far as the queue has room. True: none is down any more.
bool key_state_release_all(struct key_state *state, struct key_queue *queue);
