// The first process: finds the boot image's files, starts the consoles (serial port, screen),
// keyboards and the guest manager, then keeps shells running. With machina.run=NAME[,ARG...] on the
// kernel's command line it runs that program instead, tells its exit code and switches the machine
// off.
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
#include <machina_user/keyboard.h>
#include <machina_user/process.h>
#include <machina_user/screen.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

#include "boot/boot_option.h"
#include "boot/zbi.h"
#include "user/services/i8042.h"

#define RUN_PARTS_MAX  32
#define RUN_VALUE_SIZE 512

// A shell that ends sooner than this is not started again at once.
#define SHELL_RESTART_PAUSE MX_MSEC(500)

// For the device manager to look at all buses.
#define DEVICES_TIMEOUT MX_SEC(10)

// A terminal at which a shell is kept running.
struct seat {
    mx_handle_t terminal; // this end of its stream; MX_HANDLE_INVALID: the other end is gone
    mx_handle_t gate;     // an object with SCREEN_SIGNAL_SHOWN once the shell is wanted;
                          // MX_HANDLE_INVALID: it is
    mx_handle_t process;  // MX_HANDLE_INVALID: none runs
    mx_time_t start_at;   // not before this
};

static struct {
    mx_handle_t job;       // the root job
    mx_handle_t resource;  // the root resource
    mx_handle_t system;    // MX_RESOURCE_SYSTEM
    mx_handle_t console;   // the console service's control channel
    mx_handle_t screen;    // the screen's; MX_HANDLE_INVALID without one
    mx_handle_t terminal;  // where machina.run's program is: serial port or screen's first console
    mx_handle_t guests;    // a channel to the guest manager; MX_HANDLE_INVALID without one
    mx_handle_t keyboards; // where keyboards' drivers connect; MX_HANDLE_INVALID without a screen
    mx_handle_t disks;     // for the guest manager: a channel to the disk service
    mx_handle_t disk_devices; // for the device manager: where it announces disks
    // The other ends, for the screen and the disk service.
    mx_handle_t keyboards_end, disks_end, disk_devices_end;
    struct seat seats[1 + SCREEN_SHELLS];
    size_t seat_count;
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

// The page in which a range begins; *size_bytes becomes that of all its pages.
static uint64_t whole_pages(uint64_t base, uint64_t *size_bytes)
{
    uint64_t first = base & ~(uint64_t)(MX_PAGE_SIZE - 1);

    *size_bytes = (base - first + *size_bytes + MX_PAGE_SIZE - 1) & ~(uint64_t)(MX_PAGE_SIZE - 1);
    return first;
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

// The end of a new stream for a terminal where a shell shall run, whose other end is *device_end.
static mx_status_t add_seat(mx_handle_t *device_end, bool is_gated)
{
    struct seat *seat = &init.seats[init.seat_count];
    mx_status_t status = mx_stream_create(&seat->terminal, device_end);

    if (status != MX_OK)
        return status;
    if (is_gated)
        seat->gate = copy_with(*device_end, MX_RIGHT_WAIT);
    if (init.terminal == MX_HANDLE_INVALID)
        init.terminal = seat->terminal;
    init.seat_count++;
    return MX_OK;
}

// A client's channel of its own; MX_HANDLE_INVALID without a guest manager.
static mx_handle_t guest_channel(void)
{
    mx_handle_t channel;

    return guest_client_connect(init.guests, &channel) == MX_OK ? channel : MX_HANDLE_INVALID;
}

// For a driver of keyboards; MX_HANDLE_INVALID without a screen.
static mx_handle_t keyboard_driver_channel(void)
{
    mx_handle_t channel;

    if (init.keyboards == MX_HANDLE_INVALID ||
        keyboard_add_driver(init.keyboards, &channel) != MX_OK)
        return MX_HANDLE_INVALID;
    return channel;
}

// For who starts such drivers.
static mx_handle_t keyboard_manager_channel(void)
{
    mx_handle_t channel;

    if (init.keyboards == MX_HANDLE_INVALID ||
        keyboard_add_manager(init.keyboards, &channel) != MX_OK)
        return MX_HANDLE_INVALID;
    return channel;
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

// Of memory only whole pages can be mapped.
static mx_handle_t make_registers(const struct mx_info_console *uart)
{
    uint64_t base = uart->base, size_bytes = uart->size_bytes;

    if (uart->resource_kind == MX_RESOURCE_MMIO)
        base = whole_pages(uart->base, &size_bytes);
    return make_resource(uart->resource_kind, base, size_bytes);
}

// It gets the UART, the log to read, and one end of the stream that is the terminal.
static mx_status_t start_console(void)
{
    struct mx_info_console uart;
    char words[4][24];
    const char *const argv[] = {"console", words[0], words[1], words[2], words[3]};
    mx_handle_t stream, process;
    mx_status_t status =
        mx_object_get_info(init.system, MX_INFO_CONSOLE, &uart, sizeof(uart), NULL);

    if (status == MX_OK && uart.resource_kind == MX_RESOURCE_ROOT)
        status = MX_ERR_NOT_FOUND;
    if (status == MX_OK)
        status = add_seat(&stream, false);
    if (status != MX_OK)
        return status;
    snprintf(words[0], sizeof(words[0]), "0x%lx", (unsigned long)uart.base);
    snprintf(words[1], sizeof(words[1]), "%u", uart.stride_bytes);
    snprintf(words[2], sizeof(words[2]), "%u", uart.access_bytes);
    snprintf(words[3], sizeof(words[3]), "%u", uart.irq);
    const struct process_handle handles[] = {
        {MX_STARTUP_RESOURCE, uart.resource_kind, make_registers(&uart)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ,
         uart.irq == MX_CONSOLE_NO_IRQ ? MX_HANDLE_INVALID
                                       : make_resource(MX_RESOURCE_IRQ, uart.irq, 1)},
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

static mx_status_t ask(mx_handle_t channel, enum console_operation operation)
{
    struct console_request request = {.operation = operation};
    struct console_reply reply;
    struct mx_channel_call_args args = {.request_bytes = &request,
                                        .reply_bytes = &reply,
                                        .request_size_bytes = sizeof(request),
                                        .reply_capacity_bytes = sizeof(reply)};
    mx_status_t status = mx_channel_call(channel, &args, mx_clock_get_monotonic() + MX_SEC(10));

    return status == MX_OK ? reply.status : status;
}

// Of whatever shows terminals.
static void ask_consoles(enum console_operation operation)
{
    if (init.console != MX_HANDLE_INVALID)
        report("console", ask(init.console, operation));
    if (init.screen != MX_HANDLE_INVALID)
        report("screen", ask(init.screen, operation));
}

// The picture's memory, and nothing around it but the rest of its first and last page.
static mx_status_t make_framebuffer(const struct mx_info_framebuffer *info, mx_handle_t *vmo)
{
    uint64_t size_bytes = (uint64_t)info->stride_pixels * info->height * 4;
    uint64_t base = whole_pages(info->base, &size_bytes);
    mx_handle_t resource, whole;

    resource = make_resource(MX_RESOURCE_MMIO, base, size_bytes);
    mx_status_t status =
        mx_vmo_create_physical(resource, MX_VMO_PHYSICAL_COMBINED, base, size_bytes, &whole);
    handle_close(resource);
    if (status != MX_OK)
        return status;
    return mx_handle_replace(
        whole, MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_MAP | MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER,
        vmo);
}

static mx_status_t launch_screen(const struct mx_info_framebuffer *info, mx_handle_t framebuffer,
                                 mx_handle_t keyboards)
{
    char words[5][16];
    const char *const argv[] = {"screen", words[0], words[1], words[2], words[3], words[4]};
    mx_handle_t process, streams[SCREEN_SHELLS] = {MX_HANDLE_INVALID};
    struct process_handle handles[3 + SCREEN_SHELLS] = {
        {SCREEN_STARTUP_FRAMEBUFFER, 0, framebuffer},
        {MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS, keyboards},
        {MX_STARTUP_LOG, 0,
         make_log(MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_WAIT | MX_RIGHT_TRANSFER)},
    };

    snprintf(words[0], sizeof(words[0]), "%u", info->width);
    snprintf(words[1], sizeof(words[1]), "%u", info->height);
    snprintf(words[2], sizeof(words[2]), "%u", info->stride_pixels);
    snprintf(words[3], sizeof(words[3]), "0x%x", info->format);
    snprintf(words[4], sizeof(words[4]), "%u", (unsigned)(info->base & (MX_PAGE_SIZE - 1)));
    for (uint32_t i = 0; i < SCREEN_SHELLS; i++) {
        report("stream", add_seat(&streams[i], true));
        handles[3 + i] = (struct process_handle){SCREEN_STARTUP_STREAM, i, streams[i]};
    }
    mx_status_t status = launch(init.job, argv, sizeof(argv) / sizeof(argv[0]), handles,
                                sizeof(handles) / sizeof(handles[0]), &init.screen, &process);
    if (status == MX_OK)
        handle_close(process);
    return status;
}

static bool find_screen(struct mx_info_framebuffer *info)
{
    return mx_object_get_info(init.system, MX_INFO_FRAMEBUFFER, info, sizeof(*info), NULL) == MX_OK;
}

// It gets the picture, the log to read, one end of a stream for each of its consoles, and the
// channel in which keyboards come. A machine without a screen is none the worse.
static void start_screen(void)
{
    struct mx_info_framebuffer info;
    mx_handle_t framebuffer;

    if (!find_screen(&info))
        return;
    if (report("framebuffer", make_framebuffer(&info, &framebuffer)))
        report("screen", launch_screen(&info, framebuffer, init.keyboards_end));
    else
        handle_close(init.keyboards_end);
}

// A keyboard's driver gets the registers and the interrupt of its controller, and the way to the
// screen. Machines that have no such controller have no such program.
static void start_ps2_keyboard(void)
{
    static const char *const argv[] = {"i8042"};
    mx_handle_t process, vmo;
    size_t size_bytes;

    if (init.screen == MX_HANDLE_INVALID || files_open("bin/i8042", &vmo, &size_bytes) != MX_OK)
        return;
    handle_close(vmo);
    const struct process_handle handles[] = {
        {I8042_STARTUP_DATA, 0, make_resource(MX_RESOURCE_IOPORT, I8042_DATA_PORT, 1)},
        {I8042_STARTUP_COMMAND, 0, make_resource(MX_RESOURCE_IOPORT, I8042_COMMAND_PORT, 1)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ,
         make_resource(MX_RESOURCE_IRQ, I8042_KEYBOARD_IRQ, 1)},
        {MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS, keyboard_driver_channel()},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_WRITE | MX_RIGHT_TRANSFER)},
    };
    if (launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process) ==
        MX_OK)
        handle_close(process);
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
        {MX_STARTUP_SERVICE, MX_SERVICE_DISKS, init.disks},
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

// Between the device manager and those that use devices, who are started after it.
static void make_device_channels(void)
{
    struct mx_info_framebuffer info;

    report("channel", mx_channel_create(&init.disk_devices, &init.disk_devices_end));
    report("channel", mx_channel_create(&init.disks, &init.disks_end));
    if (find_screen(&info)) // without one nobody takes keys
        report("channel", mx_channel_create(&init.keyboards, &init.keyboards_end));
}

// It gets all device memory, message-signalled interrupts and DMA, which it hands on by the device,
// and a job for the drivers. When it has put all registers in their places it closes its channel:
// until then nobody else uses devices, since an emulator (QEMU 7.2) loses accesses of other CPUs
// while addresses change.
static void start_device_manager(void)
{
    static const char *const argv[] = {"device_manager"};
    mx_handle_t process, channel;
    const struct process_handle handles[] = {
        {MX_STARTUP_JOB, 0, make_job()},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_MMIO, make_resource(MX_RESOURCE_MMIO, 0, UINT64_MAX)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ, make_resource(MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_DMA, make_resource(MX_RESOURCE_DMA, 0, 0)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM,
         copy_with(init.system, MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER)},
        {MX_STARTUP_SERVICE, MX_SERVICE_DISKS, init.disk_devices},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS, keyboard_manager_channel()},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_WRITE | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)},
    };

