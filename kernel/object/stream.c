// Streams: bytes both ways between two ends, with a ring of bytes per direction.

#include "kernel/core/thread.h"
#include "kernel/lib/string.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/process.h"
#include "kernel/object/syscalls.h"

#define RING_BYTES  8192
#define CHUNK_BYTES 512 // copied at a time, over the stack, since user memory may fault

struct stream {
    struct object object;
    struct stream_pair *pair;
    struct stream *peer;
    char *ring; // bytes to be read at this end
    size_t read_position, used_bytes;
    bool is_closed;
};

struct stream_pair {
    struct spinlock lock;
    struct stream ends[2];
    uint32_t living_end_count;
    struct job *job; // referenced
};

static void stream_on_zero_handles(struct object *object)
{
    struct stream *stream = CONTAINER_OF(object, struct stream, object);

    arch_interrupt_state_t state = spin_lock(&stream->pair->lock);
    stream->is_closed = true;
    object_change_signals(&stream->peer->object, MX_SIGNAL_WRITABLE, MX_SIGNAL_PEER_CLOSED);
    spin_unlock(&stream->pair->lock, state);
}

static void pair_free(struct stream_pair *pair)
{
    struct job *job = pair->job;

    for (unsigned i = 0; i < 2; i++)
        object_free(job, pair->ends[i].ring, RING_BYTES);
    object_free(job, pair, sizeof(*pair));
    object_release(&job->object);
}

static void stream_destroy(struct object *object)
{
    struct stream_pair *pair = CONTAINER_OF(object, struct stream, object)->pair;

    if (__atomic_fetch_sub(&pair->living_end_count, 1, __ATOMIC_ACQ_REL) == 1)
        pair_free(pair);
}

static const struct object_ops stream_ops = {
    .type = MX_OBJECT_STREAM,
    .default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE |
                      MX_RIGHT_WAIT | MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL,
    .on_zero_handles = stream_on_zero_handles,
    .destroy = stream_destroy,
};

static struct stream_pair *pair_create(struct job *job)
{
    struct stream_pair *pair = object_alloc(job, sizeof(*pair));

    if (pair == NULL)
        return NULL;
    object_reference(&job->object);
    pair->job = job;
    pair->living_end_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        pair->ends[i].pair = pair;
        pair->ends[i].peer = &pair->ends[1 - i];
        pair->ends[i].ring = object_alloc(job, RING_BYTES);
    }
    if (pair->ends[0].ring == NULL || pair->ends[1].ring == NULL) {
        pair_free(pair);
        return NULL;
    }
    return pair;
}

int64_t sys_stream_create(uaddr_t out0, uaddr_t out1)
{
    struct stream_pair *pair = pair_create(process_current()->job);

    if (pair == NULL)
        return MX_ERR_NO_MEMORY;
    for (unsigned i = 0; i < 2; i++) {
        object_init(&pair->ends[i].object, &stream_ops);
        pair->ends[i].object.signals = MX_SIGNAL_WRITABLE;
    }
    struct object *end0 = &pair->ends[0].object, *end1 = &pair->ends[1].object;
    return handle_return_two(end0, stream_ops.default_rights, out0, end1, stream_ops.default_rights, out1);
}

