// For tests of the kernel on the host port: a test's body runs as the first thread of a user
// process, and afterwards nothing may be left of it: no object, handle, charged byte or physical
// page. Each such test is run again under several schedules in which CPUs interrupt each other.
//
// The heap is the C library's here, so that the sanitizers see use after free and overflows of
// kernel objects; a heap can be told to fail. The mx_* names are the system calls as a user program
// knows them, on the test's own variables: they are copied through the process's user memory. One
// test program includes this once.
#pragma once

#include "tests/test.h"

#include <stdlib.h>

#include "kernel/arch/host/host.h"
#include "kernel/arch/host/host_guest.h"
#include "kernel/core/log.h"
#include "kernel/memory/heap.h"
#include "kernel/memory/phys.h"
#include "kernel/object/channel.h"
#include "kernel/object/job.h"
#include "kernel/object/log_object.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

// --- the heap
// ----------------------------------------------------------------------------------------

static int64_t heap_allocations_until_failure = -1; // -1: none fails
static uint64_t heap_blocks, heap_failures;

void *heap_alloc(size_t size_bytes)
{
    if (heap_allocations_until_failure == 0) {
        heap_failures++;
        return NULL;
    }
    if (heap_allocations_until_failure > 0)
        heap_allocations_until_failure--;
    heap_blocks++;
    return calloc(1, size_bytes);
}

void heap_free(void *block, size_t size_bytes)
{
    (void)size_bytes;
    if (block != NULL)
        heap_blocks--;
    free(block);
}

// --- what every test process has
// ------------------------------------------------------------------------

// Stacks of user threads, which the calls below use to pass arguments: the first thread's is the
// lowest.
#define STACK_BASE  UINT64_C(0x10000000)
#define STACK_BYTES UINT64_C(0x80000)
#define STACK_COUNT 40

struct test_environment {
    struct process *process;
    struct job *job;
    // Handles of the process.
    mx_handle_t self, aspace, job_handle, root_resource, channel;
    uint32_t thread_count;
};
static struct test_environment env;

static inline uaddr_t scratch(uint64_t offset)
{
    return host_user_stack() - STACK_BYTES + offset;
}

static inline mx_status_t put(uaddr_t at, const void *from, size_t size_bytes)
{
    if (size_bytes != 0)
        host_user_store(at, from, size_bytes);
    return MX_OK;
}

static inline void get(void *to, uaddr_t at, size_t size_bytes)
{
    if (to != NULL && size_bytes != 0)
        host_user_load(to, at, size_bytes);
}

// --- system calls as user programs know them
// ----------------------------------------------------------

#define OUT1(call, out)                                   \
    mx_status_t status = (mx_status_t)HOST_SYSCALL(call); \
    if (status == MX_OK)                                  \
        get(out, scratch(0), sizeof(*out));               \
    return status
#define OUT2(call, out_a, out_b)                          \
    mx_status_t status = (mx_status_t)HOST_SYSCALL(call); \
    if (status == MX_OK) {                                \
        get(out_a, scratch(0), sizeof(*out_a));           \
        get(out_b, scratch(64), sizeof(*out_b));          \
    }                                                     \
    return status

