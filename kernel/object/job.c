// Jobs: trees of processes with memory limits. job_mutex protects the tree: children, processes, counts.

#include "kernel/object/job.h"

#include "kernel/core/log.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/syscalls.h"

struct job *root_job;
struct mutex job_mutex;

mx_status_t job_charge(struct job *job, uint64_t bytes)
{
    for (struct job *at = job; at != NULL; at = at->parent) {
        uint64_t used = __atomic_add_fetch(&at->used_bytes, bytes, __ATOMIC_RELAXED);
        if (used <= __atomic_load_n(&at->limit_bytes, __ATOMIC_RELAXED))
            continue;
        for (struct job *undo = job; undo != at->parent; undo = undo->parent)
            __atomic_fetch_sub(&undo->used_bytes, bytes, __ATOMIC_RELAXED);
        return MX_ERR_NO_MEMORY;
    }
    return MX_OK;
}

void job_uncharge(struct job *job, uint64_t bytes)
{
    for (; job != NULL; job = job->parent)
        __atomic_fetch_sub(&job->used_bytes, bytes, __ATOMIC_RELAXED);
}

static void job_destroy(struct object *object)
{
    struct job *job = CONTAINER_OF(object, struct job, object);
    struct job *parent = job->parent;

    mutex_lock(&job_mutex);
    list_remove(&job->child_node);
    mutex_unlock(&job_mutex);
    object_free(parent, job, sizeof(*job));
    if (parent != NULL)
        object_release(&parent->object);
}

const mx_rights_t job_default_rights = MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER | MX_RIGHT_READ | MX_RIGHT_WRITE |
                                       MX_RIGHT_WAIT | MX_RIGHT_INSPECT | MX_RIGHT_SIGNAL | MX_RIGHT_MANAGE;

static const struct object_ops job_ops = {
    .type = MX_OBJECT_JOB,
    .destroy = job_destroy,
};

// Charging and the end of a job go up the whole line of its ancestors.
#define DEPTH_MAX 16

mx_status_t job_create(struct job *parent, struct job **out)
{
    mx_status_t status = MX_OK;

    if (parent != NULL && parent->depth == DEPTH_MAX)
        return MX_ERR_NO_RESOURCES;
    struct job *job = object_alloc(parent, sizeof(*job));
    if (job == NULL)
        return MX_ERR_NO_MEMORY;
    object_init(&job->object, &job_ops);
    list_init(&job->children);
    list_init(&job->child_node);
    list_init(&job->processes);
    job->limit_bytes = UINT64_MAX;
    if (parent != NULL) {
        object_reference(&parent->object);
        job->parent = parent;
        job->depth = parent->depth + 1;
        mutex_lock(&job_mutex);
        if (parent->is_killed)
            status = MX_ERR_BAD_STATE;
        else
            list_add_tail(&parent->children, &job->child_node);
        mutex_unlock(&job_mutex);
    }
    if (status != MX_OK)
        object_release(&job->object);
    else
        *out = job;
    return status;
}

mx_status_t job_add_process(struct job *job, struct process *process)
{
    mx_status_t status = MX_OK;

    mutex_lock(&job_mutex);
    if (job->is_killed) {
        status = MX_ERR_BAD_STATE;
    } else {
        list_add_tail(&job->processes, &process->job_node);
        for (struct job *at = job; at != NULL; at = at->parent) {
            if (at->process_count++ == 0)
                object_change_signals(&at->object, MX_SIGNAL_TERMINATED, 0);
        }
    }
    mutex_unlock(&job_mutex);
    return status;
}

void job_remove_process(struct job *job, struct process *process)
{
    mutex_lock(&job_mutex);
    list_remove(&process->job_node);
    for (struct job *at = job; at != NULL; at = at->parent) {
        if (--at->process_count == 0)
            object_change_signals(&at->object, 0, MX_SIGNAL_TERMINATED);
    }
    mutex_unlock(&job_mutex);
}

