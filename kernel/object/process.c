// Processes and user threads.
//
// A process is in its job from creation until it has ended. It ends when its last thread has (the reaper does the work) or,
// if it never started, when it is killed or loses its last reference. A started thread holds a reference to its
// user_thread, and that one to the process.

#include "kernel/object/process.h"

#include <arch/thread.h>

#include "kernel/core/log.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/lib/string.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/job.h"
#include "kernel/object/syscalls.h"

// --- processes ------------------------------------------------------------------------------------

// Gives up what the process held. The caller has set PROCESS_ENDED and holds no lock.
static void process_finish(struct process *process)
{
    handle_table_close(&process->handles);
    aspace_destroy_mappings(process->aspace);
    object_change_signals(&process->object, 0, MX_SIGNAL_TERMINATED);
}

static void process_destroy(struct object *object)
{
    struct process *process = CONTAINER_OF(object, struct process, object);
    struct job *job = process->job;

    if (process->state != PROCESS_ENDED) {
        handle_table_close(&process->handles);
        aspace_destroy_mappings(process->aspace);
        job_remove_process(job, process);
    }
    object_release(&process->aspace->object);
    object_free(job, process, sizeof(*process));
    object_release(&job->object);
}

const mx_rights_t process_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ |
                                           MX_RIGHT_WRITE | MX_RIGHT_WAIT | MX_RIGHT_INSPECT |
                                           MX_RIGHT_SIGNAL | MX_RIGHT_MANAGE;

static const struct object_ops process_ops = {
    .type = MX_OBJECT_PROCESS,
    .destroy = process_destroy,
};

mx_status_t process_create(struct job *job, const char *name, struct process **out)
{
    struct process *process = object_alloc(job, sizeof(*process));

    if (process == NULL)
        return MX_ERR_NO_MEMORY;
    mx_status_t status = aspace_create(ASPACE_USER, job, &process->aspace);
    if (status != MX_OK) {
        object_free(job, process, sizeof(*process));
        return status;
    }
    object_init(&process->object, &process_ops);
    object_reference(&job->object);
    process->job = job;
    handle_table_init(&process->handles, job);
    list_init(&process->threads);
    list_init(&process->job_node);
    memcpy(process->name, name, strnlen(name, MX_NAME_SIZE - 1));
    status = job_add_process(job, process);
    if (status != MX_OK) {
        process->state = PROCESS_ENDED;
        object_release(&process->object);
        return status;
    }
    *out = process;
    return MX_OK;
}

// Marks the process as ending and its threads as killed; true if there are none and it ended at once.
static bool process_begin_end(struct process *process, int32_t exit_code)
{
    struct user_thread *thread;
    bool has_ended = false;

    mutex_lock(&process->mutex);
    if (process->state == PROCESS_NEW || process->state == PROCESS_RUNNING) {
        process->exit_code = exit_code;
        has_ended = process->thread_count == 0;
        process->state = has_ended ? PROCESS_ENDED : PROCESS_ENDING;
        LIST_FOR_EACH(thread, &process->threads, process_node) {
            if (thread->thread != NULL)
                thread_kill(thread->thread);
        }
    }
    mutex_unlock(&process->mutex);
    return has_ended;
}

void process_kill(struct process *process, int32_t exit_code)
{
    if (!process_begin_end(process, exit_code))
        return;
    job_remove_process(process->job, process);
    process_finish(process);
}

void process_kill_in_job(struct process *process, int32_t exit_code)
{
    mutex_lock(&process->mutex);
    bool has_threads = process->thread_count != 0;
    mutex_unlock(&process->mutex);
    if (has_threads)
        (void)process_begin_end(process, exit_code);
}

int64_t sys_process_exit(int32_t exit_code)
{
    process_kill(process_current(), exit_code);
    return MX_OK; // never seen: the thread ends on its way out
}

static mx_status_t read_name(uaddr_t name, size_t name_bytes, char out[MX_NAME_SIZE])
{
    if (name_bytes >= MX_NAME_SIZE)
        return MX_ERR_OUT_OF_RANGE;
    memset(out, 0, MX_NAME_SIZE);
    return user_read(out, name, name_bytes);
}

