// The guest manager's guests; see guests.h.
//
// A guest's life: STARTING from the launch until its VMM tells RUNNING or that it refuses (then it
// was never there); RUNNING, STOPPING; ENDED when the VMM's process has ended, with the reason that
// the VMM told before or, if it told none, how its process ended. A guest that rebooted starts
// again in its place, with a new job.
#include "vmm/manager/guests.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>
#include <machina_user/process.h>

#include "vmm/manager/package_config.h"
#include "vmm/manager/packages.h"
#include "vmm/manager/portable/file_uses.h"

// What a guest's processes need beyond the guest's RAM: programs, stacks, page tables of RAM (one
// page for 2 MiB in each of a few processes), terminals.
#define OVERHEAD_BYTES     (UINT64_C(24) << 20)
#define OVERHEAD_PER_RAM   64 // one byte for so many of RAM
#define OVERHEAD_PER_CPU   (UINT64_C(256) << 10)
#define HOST_RESERVE_BYTES (UINT64_C(16) << 20) // that guests do not get
#define COMMANDS_PER_EVENT 32
#define LAST_MESSAGES_MAX  1024      // as many as a channel holds unread
#define OPENS_MAX          256       // files that one run of a guest can ask for
#define KILL_TIMEOUT       MX_SEC(1) // until the kernel has ended a process
#define REBOOT_TIME_MIN    MX_SEC(1) // a guest that reboots sooner after its start has failed

// The files of a guest whose package is on a disk. They stay its own when it reboots, so that
// nobody takes one before its next run opens it again.
struct guest_files {
    struct file_uses uses;
    bool has_config; // read when the VMM first wants to write a file
    struct guest_config config;
};

struct guest_record {
    bool is_used;
    uint32_t id;
    uint64_t key; // tells apart the starts of one guest
    enum guest_state state;
    char package[GUEST_NAME_SIZE];
    uint32_t override_count, override_bytes;
    char *overrides;
    uint64_t memory_bytes;
    uint64_t promised_bytes;   // for this run: memory and disks; zero before its RESERVE
    uint32_t open_count;       // files that this run has asked for
    struct guest_files *files; // NULL before it has opened one on a disk
    uint32_t cpu_count;
    bool has_console;
    bool is_killed; // by `guest stop -f`
    mx_time_t started_ns, ended_ns;
    mx_time_t booted_ns; // the latest start
    struct guests_waiter waiter;
    mx_handle_t job, process, vmm, view;
    mx_handle_t serial; // from a VMM whose guest ended
    bool has_end;
    struct vmm_ended end;
};

static struct guests_host host;
static struct guest_record records[GUESTS_MAX];
static uint32_t last_id;
static uint64_t last_key;

static void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void log_line(const char *format, ...)
{
    char line[MX_LOG_LINE_SIZE];
    va_list args;

    if (host.log == MX_HANDLE_INVALID)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    mx_log_write(host.log, line, strlen(line));
}

// Whatever guests were promised, all of them together leave the host its reserve.
static mx_status_t limit_all_guests(void)
{
    struct mx_info_memory memory;
    const mx_status_t status =
        mx_object_get_info(host.system, MX_INFO_MEMORY, &memory, sizeof(memory), NULL);

    if (status != MX_OK)
        return status;
    return mx_job_set_limit(
        host.job, MX_JOB_LIMIT_MEMORY,
        memory.free_bytes > HOST_RESERVE_BYTES ? memory.free_bytes - HOST_RESERVE_BYTES : 0);
}

void guests_init(const struct guests_host *description)
{
    host = *description;
    const mx_status_t status = limit_all_guests();
    if (status != MX_OK)
        log_line("guest_manager: the memory of guests cannot be limited: %s",
                 mx_status_string(status));
}

mx_status_t guests_refuse(struct guest_reply *reply, mx_status_t status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reply->message, sizeof(reply->message), format, args);
    va_end(args);
    reply->status = status;
    return status;
}

// --- the table ----------------------------------------------------------------------------------

static struct guest_record *find_id(uint32_t id)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (records[i].is_used && records[i].id == id)
            return &records[i];
    }
    return NULL;
}

static struct guest_record *find_key(uint64_t key)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (records[i].is_used && records[i].key == key)
            return &records[i];
    }
    return NULL;
}

static void close_and_forget(mx_handle_t *handle)
{
    handle_close(*handle);
    *handle = MX_HANDLE_INVALID;
}

