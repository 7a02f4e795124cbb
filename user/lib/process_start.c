// Starting a program: address space from the ELF file, stack, start-up message; see
// machina_user/process.h.
//
// Text and constants are mapped from the file's own pages; data is copied. The stack stands at the
// top of user memory with nothing below it.

#include <machina_user/process.h>

#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>

#include "boot/elf.h"
#include "user/portable/startup.h"

#define STACK_TOP UINT64_C(0x00007fffffff0000)

_Static_assert(STACK_TOP - ELF_STACK_BYTES_MAX - MX_PAGE_SIZE >= ELF_ADDRESS_MAX,
               "stacks and segments are apart");

// What a launch has made so far.
struct launch {
    const struct process_launch *spec;
    struct elf_program program;
    mx_handle_t process, aspace, thread;
    mx_handle_t channel, child_channel;
    uint64_t stack_top;
};

void handle_close(mx_handle_t handle)
{
    if (handle != MX_HANDLE_INVALID && mx_handle_close(handle) != MX_OK)
        abort();
}

static mx_status_t read_program(struct launch *launch)
{
    const struct process_launch *spec = launch->spec;
    char head[ELF_HEAD_BYTES];
    const char *reason = NULL;
    size_t head_bytes =
        spec->executable_bytes < sizeof(head) ? spec->executable_bytes : sizeof(head);
    mx_status_t status = mx_vmo_read(spec->executable, head, 0, head_bytes);

    if (status != MX_OK)
        return status;
    status = elf_read(head, head_bytes, spec->executable_bytes, &launch->program, &reason);
    if (spec->reason && reason)
        *spec->reason = reason;
    return status;
}

static uint32_t map_options(const struct elf_segment *segment)
{
    return MX_MAP_READ | MX_MAP_SPECIFIC | (segment->is_writable ? MX_MAP_WRITE : 0) |
           (segment->is_executable ? MX_MAP_EXECUTE : 0);
}

static mx_status_t copy_bytes(mx_handle_t to, mx_handle_t from, uint64_t from_offset, uint64_t size)
{
    char chunk[MX_PAGE_SIZE];

    for (uint64_t at = 0; at < size; at += sizeof(chunk)) {
        size_t part = size - at < sizeof(chunk) ? (size_t)(size - at) : sizeof(chunk);
        mx_status_t status = mx_vmo_read(from, chunk, from_offset + at, part);
        if (status == MX_OK)
            status = mx_vmo_write(to, chunk, at, part);
        if (status != MX_OK)
            return status;
    }
    return MX_OK;
}

static mx_status_t map_copy(struct launch *launch, const struct elf_segment *segment)
{
    uint64_t address = segment->address;
    mx_handle_t vmo;
    mx_status_t status = mx_vmo_create(segment->memory_bytes, &vmo);

    if (status != MX_OK)
        return status;
    status = copy_bytes(vmo, launch->spec->executable, segment->file_offset, segment->file_bytes);
    if (status == MX_OK)
        status = mx_aspace_map(launch->aspace, map_options(segment), vmo, 0, segment->memory_bytes,
                               &address);
    handle_close(vmo);
    return status;
}

