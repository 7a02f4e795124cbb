// Processes for tests and what the tests were given; see child.h.

#include "tests/system/child.h"

#include <stdio.h>

#include <machina/syscalls.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#define FINISH_TIMEOUT MX_SEC(20)
#define COUNTS_TIMEOUT MX_SEC(5)
#define SETTLE_PAUSE   MX_MSEC(50)

mx_status_t child_start_in(struct child *child, mx_handle_t job, const char *what,
                           const char *argument)
{
    const char *argv[] = {"test_child", what, argument};
    mx_handle_t hypervisor = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    const struct process_handle handles[] = {
        {MX_STARTUP_JOB, 0, with_rights(job, MX_RIGHT_SAME)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR, with_rights(hypervisor, MX_RIGHT_SAME)},
    };
    struct process_launch spec = {.job = job,
                                  .argv = argv,
                                  .argc = argument ? 3 : 2,
                                  .handles = handles,
                                  .handle_count = sizeof(handles) / sizeof(handles[0]),
                                  .out_channel = &child->channel};

    return process_launch_file(&spec, "bin/test_child", &child->process);
}

mx_status_t child_start(struct child *child, const char *what, const char *argument)
{
    return child_start_in(child, own_job(), what, argument);
}

int32_t child_finish(struct child *child)
{
    int32_t exit_code;

    if (process_wait(child->process, deadline_after(FINISH_TIMEOUT), &exit_code) != MX_OK) {
        (void)!mx_task_kill(child->process, 0);
        exit_code = INT32_MIN;
    }
    handle_close(child->process);
    handle_close(child->channel);
    return exit_code;
}

int32_t child_run(const char *what, const char *argument)
{
    struct child child;

    return child_start(&child, what, argument) == MX_OK ? child_finish(&child) : INT32_MAX;
}

mx_handle_t own_job(void)
{
    return startup_handle_look(MX_STARTUP_JOB, 0);
}

mx_handle_t own_process(void)
{
    return startup_handle_look(MX_STARTUP_SELF_PROCESS, 0);
}

mx_handle_t own_aspace(void)
{
    return startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
}

mx_handle_t root_resource(void)
{
    return startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_ROOT);
}

mx_handle_t system_resource(void)
{
    return startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
}

mx_time_t deadline_after(mx_time_t ns)
{
    return mx_clock_get_monotonic() + ns;
}

static struct machine_counts read_counts(void)
{
    struct mx_info_memory info = {0};

    (void)!mx_object_get_info(system_resource(), MX_INFO_MEMORY, &info, sizeof(info), NULL);
    return (struct machine_counts){info.object_count, info.handle_count, info.free_bytes};
}

// The services that start along with the test make objects too: the first count waits until they
// are done.
struct machine_counts machine_counts(void)
{
    static bool is_settled;
    struct machine_counts counts = read_counts(), before;
    mx_time_t deadline = deadline_after(COUNTS_TIMEOUT);

    while (!is_settled) {
        before = counts;
        mx_nanosleep(deadline_after(SETTLE_PAUSE));
        counts = read_counts();
        is_settled = (counts.objects == before.objects && counts.handles == before.handles) ||
                     mx_clock_get_monotonic() > deadline;
    }
    return counts;
}

bool machine_counts_return_to(const struct machine_counts *before)
{
    mx_time_t deadline = deadline_after(COUNTS_TIMEOUT);

    for (;;) {
        struct machine_counts now = read_counts();
        if (now.objects <= before->objects && now.handles <= before->handles)
            return true;
        if (mx_clock_get_monotonic() > deadline) {
            printf("# objects %lu, were %lu; handles %lu, were %lu\n", now.objects, before->objects,
                   now.handles, before->handles);
            return false;
        }
        mx_nanosleep(deadline_after(MX_MSEC(2)));
    }
}

mx_handle_t with_rights(mx_handle_t handle, mx_rights_t rights)
{
    mx_handle_t copy;

    return mx_handle_duplicate(handle, rights, &copy) == MX_OK ? copy : MX_HANDLE_INVALID;
}

void close_handle(mx_handle_t handle)
{
    handle_close(handle);
}

void *map_new(size_t size_bytes, mx_handle_t *out_vmo)
{
    uint64_t address = 0;
    mx_handle_t vmo;

    if (mx_vmo_create(size_bytes, &vmo) != MX_OK)
        return NULL;
    if (mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE, vmo, 0, size_bytes, &address) !=
        MX_OK)
        address = 0;
    if (out_vmo != NULL)
        *out_vmo = vmo;
    else
        handle_close(vmo);
    return (void *)(uintptr_t)address;
}

void unmap(void *address, size_t size_bytes)
{
    (void)!mx_aspace_unmap(own_aspace(), (uintptr_t)address, size_bytes);
}