// Everything of a run of the guest; its job's processes end.
static void end_run(struct guest_record *record)
{
    if (record->job != MX_HANDLE_INVALID && mx_task_kill(record->job, -1) != MX_OK)
        log_line("guest %u: its job cannot be killed", record->id);
    close_and_forget(&record->job);
    close_and_forget(&record->process);
    close_and_forget(&record->vmm);
    close_and_forget(&record->view);
}

static void forget_files(struct guest_record *record)
{
    free(record->files);
    record->files = NULL;
}

static void remove_record(struct guest_record *record)
{
    end_run(record);
    forget_files(record);
    close_and_forget(&record->serial);
    free(record->overrides);
    *record = (struct guest_record){.is_used = false};
}

// Keeps the number of ended guests in bounds: the one that ended first goes.
static void drop_oldest_ended(void)
{
    struct guest_record *oldest = NULL;
    size_t count = 0;

    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest_record *record = &records[i];
        if (!record->is_used || record->state != GUEST_ENDED)
            continue;
        count++;
        if (!oldest || record->ended_ns < oldest->ended_ns)
            oldest = record;
    }
    if (oldest && count > GUESTS_ENDED_MAX)
        remove_record(oldest);
}

static struct guest_record *add_record(void)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (records[i].is_used)
            continue;
        records[i] = (struct guest_record){.is_used = true, .id = ++last_id};
        return &records[i];
    }
    return NULL;
}

// --- launch -------------------------------------------------------------------------------------

struct launch_handles {
    struct process_handle list[4];
    size_t count;
    mx_status_t status;
};

static void give(struct launch_handles *handles, uint32_t kind, uint32_t arg, mx_handle_t handle,
                 mx_rights_t rights)
{
    mx_handle_t copy;

    if (handles->status == MX_OK)
        handles->status = mx_handle_duplicate(handle, rights | MX_RIGHT_TRANSFER, &copy);
    if (handles->status == MX_OK)
        handles->list[handles->count++] = (struct process_handle){kind, arg, copy};
}

static mx_status_t start_vmm_in(struct guest_record *record, mx_handle_t job)
{
    static const char *const argv[] = {"vmm"};
    struct launch_handles handles = {.status = MX_OK};
    char name[MX_NAME_SIZE];

    snprintf(name, sizeof(name), "vmm %u", record->id);
    give(&handles, MX_STARTUP_JOB, 0, job, MX_RIGHT_MANAGE);
    give(&handles, MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR, host.hypervisor, MX_RIGHT_WRITE);
    if (host.log != MX_HANDLE_INVALID)
        give(&handles, MX_STARTUP_LOG, 0, host.log, MX_RIGHT_WRITE | MX_RIGHT_DUPLICATE);
    if (handles.status != MX_OK) {
        for (size_t i = 0; i < handles.count; i++)
            handle_close(handles.list[i].handle);
        return handles.status;
    }
    const struct process_launch launch = {.job = job,
                                          .name = name,
                                          .argv = argv,
                                          .argc = 1,
                                          .handles = handles.list,
                                          .handle_count = handles.count,
                                          .out_channel = &record->vmm};
    return process_launch_file(&launch, "bin/vmm", &record->process);
}

// A job that may be managed may also be given another limit. So the VMM manages one inside the
// guest's job, whose own limit it cannot reach.
static mx_status_t start_vmm(struct guest_record *record)
{
    mx_handle_t job;
    mx_status_t status = mx_job_create(record->job, &job);

    if (status != MX_OK)
        return status;
    status = start_vmm_in(record, job);
    handle_close(job);
    return status;
}

static mx_status_t send_launch(const struct guest_record *record)
{
    static struct {
        struct vmm_launch header;
        char overrides[GUEST_OVERRIDE_BYTES_MAX];
    } message;
    struct mx_info_system system;
    mx_status_t status =
        mx_object_get_info(host.system, MX_INFO_SYSTEM, &system, sizeof(system), NULL);

    if (status != MX_OK)
        return status;
    message.header = (struct vmm_launch){.header.kind = VMM_LAUNCH,
                                         .utc_at_zero_s = system.boot_time_utc_s,
                                         .override_count = record->override_count,
                                         .override_bytes = record->override_bytes};
    memcpy(message.overrides, record->overrides, record->override_bytes);
    return mx_channel_write(record->vmm, &message,
                            (uint32_t)sizeof(message.header) + record->override_bytes, NULL, 0);
}

