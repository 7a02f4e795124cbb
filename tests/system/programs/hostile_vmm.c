// In place of the VMM, for tests/system/guest_manager_test.c: the launch's first override says what
// it does to the guest manager.
//
// What it checks of the manager's answers it tells as a guest that is refused: "as it should be",
// or what was not.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/manager/vmm_protocol.h"

#define CALL_TIMEOUT MX_SEC(20)
#define OPENS_BOUND  1000 // more than the manager can mean

static mx_handle_t manager;

static void send(const void *bytes, uint32_t size_bytes, mx_handle_t handle)
{
    (void)!mx_channel_write(manager, bytes, size_bytes, &handle, handle != MX_HANDLE_INVALID);
}

static void send_kind(uint32_t kind)
{
    const struct vmm_header header = {.kind = kind};

    send(&header, sizeof(header), MX_HANDLE_INVALID);
}

static void tell_ended(enum vmm_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell_ended(enum vmm_outcome outcome, const char *format, ...)
{
    struct vmm_ended event = {
        .header.kind = VMM_ENDED, .status = MX_ERR_CANCELED, .outcome = outcome};
    va_list args;

    va_start(args, format);
    vsnprintf(event.message, sizeof(event.message), format, args);
    va_end(args);
    send(&event, sizeof(event), MX_HANDLE_INVALID);
}

static _Noreturn void stay(void)
{
    mx_nanosleep(MX_TIME_INFINITE);
    exit(EXIT_FAILURE);
}

// --- what it says that is no message of the protocol

static void say_nothing(void)
{
    stay();
}

static void say_too_little(void)
{
    send("vmm", 3, MX_HANDLE_INVALID);
    stay();
}

static void say_too_much(void)
{
    static uint8_t bytes[MX_CHANNEL_MAX_BYTES];

    memcpy(bytes, &(struct vmm_header){.kind = VMM_RUNNING}, sizeof(struct vmm_header));
    send(bytes, sizeof(bytes), MX_HANDLE_INVALID);
    stay();
}

static void say_with_many_handles(void)
{
    const struct vmm_header header = {.kind = VMM_RUNNING};
    mx_handle_t handles[2];

    if (mx_channel_create(&handles[0], &handles[1]) == MX_OK)
        (void)!mx_channel_write(manager, &header, sizeof(header), handles, 2);
    stay();
}

static void say_unknown(void)
{
    send_kind(VMM_ENDED + 1);
    stay();
}

static void say_what_the_manager_says(void)
{
    const struct vmm_attach attach = {.header.kind = VMM_ATTACH};

    send(&attach, sizeof(attach), MX_HANDLE_INVALID);
    stay();
}

static void say_ended_in_short(void)
{
    send_kind(VMM_ENDED);
    stay();
}

static void run_and_then_say_unknown(void)
{
    send_kind(VMM_RUNNING);
    send_kind(0);
    stay();
}

// --- what it says out of order, or with lies in it

// The second view must not take the first one's place, and neither is one.
static void run_twice_without_a_guest(void)
{
    const struct vmm_header header = {.kind = VMM_RUNNING};
    mx_handle_t handles[2];

    if (mx_channel_create(&handles[0], &handles[1]) != MX_OK)
        exit(EXIT_FAILURE);
    send(&header, sizeof(header), handles[0]);
    send(&header, sizeof(header), handles[1]);
    stay();
}

static void run_and_exit(void)
{
    send_kind(VMM_RUNNING);
    exit(3);
}

static void run_and_close(void)
{
    send_kind(VMM_RUNNING);
    handle_close(manager);
    stay();
}

static void end_in_control_characters(void)
{
    struct vmm_ended event = {.header.kind = VMM_ENDED, .outcome = VMM_OUTCOME_FAILED};

    for (size_t i = 0; i < sizeof(event.message); i++)
        event.message[i] = (char)(i % 0x20 + 1);
    send_kind(VMM_RUNNING);
    send(&event, sizeof(event), MX_HANDLE_INVALID);
    exit(EXIT_SUCCESS);
}

static void end_and_stay(void)
{
    send_kind(VMM_RUNNING);
    tell_ended((enum vmm_outcome)99, "it says that it has ended");
    send_kind(VMM_RUNNING);
    stay();
}

static void reboot_at_once(void)
{
    send_kind(VMM_RUNNING);
    tell_ended(VMM_OUTCOME_REBOOT, "reboot");
    exit(EXIT_SUCCESS);
}

static void flood(void)
{
    const struct vmm_reserve reserve = {.header = {1, VMM_RESERVE}};

    send_kind(VMM_RUNNING);
    for (;;)
        send(&reserve, sizeof(reserve), MX_HANDLE_INVALID);
}

// --- calls with nonsense in them

static mx_status_t call(void *request, uint32_t size_bytes, mx_handle_t *handle)
{
    struct vmm_reply reply = {.status = MX_ERR_INTERNAL};
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .reply_bytes = &reply,
                                        .reply_handles = handle,
                                        .request_size_bytes = size_bytes,
                                        .reply_capacity_bytes = sizeof(reply),
                                        .reply_handle_capacity = 1};

    *handle = MX_HANDLE_INVALID;
    const mx_status_t status =
        mx_channel_call(manager, &args, mx_clock_get_monotonic() + CALL_TIMEOUT);
    return status == MX_OK ? reply.status : status;
}

