// Channels: messages of bytes and handles between two ends.
//
// Both ends live in one pair, whose lock protects the message queues and the calls in progress. A call's reply goes
// straight to the thread that waits for it.

#include "kernel/object/channel.h"

#include "kernel/core/thread.h"
#include "kernel/lib/string.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define UNREAD_MAX 1024

struct channel {
    struct object object;
    struct channel_pair *pair;
    struct channel *peer; // in the same pair; may be closed
    struct list_node messages; // to be read at this end
    struct list_node calls;    // struct call, waiting at this end
    uint32_t message_count;
    bool is_closed; // no handles left
};

struct channel_pair {
    struct spinlock lock;
    struct channel ends[2];
    uint32_t living_end_count;
    uint32_t next_transaction;
    struct job *job; // referenced
};

// One block: the header, the handles, then the bytes.
struct message {
    struct list_node node;
    struct job *job; // referenced
    uint32_t size_bytes, handle_count;
    struct transfer transfers[];
};

struct call {
    struct list_node node;
    uint32_t transaction;
    bool is_done; // under sched_lock
    struct message *reply;
    struct wait_queue waiter;
};

static size_t message_block_bytes(uint32_t size_bytes, uint32_t handle_count)
{
    return sizeof(struct message) + handle_count * sizeof(struct transfer) + size_bytes;
}

static char *message_bytes(struct message *message)
{
    return (char *)&message->transfers[message->handle_count];
}

static void message_free(struct message *message)
{
    struct job *job = message->job;

    object_free(job, message, message_block_bytes(message->size_bytes, message->handle_count));
    if (job != NULL)
        object_release(&job->object);
}

static void message_drop(struct message *message)
{
    for (uint32_t i = 0; i < message->handle_count; i++) {
        if (message->transfers[i].object != NULL)
            transfer_drop(message->transfers[i]);
    }
    message_free(message);
}

static struct message *message_alloc(struct job *job, uint32_t size_bytes, uint32_t handle_count)
{
    struct message *message = object_alloc(job, message_block_bytes(size_bytes, handle_count));

    if (message == NULL)
        return NULL;
    message->size_bytes = size_bytes;
    message->handle_count = handle_count;
    message->job = job;
    if (job != NULL)
        object_reference(&job->object);
    return message;
}

// --- ends and pairs -----------------------------------------------------------------------------

// Hands the call its outcome; pair lock held. `reply` may be NULL: the peer is gone.
static void call_finish(struct call *call, struct message *reply)
{
    list_remove(&call->node);
    call->reply = reply;
    spin_acquire(&sched_lock);
    call->is_done = true;
    wait_queue_wake_one_locked(&call->waiter, MX_OK);
    spin_release(&sched_lock);
}

static struct message *take_first_locked(struct channel *channel)
{
    struct message *message = LIST_FIRST(&channel->messages, struct message, node);

    if (message == NULL)
        return NULL;
    list_remove(&message->node);
    channel->message_count--;
    if (channel->message_count == 0)
        object_change_signals(&channel->object, MX_SIGNAL_READABLE, 0);
    return message;
}

static void channel_on_zero_handles(struct object *object)
{
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    struct channel_pair *pair = channel->pair;
    struct message *message;
    struct call *call;

    arch_interrupt_state_t state = spin_lock(&pair->lock);
    channel->is_closed = true;
    while ((call = LIST_FIRST(&channel->peer->calls, struct call, node)) != NULL)
        call_finish(call, NULL);
    while ((call = LIST_FIRST(&channel->calls, struct call, node)) != NULL) // no reply can reach this end
        call_finish(call, NULL);
    object_change_signals(&channel->peer->object, 0, MX_SIGNAL_PEER_CLOSED);
    while ((message = take_first_locked(channel)) != NULL) {
        spin_unlock(&pair->lock, state);
        message_drop(message);
        state = spin_lock(&pair->lock);
    }
    spin_unlock(&pair->lock, state);
}

