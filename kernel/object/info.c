// mx_object_get_info: what user programs may learn about objects and the machine.

#include <arch/boot.h>
#include <arch/console.h>
#include <arch/hypervisor.h>
#include <arch/pci.h>
#include <arch/time.h>

#include "kernel/core/cpu.h"
#include "kernel/core/machine.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/lib/string.h"
#include "kernel/memory/phys.h"
#include "kernel/memory/user_copy.h"
#include "kernel/object/job.h"
#include "kernel/object/resource.h"
#include "kernel/object/syscalls.h"

// The caller's buffer, filled record by record.
struct info_output {
    uaddr_t buffer;
    size_t capacity_bytes;
    size_t total_bytes; // of all records, also of those that did not fit
};

static mx_status_t put_record(struct info_output *out, const void *record, size_t size_bytes)
{
    mx_status_t status = MX_OK;

    if (range_is_within(out->total_bytes, size_bytes, out->capacity_bytes))
        status = user_write(out->buffer + out->total_bytes, record, size_bytes);
    else if (out->total_bytes == 0)
        status = MX_ERR_BUFFER_TOO_SMALL;
    out->total_bytes += size_bytes;
    return status;
}

// --- jobs, processes, threads ---------------------------------------------------------------------

static mx_status_t put_job(struct object *object, struct info_output *out)
{
    const struct job *job = CONTAINER_OF(object, struct job, object);
    struct mx_info_job info = {
        .koid = object->koid,
        .memory_used_bytes = __atomic_load_n(&job->used_bytes, __ATOMIC_RELAXED),
        .memory_limit_bytes = __atomic_load_n(&job->limit_bytes, __ATOMIC_RELAXED),
        .process_count = job->process_count,
    };
    return put_record(out, &info, sizeof(info));
}

static void describe_process(struct process *process, struct mx_info_process *info)
{
    struct user_thread *thread;

    *info = (struct mx_info_process){
        .koid = process->object.koid,
        .job_koid = process->job->object.koid,
        .mapped_bytes = process->aspace->mapped_bytes,
        .resident_bytes = aspace_resident_bytes(process->aspace),
        .handle_count = process->handles.used_count,
    };
    memcpy(info->name, process->name, sizeof(info->name));
    mutex_lock(&process->mutex);
    info->cpu_time_ns = process->ended_cpu_time_ns;
    LIST_FOR_EACH(thread, &process->threads, process_node) {
        if (thread->thread != NULL)
            info->cpu_time_ns += thread->thread->cpu_time_ns;
    }
    info->thread_count = process->thread_count;
    info->exit_code = process->exit_code;
    info->is_terminated = process->state == PROCESS_ENDED;
    mutex_unlock(&process->mutex);
}

static mx_status_t put_process(struct object *object, struct info_output *out)
{
    struct mx_info_process info;

    describe_process(CONTAINER_OF(object, struct process, object), &info);
    return put_record(out, &info, sizeof(info));
}

// User memory may not be touched while the tree is locked, so records are collected first.
struct process_collection {
    struct mx_info_process *records;
    size_t capacity, count;
};

static mx_status_t collect_process(struct process *process, void *argument)
{
    struct process_collection *collection = argument;

    if (collection->count < collection->capacity)
        describe_process(process, &collection->records[collection->count]);
    collection->count++;
    return MX_OK;
}

static mx_status_t put_job_processes(struct object *object, struct info_output *out)
{
    struct job *job = CONTAINER_OF(object, struct job, object);
    struct job *payer = process_current()->job;
    struct process_collection collection = {.capacity = job->process_count + 8};
    size_t size_bytes = collection.capacity * sizeof(*collection.records);
    mx_status_t status = MX_OK;

    collection.records = object_alloc(payer, size_bytes);
    if (collection.records == NULL)
        return MX_ERR_NO_MEMORY;
    (void)!job_for_each_process(job, collect_process, &collection);
    for (size_t i = 0; i < collection.count && i < collection.capacity && status == MX_OK; i++)
        status = put_record(out, &collection.records[i], sizeof(collection.records[i]));
    object_free(payer, collection.records, size_bytes);
    return status;
}