int64_t sys_process_create(mx_handle_t job_handle, uaddr_t user_name, size_t name_bytes, uaddr_t out_process,
                           uaddr_t out_aspace)
{
    char name[MX_NAME_SIZE];
    struct object *job;
    struct process *process;
    mx_status_t status = handle_get(job_handle, MX_OBJECT_JOB, MX_RIGHT_MANAGE, &job);

    if (status != MX_OK)
        return status;
    status = read_name(user_name, name_bytes, name);
    if (status == MX_OK)
        status = process_create(CONTAINER_OF(job, struct job, object), name, &process);
    object_release(job);
    if (status != MX_OK)
        return status;
    struct aspace *aspace = process->aspace;
    object_reference(&aspace->object);
    return handle_return_two(&process->object, process_default_rights, out_process, &aspace->object,
                             aspace_default_rights, out_aspace);
}

int64_t sys_task_kill(mx_handle_t handle, int32_t exit_code)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_NONE, MX_RIGHT_MANAGE, &object);

    if (status != MX_OK)
        return status;
    if (object->ops->type == MX_OBJECT_JOB)
        job_kill(CONTAINER_OF(object, struct job, object), exit_code);
    else if (object->ops->type == MX_OBJECT_PROCESS)
        process_kill(CONTAINER_OF(object, struct process, object), exit_code);
    else
        status = MX_ERR_WRONG_TYPE;
    object_release(object);
    return status;
}

// --- threads --------------------------------------------------------------------------------------

static void user_thread_destroy(struct object *object)
{
    struct user_thread *thread = CONTAINER_OF(object, struct user_thread, object);
    struct process *process = thread->process;

    mutex_lock(&process->mutex);
    list_remove(&thread->process_node);
    mutex_unlock(&process->mutex);
    object_free(process->job, thread, sizeof(*thread));
    object_release(&process->object);
}

static const struct object_ops thread_ops = {
    .type = MX_OBJECT_THREAD,
    .default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_WAIT | MX_RIGHT_INSPECT |
                      MX_RIGHT_SIGNAL | MX_RIGHT_MANAGE,
    .destroy = user_thread_destroy,
};

mx_status_t user_thread_create(struct process *process, const char *name, struct user_thread **out)
{
    struct user_thread *thread = object_alloc(process->job, sizeof(*thread));

    if (thread == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&thread->object, &thread_ops);
    object_reference(&process->object);
    thread->process = process;
    memcpy(thread->name, name, strnlen(name, MX_NAME_SIZE - 1));
    mutex_lock(&process->mutex);
    list_add_tail(&process->threads, &thread->process_node);
    mutex_unlock(&process->mutex);
    *out = thread;
    return MX_OK;
}

int64_t sys_thread_create(mx_handle_t process_handle, uaddr_t user_name, size_t name_bytes, uaddr_t out)
{
    char name[MX_NAME_SIZE];
    struct object *process;
    struct user_thread *thread;
    mx_status_t status = handle_get(process_handle, MX_OBJECT_PROCESS, MX_RIGHT_MANAGE, &process);

    if (status != MX_OK)
        return status;
    status = read_name(user_name, name_bytes, name);
    if (status == MX_OK)
        status = user_thread_create(CONTAINER_OF(process, struct process, object), name, &thread);
    object_release(process);
    return status == MX_OK ? handle_return(&thread->object, thread_ops.default_rights, out) : status;
}

// First thing in a new thread.
static void enter_user(void *argument)
{
    struct user_thread *thread = argument;

    if (thread_is_killed(thread_current()))
        user_thread_exit_current();
    arch_thread_enter_user(thread->entry.pc, thread->entry.stack, thread->entry.arg1, thread->entry.arg2);
}

// In the reaper: the thread is off its stack.
static void user_thread_finished(struct thread *kernel_thread)
{
    struct user_thread *thread = kernel_thread->kernel_argument;
    struct process *process = thread->process;
    bool was_last = false;

    mutex_lock(&process->mutex);
    thread->thread = NULL;
    thread->cpu_time_ns = kernel_thread->cpu_time_ns;
    thread->last_cpu = kernel_thread->cpu->index;
    process->ended_cpu_time_ns += kernel_thread->cpu_time_ns;
    was_last = --process->thread_count == 0;
    if (was_last)
        process->state = PROCESS_ENDED;
    mutex_unlock(&process->mutex);
    if (was_last) {
        job_remove_process(process->job, process);
        process_finish(process);
    }
    thread_destroy(kernel_thread);
    object_change_signals(&thread->object, 0, MX_SIGNAL_TERMINATED);
    object_release(&thread->object);
}