static mx_status_t map_segment(struct launch *launch, const struct elf_segment *segment)
{
    uint64_t file_pages_bytes =
        (segment->file_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    uint64_t address = segment->address;

    if (segment->is_writable || file_pages_bytes < segment->memory_bytes)
        return map_copy(launch, segment);
    return mx_aspace_map(launch->aspace, map_options(segment), launch->spec->executable,
                         segment->file_offset, segment->memory_bytes, &address);
}

static mx_status_t map_stack(struct launch *launch)
{
    uint64_t bytes =
        launch->program.stack_bytes ? launch->program.stack_bytes : PROCESS_STACK_BYTES;
    uint64_t address = STACK_TOP - bytes;
    mx_handle_t vmo;
    mx_status_t status = mx_vmo_create(bytes, &vmo);

    if (status != MX_OK)
        return status;
    status = mx_aspace_map(launch->aspace, MX_MAP_READ | MX_MAP_WRITE | MX_MAP_SPECIFIC, vmo, 0,
                           bytes, &address);
    handle_close(vmo);
    launch->stack_top = STACK_TOP;
    return status;
}

static mx_status_t map_program(struct launch *launch)
{
    for (unsigned i = 0; i < launch->program.segment_count; i++) {
        mx_status_t status = map_segment(launch, &launch->program.segments[i]);
        if (status != MX_OK)
            return status;
    }
    return map_stack(launch);
}

// The handles of the message while it is put together.
struct message_handles {
    struct mx_startup_handle records[MX_STARTUP_MAX_HANDLES];
    mx_handle_t values[MX_STARTUP_MAX_HANDLES];
    size_t count;
};

static void add_handle(struct message_handles *handles, uint32_t kind, uint32_t arg,
                       mx_handle_t value)
{
    handles->records[handles->count] = (struct mx_startup_handle){kind, arg};
    handles->values[handles->count++] = value;
}

static mx_status_t add_own_handle(struct message_handles *handles, uint32_t kind, mx_handle_t own)
{
    mx_handle_t copy;
    mx_status_t status = mx_handle_duplicate(own, MX_RIGHT_SAME, &copy);

    if (status == MX_OK)
        add_handle(handles, kind, 0, copy);
    return status;
}

static void close_handles(const mx_handle_t *handles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        handle_close(handles[i]);
}

// Consumes the handles of the spec, also on failure.
static mx_status_t send_message(struct launch *launch)
{
    const struct process_launch *spec = launch->spec;
    struct message_handles handles = {.count = 0};
    _Alignas(8) char message[MX_STARTUP_MAX_BYTES];
    size_t message_bytes;
    mx_status_t status;

    for (size_t i = 0; i < spec->handle_count; i++) {
        if (spec->handles[i].handle != MX_HANDLE_INVALID)
            add_handle(&handles, spec->handles[i].kind, spec->handles[i].arg,
                       spec->handles[i].handle);
    }
    status = add_own_handle(&handles, MX_STARTUP_SELF_PROCESS, launch->process);
    if (status == MX_OK)
        status = add_own_handle(&handles, MX_STARTUP_SELF_ASPACE, launch->aspace);
    if (status == MX_OK)
        status = startup_write(message, sizeof(message), handles.records, handles.count, spec->argv,
                               spec->argc, spec->env, spec->envc, &message_bytes);
    if (status != MX_OK) {
        close_handles(handles.values, handles.count);
        return status;
    }
    return mx_channel_write(launch->channel, message, (uint32_t)message_bytes, handles.values,
                            (uint32_t)handles.count);
}

static const char *process_name(const struct process_launch *spec)
{
    const char *slash;

    if (spec->name)
        return spec->name;
    slash = strrchr(spec->argv[0], '/');
    return slash ? slash + 1 : spec->argv[0];
}

static mx_status_t start_thread_of(struct launch *launch)
{
    mx_handle_t child = launch->child_channel;
    mx_status_t status = mx_thread_create(launch->process, "main", 4, &launch->thread);

    if (status != MX_OK)
        return status;
    launch->child_channel = MX_HANDLE_INVALID; // given away even when it fails
    return mx_process_start(launch->process, launch->thread, launch->program.entry,
                            launch->stack_top, child, 0);
}

static void close_spec_handles(const struct process_launch *spec)
{
    for (size_t i = 0; i < spec->handle_count; i++)
        handle_close(spec->handles[i].handle);
}

// Everything up to the message; the spec's handles are untouched.
static mx_status_t prepare(struct launch *launch)
{
    const struct process_launch *spec = launch->spec;
    mx_status_t status;

    if (spec->argc == 0)
        return MX_ERR_INVALID_ARGS;
    if (spec->handle_count > PROCESS_HANDLES_MAX)
        return MX_ERR_OUT_OF_RANGE;
    status = read_program(launch);
    if (status != MX_OK)
        return status;
    const char *name = process_name(spec);
    status = mx_process_create(spec->job, name, strnlen(name, MX_NAME_SIZE - 1), &launch->process,
                               &launch->aspace);
    if (status == MX_OK)
        status = map_program(launch);
    if (status == MX_OK)
        status = mx_channel_create(&launch->channel, &launch->child_channel);
    return status;
}

static void give_up(struct launch *launch)
{
    // A process that was never started goes with its last handle; killing it takes its memory back
    // at once.
    if (launch->process != MX_HANDLE_INVALID) {
        mx_status_t ignored = mx_task_kill(launch->process, -1);
        (void)ignored;
    }
    handle_close(launch->process);
    handle_close(launch->channel);
}

mx_status_t process_launch(const struct process_launch *spec, mx_handle_t *out_process)
{
    struct launch launch = {.spec = spec};
    mx_status_t status = prepare(&launch);

    if (status != MX_OK)
        close_spec_handles(spec);
    if (status == MX_OK)
        status = send_message(&launch);
    if (status == MX_OK)
        status = start_thread_of(&launch);
    handle_close(launch.thread);
    handle_close(launch.aspace);
    handle_close(launch.child_channel);
    if (status != MX_OK) {
        give_up(&launch);
        return status;
    }
    if (spec->out_channel)
        *spec->out_channel = launch.channel;
    else
        handle_close(launch.channel);
    *out_process = launch.process;
    return MX_OK;
}

mx_status_t process_launch_file(const struct process_launch *spec, const char *path,
                                mx_handle_t *out_process)
{
    struct process_launch copy = *spec;
    size_t size_bytes;
    mx_status_t status = files_open(path, &copy.executable, &size_bytes);

    if (status != MX_OK) {
        close_spec_handles(spec);
        return status;
    }
    copy.executable_bytes = size_bytes;
    status = process_launch(&copy, out_process);
    handle_close(copy.executable);
    return status;
}

mx_status_t process_wait(mx_handle_t process, mx_time_t deadline, int32_t *exit_code)
{
    struct mx_info_process info;
    mx_status_t status = mx_object_wait_one(process, MX_SIGNAL_TERMINATED, deadline, NULL);

    if (status == MX_OK)
        status = mx_object_get_info(process, MX_INFO_PROCESS, &info, sizeof(info), NULL);
    if (status == MX_OK)
        *exit_code = info.exit_code;
    return status;
}
