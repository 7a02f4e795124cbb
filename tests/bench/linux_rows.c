// A Linux guest from its launch to user space and to its prompt: with the package's own command
// line, and with one that asks the kernel for nothing, as the reference was measured; see rows.h.

#include <stdio.h>
#include <string.h>

#include <bench_arch.h>

#include <machina/syscalls.h>
#include <machina_user/guest_client.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>

#include "tests/bench/rows.h"
#include "tests/bench/samples.h"
#include "tests/system/child.h"

#define PACKAGE      "linux_guest"
#define BOOT_TIMEOUT MX_SEC(60)
#define MEMORY_PAUSE MX_MSEC(500)

// "cmdline" and its value, as GUEST_LAUNCH takes them.
#define PLAIN_CMDLINE "cmdline\0console=" BENCH_LINUX_CONSOLE " quiet loglevel=3 root=/dev/vda rw"

static const struct linux_boot {
    const char *override; // NULL: none
    size_t override_bytes;
    const char *user_space_row, *exits_row, *ready_row, *memory_row;
} plain_boot = {PLAIN_CMDLINE,       sizeof(PLAIN_CMDLINE), "linux-plain-user-space",
                "linux-plain-exits", "linux-plain-ready",   "linux-plain-memory-kib"},
  package_boot = {NULL, 0, "linux-user-space", "linux-exits", "linux-ready", "linux-memory-kib"};

static mx_handle_t manager;

static bool launch(const struct linux_boot *boot, uint32_t *id)
{
    struct {
        struct guest_launch_request launch;
        char override[sizeof(PLAIN_CMDLINE)];
    } request = {.launch = {.request.operation = GUEST_LAUNCH,
                            .package = PACKAGE,
                            .override_count = boot->override != NULL,
                            .override_bytes = (uint32_t)boot->override_bytes}};
    union guest_client_reply *reply;

    if (boot->override != NULL)
        memcpy(request.override, boot->override, boot->override_bytes);
    mx_status_t status = guest_client_call(
        manager, &request, sizeof(request.launch) + boot->override_bytes, &reply, NULL);

    if (status != MX_OK) {
        printf("bench: failed: launch: %s\n", mx_status_string(status));
        return false;
    }
    *id = reply->header.id;
    return true;
}

static mx_status_t attach(uint32_t id, mx_handle_t *stream)
{
    struct guest_id_request request = {.request.operation = GUEST_ATTACH_SERIAL, .id = id};
    union guest_client_reply *reply;

    return guest_client_call(manager, &request, sizeof(request), &reply, stream);
}

// Reads until `text` has come by; the window is what was read last.
static bool wait_for(mx_handle_t stream, const char *text, char *window, size_t window_bytes)
{
    mx_time_t deadline = deadline_after(BOOT_TIMEOUT);
    size_t used = strlen(window), actual;

    while (strstr(window, text) == NULL) {
        if (used > window_bytes / 2) {
            memmove(window, window + used - 128, 129);
            used = 128;
        }
        if (stream_read_some(stream, window + used, window_bytes - used - 1, deadline, &actual) !=
            MX_OK)
            return false;
        used += actual;
        window[used] = '\0';
        for (char *at = window; at < window + used; at++)
            *at = *at == '\0' ? ' ' : *at;
    }
    return true;
}

static void print_exits(uint32_t id, const char *name)
{
    struct guest_id_request request = {.request.operation = GUEST_STATS, .id = id};
    union guest_client_reply *reply;
    uint64_t exits = 0;

    if (guest_client_call(manager, &request, sizeof(request), &reply, NULL) != MX_OK)
        return;
    for (uint32_t i = 0; i < reply->stats.count; i++)
        exits += reply->stats.vcpus[i].stats.vm_exits;
    samples_print_value(name, exits);
}

static void stop(uint32_t id)
{
    struct guest_stop_request request = {.request.operation = GUEST_STOP, .id = id, .is_forced = 1};
    union guest_client_reply *reply;

    (void)!guest_client_call(manager, &request, sizeof(request), &reply, NULL);
}

static void follow_boot(const struct linux_boot *boot, uint32_t id, mx_handle_t stream,
                        mx_time_t started)
{
    char window[4096] = "";

    if (!wait_for(stream, PACKAGE ": user space", window, sizeof(window))) {
        printf("bench: failed: no user space; the end was: %.200s\n", window);
        return;
    }
    samples_print_value(boot->user_space_row, (uint64_t)(mx_clock_get_monotonic() - started));
    print_exits(id, boot->exits_row);
    if (wait_for(stream, PACKAGE ": ready", window, sizeof(window)))
        samples_print_value(boot->ready_row, (uint64_t)(mx_clock_get_monotonic() - started));
}

static void measure_boot(const struct linux_boot *boot)
{
    struct machine_counts before = machine_counts();
    mx_time_t started = mx_clock_get_monotonic();
    mx_handle_t stream;
    uint32_t id;

    if (!launch(boot, &id))
        return;
    if (attach(id, &stream) == MX_OK) {
        follow_boot(boot, id, stream, started);
        samples_print_value(boot->memory_row,
                            (before.free_bytes - machine_counts().free_bytes) / 1024);
        close_handle(stream);
    }
    stop(id);
}

void linux_rows_measure(void)
{
    manager = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER);
    if (manager == MX_HANDLE_INVALID)
        return;
    measure_boot(&package_boot);
    measure_boot(&plain_boot);
}
