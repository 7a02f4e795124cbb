// In place of the screen: starts the device manager, takes the keys of all keyboards, and prints
// them.
//
//     keyboard 0 connected
//     keyboard 0: 04 down
//     keyboard 0: 04 up
//     keyboard 0 closed
//     log: xhci 0000:00:02.0: port 5: device 0627:0001 removed
//
// Num lock and caps lock light their indicators (tests/integration/test_keyboards.py). The machine starts with machina.devices=no.
#include <stdio.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>
#include <machina_user/keyboard.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "tests/system/child.h"

#define KEYBOARDS_MAX 32
#define SERVICES_MAX  8
#define KEY_LOG       KEYBOARDS_MAX
#define KEY_SERVICE   (KEYBOARDS_MAX + 1) // and one more for each service

static mx_handle_t port, log_reader, streams[KEYBOARDS_MAX];
static mx_handle_t
    services[SERVICES_MAX]; // one channel for the device manager, and one for each driver
static unsigned connected, service_count;

static mx_handle_t make(uint32_t kind, uint64_t base, uint64_t size)
{
    mx_handle_t resource;

    return mx_resource_create(root_resource(), kind, base, size, &resource) == MX_OK
               ? resource
               : MX_HANDLE_INVALID;
}

static mx_handle_t make_log(void)
{
    mx_handle_t log;

    return mx_log_create(system_resource(), &log) == MX_OK ? log : MX_HANDLE_INVALID;
}

static mx_status_t start_device_manager(mx_handle_t keyboards)
{
    static const char *const argv[] = {"device_manager"};
    mx_handle_t job, archive, process;
    mx_status_t status = mx_job_create(own_job(), &job);

    if (status == MX_OK)
        status = files_duplicate_archive(&archive);
    if (status != MX_OK)
        return status;
    const struct process_handle handles[] = {
        {MX_STARTUP_JOB, 0, with_rights(job, MX_RIGHT_SAME)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_MMIO, make(MX_RESOURCE_MMIO, 0, UINT64_MAX)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ, make(MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_DMA, make(MX_RESOURCE_DMA, 0, 0)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM,
         with_rights(system_resource(), MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER)},
        {MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS, keyboards},
        {MX_STARTUP_BOOTFS, 0, archive},
        {MX_STARTUP_LOG, 0, make_log()},
    };
    struct process_launch spec = {.job = job,
                                  .argv = argv,
                                  .argc = 1,
                                  .handles = handles,
                                  .handle_count = sizeof(handles) / sizeof(handles[0])};
    return process_launch_file(&spec, "bin/device_manager", &process);
}

static mx_status_t arm(mx_handle_t handle, uint64_t key)
{
    return mx_object_wait_async(handle, port, key, MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

static mx_status_t add_service(mx_handle_t channel)
{
    if (service_count == SERVICES_MAX)
        return MX_ERR_NO_RESOURCES;
    services[service_count] = channel;
    return arm(channel, KEY_SERVICE + service_count++);
}

static mx_status_t add_keyboard(mx_handle_t stream)
{
    if (connected == KEYBOARDS_MAX)
        return MX_ERR_NO_RESOURCES;
    streams[connected] = stream;
    printf("keyboard %u connected\n", connected);
    return arm(stream, connected++);
}

static mx_status_t take_message(mx_handle_t service)
{
    struct keyboard_connect message;
    mx_handle_t handle;
    uint32_t actual[2];
    const mx_status_t status =
        mx_channel_read(service, &message, sizeof(message), &handle, 1, actual);

    if (status != MX_OK)
        return status;
    if (actual[0] != sizeof(message) || actual[1] != 1)
        return MX_ERR_INVALID_ARGS;
    return message.operation == KEYBOARD_CONNECT ? add_keyboard(handle) : add_service(handle);
}

// Num lock and caps lock light their indicators.
static void show_indicators(unsigned keyboard, const struct keyboard_event *event)
{
    static uint8_t lit;
    size_t actual;

    if (!event->is_pressed || (event->usage != 0x53 && event->usage != 0x39))
        return;
    lit ^= event->usage == 0x53 ? KEYBOARD_NUM_LOCK : KEYBOARD_CAPS_LOCK;
    if (mx_stream_write(streams[keyboard], &lit, sizeof(lit), &actual) != MX_OK)
        printf("keyboard %u takes no indicators\n", keyboard);
}

static void take_keys(unsigned keyboard)
{
    struct keyboard_event events[16];
    size_t actual;
    mx_status_t status;

    while ((status = mx_stream_read(streams[keyboard], events, sizeof(events), &actual)) == MX_OK) {
        if (actual % sizeof(events[0]) != 0)
            printf("part of an event\n");
        for (size_t i = 0; i < actual / sizeof(events[0]); i++) {
            printf("keyboard %u: %02x %s\n", keyboard, events[i].usage,
                   events[i].is_pressed ? "down" : "up");
            show_indicators(keyboard, &events[i]);
        }
    }
    if (status != MX_ERR_SHOULD_WAIT) {
        printf("keyboard %u closed\n", keyboard);
        handle_close(streams[keyboard]);
    } else if (arm(streams[keyboard], keyboard) != MX_OK) {
        printf("cannot wait for keys\n");
    }
}

// What drivers say.
static void show_log(void)
{
    struct mx_log_record record;

    while (mx_log_read(log_reader, &record) == MX_OK)
        printf("log: %.*s\n", (int)record.size_bytes, record.text);
    if (arm(log_reader, KEY_LOG) != MX_OK)
        printf("cannot wait for the log\n");
}

static mx_status_t start(void)
{
    mx_handle_t service, other;
    mx_status_t status = mx_port_create(&port);

    if (status == MX_OK)
        status = mx_channel_create(&service, &other);
    if (status == MX_OK)
        status = add_service(service);
    if (status == MX_OK)
        status = start_device_manager(other);
    log_reader = make_log();
    show_log();
    return status;
}

static void serve_messages(unsigned index)
{
    mx_status_t status;

    while ((status = take_message(services[index])) == MX_OK)
        ;
    if (status == MX_ERR_PEER_CLOSED)
        printf("a driver has gone\n");
    else if (status != MX_ERR_SHOULD_WAIT || arm(services[index], KEY_SERVICE + index) != MX_OK)
        printf("no more keyboards: %s\n", mx_status_string(status));
}

static void serve(uint64_t key)
{
    if (key < KEYBOARDS_MAX)
        take_keys((unsigned)key);
    else if (key == KEY_LOG)
        show_log();
    else
        serve_messages((unsigned)(key - KEY_SERVICE));
}

int main(void)
{
    struct mx_port_packet packet;
    mx_status_t status = start();

    if (status != MX_OK) {
        printf("cannot start: %s\n", mx_status_string(status));
        return 1;
    }
    printf("keyboard_monitor waits\n");
    while (mx_port_wait(port, MX_TIME_INFINITE, &packet) == MX_OK) {
        serve(packet.key);
    }
    return 1;
}