static void expect(const char *what, mx_status_t expected, mx_status_t status)
{
    if (status == expected)
        return;
    tell_ended(VMM_OUTCOME_REFUSED, "%s: %s, not %s", what, mx_status_string(status),
               mx_status_string(expected));
    exit(EXIT_FAILURE);
}

static void end_as_it_should_be(void)
{
    tell_ended(VMM_OUTCOME_REFUSED, "as it should be");
    exit(EXIT_SUCCESS);
}

static mx_status_t reserve(uint64_t memory_bytes, uint64_t extra_bytes, uint32_t cpu_count)
{
    struct vmm_reserve request = {.header.kind = VMM_RESERVE,
                                  .memory_bytes = memory_bytes,
                                  .extra_bytes = extra_bytes,
                                  .cpu_count = cpu_count};
    mx_handle_t handle;

    return call(&request, sizeof(request), &handle);
}

static void reserve_nonsense(void)
{
    const uint64_t mib = 1 << 20;

    expect("no CPU", MX_ERR_INVALID_ARGS, reserve(mib, 0, 0));
    expect("many CPUs", MX_ERR_INVALID_ARGS, reserve(mib, 0, UINT32_MAX));
    expect("no memory", MX_ERR_INVALID_ARGS, reserve(0, mib, 1));
    expect("all memory", MX_ERR_INVALID_ARGS, reserve(UINT64_MAX, 0, 1));
    expect("sums that wrap", MX_ERR_INVALID_ARGS, reserve(mib, UINT64_MAX - mib + 1, 1));
    expect("much memory", MX_ERR_NO_MEMORY, reserve(UINT64_MAX / 4, UINT64_MAX / 4, 1));
    expect("much for disks", MX_ERR_NO_MEMORY, reserve(mib, UINT64_MAX / 4, 1));
    expect("what is there", MX_OK, reserve(mib, 0, 1));
    expect("a second time", MX_ERR_BAD_STATE, reserve(mib, 0, 1));
    end_as_it_should_be();
}

static mx_status_t open(uint32_t file_kind, const char *path, bool is_writable, mx_handle_t *handle)
{
    struct vmm_open request = {
        .header.kind = VMM_OPEN, .file_kind = file_kind, .is_writable = is_writable};

    // Without a NUL behind the longest one.
    strncpy(request.path, path, sizeof(request.path));
    return call(&request, sizeof(request), handle);
}