// The job after `at` in the tree below `top`, parents before children; NULL at the end. job_mutex held.
static struct job *next_in_tree(struct job *top, struct job *at)
{
    if (!list_is_empty(&at->children))
        return LIST_FIRST(&at->children, struct job, child_node);
    while (at != top) {
        if (at->child_node.next != &at->parent->children)
            return CONTAINER_OF(at->child_node.next, struct job, child_node);
        at = at->parent;
    }
    return NULL;
}

mx_status_t job_for_each_process(struct job *top,
                                 mx_status_t (*visit)(struct process *process, void *argument), void *argument)
{
    mx_status_t status = MX_OK;

    mutex_lock(&job_mutex);
    for (struct job *job = top; job != NULL && status == MX_OK; job = next_in_tree(top, job)) {
        struct process *process, *following;
        LIST_FOR_EACH_SAFE(process, following, &job->processes, job_node) {
            status = visit(process, argument);
            if (status != MX_OK)
                break;
        }
    }
    mutex_unlock(&job_mutex);
    return status;
}

static mx_status_t kill_visited(struct process *process, void *argument)
{
    process_kill_in_job(process, *(int32_t *)argument);
    return MX_OK;
}

static mx_status_t find_without_threads(struct process *process, void *argument)
{
    struct process **found = argument;

    mutex_lock(&process->mutex);
    bool has_threads = process->thread_count != 0;
    mutex_unlock(&process->mutex);
    if (has_threads || !object_try_reference(&process->object))
        return MX_OK;
    *found = process;
    return MX_ERR_ALREADY_EXISTS; // ends the search
}

// Those without threads end at once, and leave the job, which needs its mutex.
static void kill_without_threads(struct job *top, int32_t exit_code)
{
    struct process *process = NULL;

    while (job_for_each_process(top, find_without_threads, &process) != MX_OK) {
        process_kill(process, exit_code);
        object_release(&process->object);
    }
}

void job_kill(struct job *top, int32_t exit_code)
{
    mutex_lock(&job_mutex);
    for (struct job *job = top; job != NULL; job = next_in_tree(top, job))
        job->is_killed = true;
    mutex_unlock(&job_mutex);
    (void)!job_for_each_process(top, kill_visited, &exit_code);
    kill_without_threads(top, exit_code);
}

int64_t sys_job_create(mx_handle_t parent_handle, uaddr_t out)
{
    struct object *parent;
    struct job *job;
    mx_status_t status = handle_get(parent_handle, MX_OBJECT_JOB, MX_RIGHT_MANAGE, &parent);

    if (status != MX_OK)
        return status;
    status = job_create(CONTAINER_OF(parent, struct job, object), &job);
    object_release(parent);
    return status == MX_OK ? handle_return(&job->object, job_default_rights, out) : status;
}

struct process_search {
    uint64_t koid;
    struct process *found; // with a reference
};

static mx_status_t find_koid(struct process *process, void *argument)
{
    struct process_search *search = argument;

    if (process->object.koid != search->koid || !object_try_reference(&process->object))
        return MX_OK;
    search->found = process;
    return MX_ERR_ALREADY_EXISTS; // ends the search
}

int64_t sys_job_open_process(mx_handle_t handle, uint64_t koid, uaddr_t out)
{
    struct process_search search = {.koid = koid};
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_JOB, MX_RIGHT_MANAGE, &object);

    if (status != MX_OK)
        return status;
    status = job_for_each_process(CONTAINER_OF(object, struct job, object), find_koid, &search);
    object_release(object);
    if (search.found == NULL)
        return status == MX_OK ? MX_ERR_NOT_FOUND : status;
    return handle_return(&search.found->object, process_default_rights, out);
}

int64_t sys_job_set_limit(mx_handle_t handle, uint32_t kind, uint64_t value)
{
    struct object *object;
    mx_status_t status = handle_get(handle, MX_OBJECT_JOB, MX_RIGHT_MANAGE, &object);

    if (status != MX_OK)
        return status;
    if (kind == MX_JOB_LIMIT_MEMORY)
        __atomic_store_n(&CONTAINER_OF(object, struct job, object)->limit_bytes, value, __ATOMIC_RELAXED);
    else
        status = MX_ERR_INVALID_ARGS;
    object_release(object);
    return status;
}