    if (launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), &channel,
               &process) != MX_OK)
        return;
    handle_close(process);
    report("device manager", mx_object_wait_one(channel, MX_SIGNAL_PEER_CLOSED,
                                                mx_clock_get_monotonic() + DEVICES_TIMEOUT, NULL));
    handle_close(channel);
}

// It hears of disks from the device manager, and is asked for files by the guest manager.
static void start_disk_service(void)
{
    static const char *const argv[] = {"disk_service"};
    mx_handle_t process;
    const struct process_handle handles[] = {
        {MX_STARTUP_SERVICE, MX_SERVICE_DISKS, init.disk_devices_end},
        {MX_STARTUP_CONTROL, 0, init.disks_end},
        {MX_STARTUP_LOG, 0, make_log(MX_RIGHT_WRITE | MX_RIGHT_TRANSFER)},
    };
    if (launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL, &process) ==
        MX_OK)
        handle_close(process);
}

// --- the shell
// -----------------------------------------------------------------------------------------

// It gets the terminal, a job for its programs, and what it hands on to single commands: the files,
// the machine (statistics, log, power), the root job to look at and to end processes in, the guest
// manager.
static mx_status_t start_shell(struct seat *seat)
{
    static const char *const argv[] = {"shell"};
    const struct process_handle handles[] = {
        {MX_STARTUP_STDIN, 0, copy_of(seat->terminal)},
        {MX_STARTUP_STDOUT, 0, copy_of(seat->terminal)},
        {MX_STARTUP_JOB, 0, make_job()},
        {MX_STARTUP_JOB, 1,
         copy_with(init.job,
                   MX_RIGHT_INSPECT | MX_RIGHT_MANAGE | MX_RIGHT_DUPLICATE | MX_RIGHT_TRANSFER)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM, copy_of(init.system)},
        {MX_STARTUP_BOOTFS, 0, archive_copy()},
        {MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER, guest_channel()},
    };

    seat->start_at = mx_clock_get_monotonic() + SHELL_RESTART_PAUSE;
    return launch(init.job, argv, 1, handles, sizeof(handles) / sizeof(handles[0]), NULL,
                  &seat->process);
}