static mx_status_t try_open(uint32_t file_kind, const char *path, bool is_writable)
{
    mx_handle_t handle;
    mx_status_t status = open(file_kind, path, is_writable, &handle);

    if (status != MX_OK && handle != MX_HANDLE_INVALID)
        status = MX_ERR_IO_DATA_INTEGRITY;
    handle_close(handle);
    return status;
}

static void open_nonsense(void)
{
    static char path[VMM_PATH_SIZE + 1];
    mx_handle_t handle;
    unsigned opened = 0;

    memset(path, 'x', VMM_PATH_SIZE);
    expect("no NUL", MX_ERR_BAD_PATH, try_open(VMM_FILE_PACKAGE, path, false));
    path[VMM_PATH_SIZE - 1] = '\0';
    expect("a long path", MX_ERR_BAD_PATH, try_open(VMM_FILE_PACKAGE, path, false));
    expect("out of the package", MX_ERR_BAD_PATH,
           try_open(VMM_FILE_PACKAGE, "../other/data/guest.cfg", false));
    expect("out of it in the middle", MX_ERR_BAD_PATH,
           try_open(VMM_FILE_PACKAGE, "data/../../other/data/guest.cfg", false));
    expect("no path", MX_ERR_BAD_PATH, try_open(VMM_FILE_PACKAGE, "", false));
    expect("no file", MX_ERR_NOT_FOUND, try_open(VMM_FILE_PACKAGE, "data/none", false));
    expect("a folder", MX_ERR_NOT_FOUND, try_open(VMM_FILE_PACKAGE, "data", false));
    expect("to be written", MX_ERR_ACCESS_DENIED,
           try_open(VMM_FILE_PACKAGE, "data/guest.cfg", true));
    expect("no device", MX_ERR_NOT_FOUND, try_open(VMM_FILE_DEVICE, "vmm", false));
    expect("a device's path", MX_ERR_NOT_FOUND, try_open(VMM_FILE_DEVICE, "../bin/vmm", false));
    expect("no kind", MX_ERR_INVALID_ARGS, try_open(99, "data/guest.cfg", false));
    expect("a good one", MX_OK, open(VMM_FILE_PACKAGE, "data/guest.cfg", false, &handle));
    expect("writing it", MX_ERR_ACCESS_DENIED, mx_vmo_write(handle, "", 0, 1));
    handle_close(handle);
    while (opened < OPENS_BOUND &&
           try_open(VMM_FILE_PACKAGE, "data/guest.cfg", false) != MX_ERR_NO_RESOURCES)
        opened++;
    expect("many files", MX_OK, opened < OPENS_BOUND ? MX_OK : MX_ERR_OUT_OF_RANGE);
    end_as_it_should_be();
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"nothing", say_nothing},
    {"too little", say_too_little},
    {"too much", say_too_much},
    {"many handles", say_with_many_handles},
    {"unknown", say_unknown},
    {"command", say_what_the_manager_says},
    {"short end", say_ended_in_short},
    {"late unknown", run_and_then_say_unknown},
    {"run twice", run_twice_without_a_guest},
    {"exit", run_and_exit},
    {"close", run_and_close},
    {"control characters", end_in_control_characters},
    {"end and stay", end_and_stay},
    {"reboot", reboot_at_once},
    {"flood", flood},
    {"reserve", reserve_nonsense},
    {"open", open_nonsense},
};

// The first override's value.
static const char *read_launch(void)
{
    static struct {
        struct vmm_launch header;
        char overrides[GUEST_OVERRIDE_BYTES_MAX + 1];
    } launch;
    uint32_t actual[2];

    if (mx_object_wait_one(manager, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL) != MX_OK ||
        mx_channel_read(manager, &launch, sizeof(launch) - 1, NULL, 0, actual) != MX_OK)
        return "";
    return launch.overrides + strlen(launch.overrides) + 1;
}

int main(void)
{
    manager = startup_channel();
    const char *what = read_launch();
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(acts[i].name, what) == 0)
            acts[i].act();
    }
    tell_ended(VMM_OUTCOME_REFUSED, "there is no such act");
    return EXIT_FAILURE;
}
