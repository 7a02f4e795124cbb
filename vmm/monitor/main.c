// The VMM of one guest: sets it up as its configuration says, then waits on one port for what is
// not a vCPU's affair.
//
// It is given its channel to the guest manager, the guest's job, the hypervisor resource and the
// log; files of its package it asks the manager for. Whatever goes wrong before the guest runs is a
// refusal with a line for the user; afterwards it is the guest's end, with a reason. The process
// ends with the guest.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/monitor/device_bus.h"
#include "vmm/monitor/guest_files.h"
#include "vmm/monitor/machine.h"
#include "vmm/monitor/vcpu.h"
#include "vmm/monitor/virtio_device.h"

static struct guest guest;
static char message[GUEST_MESSAGE_SIZE];

// Fills the message of a step that has no better words.
static mx_status_t step(const char *what, mx_status_t status)
{
    if (status == MX_ERR_NO_MEMORY)
        snprintf(message, sizeof(message), "%s: the host has not enough memory", what);
    else if (status != MX_OK)
        snprintf(message, sizeof(message), "%s: %s", what, mx_status_string(status));
    return status;
}

// --- set-up -------------------------------------------------------------------------------------

static mx_status_t take_handles(void)
{
    guest.manager = startup_channel();
    guest.job = startup_handle_take(MX_STARTUP_JOB, 0);
    guest.hypervisor = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    guest.log = startup_handle_take(MX_STARTUP_LOG, 0);
    return step("port", mx_port_create(&guest.port));
}

static mx_status_t configure(void)
{
    static struct manager_launch launch;
    uint64_t disk_bytes;

    mx_status_t status = step("launch request", manager_wait_for_launch(&guest, &launch));
    if (status != MX_OK)
        return status;
    guest.utc_at_zero_s = launch.header.utc_at_zero_s;
    status = guest_files_read_config(&guest, &launch, message, sizeof(message));
    if (status == MX_OK)
        status = guest_files_disk_bytes(&guest, &disk_bytes, message, sizeof(message));
    if (status == MX_OK)
        status = manager_reserve(&guest, disk_bytes, message, sizeof(message));
    return status;
}

static mx_status_t create(void)
{
    mx_status_t status = guest_create(&guest, machine_low_ram_bytes, machine_high_ram_base);

    if (status == MX_ERR_NOT_SUPPORTED) {
        snprintf(message, sizeof(message),
                 "this host cannot run guests: its CPU has no virtualization that is supported");
        return status;
    }
    if (status == MX_OK)
        status = machine_create(&guest, &guest.machine, message, sizeof(message));
    return status == MX_OK || message[0] != '\0' ? status : step("guest", status);
}

static mx_status_t start_device(const char *program, unsigned queue_count)
{
    const struct virtio_device_spec spec = {.program = program, .queue_count = queue_count};

    return step(program, virtio_device_start(&guest, &spec));
}

static mx_status_t start_devices(void)
{
    mx_status_t status = guest_files_start_disks(&guest, message, sizeof(message));

    if (status == MX_OK && guest.config.has_console)
        status = start_device("virtio-console", 2);
    if (status == MX_OK && guest.config.has_rng)
        status = start_device("virtio-rng", 1);
    return status;
}

// The files that start the guest; those that were not mapped have no bytes.
struct boot_files {
    struct guest_file kernel, ramdisk, overlay;
};

// What each key says of the kernel it names.
static const struct {
    const char *key;
    enum boot_kernel_kind kind;
} kernel_keys[] = {
    [GUEST_KERNEL_KEY_KERNEL] = {"kernel", BOOT_KERNEL_ANY},
    [GUEST_KERNEL_KEY_LINUX] = {"linux", BOOT_KERNEL_LINUX},
    [GUEST_KERNEL_KEY_ZIRCON] = {"zircon", BOOT_KERNEL_ZIRCON},
};

static mx_status_t map_files(struct boot_files *files)
{
    const struct guest_config *config = &guest.config;
    mx_status_t status = guest_files_map(&guest, kernel_keys[config->kernel_key].key,
                                         config->kernel, &files->kernel, message, sizeof(message));

    if (status == MX_OK)
        status = guest_files_map(&guest, "ramdisk", config->ramdisk, &files->ramdisk, message,
                                 sizeof(message));
    if (status == MX_OK)
        status = guest_files_map(&guest, "dtb-overlay", config->dtb_overlay, &files->overlay,
                                 message, sizeof(message));
    return status;
}