static mx_status_t put_thread(struct object *object, struct info_output *out)
{
    struct user_thread *thread = CONTAINER_OF(object, struct user_thread, object);
    struct mx_info_thread info = {.koid = object->koid, .exit_status = thread->exit_status};

    mutex_lock(&thread->process->mutex);
    info.is_terminated = thread->is_started && thread->thread == NULL;
    info.cpu_time_ns = thread->thread != NULL ? thread->thread->cpu_time_ns : thread->cpu_time_ns;
    if (thread->thread != NULL && thread->thread->cpu != NULL)
        info.last_cpu = thread->thread->cpu->index;
    else
        info.last_cpu = thread->last_cpu;
    mutex_unlock(&thread->process->mutex);
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_vmo(struct object *object, struct info_output *out)
{
    struct vmo *vmo = CONTAINER_OF(object, struct vmo, object);
    struct mx_info_vmo info = {vmo->size_bytes, vmo_committed_bytes(vmo)};

    return put_record(out, &info, sizeof(info));
}

// --- the machine: resources ---------------------------------------------------------------------

static mx_status_t put_cpus(struct object *object, struct info_output *out)
{
    mx_status_t status = MX_OK;

    (void)object;
    for (uint32_t i = 0; i < cpu_count && status == MX_OK; i++) {
        struct mx_info_cpu info = cpus[i].stats;
        info.cpu = i;
        info.runs_threads = cpus[i].is_online && !cpus[i].is_spared;
        info.idle_time_ns = thread_idle_time(&cpus[i]);
        status = put_record(out, &info, sizeof(info));
    }
    return status;
}

static mx_status_t put_memory(struct object *object, struct info_output *out)
{
    struct mx_info_memory info = {
        .total_bytes = phys_total_bytes(),
        .free_bytes = phys_free_bytes(),
        .kernel_image_bytes = machine.kernel_size_bytes,
        .kernel_heap_bytes = phys_used_bytes(PHYS_USE_HEAP),
        .page_table_bytes = phys_used_bytes(PHYS_USE_PAGE_TABLE),
        .vmo_bytes = phys_used_bytes(PHYS_USE_VMO),
        .boot_image_bytes = machine.image_size_bytes,
        .object_count = object_living_count(),
        .handle_count = handle_living_count(),
    };

    (void)object;
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_guest_cpus(struct object *object, struct info_output *out)
{
    mx_status_t status = MX_OK;

    (void)object;
    for (uint32_t i = 0; i < cpu_count && status == MX_OK; i++) {
        struct mx_guest_stats stats = cpus[i].guest_stats;
        status = put_record(out, &stats, sizeof(stats));
    }
    return status;
}

static void copy_text(char *to, size_t size, const char *text)
{
    memcpy(to, text, strnlen(text, size - 1));
}

static mx_status_t put_system(struct object *object, struct info_output *out)
{
    struct mx_info_system info = {
        .cpu_count = cpu_count,
        .hypervisor_status = (uint32_t)machine.hypervisor_status,
        .boot_time_utc_s = machine.boot_time_utc_s,
    };

    (void)object;
    copy_text(info.version, sizeof(info.version), MACHINE_VERSION);
    copy_text(info.cpu_name, sizeof(info.cpu_name), arch_cpu_name());
    copy_text(info.hypervisor, sizeof(info.hypervisor), arch_hypervisor_description());
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_console(struct object *object, struct info_output *out)
{
    struct mx_info_console info;

    (void)object;
    arch_console_describe(&info);
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_framebuffer(struct object *object, struct info_output *out)
{
    const struct zbi_framebuffer *screen = &machine.framebuffer;
    struct mx_info_framebuffer info = {screen->base, screen->width, screen->height, screen->stride_pixels,
                                       screen->format};

    (void)object;
    return screen->width == 0 ? MX_ERR_NOT_FOUND : put_record(out, &info, sizeof(info));
}
_Static_assert(MX_PIXELS_XRGB == ZBI_PIXELS_XRGB && MX_PIXELS_XBGR == ZBI_PIXELS_XBGR, "passed on as they are");

static mx_status_t put_pci_hosts(struct object *object, struct info_output *out)
{
    struct mx_info_pci_host info;
    mx_status_t status = MX_OK;

    (void)object;
    for (uint32_t i = 0; status == MX_OK && arch_pci_host(i, &info); i++)
        status = put_record(out, &info, sizeof(info));
    return status;
}

// --- guests -----------------------------------------------------------------------------------------

static mx_status_t put_vcpu(struct object *object, struct info_output *out)
{
    struct mx_info_vcpu info;

    vcpu_get_info(vcpu_from_object(object), &info);
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_guest(struct object *object, struct info_output *out)
{
    struct job *payer = process_current()->job;
    size_t size_bytes = MX_GUEST_MAX_VCPUS * sizeof(struct mx_info_vcpu);
    struct mx_info_vcpu *records = object_alloc(payer, size_bytes);
    mx_status_t status = MX_OK;

    if (records == NULL)
        return MX_ERR_NO_MEMORY;
    uint32_t count = guest_get_vcpu_info(guest_from_object(object), records, MX_GUEST_MAX_VCPUS);
    for (uint32_t i = 0; i < count && i < MX_GUEST_MAX_VCPUS && status == MX_OK; i++)
        status = put_record(out, &records[i], sizeof(records[i]));
    object_free(payer, records, size_bytes);
    return status;
}

// --- the call -----------------------------------------------------------------------------------------

struct topic {
    enum mx_object_type type;
    mx_status_t (*put)(struct object *object, struct info_output *out);
};

static const struct topic topics[] = {
    [MX_INFO_JOB] = {MX_OBJECT_JOB, put_job},
    [MX_INFO_JOB_PROCESSES] = {MX_OBJECT_JOB, put_job_processes},
    [MX_INFO_PROCESS] = {MX_OBJECT_PROCESS, put_process},
    [MX_INFO_VMO] = {MX_OBJECT_VMO, put_vmo},
    [MX_INFO_CPUS] = {MX_OBJECT_RESOURCE, put_cpus},
    [MX_INFO_MEMORY] = {MX_OBJECT_RESOURCE, put_memory},
    [MX_INFO_GUEST_CPUS] = {MX_OBJECT_RESOURCE, put_guest_cpus},
    [MX_INFO_VCPU] = {MX_OBJECT_VCPU, put_vcpu},
    [MX_INFO_SYSTEM] = {MX_OBJECT_RESOURCE, put_system},
    [MX_INFO_GUEST] = {MX_OBJECT_GUEST, put_guest},
    [MX_INFO_THREAD] = {MX_OBJECT_THREAD, put_thread},
    [MX_INFO_CONSOLE] = {MX_OBJECT_RESOURCE, put_console},
    [MX_INFO_FRAMEBUFFER] = {MX_OBJECT_RESOURCE, put_framebuffer},
    [MX_INFO_PCI_HOSTS] = {MX_OBJECT_RESOURCE, put_pci_hosts},
};

static mx_status_t put_handle(mx_handle_t handle, struct info_output *out)
{
    struct object *object;
    mx_rights_t rights;
    mx_status_t status = handle_get_with_rights(handle, MX_OBJECT_NONE, 0, &object, &rights);

    if (status != MX_OK)
        return status;
    struct mx_info_handle info = {object->koid, object->ops->type, rights};
    object_release(object);
    return put_record(out, &info, sizeof(info));
}

static mx_status_t put_topic(mx_handle_t handle, uint32_t topic, struct info_output *out)
{
    struct object *object;

    if (topic >= ARRAY_COUNT(topics) || topics[topic].put == NULL)
        return MX_ERR_INVALID_ARGS;
    mx_status_t status = handle_get(handle, topics[topic].type, MX_RIGHT_INSPECT, &object);
    if (status != MX_OK)
        return status;
    if (topics[topic].type == MX_OBJECT_RESOURCE)
        status = resource_check(handle, MX_RIGHT_INSPECT, MX_RESOURCE_SYSTEM, 0, 0);
    if (status == MX_OK)
        status = topics[topic].put(object, out);
    object_release(object);
    return status;
}

int64_t sys_object_get_info(mx_handle_t handle, uint32_t topic, uaddr_t buffer, size_t buffer_bytes,
                            uaddr_t out_actual)
{
    struct info_output out = {buffer, buffer_bytes, 0};
    mx_status_t status =
        topic == MX_INFO_HANDLE ? put_handle(handle, &out) : put_topic(handle, topic, &out);

    if (out_actual != 0 && (status == MX_OK || status == MX_ERR_BUFFER_TOO_SMALL)) {
        mx_status_t copy_status = user_write(out_actual, &out.total_bytes, sizeof(out.total_bytes));
        status = copy_status != MX_OK ? copy_status : status;
    }
    return status;
}
