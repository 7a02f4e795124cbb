// The first process: finds the boot image's files, starts the console and the guest manager, then
// keeps a shell running. With machina.run=NAME[,ARG...] on the kernel's command line it runs that
// program instead, tells its exit code and switches the machine off.
//
// It holds all authority at start-up and hands out parts of it; each part is named below, once.
// What goes wrong here goes to the kernel's log; when nothing can go on, init ends, and the kernel
// says so.

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/console.h>
#include <machina_user/files.h>
#include <machina_user/guest_client.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

#include "boot/zbi.h"
#include "user/portable/boot_option.h"

#define RUN_PARTS_MAX  32
#define RUN_VALUE_SIZE 512

// A shell that ends sooner than this is not started again at once.
#define SHELL_RESTART_PAUSE MX_MSEC(500)

static struct {
    mx_handle_t job;      // the root job
    mx_handle_t resource; // the root resource
    mx_handle_t system;   // MX_RESOURCE_SYSTEM
    mx_handle_t console;  // the console service's control channel
    mx_handle_t terminal; // the console's stream
    mx_handle_t guests;   // a channel to the guest manager; MX_HANDLE_INVALID without one
} init;

static bool report(const char *what, mx_status_t status)
{
    if (status == MX_OK)
        return true;
    printf("init: %s: %s\n", what, mx_status_string(status));
    return false;
}

// A copy with no more than `rights`; MX_HANDLE_INVALID, which launches leave out, when there is
// none.
static mx_handle_t copy_with(mx_handle_t handle, mx_rights_t rights)
{
    mx_handle_t copy;

    if (handle == MX_HANDLE_INVALID || mx_handle_duplicate(handle, rights, &copy) != MX_OK)
        return MX_HANDLE_INVALID;
    return copy;
}

static mx_handle_t copy_of(mx_handle_t handle)
{
    return copy_with(handle, MX_RIGHT_SAME);
}

static mx_handle_t make_resource(uint32_t kind, uint64_t base, uint64_t size)
{
    mx_handle_t resource;

    if (!report("resource", mx_resource_create(init.resource, kind, base, size, &resource)))
        return MX_HANDLE_INVALID;
    return resource;
}

static mx_handle_t make_job(void)
{
    mx_handle_t job;

    return report("job", mx_job_create(init.job, &job)) ? job : MX_HANDLE_INVALID;
}

static mx_handle_t make_log(mx_rights_t rights)
{
    mx_handle_t log, copy;

    if (!report("log", mx_log_create(init.system, &log)))
        return MX_HANDLE_INVALID;
    copy = copy_with(log, rights);
    handle_close(log);
    return copy;
}

// A client's channel of its own; MX_HANDLE_INVALID without a guest manager.
static mx_handle_t guest_channel(void)
{
    mx_handle_t channel;

    return guest_client_connect(init.guests, &channel) == MX_OK ? channel : MX_HANDLE_INVALID;
}

static mx_handle_t archive_copy(void)
{
    mx_handle_t vmo;

    return files_duplicate_archive(&vmo) == MX_OK ? vmo : MX_HANDLE_INVALID;
}

// --- the boot image's files
// ------------------------------------------------------------------------

static mx_status_t find_archive(mx_handle_t image, const void *data, size_t size_bytes)
{
    struct zbi_item item;
    mx_handle_t vmo;

    if (!zbi_find(data, size_bytes, ZBI_TYPE_BOOTFS, &item))
        return MX_ERR_NOT_FOUND;
    if (item.offset % MX_PAGE_SIZE != 0 || item.size_bytes % MX_PAGE_SIZE != 0)
        return MX_ERR_IO_DATA_INTEGRITY;
    mx_status_t status =
        mx_vmo_create_child(image, MX_VMO_CHILD_SLICE, item.offset, item.size_bytes, &vmo);
    if (status == MX_OK)
        files_use_archive(vmo);
    return status;
}

static mx_status_t open_boot_image(void)
{
    mx_handle_t image = startup_handle_look(MX_STARTUP_BOOT_IMAGE, 0);
    mx_handle_t aspace = startup_handle_look(MX_STARTUP_SELF_ASPACE, 0);
    struct mx_info_vmo info;
    uint64_t address = 0;
    mx_status_t status = mx_object_get_info(image, MX_INFO_VMO, &info, sizeof(info), NULL);

    if (status == MX_OK)
        status = mx_aspace_map(aspace, MX_MAP_READ, image, 0, info.size_bytes, &address);
    if (status != MX_OK)
        return status;
    status = find_archive(image, (const void *)(uintptr_t)address, info.size_bytes);
    mx_status_t unmapped = mx_aspace_unmap(aspace, address, info.size_bytes);
    return status == MX_OK ? unmapped : status;
}