static mx_status_t wait_for_vmm(const struct guest_record *record)
{
    return mx_object_wait_async(record->vmm, host.port, MANAGER_KEY(MANAGER_KEY_VMM, record->key),
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

// Begins a run of the guest. On failure nothing of it is left.
static mx_status_t begin_run(struct guest_record *record)
{
    record->key = ++last_key;
    record->state = GUEST_STARTING;
    record->has_end = false;
    record->promised_bytes = 0;
    record->open_count = 0;
    mx_status_t status = mx_job_create(host.job, &record->job);
    if (status == MX_OK)
        status = mx_job_set_limit(record->job, MX_JOB_LIMIT_MEMORY, OVERHEAD_BYTES);
    if (status == MX_OK)
        status = start_vmm(record);
    if (status == MX_OK)
        status = send_launch(record);
    if (status == MX_OK)
        status = wait_for_vmm(record);
    if (status == MX_OK)
        status = mx_object_wait_async(record->process, host.port,
                                      MANAGER_KEY(MANAGER_KEY_PROCESS, record->key),
                                      MX_SIGNAL_TERMINATED, 0);
    if (status != MX_OK)
        end_run(record);
    return status;
}

static bool overrides_are_sound(uint32_t count, const char *overrides, uint32_t bytes)
{
    uint32_t strings = 0;

    if (count > GUEST_OVERRIDES_MAX || bytes > GUEST_OVERRIDE_BYTES_MAX ||
        (bytes > 0 && overrides[bytes - 1] != '\0'))
        return false;
    for (uint32_t i = 0; i < bytes; i++)
        strings += overrides[i] == '\0';
    return strings == 2 * count;
}

static mx_status_t fill_record(struct guest_record *record, const char *package,
                               uint32_t override_count, const char *overrides,
                               uint32_t override_bytes)
{
    record->overrides = malloc(override_bytes ? override_bytes : 1);
    if (!record->overrides)
        return MX_ERR_NO_MEMORY;
    memcpy(record->overrides, overrides, override_bytes);
    record->override_count = override_count;
    record->override_bytes = override_bytes;
    snprintf(record->package, sizeof(record->package), "%s", package);
    record->started_ns = record->booted_ns = mx_clock_get_monotonic();
    return MX_OK;
}

// NOT_SUPPORTED, with the kernel's reason, on a machine that has no guests at all. A guest's VMM
// would find out too, but not for a package that is not there, and such a machine may have none.
static mx_status_t check_machine(struct guest_reply *reply)
{
    static const char no_hypervisor[] = "none: ";
    struct mx_info_system system;

    const mx_status_t status =
        mx_object_get_info(host.system, MX_INFO_SYSTEM, &system, sizeof(system), NULL);
    if (status != MX_OK)
        return guests_refuse(reply, status, "this machine does not tell about itself: %s",
                             mx_status_string(status));
    if ((mx_status_t)system.hypervisor_status == MX_OK)
        return MX_OK;
    const char *why = system.hypervisor;
    if (strncmp(why, no_hypervisor, sizeof(no_hypervisor) - 1) == 0)
        why += sizeof(no_hypervisor) - 1;
    return guests_refuse(reply, (mx_status_t)system.hypervisor_status,
                         "this machine cannot start guests: %s", why);
}

static void catch_up(struct guest_record *record);

mx_status_t guests_launch(const char *package, uint32_t override_count, const char *overrides,
                          uint32_t override_bytes, const struct guests_waiter *waiter,
                          struct guest_reply *reply)
{
    if (!overrides_are_sound(override_count, overrides, override_bytes))
        return guests_refuse(reply, MX_ERR_INVALID_ARGS, "malformed overrides");
    mx_status_t status = check_machine(reply);
    if (status != MX_OK)
        return status;
    status = packages_find(package);
    if (status == MX_ERR_TIMED_OUT)
        return guests_refuse(reply, status,
                             "the disks do not answer, where package \"%.*s\" may be; try again "
                             "later",
                             GUEST_NAME_SIZE, package);
    if (status != MX_OK)
        return guests_refuse(reply, MX_ERR_NOT_FOUND,
                             "there is no package \"%.*s\"; packages are the folders of /pkg, here "
                             "or on a disk, that "
                             "have a data/guest.cfg",
                             GUEST_NAME_SIZE, package);
    // The files of a guest that has just ended are free.
    for (size_t i = 0; i < GUESTS_MAX; i++)
        catch_up(&records[i]);
    struct guest_record *record = add_record();
    if (!record)
        return guests_refuse(reply, MX_ERR_NO_RESOURCES,
                             "there are %u guests already, as many as can be", GUESTS_MAX);
    status = fill_record(record, package, override_count, overrides, override_bytes);
    if (status == MX_OK)
        status = begin_run(record);
    if (status != MX_OK) {
        remove_record(record);
        return guests_refuse(reply, status, "%s: its VMM cannot be started: %s", package,
                             mx_status_string(status));
    }
    record->waiter = *waiter;
    return MX_OK;
}

static void answer_launch(struct guest_record *record, mx_status_t status, const char *message)
{
    struct guest_reply reply = {.status = status, .id = record->id};

    if (record->waiter.client_id == 0)
        return;
    snprintf(reply.message, sizeof(reply.message), "%s", message);
    host.launched(&record->waiter, &reply);
    record->waiter.client_id = 0;
}

// --- what VMMs say ------------------------------------------------------------------------------

// Texts of a VMM go to people's terminals.
static void make_printable(char *text, size_t size_bytes)
{
    text[size_bytes - 1] = '\0';
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

// ACCESS_DENIED: the configuration has no rw disk of that path.
static mx_status_t check_may_write(const struct guest_record *record, const char *path,
                                   char *message, size_t message_bytes)
{
    struct guest_files *files = record->files;

    if (!files->has_config) {
        const mx_status_t status =
            package_config_read(record->package, record->override_count, record->overrides,
                                &files->config, message, message_bytes);
        if (status != MX_OK)
            return status;
        files->has_config = true;
    }
    if (guest_config_writes(&files->config, path))
        return MX_OK;
    snprintf(message, message_bytes, "the package does not have it as a rw disk");
    return MX_ERR_ACCESS_DENIED;
}

// UNAVAILABLE: another guest writes the file, or has it open and would see it written.
static mx_status_t check_is_free(const struct guest_record *record, const char *path,
                                 bool is_writable, char *message, size_t message_bytes)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        const struct guest_record *other = &records[i];
        if (!other->is_used || other == record || !other->files ||
            strcmp(other->package, record->package) != 0 ||
            !file_uses_rule_out(&other->files->uses, path, is_writable))
            continue;
        snprintf(message, message_bytes, "it is in use by guest %u", other->id);
        return MX_ERR_UNAVAILABLE;
    }
    return MX_OK;
}

// Notes the file as used until the guest ends: the VMM may keep what it is given.
static mx_status_t use_file_on_disk(struct guest_record *record, const char *path, bool is_writable,
                                    struct vmm_reply *reply)
{
    char clean[FILES_PATH_BYTES];
    mx_status_t status = packages_clean_path(record->package, path, clean);

    if (status != MX_OK)
        return status;
    if (!record->files)
        record->files = calloc(1, sizeof(*record->files));
    if (!record->files)
        return MX_ERR_NO_MEMORY;
    if (is_writable)
        status = check_may_write(record, clean, reply->message, sizeof(reply->message));
    if (status == MX_OK)
        status = check_is_free(record, clean, is_writable, reply->message, sizeof(reply->message));
    return status == MX_OK ? file_uses_add(&record->files->uses, clean, is_writable) : status;
}

static mx_status_t open_package_file(struct guest_record *record, const struct vmm_open *request,
                                     struct vmm_reply *reply, mx_handle_t *handle, bool *is_extent)
{
    const bool is_writable = request->is_writable != 0;
    mx_status_t status = MX_OK;

    if (packages_is_on_disk(record->package))
        status = use_file_on_disk(record, request->path, is_writable, reply);
    if (status != MX_OK)
        return status;
    status = packages_open(record->package, request->path, is_writable, handle, is_extent,
                           &reply->size_bytes);
    if (status == MX_ERR_ACCESS_DENIED && packages_is_on_disk(record->package))
        snprintf(reply->message, sizeof(reply->message), "the host's disk is read-only");
    return status;
}

// Each file is an object that the VMM may keep and that its job does not pay for, hence the bound.
static void answer_open(struct guest_record *record, const struct vmm_open *request,
                        struct vmm_reply *reply, mx_handle_t *handle)
{
    bool is_extent = false;

    if (record->open_count++ >= OPENS_MAX)
        reply->status = MX_ERR_NO_RESOURCES;
    else if (!memchr(request->path, '\0', sizeof(request->path)))
        reply->status = MX_ERR_BAD_PATH;
    else if (request->file_kind == VMM_FILE_PACKAGE)
        reply->status = open_package_file(record, request, reply, handle, &is_extent);
    else if (request->file_kind == VMM_FILE_DEVICE)
        reply->status = packages_open_device(request->path, handle, &reply->size_bytes);
    else
        reply->status = MX_ERR_INVALID_ARGS;
    reply->is_extent = is_extent;
    if (reply->status != MX_OK)
        *handle = MX_HANDLE_INVALID;
}

// Memory that the living guests were promised and have not touched yet.
static uint64_t untouched_bytes(void)
{
    uint64_t total = 0;

    for (size_t i = 0; i < GUESTS_MAX; i++) {
        const struct guest_record *record = &records[i];
        struct mx_info_job info;
        if (!record->is_used || record->job == MX_HANDLE_INVALID || record->promised_bytes == 0 ||
            mx_object_get_info(record->job, MX_INFO_JOB, &info, sizeof(info), NULL) != MX_OK)
            continue;
        if (info.memory_used_bytes < record->promised_bytes)
            total += record->promised_bytes - info.memory_used_bytes;
    }
    return total;
}

// What the host has left to promise.
static mx_status_t find_free_bytes(uint64_t *free_bytes)
{
    struct mx_info_memory memory;
    const mx_status_t status =
        mx_object_get_info(host.system, MX_INFO_MEMORY, &memory, sizeof(memory), NULL);
    const uint64_t taken = untouched_bytes() + HOST_RESERVE_BYTES;

    if (status == MX_OK)
        *free_bytes = memory.free_bytes > taken ? memory.free_bytes - taken : 0;
    return status;
}

static mx_status_t refuse_memory(const char *what, uint64_t bytes, uint64_t free_bytes,
                                 char *message, size_t message_bytes)
{
    snprintf(message, message_bytes,
             "%s: %llu MiB and what it takes to run the guest are more than the host has free "
             "(%llu MiB)",
             what, (unsigned long long)(bytes >> 20), (unsigned long long)(free_bytes >> 20));
    return MX_ERR_NO_MEMORY;
}

// Once for each run.
static mx_status_t reserve(struct guest_record *record, const struct vmm_reserve *request,
                           char *message, size_t message_bytes)
{
    uint64_t free_bytes;

    if (request->cpu_count == 0 || request->cpu_count > MX_GUEST_MAX_VCPUS ||
        request->memory_bytes == 0 || request->memory_bytes > UINT64_MAX / 4 ||
        request->extra_bytes > UINT64_MAX / 4)
        return MX_ERR_INVALID_ARGS;
    if (record->promised_bytes != 0)
        return MX_ERR_BAD_STATE;
    const uint64_t overhead = OVERHEAD_BYTES + request->memory_bytes / OVERHEAD_PER_RAM +
                              OVERHEAD_PER_CPU * request->cpu_count;
    const uint64_t promised = request->memory_bytes + request->extra_bytes;
    const mx_status_t status = find_free_bytes(&free_bytes);
    if (status != MX_OK)
        return status;
    if (request->memory_bytes + overhead > free_bytes)
        return refuse_memory("memory", request->memory_bytes, free_bytes, message, message_bytes);
    if (promised + overhead > free_bytes)
        return refuse_memory("memory and disks in it", promised, free_bytes, message,
                             message_bytes);
    record->promised_bytes = promised;
    record->memory_bytes = request->memory_bytes;
    record->cpu_count = request->cpu_count;
    record->has_console = request->has_console != 0;
    return mx_job_set_limit(record->job, MX_JOB_LIMIT_MEMORY, promised + overhead);
}

static mx_status_t send_stream(const struct guest_record *record, enum vmm_terminal terminal,
                               mx_handle_t stream)
{
    const struct vmm_attach command = {.header.kind = VMM_ATTACH, .terminal = terminal};

    return mx_channel_write(record->vmm, &command, sizeof(command), &stream, 1);
}

static void note_running(struct guest_record *record, mx_handle_t view)
{
    if (record->state != GUEST_STARTING) {
        handle_close(view);
        return;
    }
    handle_close(record->view);
    record->view = view;
    record->state = GUEST_RUNNING;
    log_line("guest %u: %s is running", record->id, record->package);
    if (record->serial != MX_HANDLE_INVALID) {
        // Who was attached before the reboot stays so.
        const mx_handle_t stream = record->serial;
        record->serial = MX_HANDLE_INVALID;
        if (send_stream(record, VMM_TERMINAL_SERIAL, stream) != MX_OK)
            log_line("guest %u: its serial port cannot be attached again", record->id);
    }
    answer_launch(record, MX_OK, "");
}

static void note_ended(struct guest_record *record, const struct vmm_ended *event,
                       mx_handle_t serial)
{
    handle_close(record->serial);
    record->serial = serial;
    record->end = *event;
    record->has_end = true;
    make_printable(record->end.message, sizeof(record->end.message));
}

union vmm_message {
    struct vmm_header header;
    struct vmm_open open;
    struct vmm_reserve reserve;
    struct vmm_ended ended;
};

static size_t size_of_kind(uint32_t kind)
{
    switch (kind) {
    case VMM_OPEN:
        return sizeof(struct vmm_open);
    case VMM_RESERVE:
        return sizeof(struct vmm_reserve);
    case VMM_RUNNING:
        return sizeof(struct vmm_header);
    case VMM_ENDED:
        return sizeof(struct vmm_ended);
    default:
        return 0;
    }
}

static mx_status_t answer_call(struct guest_record *record, const union vmm_message *message)
{
    struct vmm_reply reply = {.header = message->header};
    mx_handle_t handle = MX_HANDLE_INVALID;

    if (message->header.kind == VMM_OPEN)
        answer_open(record, &message->open, &reply, &handle);
    else
        reply.status = reserve(record, &message->reserve, reply.message, sizeof(reply.message));
    return mx_channel_write(record->vmm, &reply, sizeof(reply), &handle,
                            handle != MX_HANDLE_INVALID ? 1 : 0);
}

// Takes one message. Anything that is not one of the protocol's ends the guest.
static mx_status_t take_message(struct guest_record *record)
{
    union vmm_message message;
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint32_t actual[2] = {0, 0};
    mx_status_t status =
        mx_channel_read(record->vmm, &message, sizeof(message), &handle, 1, actual);

    if (status != MX_OK)
        return status;
    if (actual[0] < sizeof(message.header) || actual[0] != size_of_kind(message.header.kind)) {
        handle_close(handle);
        return MX_ERR_IO_DATA_INTEGRITY;
    }
    switch ((enum vmm_message_kind)message.header.kind) {
    case VMM_RUNNING:
        note_running(record, handle);
        return MX_OK;
    case VMM_ENDED:
        note_ended(record, &message.ended, handle);
        return MX_OK;
    case VMM_OPEN:
    case VMM_RESERVE:
        handle_close(handle);
        return answer_call(record, &message);
    case VMM_LAUNCH:
    case VMM_POWER_BUTTON:
    case VMM_ATTACH:
        break;
    }
    handle_close(handle);
    return MX_ERR_IO_DATA_INTEGRITY;
}

// OK if it has said all or enough for now, otherwise why it is not to be listened to any more.
static mx_status_t take_messages(struct guest_record *record)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; status == MX_OK && i < COMMANDS_PER_EVENT; i++)
        status = take_message(record);
    return status == MX_ERR_SHOULD_WAIT ? MX_OK : status;
}

