// The queue of key events and the keys that are down; see key_queue.h.

#include "user/drivers/input/portable/key_queue.h"

uint32_t key_queue_used(const struct key_queue *queue)
{
    return queue->head - queue->tail;
}

uint32_t key_queue_room(const struct key_queue *queue)
{
    return KEY_QUEUE_CAPACITY - key_queue_used(queue);
}

bool key_queue_peek(const struct key_queue *queue, uint32_t index, struct key_change *change)
{
    if (index >= key_queue_used(queue))
        return false;
    *change = queue->changes[(queue->tail + index) % KEY_QUEUE_CAPACITY];
    return true;
}

void key_queue_drop(struct key_queue *queue, uint32_t count)
{
    const uint32_t used = key_queue_used(queue);

    queue->tail += count < used ? count : used;
}

bool key_state_is_down(const struct key_state *state, uint16_t usage)
{
    return usage < KEY_USAGE_COUNT && (state->down[usage / 32] >> usage % 32 & 1) != 0;
}

bool key_state_change(struct key_state *state, uint16_t usage, bool is_pressed,
                      struct key_queue *queue)
{
    if (usage < KEY_USAGE_FIRST || usage >= KEY_USAGE_COUNT || key_queue_room(queue) == 0 ||
        key_state_is_down(state, usage) == is_pressed)
        return false;
    state->down[usage / 32] ^= UINT32_C(1) << usage % 32;
    queue->changes[queue->head++ % KEY_QUEUE_CAPACITY] = (struct key_change){usage, is_pressed};
    return true;
}

bool key_state_release_all(struct key_state *state, struct key_queue *queue)
{
    for (uint16_t usage = KEY_USAGE_FIRST; usage < KEY_USAGE_COUNT; usage++) {
        if (key_state_is_down(state, usage) && !key_state_change(state, usage, false, queue))
            return false;
    }
    return true;
}