// --- services
// ------------------------------------------------------------------------------------------

// Starts bin/`argv[0]` with the handles, and tells in the log when it cannot.
static mx_status_t launch(mx_handle_t job, const char *const *argv, size_t argc,
                          const struct process_handle *handles, size_t handle_count,
                          mx_handle_t *channel, mx_handle_t *process)
{
    char path[FILES_PATH_BYTES];
    const char *reason = NULL;
    struct process_launch spec = {.job = job,
                                  .argv = argv,
                                  .argc = argc,
                                  .handles = handles,
                                  .handle_count = handle_count,
                                  .out_channel = channel,
                                  .reason = &reason};

    snprintf(path, sizeof(path), "bin/%s", argv[0]);
    mx_status_t status = process_launch_file(&spec, path, process);
    if (status != MX_OK)
        printf("init: cannot start %s: %s%s%s\n", path, mx_status_string(status),
               reason ? ": " : "", reason ? reason : "");
    return status;
}

// It gets the UART, the log to read, and one end of the stream that is the terminal.
static mx_status_t start_console(void)
{
    struct mx_info_console uart;
    char base[24], irq[16];
    const char *const argv[] = {"console", base, irq};
    mx_handle_t stream, process;
    mx_status_t status =
        mx_object_get_info(init.system, MX_INFO_CONSOLE, &uart, sizeof(uart), NULL);

    if (status == MX_OK && uart.resource_kind == MX_RESOURCE_ROOT)
        status = MX_ERR_NOT_FOUND;
    if (status == MX_OK)
        status = mx_stream_create(&init.terminal, &stream);
    if (status != MX_OK)
        return status;
    snprintf(base, sizeof(base), "0x%lx", (unsigned long)uart.base);
    snprintf(irq, sizeof(irq), "%u", uart.irq);
    const struct process_handle handles[] = {
        {MX_STARTUP_RESOURCE, uart.resource_kind,
         make_resource(uart.resource_kind, uart.base, uart.size_bytes)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ, make_resource(MX_RESOURCE_IRQ, uart.irq, 1)},
        {CONSOLE_STARTUP_STREAM, 0, stream},
        {MX_STARTUP_LOG, 0,
         make_log(MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_WAIT | MX_RIGHT_TRANSFER)},
    };
    status = launch(init.job, argv, sizeof(argv) / sizeof(argv[0]), handles,
                    sizeof(handles) / sizeof(handles[0]), &init.console, &process);
    if (status == MX_OK)
        handle_close(process);
    return status;
}

static mx_status_t ask_console(enum console_operation operation)
{
    struct console_request request = {.operation = operation};
    struct console_reply reply;
    struct mx_channel_call_args args = {.request_bytes = &request,
                                        .reply_bytes = &reply,
                                        .request_size_bytes = sizeof(request),
                                        .reply_capacity_bytes = sizeof(reply)};
    mx_status_t status =
        mx_channel_call(init.console, &args, mx_clock_get_monotonic() + MX_SEC(10));

    return status == MX_OK ? reply.status : status;
}

// It gets a job for its guests, what it takes to make guests, and the packages. Its clients'
// channel is what the others get as MX_SERVICE_GUEST_MANAGER.
static void start_guest_manager(void)
{
    static const char *const argv[] = {"guest_manager"};
    mx_handle_t process, server;

    if (!report("channel", mx_channel_create(&init.guests, &server)))
        return;
    const struct process_handle handles[] = {
        {MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER, server},
        {MX_STARTUP_JOB, 0, make_job()},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR, make_resource(MX_RESOURCE_HYPERVISOR, 0, 0)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM,
         copy_with(init.system, MX_RIGHT_INSPECT | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_WRITE | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)},
    };
    if (launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process) !=
        MX_OK) {
        handle_close(init.guests);
        init.guests = MX_HANDLE_INVALID;
        return;
    }
    handle_close(process);
}

// It gets all device memory, message-signalled interrupts and DMA, which it hands on by the device,
// and a job for the drivers.
static void start_device_manager(void)
{
    static const char *const argv[] = {"device_manager"};
    mx_handle_t process;
    const struct process_handle handles[] = {
        {MX_STARTUP_JOB, 0, make_job()},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_MMIO, make_resource(MX_RESOURCE_MMIO, 0, UINT64_MAX)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ, make_resource(MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_DMA, make_resource(MX_RESOURCE_DMA, 0, 0)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM,
         copy_with(init.system, MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER)},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_WRITE | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)},
    };

    if (launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process) ==
        MX_OK)
        handle_close(process);
}

