// Channels: messages of bytes and handles between two ends.
//
// Both ends live in one pair, whose lock protects the message queues and the threads that wait. A message goes straight to
// the thread that waits for it (for the reply to its call, or in mx_channel_serve); short ones without handles
// then never see the heap: they go from the sender's stack to the receiver's.

#include "kernel/object/channel.h"

#include "kernel/core/thread.h"
#include "kernel/lib/string.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define UNREAD_MAX  1024
#define SHORT_BYTES 256 // messages up to this size may travel without a block

struct channel {
    struct object object;
    struct channel_pair *pair;
    struct channel *peer; // in the same pair; may be closed
    struct list_node messages; // to be read at this end
    struct list_node calls;    // struct receiver: each waits here for the reply to its call
    struct list_node servers;  // struct receiver: each waits here for any message
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

// A message on its way: in a block, or short and right here.
struct parcel {
    struct message *message; // NULL: short
    uint32_t size_bytes;     // of a short one
    union {
        char bytes[SHORT_BYTES];
        uint64_t words[SHORT_BYTES / sizeof(uint64_t)];
    };
};

// A thread that waits for a message.
struct receiver {
    struct list_node node;
    struct thread *thread;
    uint32_t transaction; // of a call
    bool is_done;         // under the pair's lock
    bool has_parcel;      // false when done: the peer is gone
    struct parcel parcel;
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

static void receiver_init(struct receiver *receiver)
{
    receiver->thread = thread_current();
    receiver->is_done = false;
    receiver->has_parcel = false;
}

static void parcel_move(struct parcel *to, const struct parcel *from)
{
    to->message = from->message;
    to->size_bytes = from->size_bytes;
    if (from->message != NULL)
        return;
    for (size_t i = 0; i * sizeof(to->words[0]) < from->size_bytes; i += 2) {
        to->words[i] = from->words[i];
        to->words[i + 1] = from->words[i + 1];
    }
}

// Hands the receiver its outcome; pair lock and sched_lock held. Returns its thread for the caller to hand over to or to make
// ready, or NULL if that goes on anyway. `parcel` may be NULL: the peer is gone.
static inline struct thread *receiver_finish(struct receiver *receiver, const struct parcel *parcel)
{
    list_remove(&receiver->node);
    if (parcel != NULL) {
        receiver->has_parcel = true;
        parcel_move(&receiver->parcel, parcel);
    }
    receiver->is_done = true;
    return thread_unblock_locked(receiver->thread) ? receiver->thread : NULL;
}

static NOINLINE void receiver_finish_and_wake(struct receiver *receiver, const struct parcel *parcel)
{
    spin_acquire(&sched_lock);
    struct thread *thread = receiver_finish(receiver, parcel);
    if (thread != NULL)
        thread_make_ready_locked(thread);
    spin_release(&sched_lock);
}

static void finish_all(struct list_node *receivers)
{
    struct receiver *receiver;

    while ((receiver = LIST_FIRST(receivers, struct receiver, node)) != NULL)
        receiver_finish_and_wake(receiver, NULL);
}

static NOINLINE struct message *take_first_locked(struct channel *channel)
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