static void channel_destroy(struct object *object)
{
    struct channel_pair *pair = CONTAINER_OF(object, struct channel, object)->pair;
    struct job *job = pair->job;

    // Acquire and release: the last end sees what the other one did.
    if (__atomic_fetch_sub(&pair->living_end_count, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    object_free(job, pair, sizeof(*pair));
    object_release(&job->object);
}

const mx_rights_t channel_default_rights = MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_WAIT |
                                           MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL;

static const struct object_ops channel_ops = {
    .type = MX_OBJECT_CHANNEL,
    .on_zero_handles = channel_on_zero_handles,
    .destroy = channel_destroy,
};

mx_status_t channel_create(struct job *job, struct object **out0, struct object **out1)
{
    struct channel_pair *pair = object_alloc(job, sizeof(*pair));

    if (pair == NULL)
        return MX_ERR_NO_MEMORY;
    object_reference(&job->object);
    pair->job = job;
    pair->living_end_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        struct channel *channel = &pair->ends[i];
        object_init(&channel->object, &channel_ops);
        channel->pair = pair;
        channel->peer = &pair->ends[1 - i];
        list_init(&channel->messages);
        list_init(&channel->calls);
    }
    *out0 = &pair->ends[0].object;
    *out1 = &pair->ends[1].object;
    return MX_OK;
}

int64_t sys_channel_create(uaddr_t out0, uaddr_t out1)
{
    struct object *end0, *end1;
    mx_status_t status = channel_create(process_current()->job, &end0, &end1);

    if (status != MX_OK)
        return status;
    return handle_return_two(end0, channel_default_rights, out0, end1, channel_default_rights, out1);
}

// --- messages -------------------------------------------------------------------------------------

static struct call *find_call(struct channel *channel, const struct message *message)
{
    struct call *call;
    uint32_t transaction;

    if (message->size_bytes < sizeof(transaction) || list_is_empty(&channel->calls))
        return NULL;
    memcpy(&transaction, &message->transfers[message->handle_count], sizeof(transaction));
    LIST_FOR_EACH(call, &channel->calls, node) {
        if (call->transaction == transaction)
            return call;
    }
    return NULL;
}

// Puts the message where the peer of `channel` finds it; pair lock held.
static mx_status_t deliver_locked(struct channel *channel, struct message *message)
{
    struct channel *peer = channel->peer;

    if (peer->is_closed)
        return MX_ERR_PEER_CLOSED;
    struct call *call = find_call(peer, message);
    if (call != NULL) {
        call_finish(call, message);
        return MX_OK;
    }
    if (peer->message_count >= UNREAD_MAX)
        return MX_ERR_SHOULD_WAIT;
    list_add_tail(&peer->messages, &message->node);
    peer->message_count++;
    if (peer->message_count == 1)
        object_change_signals(&peer->object, 0, MX_SIGNAL_READABLE);
    return MX_OK;
}

static mx_status_t deliver(struct channel *channel, struct message *message)
{
    arch_interrupt_state_t state = spin_lock(&channel->pair->lock);
    mx_status_t status = deliver_locked(channel, message);
    spin_unlock(&channel->pair->lock, state);
    if (status != MX_OK)
        message_drop(message);
    return status;
}

mx_status_t channel_write(struct object *object, const void *bytes, uint32_t size_bytes,
                          const struct transfer *transfers, uint32_t handle_count)
{
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    struct message *message = message_alloc(channel->pair->job, size_bytes, handle_count);

    if (message == NULL) {
        for (uint32_t i = 0; i < handle_count; i++)
            transfer_drop(transfers[i]);
        return MX_ERR_NO_MEMORY;
    }
    memcpy(message->transfers, transfers, handle_count * sizeof(*transfers));
    memcpy(message_bytes(message), bytes, size_bytes);
    return deliver(channel, message);
}

static void close_user_handles(const mx_handle_t *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        (void)!handle_close(&process_current()->handles, handles[i]);
}

// For a write that failed before it came to its handles: they are given away all the same.
static void consume_user_handles(uaddr_t user_handles, uint32_t count)
{
    mx_handle_t handles[MX_CHANNEL_MAX_HANDLES];

    if (count <= MX_CHANNEL_MAX_HANDLES && user_read(handles, user_handles, count * sizeof(handles[0])) == MX_OK)
        close_user_handles(handles, count);
}

// Takes the handles out of the process; all of them are gone afterwards, whatever the outcome.
static mx_status_t take_handles(struct channel *channel, struct message *message, const mx_handle_t *handles)
{
    for (uint32_t i = 0; i < message->handle_count; i++) {
        struct transfer *transfer = &message->transfers[i];
        mx_status_t status =
            handle_take(&process_current()->handles, handles[i], MX_RIGHT_TRANSFER, transfer);
        // An end sent through its own pair could never be reached again.
        if (status == MX_OK &&
            (transfer->object == &channel->object || transfer->object == &channel->peer->object))
            status = MX_ERR_NOT_SUPPORTED;
        if (status != MX_OK) {
            close_user_handles(handles + i, message->handle_count - i);
            return status;
        }
    }
    return MX_OK;
}

// A message with bytes and handles of the current process.
static mx_status_t message_from_user(struct channel *channel, uaddr_t bytes, uint32_t size_bytes,
                                     uaddr_t user_handles, uint32_t handle_count, struct message **out)
{
    mx_handle_t handles[MX_CHANNEL_MAX_HANDLES];

    if (size_bytes > MX_CHANNEL_MAX_BYTES || handle_count > MX_CHANNEL_MAX_HANDLES)
        return MX_ERR_OUT_OF_RANGE;
    if (handle_count != 0) {
        mx_status_t status = user_read(handles, user_handles, handle_count * sizeof(handles[0]));
        if (status != MX_OK)
            return status;
    }
    struct message *message = message_alloc(process_current()->job, size_bytes, handle_count);
    if (message == NULL) {
        close_user_handles(handles, handle_count);
        return MX_ERR_NO_MEMORY;
    }
    mx_status_t status = handle_count != 0 ? take_handles(channel, message, handles) : MX_OK;
    if (status == MX_OK)
        status = user_read(message_bytes(message), bytes, size_bytes);
    if (status != MX_OK)
        message_drop(message);
    else
        *out = message;
    return status;
}

// Gives the message's bytes and handles to the current process and frees it.
static mx_status_t message_to_user(struct message *message, uaddr_t bytes, uaddr_t user_handles)
{
    mx_handle_t handles[MX_CHANNEL_MAX_HANDLES];
    mx_status_t status = user_write(bytes, message_bytes(message), message->size_bytes);
    uint32_t added = 0;

    while (status == MX_OK && added < message->handle_count) {
        struct transfer transfer = message->transfers[added];
        message->transfers[added].object = NULL; // consumed in any case
        status = handle_add_transfer(&process_current()->handles, transfer, &handles[added]);
        if (status == MX_OK)
            added++;
    }
    if (status == MX_OK && added != 0)
        status = user_write(user_handles, handles, added * sizeof(handles[0]));
    if (status != MX_OK)
        close_user_handles(handles, added);
    message_drop(message);
    return status;
}

int64_t sys_channel_write(mx_handle_t handle, uaddr_t bytes, uint32_t size_bytes, uaddr_t handles,
                          uint32_t handle_count)
{
    struct object *object;
    struct message *message;
    mx_status_t status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_WRITE, &object);

    if (status != MX_OK) {
        consume_user_handles(handles, handle_count);
        return status;
    }
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    status = message_from_user(channel, bytes, size_bytes, handles, handle_count, &message);
    if (status == MX_OK)
        status = deliver(channel, message);
    object_release(object);
    return status;
}