static inline mx_status_t mx_handle_close(mx_handle_t handle)
{
    return (mx_status_t)HOST_SYSCALL(sys_handle_close(handle));
}
static inline mx_status_t mx_handle_duplicate(mx_handle_t handle, mx_rights_t rights,
                                              mx_handle_t *out)
{
    OUT1(sys_handle_duplicate(handle, rights, scratch(0)), out);
}
static inline mx_status_t mx_handle_replace(mx_handle_t handle, mx_rights_t rights,
                                            mx_handle_t *out)
{
    OUT1(sys_handle_replace(handle, rights, scratch(0)), out);
}
static inline mx_status_t mx_object_wait_one(mx_handle_t handle, mx_signals_t signals,
                                             mx_time_t deadline, mx_signals_t *pending)
{
    mx_status_t status =
        (mx_status_t)HOST_SYSCALL(sys_object_wait_one(handle, signals, deadline, scratch(0)));
    if (status == MX_OK || status == MX_ERR_TIMED_OUT)
        get(pending, scratch(0), sizeof(*pending));
    return status;
}
static inline mx_status_t mx_object_wait_many(struct mx_wait_item *items, uint32_t count,
                                              mx_time_t deadline)
{
    put(scratch(0), items, count * sizeof(*items));
    mx_status_t status =
        (mx_status_t)HOST_SYSCALL(sys_object_wait_many(scratch(0), count, deadline));
    get(items, scratch(0), count * sizeof(*items));
    return status;
}
static inline mx_status_t mx_object_wait_async(mx_handle_t handle, mx_handle_t port, uint64_t key,
                                               mx_signals_t signals, uint32_t options)
{
    return (mx_status_t)HOST_SYSCALL(sys_object_wait_async(handle, port, key, signals, options));
}
static inline mx_status_t mx_object_signal(mx_handle_t handle, mx_signals_t clear, mx_signals_t set)
{
    return (mx_status_t)HOST_SYSCALL(sys_object_signal(handle, clear, set));
}
static inline mx_status_t mx_object_get_info(mx_handle_t handle, uint32_t topic, void *buffer,
                                             size_t size, size_t *actual)
{
    mx_status_t status = (mx_status_t)HOST_SYSCALL(
        sys_object_get_info(handle, topic, scratch(64), size, scratch(0)));
    if (status == MX_OK || status == MX_ERR_BUFFER_TOO_SMALL)
        get(actual, scratch(0), sizeof(*actual));
    if (status == MX_OK)
        get(buffer, scratch(64), size);
    return status;
}
static inline mx_status_t mx_job_create(mx_handle_t parent, mx_handle_t *out)
{
    OUT1(sys_job_create(parent, scratch(0)), out);
}
static inline mx_status_t mx_job_set_limit(mx_handle_t job, uint32_t kind, uint64_t value)
{
    return (mx_status_t)HOST_SYSCALL(sys_job_set_limit(job, kind, value));
}
static inline mx_status_t mx_task_kill(mx_handle_t task, int32_t exit_code)
{
    return (mx_status_t)HOST_SYSCALL(sys_task_kill(task, exit_code));
}
static inline mx_status_t mx_job_open_process(mx_handle_t job, uint64_t koid, mx_handle_t *out)
{
    OUT1(sys_job_open_process(job, koid, scratch(0)), out);
}
static inline mx_status_t mx_process_create(mx_handle_t job, const char *name, mx_handle_t *process,
                                            mx_handle_t *aspace)
{
    put(scratch(128), name, strlen(name));
    OUT2(sys_process_create(job, scratch(128), strlen(name), scratch(0), scratch(64)), process,
         aspace);
}
static inline mx_status_t mx_process_start(mx_handle_t process, mx_handle_t thread, uint64_t entry,
                                           uint64_t stack, mx_handle_t handle, uint64_t arg)
{
    return (mx_status_t)HOST_SYSCALL(sys_process_start(process, thread, entry, stack, handle, arg));
}
static inline void mx_process_exit(int32_t exit_code)
{
    (void)HOST_SYSCALL(sys_process_exit(exit_code));
}
static inline mx_status_t mx_thread_create(mx_handle_t process, const char *name, mx_handle_t *out)
{
    put(scratch(128), name, strlen(name));
    OUT1(sys_thread_create(process, scratch(128), strlen(name), scratch(0)), out);
}
static inline mx_status_t mx_thread_start(mx_handle_t thread, uint64_t entry, uint64_t stack,
                                          uint64_t arg1, uint64_t arg2)
{
    return (mx_status_t)HOST_SYSCALL(sys_thread_start(thread, entry, stack, arg1, arg2));
}
static inline void mx_thread_exit(void)
{
    (void)HOST_SYSCALL(sys_thread_exit());
}
static inline void mx_thread_yield(void)
{
    (void)HOST_SYSCALL(sys_thread_yield());
}
static inline mx_status_t mx_channel_create(mx_handle_t *out0, mx_handle_t *out1)
{
    OUT2(sys_channel_create(scratch(0), scratch(64)), out0, out1);
}
#define BYTES_AT   4096 // in the scratch area, for messages
#define HANDLES_AT 1024
static inline mx_status_t mx_channel_write(mx_handle_t channel, const void *bytes, uint32_t size,
                                           const mx_handle_t *handles, uint32_t count)
{
    put(scratch(BYTES_AT), bytes, size <= MX_CHANNEL_MAX_BYTES ? size : 0);
    put(scratch(HANDLES_AT), handles,
        count <= MX_CHANNEL_MAX_HANDLES ? count * sizeof(*handles) : 0);
    return (mx_status_t)HOST_SYSCALL(
        sys_channel_write(channel, scratch(BYTES_AT), size, scratch(HANDLES_AT), count));
}
static inline mx_status_t mx_channel_read(mx_handle_t channel, void *bytes, uint32_t capacity,
                                          mx_handle_t *handles, uint32_t handle_capacity,
                                          uint32_t actual[2])
{
    uint32_t sizes[2] = {0, 0};
    mx_status_t status = (mx_status_t)HOST_SYSCALL(sys_channel_read(
        channel, scratch(BYTES_AT), capacity, scratch(HANDLES_AT), handle_capacity, scratch(0)));
    if (status == MX_OK || status == MX_ERR_BUFFER_TOO_SMALL)
        get(sizes, scratch(0), sizeof(sizes));
    if (actual != NULL)
        memcpy(actual, sizes, sizeof(sizes));
    if (status == MX_OK) {
        get(bytes, scratch(BYTES_AT), sizes[0]);
        get(handles, scratch(HANDLES_AT), sizes[1] * sizeof(*handles));
    }
    return status;
}
static inline mx_status_t mx_channel_call(mx_handle_t channel, struct mx_channel_call_args *args,
                                          mx_time_t deadline)
{
    struct mx_channel_call_args user = *args;
    put(scratch(BYTES_AT), args->request_bytes, args->request_size_bytes);
    put(scratch(HANDLES_AT), args->request_handles,
        args->request_handle_count * sizeof(mx_handle_t));
    user.request_bytes = (void *)(uintptr_t)scratch(BYTES_AT);
    user.request_handles = (void *)(uintptr_t)scratch(HANDLES_AT);
    user.reply_bytes = (void *)(uintptr_t)scratch(BYTES_AT + 0x20000);
    user.reply_handles = (void *)(uintptr_t)scratch(HANDLES_AT + 512);
    put(scratch(0), &user, sizeof(user));
    mx_status_t status = (mx_status_t)HOST_SYSCALL(sys_channel_call(channel, scratch(0), deadline));
    get(&user, scratch(0), sizeof(user));
    args->reply_size_bytes = user.reply_size_bytes;
    args->reply_handle_count = user.reply_handle_count;
    if (status == MX_OK) {
        get(args->reply_bytes, scratch(BYTES_AT + 0x20000), args->reply_size_bytes);
        get(args->reply_handles, scratch(HANDLES_AT + 512),
            args->reply_handle_count * sizeof(mx_handle_t));
    }
    return status;
}
static inline mx_status_t mx_channel_serve(mx_handle_t channel, struct mx_channel_serve_args *args,
                                           mx_time_t deadline)
{
    struct mx_channel_serve_args user = *args;
    put(scratch(BYTES_AT), args->reply_bytes, args->reply_size_bytes);
    put(scratch(HANDLES_AT), args->reply_handles, args->reply_handle_count * sizeof(mx_handle_t));
    user.reply_bytes = (void *)(uintptr_t)scratch(BYTES_AT);
    user.reply_handles = (void *)(uintptr_t)scratch(HANDLES_AT);
    user.request_bytes = (void *)(uintptr_t)scratch(BYTES_AT + 0x20000);
    user.request_handles = (void *)(uintptr_t)scratch(HANDLES_AT + 512);
    put(scratch(0), &user, sizeof(user));
    mx_status_t status = (mx_status_t)HOST_SYSCALL(sys_channel_serve(channel, scratch(0), deadline));
    get(&user, scratch(0), sizeof(user));
    args->request_size_bytes = user.request_size_bytes;
    args->request_handle_count = user.request_handle_count;
    if (status == MX_OK) {
        get(args->request_bytes, scratch(BYTES_AT + 0x20000), args->request_size_bytes);
        get(args->request_handles, scratch(HANDLES_AT + 512),
            args->request_handle_count * sizeof(mx_handle_t));
    }
    return status;
}
static inline mx_status_t mx_stream_create(mx_handle_t *out0, mx_handle_t *out1)
{
    OUT2(sys_stream_create(scratch(0), scratch(64)), out0, out1);
}
static inline mx_status_t mx_stream_write(mx_handle_t stream, const void *bytes, size_t size,
                                          size_t *actual)
{
    put(scratch(BYTES_AT), bytes, size);
    OUT1(sys_stream_write(stream, scratch(BYTES_AT), size, scratch(0)), actual);
}
static inline mx_status_t mx_stream_read(mx_handle_t stream, void *bytes, size_t capacity,
                                         size_t *actual)
{
    mx_status_t status =
        (mx_status_t)HOST_SYSCALL(sys_stream_read(stream, scratch(BYTES_AT), capacity, scratch(0)));
    if (status == MX_OK) {
        get(actual, scratch(0), sizeof(*actual));
        get(bytes, scratch(BYTES_AT), *actual);
    }
    return status;
}
static inline mx_status_t mx_port_create(mx_handle_t *out)
{
    OUT1(sys_port_create(scratch(0)), out);
}
static inline mx_status_t mx_port_queue(mx_handle_t port, const struct mx_port_packet *packet)
{
    put(scratch(0), packet, sizeof(*packet));
    return (mx_status_t)HOST_SYSCALL(sys_port_queue(port, scratch(0)));
}
static inline mx_status_t mx_port_wait(mx_handle_t port, mx_time_t deadline,
                                       struct mx_port_packet *packet)
{
    OUT1(sys_port_wait(port, deadline, scratch(0)), packet);
}
static inline mx_status_t mx_port_cancel(mx_handle_t port, mx_handle_t handle, uint64_t key)
{
    return (mx_status_t)HOST_SYSCALL(sys_port_cancel(port, handle, key));
}
static inline mx_status_t mx_event_create(mx_handle_t *out)
{
    OUT1(sys_event_create(scratch(0)), out);
}
static inline mx_status_t mx_timer_create(mx_handle_t *out)
{
    OUT1(sys_timer_create(scratch(0)), out);
}
static inline mx_status_t mx_timer_set(mx_handle_t timer, mx_time_t deadline)
{
    return (mx_status_t)HOST_SYSCALL(sys_timer_set(timer, deadline));
}
static inline mx_status_t mx_timer_cancel(mx_handle_t timer)
{
    return (mx_status_t)HOST_SYSCALL(sys_timer_cancel(timer));
}
static inline mx_status_t mx_futex_wait(uaddr_t address, uint32_t expected, mx_time_t deadline)
{
    return (mx_status_t)HOST_SYSCALL(sys_futex_wait(address, expected, deadline));
}
static inline mx_status_t mx_futex_wake(uaddr_t address, uint32_t count, uint32_t *woken)
{
    OUT1(sys_futex_wake(address, count, scratch(0)), woken);
}
static inline mx_time_t mx_clock_get_monotonic(void)
{
    return HOST_SYSCALL(sys_clock_get_monotonic());
}
static inline mx_status_t mx_nanosleep(mx_time_t deadline)
{
    return (mx_status_t)HOST_SYSCALL(sys_nanosleep(deadline));
}
static inline mx_status_t mx_vmo_create(uint64_t size, mx_handle_t *out)
{
    OUT1(sys_vmo_create(size, scratch(0)), out);
}
static inline mx_status_t mx_vmo_create_physical(mx_handle_t resource, uint32_t options,
                                                 uint64_t paddr, uint64_t size_bytes,
                                                 mx_handle_t *out)
{
    OUT1(sys_vmo_create_physical(resource, options, paddr, size_bytes, scratch(0)), out);
}
static inline mx_status_t mx_vmo_create_child(mx_handle_t vmo, uint32_t options, uint64_t offset,
                                              uint64_t size, mx_handle_t *out)
{
    OUT1(sys_vmo_create_child(vmo, options, offset, size, scratch(0)), out);
}
static inline mx_status_t mx_vmo_read(mx_handle_t vmo, void *buffer, uint64_t offset, size_t size)
{
    mx_status_t status =
        (mx_status_t)HOST_SYSCALL(sys_vmo_read(vmo, scratch(BYTES_AT), offset, size));
    if (status == MX_OK)
        get(buffer, scratch(BYTES_AT), size);
    return status;
}
static inline mx_status_t mx_vmo_write(mx_handle_t vmo, const void *buffer, uint64_t offset,
                                       size_t size)
{
    put(scratch(BYTES_AT), buffer, size);
    return (mx_status_t)HOST_SYSCALL(sys_vmo_write(vmo, scratch(BYTES_AT), offset, size));
}
static inline mx_status_t mx_vmo_op_range(mx_handle_t vmo, uint32_t op, uint64_t offset,
                                          uint64_t size)
{
    return (mx_status_t)HOST_SYSCALL(sys_vmo_op_range(vmo, op, offset, size));
}
static inline mx_status_t mx_aspace_map(mx_handle_t aspace, uint32_t options, mx_handle_t vmo,
                                        uint64_t offset, uint64_t size, uint64_t *addr)
{
    put(scratch(0), addr, sizeof(*addr));
    OUT1(sys_aspace_map(aspace, options, vmo, offset, size, scratch(0)), addr);
}
static inline mx_status_t mx_aspace_unmap(mx_handle_t aspace, uint64_t addr, uint64_t size)
{
    return (mx_status_t)HOST_SYSCALL(sys_aspace_unmap(aspace, addr, size));
}
static inline mx_status_t mx_aspace_protect(mx_handle_t aspace, uint32_t options, uint64_t addr,
                                            uint64_t size)
{
    return (mx_status_t)HOST_SYSCALL(sys_aspace_protect(aspace, options, addr, size));
}
static inline mx_status_t mx_resource_create(mx_handle_t parent, uint32_t kind, uint64_t base,
                                             uint64_t size, mx_handle_t *out)
{
    OUT1(sys_resource_create(parent, kind, base, size, scratch(0)), out);
}