// Without its channel a VMM has nothing left to do; the end of its process tells the rest.
static void give_up_vmm(struct guest_record *record, mx_status_t status)
{
    if (!record->has_end && status != MX_ERR_PEER_CLOSED) {
        const struct vmm_ended end = {.status = status,
                                      .outcome = VMM_OUTCOME_FAILED,
                                      .message = "its VMM broke the protocol"};
        note_ended(record, &end, MX_HANDLE_INVALID);
    }
    if (mx_task_kill(record->job, -1) != MX_OK)
        log_line("guest %u: its job cannot be killed", record->id);
}

void guests_vmm_event(uint64_t guest_key)
{
    struct guest_record *record = find_key(guest_key);

    if (!record || record->vmm == MX_HANDLE_INVALID)
        return;
    mx_status_t status = take_messages(record);
    if (status == MX_OK)
        status = wait_for_vmm(record);
    if (status != MX_OK)
        give_up_vmm(record, status);
}

// --- ends ---------------------------------------------------------------------------------------

// What the VMM did not say itself.
static void find_reason(struct guest_record *record)
{
    struct mx_info_process info;
    struct vmm_ended *end = &record->end;

    if (record->is_killed)
        snprintf(end->message, sizeof(end->message), "killed");
    if (record->has_end || record->is_killed)
        return;
    *end = (struct vmm_ended){.status = MX_ERR_PEER_CLOSED, .outcome = VMM_OUTCOME_FAILED};
    if (mx_object_get_info(record->process, MX_INFO_PROCESS, &info, sizeof(info), NULL) == MX_OK)
        snprintf(end->message, sizeof(end->message), "its VMM ended with code %d",
                 (int)info.exit_code);
    else
        snprintf(end->message, sizeof(end->message), "its VMM ended");
}