// Starts what is wanted and due. Returns when the next one is due; never, if the shell cannot run.
static mx_status_t start_shells(mx_time_t *next)
{
    mx_time_t now = mx_clock_get_monotonic();

    *next = MX_TIME_INFINITE;
    for (size_t i = 0; i < init.seat_count; i++) {
        struct seat *seat = &init.seats[i];
        if (seat->terminal == MX_HANDLE_INVALID || seat->process != MX_HANDLE_INVALID ||
            seat->gate != MX_HANDLE_INVALID)
            continue;
        if (now >= seat->start_at) {
            mx_status_t status = start_shell(seat);
            // Memory may be short for a moment only.
            if (status != MX_OK && status != MX_ERR_NO_MEMORY)
                return status;
        }
        if (seat->process == MX_HANDLE_INVALID && seat->start_at < *next)
            *next = seat->start_at;
    }
    return MX_OK;
}

static bool has_signal(mx_handle_t handle, mx_signals_t signal)
{
    mx_signals_t pending = 0;

    return handle != MX_HANDLE_INVALID && mx_object_wait_one(handle, signal, 0, &pending) == MX_OK;
}

static void close_and_forget(mx_handle_t *handle)
{
    handle_close(*handle);
    *handle = MX_HANDLE_INVALID;
}