// --- threads of the test
// -----------------------------------------------------------------------------

// Another thread of the test's process that runs body(argument). The handle may be NULL.
static inline void spawn(void (*body)(uint64_t argument, uint64_t unused), uint64_t argument,
                         mx_handle_t *out)
{
    mx_handle_t thread = 0;
    uint64_t stack = STACK_BASE + ++env.thread_count % STACK_COUNT * STACK_BYTES + STACK_BYTES;

    EXPECT_OK(mx_thread_create(env.self, "helper", &thread));
    EXPECT_OK(mx_thread_start(thread, (uint64_t)(uintptr_t)body, stack, argument, 0));
    if (out != NULL)
        *out = thread;
    else
        EXPECT_OK(mx_handle_close(thread));
}

static inline void join(mx_handle_t thread)
{
    EXPECT_OK(mx_object_wait_one(thread, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL));
    EXPECT_OK(mx_handle_close(thread));
}

static inline void sleep_for(mx_time_t duration_ns)
{
    EXPECT_OK(mx_nanosleep(mx_clock_get_monotonic() + duration_ns));
}

// --- running a test
// ----------------------------------------------------------------------------------

struct counts {
    uint64_t objects, handles, charged_bytes, heap_blocks, vmo_bytes, table_bytes;
};

static struct counts take_counts(void)
{
    return (struct counts){object_living_count(),         handle_living_count(),
                           root_job->used_bytes,          heap_blocks,
                           phys_used_bytes(PHYS_USE_VMO), phys_used_bytes(PHYS_USE_PAGE_TABLE)};
}