static void keep_ended(struct guest_record *record)
{
    log_line("guest %u: %s ended: %.160s", record->id, record->package, record->end.message);
    record->state = GUEST_ENDED;
    end_run(record);
    forget_files(record);
    close_and_forget(&record->serial); // whoever is attached finds the reason in the list now
    record->ended_ns = mx_clock_get_monotonic();
    answer_launch(record, record->end.status != MX_OK ? record->end.status : MX_ERR_CANCELED,
                  record->end.message);
    drop_oldest_ended();
}

static void reboot(struct guest_record *record)
{
    end_run(record);
    record->booted_ns = mx_clock_get_monotonic();
    const mx_status_t status = begin_run(record);
    if (status == MX_OK) {
        log_line("guest %u: %s reboots", record->id, record->package);
        return;
    }
    snprintf(record->end.message, sizeof(record->end.message), "it cannot start again: %s",
             mx_status_string(status));
    keep_ended(record);
}

void guests_process_event(uint64_t guest_key)
{
    struct guest_record *record = find_key(guest_key);

    if (!record || record->process == MX_HANDLE_INVALID)
        return;
    // Others of its job could hold its channel and go on talking.
    if (mx_task_kill(record->job, -1) != MX_OK)
        log_line("guest %u: its job cannot be killed", record->id);
    // Its last words may be unread.
    for (unsigned i = 0; i < LAST_MESSAGES_MAX && take_message(record) == MX_OK; i++)
        ;
    find_reason(record);
    const bool wants_reboot = record->end.outcome == VMM_OUTCOME_REBOOT && record->has_end &&
                              !record->is_killed && record->state != GUEST_STOPPING;
    if (record->state == GUEST_STARTING && !record->is_killed && record->waiter.client_id != 0) {
        log_line("guest %u: %s refused: %.160s", record->id, record->package, record->end.message);
        answer_launch(record, record->end.status != MX_OK ? record->end.status : MX_ERR_INTERNAL,
                      record->end.message);
        remove_record(record);
    } else if (wants_reboot && mx_clock_get_monotonic() - record->booted_ns >= REBOOT_TIME_MIN) {
        reboot(record);
    } else {
        if (wants_reboot)
            snprintf(record->end.message, sizeof(record->end.message),
                     "rebooted within a second of its start");
        keep_ended(record);
    }
}

