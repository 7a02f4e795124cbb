// Threads with a mapped stack and a guard page; see machina_user/thread.h.

#include <machina_user/thread.h>

#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/mutex.h>
#include <machina_user/startup.h>

#include "user/lib/start.h"

struct thread {
    mx_handle_t handle;
    uint64_t mapping;
    uint64_t mapping_bytes; // guard page and stack
    void (*entry)(void *arg);
    void *arg;
};

// One read-only page that stands below every stack.
static struct mutex guard_mutex;
static mx_handle_t guard_page;

static mx_handle_t own_aspace(void)
{
    return startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
}

static void close_handle(mx_handle_t handle)
{
    if (handle != MX_HANDLE_INVALID && mx_handle_close(handle) != MX_OK)
        abort();
}

static void unmap(uint64_t address, uint64_t size_bytes)
{
    if (mx_aspace_unmap(own_aspace(), address, size_bytes) != MX_OK)
        abort();
}

// Puts the guard page in place of the mapping's first page. Should another thread's mapping come
// between the two steps, that one is in the place, and no harm is done.
static mx_status_t place_guard(uint64_t address)
{
    mx_status_t status = MX_OK;

    mutex_lock(&guard_mutex);
    if (guard_page == MX_HANDLE_INVALID)
        status = mx_vmo_create(MX_PAGE_SIZE, &guard_page);
    mutex_unlock(&guard_mutex);
    if (status != MX_OK)
        return status;
    unmap(address, MX_PAGE_SIZE);
    status = mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_SPECIFIC, guard_page, 0, MX_PAGE_SIZE,
                           &address);
    return status == MX_ERR_ALREADY_EXISTS ? MX_OK : status;
}

static mx_status_t map_stack(struct thread *thread, size_t stack_bytes)
{
    mx_handle_t vmo;
    uint64_t address = 0;
    uint64_t bytes = ((stack_bytes + MX_PAGE_SIZE - 1) & ~(MX_PAGE_SIZE - 1)) + MX_PAGE_SIZE;
    mx_status_t status = mx_vmo_create(bytes, &vmo);

    if (status != MX_OK)
        return status;
    status = mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE, vmo, 0, bytes, &address);
    close_handle(vmo);
    if (status != MX_OK)
        return status;
    thread->mapping = address;
    thread->mapping_bytes = bytes;
    status = place_guard(address);
    if (status != MX_OK)
        unmap(address, bytes);
    return status;
}

_Noreturn void user_thread_run(struct thread *thread)
{
    thread->entry(thread->arg);
    mx_thread_exit();
}

mx_status_t thread_create(struct thread **out, const char *name, void (*entry)(void *arg),
                          void *arg, size_t stack_bytes)
{
    mx_handle_t process = startup_handle_look(MX_STARTUP_SELF_PROCESS, 0);
    struct thread *thread;
    mx_status_t status;

    if (process == MX_HANDLE_INVALID || own_aspace() == MX_HANDLE_INVALID)
        return MX_ERR_BAD_STATE;
    thread = calloc(1, sizeof(*thread));
    if (!thread)
        return MX_ERR_NO_MEMORY;
    thread->entry = entry;
    thread->arg = arg;
    status = map_stack(thread, stack_bytes ? stack_bytes : THREAD_STACK_BYTES);
    if (status != MX_OK)
        goto out_thread;
    status = mx_thread_create(process, name, strnlen(name, MX_NAME_SIZE - 1), &thread->handle);
    if (status != MX_OK)
        goto out_stack;
    status = mx_thread_start(thread->handle, (uintptr_t)start_thread,
                             thread->mapping + thread->mapping_bytes, (uintptr_t)thread, 0);
    if (status != MX_OK)
        goto out_handle;
    *out = thread;
    return MX_OK;

out_handle:
    close_handle(thread->handle);
out_stack:
    unmap(thread->mapping, thread->mapping_bytes);
out_thread:
    free(thread);
    return status;
}

void thread_join(struct thread *thread)
{
    if (mx_object_wait_one(thread->handle, MX_SIGNAL_TERMINATED, MX_TIME_INFINITE, NULL) != MX_OK)
        abort();
    close_handle(thread->handle);
    unmap(thread->mapping, thread->mapping_bytes);
    free(thread);
}

mx_handle_t thread_handle(const struct thread *thread)
{
    return thread->handle;
}