static void (*test_body)(void);
static bool test_has_ended;

static void notice_end(struct observer *observer, mx_signals_t observed)
{
    (void)observer;
    (void)observed;
    test_has_ended = true;
}
static struct observer end_observer = {.signals = MX_SIGNAL_TERMINATED, .notify = notice_end};

static void run_body(uint64_t handle, uint64_t unused)
{
    (void)handle;
    (void)unused;
    test_body();
    mx_process_exit(0);
}

static mx_handle_t grant_handle(struct process *process, struct object *object, mx_rights_t rights)
{
    mx_handle_t handle = MX_HANDLE_INVALID;
    EXPECT_OK(handle_add(&process->handles, object, rights, &handle));
    return handle;
}

// A kernel thread of the fixture: makes the process and lets it go.
static void start_test_process(void *argument)
{
    struct process *process;
    struct user_thread *thread;
    struct vmo *stacks;
    struct object *resource, *event_end0, *event_end1;
    struct job *job;
    uint64_t addr = STACK_BASE;
    uint32_t access = MX_MAP_READ | MX_MAP_WRITE;

    (void)argument;
    EXPECT_OK(job_create(root_job, &job));
    EXPECT_OK(process_create(job, "test", &process));
    EXPECT_OK(vmo_create(job, STACK_COUNT * STACK_BYTES, &stacks));
    EXPECT_OK(aspace_map(process->aspace, access | MX_MAP_SPECIFIC, access, stacks, 0,
                         STACK_COUNT * STACK_BYTES, &addr));
    object_release(&stacks->object);
    EXPECT_OK(resource_create(job, MX_RESOURCE_ROOT, 0, UINT64_MAX, &resource));
    env = (struct test_environment){.process = process, .job = job};
    env.self = grant_handle(process, &process->object, MX_RIGHTS_ALL);
    env.aspace = grant_handle(process, &process->aspace->object, MX_RIGHTS_ALL);
    env.job_handle = grant_handle(process, &job->object, MX_RIGHTS_ALL);
    env.root_resource = grant_handle(process, resource, MX_RIGHTS_ALL);
    object_release(resource);
    object_release(&job->object);
    EXPECT_OK(user_thread_create(process, "main", &thread));
    EXPECT_OK(channel_create(job, &event_end0, &event_end1));
    EXPECT_OK(process_start(process, thread, (uint64_t)(uintptr_t)run_body,
                            STACK_BASE + STACK_BYTES,
                            transfer_create(event_end0, channel_default_rights), 0));
    object_release(event_end0);
    object_release(event_end1);
    object_release(&thread->object);
    if (object_add_observer(&process->object, &end_observer) & MX_SIGNAL_TERMINATED)
        test_has_ended = true;
    object_release(&process->object);
}