int64_t sys_channel_read(mx_handle_t handle, uaddr_t bytes, uint32_t capacity_bytes, uaddr_t handles,
                         uint32_t handle_capacity, uaddr_t out_actual)
{
    struct object *object;
    uint32_t actual[2] = {0, 0};
    mx_status_t status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_READ, &object);

    if (status != MX_OK)
        return status;
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    arch_interrupt_state_t state = spin_lock(&channel->pair->lock);
    struct message *message = LIST_FIRST(&channel->messages, struct message, node);
    if (message == NULL) {
        status = channel->peer->is_closed ? MX_ERR_PEER_CLOSED : MX_ERR_SHOULD_WAIT;
    } else {
        actual[0] = message->size_bytes;
        actual[1] = message->handle_count;
        if (actual[0] > capacity_bytes || actual[1] > handle_capacity)
            status = MX_ERR_BUFFER_TOO_SMALL;
        else
            take_first_locked(channel);
    }
    spin_unlock(&channel->pair->lock, state);
    if (out_actual != 0 && (status == MX_OK || status == MX_ERR_BUFFER_TOO_SMALL)) {
        mx_status_t copy_status = user_write(out_actual, actual, sizeof(actual));
        if (copy_status != MX_OK && status == MX_OK)
            message_drop(message);
        status = copy_status != MX_OK ? copy_status : status;
    }
    if (status == MX_OK)
        status = message_to_user(message, bytes, handles);
    object_release(object);
    return status;
}