    arch_interrupt_state_t state = spin_lock(&pair->lock);
    channel->is_closed = true;
    finish_all(&channel->peer->calls);
    finish_all(&channel->peer->servers);
    finish_all(&channel->calls); // nothing can reach this end either
    finish_all(&channel->servers);
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
        list_init(&channel->servers);
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

static uint32_t parcel_size_bytes(const struct parcel *parcel)
{
    return parcel->message != NULL ? parcel->message->size_bytes : parcel->size_bytes;
}

static char *parcel_bytes(struct parcel *parcel)
{
    return parcel->message != NULL ? message_bytes(parcel->message) : parcel->bytes;
}

static void parcel_drop(struct parcel *parcel)
{
    if (parcel->message != NULL)
        message_drop(parcel->message);
}

static inline struct receiver *find_call(struct channel *channel, struct parcel *parcel)
{
    struct receiver *call;
    uint32_t transaction;

    if (list_is_empty(&channel->calls) || parcel_size_bytes(parcel) < sizeof(transaction))
        return NULL;
    memcpy(&transaction, parcel_bytes(parcel), sizeof(transaction));
    LIST_FOR_EACH(call, &channel->calls, node) {
        if (call->transaction == transaction)
            return call;
    }
    return NULL;
}

// Puts a short message into a block of its own, charged to the sender.
static mx_status_t parcel_make_block(struct parcel *parcel)
{
    if (parcel->message != NULL)
        return MX_OK;
    parcel->message = message_alloc(process_current()->job, parcel->size_bytes, 0);
    if (parcel->message == NULL)
        return MX_ERR_NO_MEMORY;
    memcpy(message_bytes(parcel->message), parcel->bytes, parcel->size_bytes);
    return MX_OK;
}

// Puts a message where the peer reads it. Out of line, as are others on this page that a call to a waiting server does
// not need.
static NOINLINE mx_status_t queue_locked(struct channel *peer, struct parcel *parcel)
{
    if (peer->message_count >= UNREAD_MAX)
        return MX_ERR_SHOULD_WAIT;
    mx_status_t status = parcel_make_block(parcel);
    if (status != MX_OK)
        return status;
    list_add_tail(&peer->messages, &parcel->message->node);
    peer->message_count++;
    if (peer->message_count == 1)
        object_change_signals(&peer->object, 0, MX_SIGNAL_READABLE);
    return MX_OK;
}

// Whom a message for the peer of `channel` goes to: a thread that waits for it, which the caller has to finish, or with NULL
// the peer's queue, where it then is. Pair lock held; unless OK, the parcel stays as it is.
static inline mx_status_t address_locked(struct channel *channel, struct parcel *parcel, struct receiver **out)
{
    struct channel *peer = channel->peer;

    if (peer->is_closed)
        return MX_ERR_PEER_CLOSED;
    struct receiver *receiver = find_call(peer, parcel);
    if (receiver == NULL)
        receiver = LIST_FIRST(&peer->servers, struct receiver, node);
    *out = receiver;
    return receiver != NULL ? MX_OK : queue_locked(peer, parcel);
}

static mx_status_t deliver(struct channel *channel, struct parcel *parcel)
{
    struct receiver *receiver;

    arch_interrupt_state_t state = spin_lock(&channel->pair->lock);
    mx_status_t status = address_locked(channel, parcel, &receiver);
    if (status == MX_OK && receiver != NULL)
        receiver_finish_and_wake(receiver, parcel);
    spin_unlock(&channel->pair->lock, state);
    if (status != MX_OK)
        parcel_drop(parcel);
    return status;
}

mx_status_t channel_write(struct object *object, const void *bytes, uint32_t size_bytes,
                          const struct transfer *transfers, uint32_t handle_count)
{
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    struct parcel parcel;

    parcel.message = message_alloc(channel->pair->job, size_bytes, handle_count);
    if (parcel.message == NULL) {
        for (uint32_t i = 0; i < handle_count; i++)
            transfer_drop(transfers[i]);
        return MX_ERR_NO_MEMORY;
    }
    memcpy(parcel.message->transfers, transfers, handle_count * sizeof(*transfers));
    memcpy(message_bytes(parcel.message), bytes, size_bytes);
    return deliver(channel, &parcel);
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
static NOINLINE mx_status_t message_from_user(struct channel *channel, uaddr_t bytes, uint32_t size_bytes,
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

static inline mx_status_t parcel_from_user(struct channel *channel, uaddr_t bytes, uint32_t size_bytes,
                                    uaddr_t user_handles, uint32_t handle_count, struct parcel *out)
{
    if (size_bytes > SHORT_BYTES || handle_count != 0)
        return message_from_user(channel, bytes, size_bytes, user_handles, handle_count, &out->message);
    out->message = NULL;
    out->size_bytes = size_bytes;
    return user_read(out->bytes, bytes, size_bytes);
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

// What a thread is given: what of it fits where it wants it. One that does not fit is dropped.
static mx_status_t parcel_to_user(struct parcel *parcel, uaddr_t bytes, uint32_t capacity_bytes, uaddr_t handles,
                                  uint32_t handle_capacity, uint32_t *size_bytes, uint32_t *handle_count)
{
    *size_bytes = parcel_size_bytes(parcel);
    *handle_count = parcel->message != NULL ? parcel->message->handle_count : 0;
    if (*size_bytes > capacity_bytes || *handle_count > handle_capacity) {
        parcel_drop(parcel);
        return MX_ERR_BUFFER_TOO_SMALL;
    }
    if (parcel->message != NULL)
        return message_to_user(parcel->message, bytes, handles);
    return user_write(bytes, parcel->bytes, parcel->size_bytes);
}

int64_t sys_channel_write(mx_handle_t handle, uaddr_t bytes, uint32_t size_bytes, uaddr_t handles,
                          uint32_t handle_count)
{
    struct object *object;
    struct parcel parcel;
    mx_status_t status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_WRITE, &object);

    if (status != MX_OK) {
        consume_user_handles(handles, handle_count);
        return status;
    }
    struct channel *channel = CONTAINER_OF(object, struct channel, object);
    status = parcel_from_user(channel, bytes, size_bytes, handles, handle_count, &parcel);
    if (status == MX_OK)
        status = deliver(channel, &parcel);
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

// --- calls, and those who serve them ---------------------------------------------------------------

// Enters the list and waits there until the receiver is done, giving the CPU to whom the caller's own parcel is for; `to`
// may be NULL. The caller holds the pair's lock with `state`; it is released. PEER_CLOSED, TIMED_OUT, CANCELED.
static inline mx_status_t receiver_wait(struct channel *channel, struct receiver *receiver, struct list_node *list,
                                        mx_time_t deadline, arch_interrupt_state_t state, struct receiver *to,
                                        const struct parcel *parcel)
{
    list_add_tail(list, &receiver->node);
    spin_acquire(&sched_lock);
    struct thread *next = to != NULL ? receiver_finish(to, parcel) : NULL;
    spin_release(&channel->pair->lock);
    mx_status_t status = thread_block_locked(deadline, true, state, next);
    if (status != MX_OK) {
        // A message may still have come between the end of the wait and here.
        state = spin_lock(&channel->pair->lock);
        list_remove(&receiver->node);
        spin_unlock(&channel->pair->lock, state);
    }
    if (receiver->is_done)
        status = receiver->has_parcel ? MX_OK : MX_ERR_PEER_CLOSED;
    return status;
}

// Sends the request and waits for the reply.
static inline mx_status_t call_send(struct channel *channel, struct receiver *call, struct parcel *request,
                                    mx_time_t deadline)
{
    struct channel_pair *pair = channel->pair;
    struct receiver *to = NULL;
    mx_status_t status = MX_ERR_PEER_CLOSED; // this end has no handles left: no reply can reach it

    arch_interrupt_state_t state = spin_lock(&pair->lock);
    if (!channel->is_closed) {
        call->transaction = ++pair->next_transaction | 0x80000000u;
        memcpy(parcel_bytes(request), &call->transaction, sizeof(call->transaction));
        status = address_locked(channel, request, &to);
    }
    if (status == MX_OK)
        return receiver_wait(channel, call, &channel->calls, deadline, state, to, request);
    spin_unlock(&pair->lock, state);
    parcel_drop(request);
    return status;
}

static mx_status_t call_exchange(struct channel *channel, struct mx_channel_call_args *args,
                                 mx_time_t deadline)
{
    struct parcel request;
    struct receiver call;
    mx_status_t status =
        parcel_from_user(channel, (uaddr_t)args->request_bytes, args->request_size_bytes,
                         (uaddr_t)args->request_handles, args->request_handle_count, &request);

    if (status != MX_OK)
        return status;
    receiver_init(&call);
    status = call_send(channel, &call, &request, deadline);
    if (status != MX_OK)
        return status;
    return parcel_to_user(&call.parcel, (uaddr_t)args->reply_bytes, args->reply_capacity_bytes,
                          (uaddr_t)args->reply_handles, args->reply_handle_capacity, &args->reply_size_bytes,
                          &args->reply_handle_count);
}

// Writes the sizes of what came, at the end of both kinds of arguments; not if they stand there from last time.
static mx_status_t return_sizes(mx_status_t status, uaddr_t at, const uint32_t before[2], const uint32_t after[2])
{
    if (status != MX_OK && status != MX_ERR_BUFFER_TOO_SMALL)
        return status;
    if (before[0] == after[0] && before[1] == after[1])
        return status;
    mx_status_t copy_status = user_write(at, after, 2 * sizeof(after[0]));
    return copy_status != MX_OK ? copy_status : status;
}

int64_t sys_channel_call(mx_handle_t handle, uaddr_t user_args, mx_time_t deadline)
{
    struct object *object;
    struct mx_channel_call_args args;
    mx_status_t status = user_read(&args, user_args, sizeof(args));

    if (status != MX_OK)
        return status;
    status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_READ | MX_RIGHT_WRITE, &object);
    if (status != MX_OK) {
        consume_user_handles((uaddr_t)args.request_handles, args.request_handle_count);
        return status;
    }
    const uint32_t before[2] = {args.reply_size_bytes, args.reply_handle_count};
    if (args.request_size_bytes < sizeof(uint32_t)) {
        consume_user_handles((uaddr_t)args.request_handles, args.request_handle_count);
        status = MX_ERR_INVALID_ARGS;
    } else {
        status = call_exchange(CONTAINER_OF(object, struct channel, object), &args, deadline);
    }
    object_release(object);
    const uint32_t after[2] = {args.reply_size_bytes, args.reply_handle_count};
    return return_sizes(status, user_args + offsetof(struct mx_channel_call_args, reply_size_bytes), before, after);
}

// Sends the reply, if there is one, and takes the oldest message or waits for one.
static inline mx_status_t reply_and_wait(struct channel *channel, struct receiver *server, struct parcel *reply,
                                         mx_time_t deadline)
{
    struct receiver *to = NULL;
    mx_status_t status = MX_OK;

    arch_interrupt_state_t state = spin_lock(&channel->pair->lock);
    if (reply != NULL)
        status = address_locked(channel, reply, &to);
    if (status != MX_OK) {
        spin_unlock(&channel->pair->lock, state);
        parcel_drop(reply);
        return status;
    }
    server->parcel.message = list_is_empty(&channel->messages) ? NULL : take_first_locked(channel);
    if (server->parcel.message == NULL) {
        if (!channel->peer->is_closed && !channel->is_closed)
            return receiver_wait(channel, server, &channel->servers, deadline, state, to, reply);
        status = MX_ERR_PEER_CLOSED;
    }
    if (to != NULL)
        receiver_finish_and_wake(to, reply);
    spin_unlock(&channel->pair->lock, state);
    return status;
}

static mx_status_t reply_and_receive(struct channel *channel, struct mx_channel_serve_args *args,
                                     mx_time_t deadline)
{
    struct receiver server;
    struct parcel reply;
    mx_status_t status = MX_OK;

    if (args->reply_size_bytes == 0 && args->reply_handle_count != 0) {
        consume_user_handles((uaddr_t)args->reply_handles, args->reply_handle_count);
        return MX_ERR_INVALID_ARGS;
    }
    if (args->reply_size_bytes != 0)
        status = parcel_from_user(channel, (uaddr_t)args->reply_bytes, args->reply_size_bytes,
                                  (uaddr_t)args->reply_handles, args->reply_handle_count, &reply);
    if (status != MX_OK)
        return status;
    receiver_init(&server);
    status = reply_and_wait(channel, &server, args->reply_size_bytes != 0 ? &reply : NULL, deadline);
    if (status != MX_OK)
        return status;
    return parcel_to_user(&server.parcel, (uaddr_t)args->request_bytes, args->request_capacity_bytes,
                          (uaddr_t)args->request_handles, args->request_handle_capacity,
                          &args->request_size_bytes, &args->request_handle_count);
}

int64_t sys_channel_serve(mx_handle_t handle, uaddr_t user_args, mx_time_t deadline)
{
    struct object *object;
    struct mx_channel_serve_args args;
    mx_status_t status = user_read(&args, user_args, sizeof(args));

    if (status != MX_OK)
        return status;
    status = handle_get(handle, MX_OBJECT_CHANNEL, MX_RIGHT_READ | MX_RIGHT_WRITE, &object);
    if (status != MX_OK) {
        consume_user_handles((uaddr_t)args.reply_handles, args.reply_handle_count);
        return status;
    }
    const uint32_t before[2] = {args.request_size_bytes, args.request_handle_count};
    status = reply_and_receive(CONTAINER_OF(object, struct channel, object), &args, deadline);
    object_release(object);
    const uint32_t after[2] = {args.request_size_bytes, args.request_handle_count};
    return return_sizes(status, user_args + offsetof(struct mx_channel_serve_args, request_size_bytes), before,
                        after);
}
