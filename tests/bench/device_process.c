// See device_process.h.
#include "tests/bench/device_process.h"

#include <bench_arch.h>

#include <machina/syscalls.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "tests/system/child.h"

#define DEVICE_PORT MX_STARTUP_USER
#define DEVICE_LINE (MX_STARTUP_USER + 1)

int device_process_run(void)
{
    static struct device_report report;
    mx_handle_t port = startup_handle_look(DEVICE_PORT, 0),
                line = startup_handle_look(DEVICE_LINE, 0);
    struct mx_port_packet packet;

    if (mx_channel_write(startup_channel(), "r", 1, NULL, 0) != MX_OK)
        return 1;
    for (size_t i = 0; i < DEVICE_ROUNDS; i++) {
        if (mx_port_wait(port, MX_TIME_INFINITE, &packet) != MX_OK)
            return 1;
        report.woken[i] = time_stamp();
        // By then the guest is halted, as one that waits for its device is.
        (void)mx_nanosleep(mx_clock_get_monotonic() + MX_USEC(100));
        report.raised[i] = time_stamp();
        if (mx_guest_irq_raise(line) != MX_OK)
            return 1;
    }
    return mx_channel_write(startup_channel(), &report, sizeof(report), NULL, 0) == MX_OK ? 0 : 1;
}

bool device_process_start(struct child *device, mx_handle_t port, mx_handle_t line)
{
    static const char *const argv[] = {"bench", "device"};
    const struct process_handle handles[] = {{DEVICE_PORT, 0, with_rights(port, MX_RIGHT_SAME)},
                                             {DEVICE_LINE, 0, with_rights(line, MX_RIGHT_SAME)}};
    struct process_launch spec = {.job = own_job(),
                                  .argv = argv,
                                  .argc = 2,
                                  .handles = handles,
                                  .handle_count = 2,
                                  .out_channel = &device->channel};
    char byte;

    return process_launch_file(&spec, "bin/bench", &device->process) == MX_OK &&
           mx_object_wait_one(device->channel, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL) ==
               MX_OK &&
           mx_channel_read(device->channel, &byte, 1, NULL, 0, NULL) == MX_OK;
}

bool device_process_report(const struct child *device, struct device_report *report)
{
    return mx_object_wait_one(device->channel, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL) ==
               MX_OK &&
           mx_channel_read(device->channel, report, sizeof(*report), NULL, 0, NULL) == MX_OK;
}

void device_process_print(const struct device_report *report, const struct device_stamps *stamps,
                          uint64_t offset)
{
    uint64_t to_device[SAMPLES_MAX], to_guest[SAMPLES_MAX];

    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        size_t round = SAMPLES_WARM_UP + i;
        to_device[i] = report->woken[round] + offset - stamps[round].rung;
        to_guest[i] = stamps[round].taken - (report->raised[round] + offset);
    }
    samples_print("doorbell-to-device", to_device, SAMPLES_MAX, 0);
    samples_print("line-to-guest", to_guest, SAMPLES_MAX, 0);
}