// A terminal whose driver has ended shows nothing any more: a shell there would end at once, for
// ever.
static void note_ends(struct seat *seat)
{
    if (has_signal(seat->gate, SCREEN_SIGNAL_SHOWN))
        close_and_forget(&seat->gate);
    if (!has_signal(seat->process, MX_SIGNAL_TERMINATED))
        return;
    close_and_forget(&seat->process);
    if (!has_signal(seat->terminal, MX_SIGNAL_PEER_CLOSED))
        return;
    printf("init: terminal %u is gone, and its shell with it\n", (unsigned)(seat - init.seats));
    close_and_forget(&seat->terminal);
}

static mx_status_t keep_shells(void)
{
    struct mx_wait_item items[1 + SCREEN_SHELLS];
    mx_time_t next;

    for (;;) {
        uint32_t count = 0;
        mx_status_t status = start_shells(&next);
        for (size_t i = 0; i < init.seat_count; i++) {
            const struct seat *seat = &init.seats[i];
            if (seat->gate != MX_HANDLE_INVALID)
                items[count++] = (struct mx_wait_item){seat->gate, SCREEN_SIGNAL_SHOWN, 0};
            else if (seat->process != MX_HANDLE_INVALID)
                items[count++] = (struct mx_wait_item){seat->process, MX_SIGNAL_TERMINATED, 0};
        }
        if (status == MX_OK && count > 0)
            status = mx_object_wait_many(items, count, next);
        else if (status == MX_OK)
            status = mx_nanosleep(next);
        if (status != MX_OK && status != MX_ERR_TIMED_OUT)
            return status;
        for (size_t i = 0; i < init.seat_count; i++)
            note_ends(&init.seats[i]);
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
    ask_consoles(CONSOLE_FLUSH);
    return mx_system_power(init.system, MX_POWER_OFF);
}

int main(int argc, char **argv)
{
    char run[RUN_VALUE_SIZE];

    init.job = startup_handle_look(MX_STARTUP_JOB, 0);
    init.resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_ROOT);
    init.system = make_resource(MX_RESOURCE_SYSTEM, 0, 0);
    if (!report("boot image", open_boot_image()))
        return 1;
    make_device_channels();
    if (argc < 2 || !boot_option_find(argv[1], "machina.devices", run, sizeof(run)) ||
        strcmp(run, "no") != 0)
        start_device_manager();
    report("console", start_console());
    start_screen();
    if (init.console == MX_HANDLE_INVALID && init.screen == MX_HANDLE_INVALID)
        return 1;
    start_ps2_keyboard();
    start_disk_service();
    start_guest_manager();
    ask_consoles(CONSOLE_HIDE_LOG);
    if (argc > 1 && boot_option_find(argv[1], "machina.run", run, sizeof(run)))
        return report("power off", run_and_power_off(run)) ? 0 : 1;
    return report("shell", keep_shells()) ? 0 : 1;
}