// --- requests -----------------------------------------------------------------------------------

// Whoever asks may know of a guest's end before the port has told of it: its terminal closed, or
// there was none to attach to. So an end that its VMM has announced, or begun, is waited for.
static void catch_up(struct guest_record *record)
{
    if (!record->is_used || record->state == GUEST_ENDED)
        return;
    const mx_status_t status = take_messages(record);
    if (status == MX_OK && !record->has_end)
        return;
    give_up_vmm(record, status);
    if (mx_object_wait_one(record->process, MX_SIGNAL_TERMINATED,
                           mx_clock_get_monotonic() + KILL_TIMEOUT, NULL) == MX_OK)
        guests_process_event(record->key);
}

// The guest that a request is about, if it lives.
static mx_status_t find_living(uint32_t id, struct guest_record **out, struct guest_reply *reply)
{
    *out = find_id(id);
    if (*out) {
        catch_up(*out);
        *out = find_id(id); // one that was refused is gone
    }
    reply->id = id;
    if (!*out)
        return guests_refuse(reply, MX_ERR_NOT_FOUND, "there is no guest %u; guest list shows them",
                             id);
    if ((*out)->state == GUEST_ENDED)
        return guests_refuse(reply, MX_ERR_BAD_STATE, "guest %u has ended: %s", id,
                             (*out)->end.message);
    return MX_OK;
}