// Starts the thread if its process is in the state that the caller expects.
static mx_status_t start_in_state(struct user_thread *thread, enum process_state wanted,
                                  const struct user_entry *entry)
{
    struct process *process = thread->process;
    mx_status_t status = MX_OK;

    mutex_lock(&process->mutex);
    // job_kill passes by processes that have no threads yet: they cannot get one any more.
    if (process->state != wanted || thread->is_started || process->job->is_killed)
        status = MX_ERR_BAD_STATE;
    if (status == MX_OK) {
        thread->thread = thread_create(thread->name, process, enter_user, thread, user_thread_finished);
        if (thread->thread == NULL) {
            status = MX_ERR_NO_MEMORY;
        } else {
            thread->is_started = true;
            thread->entry = *entry;
            process->state = PROCESS_RUNNING;
            process->thread_count++;
            object_reference(&thread->object);
            thread_start(thread->thread);
        }
    }
    mutex_unlock(&process->mutex);
    return status;
}

mx_status_t user_thread_start(struct user_thread *thread, uint64_t entry, uint64_t stack, uint64_t arg1,
                              uint64_t arg2)
{
    return start_in_state(thread, PROCESS_RUNNING, &(struct user_entry){entry, stack, arg1, arg2});
}

mx_status_t process_start(struct process *process, struct user_thread *thread, uint64_t entry, uint64_t stack,
                          struct transfer arg_handle, uint64_t arg)
{
    mx_handle_t handle = MX_HANDLE_INVALID;
    mx_status_t status = MX_OK;

    if (thread->process != process) {
        transfer_drop(arg_handle);
        return MX_ERR_INVALID_ARGS;
    }
    status = handle_add_transfer(&process->handles, arg_handle, &handle);
    if (status != MX_OK)
        return status;
    status = start_in_state(thread, PROCESS_NEW, &(struct user_entry){entry, stack, handle, arg});
    if (status != MX_OK)
        (void)!handle_close(&process->handles, handle);
    return status;
}

static mx_status_t process_start_by_handles(mx_handle_t process_handle, mx_handle_t thread_handle, uint64_t entry,
                                            uint64_t stack, struct transfer arg_handle, uint64_t arg)
{
    struct object *process, *thread;
    mx_status_t status = handle_get(process_handle, MX_OBJECT_PROCESS, MX_RIGHT_MANAGE, &process);

    if (status != MX_OK)
        goto out_drop;
    status = handle_get(thread_handle, MX_OBJECT_THREAD, MX_RIGHT_MANAGE, &thread);
    if (status != MX_OK)
        goto out_release_process;
    status = process_start(CONTAINER_OF(process, struct process, object),
                           CONTAINER_OF(thread, struct user_thread, object), entry, stack, arg_handle, arg);
    object_release(thread);
    object_release(process);
    return status;
out_release_process:
    object_release(process);
out_drop:
    transfer_drop(arg_handle);
    return status;
}

int64_t sys_process_start(mx_handle_t process, mx_handle_t thread, uint64_t entry, uint64_t stack,
                          mx_handle_t arg_handle, uint64_t arg)
{
    struct handle_table *table = &process_current()->handles;
    struct transfer transfer;
    mx_status_t status = handle_take(table, arg_handle, MX_RIGHT_TRANSFER, &transfer);

    if (status == MX_ERR_ACCESS_DENIED)
        (void)!handle_close(table, arg_handle); // given away all the same
    return status == MX_OK ? process_start_by_handles(process, thread, entry, stack, transfer, arg) : status;
}

int64_t sys_thread_start(mx_handle_t handle, uint64_t entry, uint64_t stack, uint64_t arg1, uint64_t arg2)
{
    struct object *thread;
    mx_status_t status = handle_get(handle, MX_OBJECT_THREAD, MX_RIGHT_MANAGE, &thread);

    if (status != MX_OK)
        return status;
    status = user_thread_start(CONTAINER_OF(thread, struct user_thread, object), entry, stack, arg1, arg2);
    object_release(thread);
    return status;
}

_Noreturn void user_thread_exit_current(void)
{
    struct thread *self = thread_current();

    if (self->vcpu != NULL)
        vcpu_thread_ended(self);
    thread_exit();
}

int64_t sys_thread_exit(void)
{
    user_thread_exit_current();
}

int64_t sys_thread_yield(void)
{
    thread_yield();
    return MX_OK;
}

_Noreturn void process_fault(const char *what, uint64_t pc, uint64_t addr)
{
    struct process *process = process_current();

    log_print("process %s (%lu): %s at pc 0x%lx, address 0x%lx; ended", process->name,
              (unsigned long)process->object.koid, what, (unsigned long)pc, (unsigned long)addr);
    process_kill(process, -1);
    user_thread_exit_current();
}