// --- calls ----------------------------------------------------------------------------------------

static mx_status_t call_start(struct channel *channel, struct call *call, struct message *request)
{
    struct channel_pair *pair = channel->pair;

    arch_interrupt_state_t state = spin_lock(&pair->lock);
    call->transaction = ++pair->next_transaction | 0x80000000u;
    memcpy(message_bytes(request), &call->transaction, sizeof(call->transaction));
    mx_status_t status = deliver_locked(channel, request);
    if (status == MX_OK)
        list_add_tail(&channel->calls, &call->node);
    spin_unlock(&pair->lock, state);
    if (status != MX_OK)
        message_drop(request);
    return status;
}

static mx_status_t call_wait(struct channel *channel, struct call *call, mx_time_t deadline)
{
    mx_status_t status = MX_OK;

    arch_interrupt_state_t state = spin_lock(&sched_lock);
    if (call->is_done)
        spin_unlock(&sched_lock, state);
    else
        status = wait_queue_block_locked(&call->waiter, deadline, true, state);
    // A reply may still have come between the end of the wait and here.
    state = spin_lock(&channel->pair->lock);
    list_remove(&call->node);
    spin_unlock(&channel->pair->lock, state);
    if (call->is_done)
        status = call->reply != NULL ? MX_OK : MX_ERR_PEER_CLOSED;
    return status;
}

static mx_status_t call_exchange(struct channel *channel, struct mx_channel_call_args *args,
                                 mx_time_t deadline)
{
    struct message *request;
    struct call call = {.is_done = false};
    mx_status_t status =
        message_from_user(channel, (uaddr_t)args->request_bytes, args->request_size_bytes,
                          (uaddr_t)args->request_handles, args->request_handle_count, &request);

    if (status != MX_OK)
        return status;
    wait_queue_init(&call.waiter);
    status = call_start(channel, &call, request);
    if (status == MX_OK)
        status = call_wait(channel, &call, deadline);
    if (status != MX_OK)
        return status;
    args->reply_size_bytes = call.reply->size_bytes;
    args->reply_handle_count = call.reply->handle_count;
    if (args->reply_size_bytes > args->reply_capacity_bytes ||
        args->reply_handle_count > args->reply_handle_capacity) {
        message_drop(call.reply);
        return MX_ERR_BUFFER_TOO_SMALL;
    }
    return message_to_user(call.reply, (uaddr_t)args->reply_bytes, (uaddr_t)args->reply_handles);
}

int64_t sys_channel_call(mx_handle_t handle, uaddr_t user_args, mx_time_t deadline)
{
    struct object *object;
    struct mx_channel_call_args args;
    mx_status_t status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_READ | MX_RIGHT_WRITE, &object);

    if (status != MX_OK) {
        if (user_read(&args, user_args, sizeof(args)) == MX_OK)
            consume_user_handles((uaddr_t)args.request_handles, args.request_handle_count);
        return status;
    }
    status = user_read(&args, user_args, sizeof(args));
    if (status == MX_OK && args.request_size_bytes < sizeof(uint32_t)) {
        consume_user_handles((uaddr_t)args.request_handles, args.request_handle_count);
        status = MX_ERR_INVALID_ARGS;
    }
    if (status == MX_OK) {
        status = call_exchange(CONTAINER_OF(object, struct channel, object), &args, deadline);
        if (status == MX_OK || status == MX_ERR_BUFFER_TOO_SMALL) {
            mx_status_t copy_status =
                user_write(user_args + offsetof(struct mx_channel_call_args, reply_size_bytes),
                           &args.reply_size_bytes, 2 * sizeof(uint32_t));
            status = copy_status != MX_OK ? copy_status : status;
        }
    }
    object_release(object);
    return status;
}