// Why a guest cannot be commanded: if its VMM ended meanwhile, because the guest has ended.
static mx_status_t refuse_command(uint32_t id, mx_status_t status, const char *command,
                                  struct guest_reply *reply)
{
    struct guest_record *record;
    const mx_status_t end = find_living(id, &record, reply);

    return end != MX_OK ? end
                        : guests_refuse(reply, status, "guest %u cannot be %s: %s", id, command,
                                        mx_status_string(status));
}

mx_status_t guests_stop(uint32_t id, bool is_forced, struct guest_reply *reply)
{
    const struct vmm_header button = {.kind = VMM_POWER_BUTTON};
    struct guest_record *record;
    mx_status_t status = find_living(id, &record, reply);

    if (status != MX_OK)
        return status;
    if (is_forced) {
        record->is_killed = true;
        status = mx_task_kill(record->job, -1);
    } else if (record->state == GUEST_STARTING) {
        return guests_refuse(reply, MX_ERR_BAD_STATE,
                             "guest %u is starting and has no power button yet", id);
    } else {
        status = mx_channel_write(record->vmm, &button, sizeof(button), NULL, 0);
        if (status == MX_OK)
            record->state = GUEST_STOPPING;
    }
    return status == MX_OK ? status : refuse_command(id, status, "stopped", reply);
}