static bool body_has_ended(void *argument)
{
    (void)argument;
    return test_has_ended;
}

static void run_once(void (*body)(void))
{
    struct counts before = take_counts();

    test_body = body;
    test_has_ended = false;
    struct thread *thread =
        thread_create("fixture", NULL, start_test_process, NULL, thread_destroy);
    host_start_thread(thread);
    host_run(body_has_ended, NULL);
    struct counts after = take_counts();
    EXPECT_EQ(after.objects, before.objects);
    EXPECT_EQ(after.handles, before.handles);
    EXPECT_EQ(after.charged_bytes, before.charged_bytes);
    EXPECT_EQ(after.heap_blocks, before.heap_blocks);
    EXPECT_EQ(after.vmo_bytes, before.vmo_bytes);
    EXPECT_EQ(after.table_bytes, before.table_bytes);
}

#define SCHEDULE_COUNT 40

// KERNEL_SCHEDULES in the environment asks for more, to search for rare orders of events.
static uint32_t schedule_count(void)
{
    const char *wanted = getenv("KERNEL_SCHEDULES");
    return wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10) : SCHEDULE_COUNT;
}

// Runs the body undisturbed, then under other schedules.
static void run_in_process(void (*body)(void))
{
    static bool is_started;

    if (!is_started)
        host_start(2);
    is_started = true;
    host_set_seed(0);
    run_once(body);
    for (uint32_t seed = 1; seed <= schedule_count(); seed++) {
        host_set_seed(seed * 2654435761u);
        run_once(body);
    }
    host_set_seed(0);
}

// A test whose body is a user program.
#define PROCESS_TEST(name)           \
    static void name##_body(void);   \
    TEST(name)                       \
    {                                \
        run_in_process(name##_body); \
    }                                \
    static void name##_body(void)