// --- the shell
// -----------------------------------------------------------------------------------------

// It gets the terminal, a job for its programs, and what it hands on to single commands: the files,
// the machine (statistics, log, power), the root job to look at and to end processes in, the guest manager.
static mx_status_t run_shell(void)
{
    static const char *const argv[] = {"shell"};
    const struct process_handle handles[] = {
        {MX_STARTUP_STDIN, 0, copy_of(init.terminal)},
        {MX_STARTUP_STDOUT, 0, copy_of(init.terminal)},
        {MX_STARTUP_JOB, 0, make_job()},
        {MX_STARTUP_JOB, 1,
         copy_with(init.job, MX_RIGHT_INSPECT | MX_RIGHT_MANAGE | MX_RIGHT_DUPLICATE |
                                 MX_RIGHT_TRANSFER)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM, copy_of(init.system)},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER, guest_channel()},
    };
    mx_handle_t process;
    int32_t exit_code;
    mx_status_t status =
        launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process);

    if (status != MX_OK)
        return status;
    status = process_wait(process, MX_TIME_INFINITE, &exit_code);
    handle_close(process);
    return status;
}

static mx_status_t keep_shell(void)
{
    mx_status_t status;

    for (;;) {
        mx_time_t started = mx_clock_get_monotonic();
        status = run_shell();
        // Memory may be short for a moment only.
        if (status != MX_OK && status != MX_ERR_NO_MEMORY)
            return status;
        mx_nanosleep(started + SHELL_RESTART_PAUSE);
    }
}

// --- machina.run
// ---------------------------------------------------------------------------------------

// The program of a test or benchmark: it gets all that init has.
static mx_status_t run_program(const char *const *argv, size_t argc, int32_t *exit_code)
{
    const struct process_handle handles[] = {
        {MX_STARTUP_STDIN, 0, copy_of(init.terminal)},
        {MX_STARTUP_STDOUT, 0, copy_of(init.terminal)},
        {MX_STARTUP_JOB, 0, copy_of(init.job)},
        {MX_STARTUP_JOB, 1, copy_of(init.job)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_ROOT, copy_of(init.resource)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM, copy_of(init.system)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR, make_resource(MX_RESOURCE_HYPERVISOR, 0, 0)},
        {MX_STARTUP_BOOT_IMAGE, 0, copy_of(startup_handle_look(MX_STARTUP_BOOT_IMAGE, 0))},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_SAME)},
        {MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER, guest_channel()},
    };
    mx_handle_t process;
    mx_status_t status =
        launch(init.job, argv, argc, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process);

    if (status != MX_OK)
        return status;
    status = process_wait(process, MX_TIME_INFINITE, exit_code);
    handle_close(process);
    return status;
}

static void say(const char *text)
{
    stream_write_all(init.terminal, text, strlen(text));
}

static mx_status_t run_and_power_off(char *value)
{
    const char *argv[RUN_PARTS_MAX];
    size_t argc = boot_option_split(value, argv, RUN_PARTS_MAX);
    char text[RUN_VALUE_SIZE + 64];
    int32_t exit_code = 0;
    mx_status_t status = run_program(argv, argc, &exit_code);

    if (status == MX_OK)
        snprintf(text, sizeof(text), "machina.run: %s exited with %d\n", argv[0], exit_code);
    else
        snprintf(text, sizeof(text), "machina.run: %s not run: %s\n", argv[0],
                 mx_status_string(status));
    say(text);
    report("console flush", ask_console(CONSOLE_FLUSH));
    return mx_system_power(init.system, MX_POWER_OFF);
}

int main(int argc, char **argv)
{
    char run[RUN_VALUE_SIZE];

    init.job = startup_handle_look(MX_STARTUP_JOB, 0);
    init.resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_ROOT);
    init.system = make_resource(MX_RESOURCE_SYSTEM, 0, 0);
    if (!report("boot image", open_boot_image()) || !report("console", start_console()))
        return 1;
    start_guest_manager();
    if (argc < 2 || !boot_option_find(argv[1], "machina.devices", run, sizeof(run)) ||
        strcmp(run, "no") != 0)
        start_device_manager();
    report("console", ask_console(CONSOLE_HIDE_LOG));
    if (argc > 1 && boot_option_find(argv[1], "machina.run", run, sizeof(run)))
        return report("power off", run_and_power_off(run)) ? 0 : 1;
    return report("shell", keep_shell()) ? 0 : 1;
}