// With a peer that keeps up a transfer may be as long as the caller's memory: not beyond the end of its thread.
static mx_status_t check_killed(void)
{
    return thread_is_killed(thread_current()) ? MX_ERR_CANCELED : MX_OK;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Puts what fits into the ring of the other end; pair lock held.
static size_t ring_put(struct stream *to, const char *bytes, size_t size_bytes)
{
    size_t size = min_size(size_bytes, RING_BYTES - to->used_bytes);
    size_t at = (to->read_position + to->used_bytes) % RING_BYTES;
    size_t first = min_size(size, RING_BYTES - at);

    memcpy(to->ring + at, bytes, first);
    memcpy(to->ring, bytes + first, size - first);
    to->used_bytes += size;
    return size;
}

static size_t ring_take(struct stream *from, char *bytes, size_t size_bytes)
{
    size_t size = min_size(size_bytes, from->used_bytes);
    size_t first = min_size(size, RING_BYTES - from->read_position);

    memcpy(bytes, from->ring + from->read_position, first);
    memcpy(bytes + first, from->ring, size - first);
    from->read_position = (from->read_position + size) % RING_BYTES;
    from->used_bytes -= size;
    return size;
}

// One chunk; SHOULD_WAIT if nothing fits.
static mx_status_t write_chunk(struct stream *stream, const char *bytes, size_t size_bytes, size_t *written)
{
    struct stream *peer = stream->peer;
    mx_status_t status = MX_OK;

    arch_interrupt_state_t state = spin_lock(&stream->pair->lock);
    if (peer->is_closed) {
        status = MX_ERR_PEER_CLOSED;
    } else {
        *written = ring_put(peer, bytes, size_bytes);
        status = *written == 0 ? MX_ERR_SHOULD_WAIT : MX_OK;
        if (peer->used_bytes != 0)
            object_change_signals(&peer->object, 0, MX_SIGNAL_READABLE);
        if (peer->used_bytes == RING_BYTES)
            object_change_signals(&stream->object, MX_SIGNAL_WRITABLE, 0);
    }
    spin_unlock(&stream->pair->lock, state);
    return status;
}

static mx_status_t read_chunk(struct stream *stream, char *bytes, size_t size_bytes, size_t *read)
{
    mx_status_t status = MX_OK;

    arch_interrupt_state_t state = spin_lock(&stream->pair->lock);
    *read = ring_take(stream, bytes, size_bytes);
    if (*read == 0)
        status = stream->peer->is_closed ? MX_ERR_PEER_CLOSED : MX_ERR_SHOULD_WAIT;
    else if (!stream->peer->is_closed)
        object_change_signals(&stream->peer->object, 0, MX_SIGNAL_WRITABLE);
    if (stream->used_bytes == 0)
        object_change_signals(&stream->object, MX_SIGNAL_READABLE, 0);
    spin_unlock(&stream->pair->lock, state);
    return status;
}

static mx_status_t write_all(struct stream *stream, uaddr_t bytes, size_t size_bytes, size_t *actual)
{
    char chunk[CHUNK_BYTES];
    size_t written;

    for (*actual = 0; *actual < size_bytes; *actual += written) {
        size_t size = min_size(size_bytes - *actual, sizeof(chunk));
        mx_status_t status = check_killed();
        if (status == MX_OK)
            status = user_read(chunk, bytes + *actual, size);
        if (status == MX_OK)
            status = write_chunk(stream, chunk, size, &written);
        if (status != MX_OK)
            return status;
        if (written < size) {
            *actual += written;
            return MX_OK;
        }
    }
    return MX_OK;
}

static mx_status_t read_all(struct stream *stream, uaddr_t bytes, size_t capacity_bytes, size_t *actual)
{
    char chunk[CHUNK_BYTES];
    size_t read;

    for (*actual = 0; *actual < capacity_bytes; *actual += read) {
        mx_status_t status = check_killed();
        if (status == MX_OK)
            status = read_chunk(stream, chunk, min_size(capacity_bytes - *actual, sizeof(chunk)), &read);
        if (status == MX_OK)
            status = user_write(bytes + *actual, chunk, read);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

typedef mx_status_t (*transfer_function)(struct stream *stream, uaddr_t bytes, size_t size_bytes,
                                         size_t *actual);

static mx_status_t transfer_bytes(mx_handle_t handle, mx_rights_t rights, transfer_function function,
                                  uaddr_t bytes, size_t size_bytes, uaddr_t out_actual)
{
    struct object *object;
    size_t actual = 0;
    mx_status_t status = handle_get(handle, MX_OBJECT_STREAM, rights, &object);

    if (status != MX_OK)
        return status;
    status = function(CONTAINER_OF(object, struct stream, object), bytes, size_bytes, &actual);
    object_release(object);
    // What was done before it ended counts.
    if (actual != 0)
        status = MX_OK;
    if (status == MX_OK && out_actual != 0)
        status = user_write(out_actual, &actual, sizeof(actual));
    return status;
}

int64_t sys_stream_write(mx_handle_t handle, uaddr_t bytes, size_t size_bytes, uaddr_t actual)
{
    return transfer_bytes(handle, MX_RIGHT_WRITE, write_all, bytes, size_bytes, actual);
}

int64_t sys_stream_read(mx_handle_t handle, uaddr_t bytes, size_t capacity_bytes, uaddr_t actual)
{
    return transfer_bytes(handle, MX_RIGHT_READ, read_all, bytes, capacity_bytes, actual);
}
