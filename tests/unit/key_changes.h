// What a queue of keys has, for tests.
#pragma once

#include "user/drivers/input/portable/key_queue.h"

// The next change as usage, negative for a release; 0 when there is none.
static inline int take_key_change(struct key_queue *queue)
{
    struct key_change change;

    if (!key_queue_peek(queue, 0, &change))
        return 0;
    key_queue_drop(queue, 1);
    return change.is_pressed ? change.usage : -(int)change.usage;
}
