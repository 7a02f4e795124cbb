// A doubly linked list with the nodes inside the elements. The list's own node closes the ring.
#pragma once

#include "kernel/lib/types.h"

struct list_node {
    struct list_node *previous, *next;
};

#define LIST_INIT(list) {&(list), &(list)}

static inline void list_init(struct list_node *list)
{
    list->previous = list->next = list;
}

static inline bool list_is_empty(const struct list_node *list)
{
    return list->next == list;
}

// Inserts before `position`; before the list's own node means at the end.
static inline void list_insert_before(struct list_node *position, struct list_node *node)
{
    node->previous = position->previous;
    node->next = position;
    position->previous->next = node;
    position->previous = node;
}

static inline void list_add_tail(struct list_node *list, struct list_node *node)
{
    list_insert_before(list, node);
}

static inline void list_add_head(struct list_node *list, struct list_node *node)
{
    list_insert_before(list->next, node);
}

// Removes the node and leaves it a list of itself, so that removing twice does no harm.
static inline void list_remove(struct list_node *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

// Whether a node that was initialised is in a list.
static inline bool list_contains_node(const struct list_node *node)
{
    return node->next != node;
}

#define LIST_FIRST(list, type, member)                                                             \
    (list_is_empty(list) ? NULL : CONTAINER_OF((list)->next, type, member))

#define LIST_FOR_EACH(element, list, member)                                                       \
    for (element = CONTAINER_OF((list)->next, __typeof__(*element), member);                       \
         &element->member != (list);                                                               \
         element = CONTAINER_OF(element->member.next, __typeof__(*element), member))

// The element may be removed from the list (and freed) in the loop's body.
#define LIST_FOR_EACH_SAFE(element, following, list, member)                                       \
    for (element = CONTAINER_OF((list)->next, __typeof__(*element), member),                       \
        following = CONTAINER_OF(element->member.next, __typeof__(*element), member);              \
         &element->member != (list);                                                               \
         element = following,                                                                      \
        following = CONTAINER_OF(element->member.next, __typeof__(*element), member))