static mx_status_t load(void)
{
    struct boot_files files = {.kernel = {.mapped_bytes = 0}};
    mx_status_t status = map_files(&files);

    if (status == MX_OK) {
        struct boot_request request = {.memory = &guest.memory,
                                       .kernel = files.kernel.blob,
                                       .kernel_kind = kernel_keys[guest.config.kernel_key].kind,
                                       .ramdisk = files.ramdisk.blob,
                                       .device_tree_overlay = files.overlay.blob,
                                       .command_line = guest.config.cmdline,
                                       .reason = message,
                                       .reason_bytes = sizeof(message)};
        status = machine_load(guest.machine, &request);
    }
    guest_files_unmap(&files.kernel);
    guest_files_unmap(&files.ramdisk);
    guest_files_unmap(&files.overlay);
    return status;
}

static mx_status_t wait_for_commands(void)
{
    return mx_object_wait_async(guest.manager, guest.port, guest_event_key(GUEST_EVENT_CONTROL, 0),
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

static mx_status_t start(void)
{
    mx_status_t status = take_handles();

    if (status == MX_OK)
        status = configure();
    if (status == MX_OK)
        status = create();
    if (status == MX_OK)
        status = start_devices();
    if (status == MX_OK)
        status = load();
    if (status == MX_OK)
        status = step("vCPUs", vcpu_create_all(&guest));
    if (status == MX_OK)
        status = step("guest manager", wait_for_commands());
    return status == MX_OK ? step("guest manager", manager_tell_running(&guest)) : status;
}

// --- events -------------------------------------------------------------------------------------

static void attach(const struct vmm_attach *command, mx_handle_t stream)
{
    if (command->terminal == VMM_TERMINAL_SERIAL)
        device_bus_attach_serial(machine_bus(guest.machine), stream);
    else if (virtio_device_attach_console(&guest, stream) != MX_OK)
        guest_log(&guest, "vmm: there is no console to attach to");
}

// The manager is trusted with the guest's life, so that when it is gone the guest ends.
static void handle_commands(void)
{
    struct vmm_attach command;
    mx_handle_t stream;
    mx_status_t status;

    while ((status = manager_read_command(&guest, &command, &stream)) == MX_OK) {
        if (command.header.kind == VMM_POWER_BUTTON)
            machine_press_power_button(guest.machine);
        if (command.header.kind == VMM_ATTACH)
            attach(&command, stream);
        else
            handle_close(stream);
    }
    if (status == MX_ERR_SHOULD_WAIT)
        status = wait_for_commands();
    if (status != MX_OK)
        guest_end(&guest, VMM_OUTCOME_FAILED, status, "the guest manager is gone");
}

static void handle_event(uint64_t key)
{
    const uint32_t index = (uint32_t)key;

    switch ((enum guest_event)(key >> 32)) {
    case GUEST_EVENT_CONTROL:
        handle_commands();
        break;
    case GUEST_EVENT_TIMER:
        device_bus_timer_event(machine_bus(guest.machine));
        break;
    case GUEST_EVENT_SERIAL:
        device_bus_serial_event(machine_bus(guest.machine), key);
        break;
    case GUEST_EVENT_DEVICE_MESSAGE:
        virtio_device_message_event(&guest, index);
        break;
    case GUEST_EVENT_DEVICE_INTX:
        virtio_device_intx_event(&guest, index);
        break;
    case GUEST_EVENT_ENDED:
        break;
    }
}

static void serve(void)
{
    struct mx_port_packet packet;

    while (!guest_is_ended(&guest)) {
        const mx_status_t status = mx_port_wait(guest.port, MX_TIME_INFINITE, &packet);
        if (status == MX_OK)
            handle_event(packet.key);
        else
            guest_end(&guest, VMM_OUTCOME_FAILED, status, "events cannot be waited for: %s",
                      mx_status_string(status));
    }
}

int main(void)
{
    mx_handle_t serial = MX_HANDLE_INVALID;
    const mx_status_t status = start();

    if (status == MX_OK) {
        vcpu_run_all(&guest);
        serve();
        serial = device_bus_detach_serial(machine_bus(guest.machine));
    } else {
        guest_end(&guest, VMM_OUTCOME_REFUSED, status, "%s", message);
    }
    // Whoever ended the guest may still hold the reason's lock.
    mutex_lock(&guest.end_lock);
    mutex_unlock(&guest.end_lock);
    manager_tell_ended(&guest, serial);
    mx_process_exit(guest.end.outcome == VMM_OUTCOME_POWER_OFF ? EXIT_SUCCESS : EXIT_FAILURE);
}
