// What a host process does without guests; see rows.h.

#include <stdio.h>

#include <bench_arch.h>

#include <machina/syscalls.h>

#include "tests/bench/rows.h"
#include "tests/bench/samples.h"
#include "tests/system/child.h"

// A call that finds at once that there is nothing to do for it.
static void null_call(void)
{
    (void)mx_log_write(MX_HANDLE_INVALID, NULL, MX_LOG_LINE_SIZE + 1);
}

static uint64_t measure_once(void (*operation)(void))
{
    uint64_t begin = time_stamp();

    for (unsigned i = 0; i < BENCH_REPETITIONS; i++)
        operation();
    return time_stamp() - begin;
}

static void do_nothing(void) {}

static void measure(const char *name, void (*operation)(void))
{
    uint64_t values[SAMPLES_MAX], nothing[SAMPLES_MAX];

    for (size_t i = 0; i < SAMPLES_WARM_UP; i++)
        operation();
    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        nothing[i] = measure_once(do_nothing);
        values[i] = measure_once(operation);
    }
    samples_print_repeated(name, values, nothing, SAMPLES_MAX, BENCH_REPETITIONS);
}

static struct child echo;

static void call_echo(void)
{
    uint32_t request[4] = {0, 1, 2, 3}, reply[4];
    struct mx_channel_call_args args = {.request_bytes = request,
                                        .request_size_bytes = sizeof(request),
                                        .reply_bytes = reply,
                                        .reply_capacity_bytes = sizeof(reply)};

    if (mx_channel_call(echo.channel, &args, MX_TIME_INFINITE) != MX_OK)
        printf("bench: the other process does not answer\n");
}

void host_rows_measure(void)
{
    measure("null-syscall", null_call);
    if (child_start(&echo, "echo", NULL) != MX_OK)
        return;
    measure("channel-call", call_echo);
    close_handle(echo.channel);
    echo.channel = MX_HANDLE_INVALID;
    (void)child_finish(&echo);
}

void memory_rows_measure(void)
{
    struct mx_info_memory info;

    if (mx_object_get_info(system_resource(), MX_INFO_MEMORY, &info, sizeof(info), NULL) != MX_OK)
        return;
    // The boot image holds guest packages, which count for themselves.
    samples_print_value("host-memory-kib", (info.kernel_image_bytes + info.kernel_heap_bytes +
                                            info.page_table_bytes + info.vmo_bytes) /
                                               1024);
    samples_print_value("used-memory-kib", (info.total_bytes - info.free_bytes) / 1024);
    samples_print_value("boot-image-kib", info.boot_image_bytes / 1024);
}