mx_status_t guests_attach(uint32_t id, enum vmm_terminal terminal, mx_handle_t *stream,
                          struct guest_reply *reply)
{
    struct guest_record *record;
    mx_handle_t far_end;
    mx_status_t status = find_living(id, &record, reply);

    if (status != MX_OK)
        return status;
    if (record->state == GUEST_STARTING)
        return guests_refuse(reply, MX_ERR_BAD_STATE, "guest %u is starting", id);
    if (terminal == VMM_TERMINAL_CONSOLE && !record->has_console)
        return guests_refuse(reply, MX_ERR_NOT_SUPPORTED, "guest %u has no virtio console", id);
    status = mx_stream_create(stream, &far_end);
    if (status == MX_OK) {
        status = send_stream(record, terminal, far_end);
        if (status != MX_OK)
            handle_close(*stream);
    }
    return status == MX_OK ? status : refuse_command(id, status, "attached", reply);
}

mx_status_t guests_stats(uint32_t id, struct guest_stats_reply *reply)
{
    struct guest_record *record;
    size_t bytes = 0;
    mx_status_t status = find_living(id, &record, &reply->reply);

    if (status != MX_OK)
        return status;
    if (record->view == MX_HANDLE_INVALID)
        return guests_refuse(&reply->reply, MX_ERR_BAD_STATE, "guest %u is starting", id);
    status =
        mx_object_get_info(record->view, MX_INFO_GUEST, reply->vcpus, sizeof(reply->vcpus), &bytes);
    if (status != MX_OK)
        return guests_refuse(&reply->reply, status, "guest %u does not tell: %s", id,
                             mx_status_string(status));
    reply->count = (uint32_t)(bytes / sizeof(reply->vcpus[0]));
    if (reply->count > MX_GUEST_MAX_VCPUS)
        reply->count = MX_GUEST_MAX_VCPUS;
    return MX_OK;
}

static void fill_entry(const struct guest_record *record, struct guest_list_entry *entry)
{
    const bool has_ended = record->state == GUEST_ENDED;

    *entry = (struct guest_list_entry){
        .id = record->id,
        .state = record->state,
        .uptime_ns = (has_ended ? record->ended_ns : mx_clock_get_monotonic()) - record->started_ns,
        .memory_bytes = record->memory_bytes,
        .cpu_count = record->cpu_count};
    memcpy(entry->package, record->package, sizeof(entry->package));
    if (has_ended)
        snprintf(entry->reason, sizeof(entry->reason), "%s", record->end.message);
}

static int compare_entries(const void *a, const void *b)
{
    const struct guest_list_entry *first = a, *second = b;

    return first->id < second->id ? -1 : first->id > second->id;
}

void guests_list(struct guest_list_reply *reply)
{
    for (size_t i = 0; i < GUESTS_MAX; i++)
        catch_up(&records[i]);
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        if (records[i].is_used)
            fill_entry(&records[i], &reply->entries[reply->count++]);
    }
    qsort(reply->entries, reply->count, sizeof(reply->entries[0]), compare_entries);
}
