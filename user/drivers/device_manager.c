// The device manager: finds the devices behind the machine's PCI host bridges and starts a driver
// process for each that it knows, with that device's handles and no others. When a driver ends, its
// device is switched off, and its memory is let go only then.
//
// Whoever uses devices of a kind (the disk service) gets a channel for each: the manager makes it,
// gives one end to the driver and announces the other (machina_user/device_manager.h). Behind USB
// controllers disks come and go: their drivers get a channel in which they announce them. Drivers
// of keyboards get a channel to the screen, in which they connect keyboards in the same way.
#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/device_manager.h>
#include <machina_user/files.h>
#include <machina_user/keyboard.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "user/drivers/pci_host.h"

#define HOSTS_MAX   8
#define DRIVERS_MAX PCI_FUNCTIONS_MAX

#define ANY 0xffff

// A driver program and the functions that it drives, by identification or by class.
struct driver {
    const char *program;
    uint16_t vendor, device;                  // ANY: by class
    uint16_t class_code, subclass, interface; // ANY: whatever it is
    enum mx_startup_service user;             // who is told of its devices
    bool is_bus;                              // disks and keyboards come and go behind it
};

static const struct driver drivers[] = {
    {"virtio_block_driver", 0x1af4, 0x1001, ANY, ANY, ANY, MX_SERVICE_DISKS, false}, // transitional
    {"virtio_block_driver", 0x1af4, 0x1042, ANY, ANY, ANY, MX_SERVICE_DISKS, false},
    {"virtio_input_driver", 0x1af4, 0x1052, ANY, ANY, ANY, MX_SERVICE_KEYBOARDS, false},
    {"nvme_driver", ANY, ANY, 0x01, 0x08, 0x02, MX_SERVICE_DISKS, false},
    {"ahci_driver", ANY, ANY, 0x01, 0x06, 0x01, MX_SERVICE_DISKS, false},
    {"xhci_driver", ANY, ANY, 0x0c, 0x03, 0x30, MX_SERVICE_DISKS, true},
};

struct running {
    struct pci_host *host;
    const struct pci_function *function;
    const char *program;
    struct pci_grant grant;
    mx_handle_t process;
};

static struct pci_host hosts[HOSTS_MAX];
static struct running running[DRIVERS_MAX];
static uint32_t running_count;
static struct pci_authority authority;
static mx_handle_t job, port;

static bool is_same(uint16_t wanted, uint16_t is)
{
    return wanted == ANY || wanted == is;
}

// NULL: nobody drives it.
static const struct driver *find_driver(const struct pci_header *header)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        const struct driver *driver = &drivers[i];

        if (is_same(driver->vendor, header->vendor) && is_same(driver->device, header->device) &&
            is_same(driver->class_code, header->class_code) &&
            is_same(driver->subclass, header->subclass) &&
            is_same(driver->interface, header->interface))
            return driver;
    }
    return NULL;
}

static bool has_program(const char *program)
{
    const void *bytes;
    size_t size_bytes;
    char path[64];

    snprintf(path, sizeof(path), "bin/%s", program);
    return files_map(path, &bytes, &size_bytes) == MX_OK;
}

static bool takes_keyboards(const struct driver *driver)
{
    return driver->user == MX_SERVICE_KEYBOARDS || driver->is_bus;
}

static bool is_driven(const struct pci_header *header)
{
    const struct driver *driver = find_driver(header);

    // Without a screen nobody takes keys.
    if (!driver || (driver->user == MX_SERVICE_KEYBOARDS &&
                    startup_handle_look(MX_STARTUP_SERVICE, driver->user) == MX_HANDLE_INVALID))
        return false;
    return has_program(driver->program);
}

// One end for the driver; the other goes to who uses such devices. MX_HANDLE_INVALID: nobody does.
static mx_handle_t make_service(const struct driver *driver, const char *device_name)
{
    mx_handle_t users = startup_handle_look(MX_STARTUP_SERVICE, driver->user), ours;

    if (driver->user == MX_SERVICE_KEYBOARDS || users == MX_HANDLE_INVALID ||
        device_announce(users, driver->is_bus ? DEVICE_ADD_BUS : DEVICE_ANNOUNCE, driver->program,
                        device_name, &ours) != MX_OK)
        return MX_HANDLE_INVALID;
    return ours;
}

// What the process gets leaves the grant.
static mx_handle_t take(mx_handle_t *handle)
{
    mx_handle_t taken = *handle;

    *handle = MX_HANDLE_INVALID;
    return taken;
}

static mx_handle_t copy_of(uint32_t kind)
{
    mx_handle_t copy;

    return mx_handle_duplicate(startup_handle_look(kind, 0), MX_RIGHT_SAME, &copy) == MX_OK
               ? copy
               : MX_HANDLE_INVALID;
}

// Where a driver of keyboards connects each of them (machina_user/keyboard.h).
static mx_handle_t keyboards_channel(const struct driver *driver)
{
    mx_handle_t keyboards = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS), channel;

    if (!takes_keyboards(driver) || keyboards == MX_HANDLE_INVALID ||
        keyboard_add_driver(keyboards, &channel) != MX_OK)
        return MX_HANDLE_INVALID;
    return channel;
}

static mx_status_t launch(const struct driver *driver, const char *path, struct running *entry)
{
    struct pci_grant *grant = &entry->grant;
    const char *const argv[] = {driver->program, grant->device.name};
    struct process_handle handles[PCI_BAR_COUNT + 6];
    size_t count = 0;

    for (uint32_t i = 0; i < PCI_BAR_COUNT; i++)
        handles[count++] =
            (struct process_handle){DRIVER_STARTUP_BAR, i, take(&grant->device.bars[i].vmo)};
    handles[count++] = (struct process_handle){DRIVER_STARTUP_CONFIG, 0, take(&grant->config_page)};
    handles[count++] =
        (struct process_handle){DRIVER_STARTUP_INTERRUPT, 0, take(&grant->device.interrupt)};
    handles[count++] = (struct process_handle){DRIVER_STARTUP_DMA, 0, take(&grant->device.dma)};
    handles[count++] = (struct process_handle){DRIVER_STARTUP_SERVICE, 0,
                                               make_service(driver, grant->device.name)};
    handles[count++] = (struct process_handle){MX_STARTUP_SERVICE, MX_SERVICE_KEYBOARDS,
                                               keyboards_channel(driver)};
    handles[count++] = (struct process_handle){MX_STARTUP_LOG, 0, copy_of(MX_STARTUP_LOG)};
    struct process_launch spec = {
        .job = job, .argv = argv, .argc = 2, .handles = handles, .handle_count = count};
    return process_launch_file(&spec, path, &entry->process);
}

static void start_driver(struct pci_host *host, const struct pci_function *function,
                         const struct driver *driver)
{
    struct running *entry = &running[running_count];
    const char *what = "no room in the table of drivers";
    char path[64];

    snprintf(path, sizeof(path), "bin/%s", driver->program);
    mx_status_t status = MX_ERR_NO_RESOURCES;
    if (running_count < DRIVERS_MAX)
        status = pci_grant_function(&authority, host, function, &entry->grant, &what);
    if (status != MX_OK) {
        printf("devices: bus %x slot %x of segment %x: %s: %s\n", function->bus, function->slot,
               host->info.segment, what, mx_status_string(status));
        return;
    }
    status = launch(driver, path, entry);
    if (status == MX_OK)
        status = mx_object_wait_async(entry->process, port, running_count, MX_SIGNAL_TERMINATED, 0);
    if (status != MX_OK) {
        printf("devices: %s: cannot start %s: %s\n", entry->grant.device.name, path,
               mx_status_string(status));
        pci_revoke_function(host, function, &entry->grant);
        return;
    }
    entry->host = host;
    entry->function = function;
    entry->program = driver->program;
    running_count++;
}

static void start_drivers(struct pci_host *host)
{
    for (uint32_t i = 0; i < host->scan.count; i++) {
        const struct pci_function *function = &host->scan.functions[i];

        if (function->is_wanted)
            start_driver(host, function, find_driver(&function->header));
    }
    if (host->scan.left_out_count || host->scan.no_address_count)
        printf("devices: segment %x: %u functions too many, %u registers without an address\n",
               host->info.segment, host->scan.left_out_count, host->scan.no_address_count);
}

static void start_hosts(void)
{
    struct mx_info_pci_host info[HOSTS_MAX];
    size_t bytes = 0;
    mx_handle_t system = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
    mx_status_t status = mx_object_get_info(system, MX_INFO_PCI_HOSTS, info, sizeof(info), &bytes);

    // All registers are in place before the first driver runs.
    for (size_t i = 0; status == MX_OK && i < bytes / sizeof(info[0]) && i < HOSTS_MAX; i++) {
        mx_status_t opened = pci_host_open(&authority, &info[i], is_driven, &hosts[i]);
        if (opened != MX_OK)
            printf("devices: configuration space at %#llx: %s\n",
                   (unsigned long long)info[i].ecam_base, mx_status_string(opened));
    }
    handle_close(startup_channel()); // init waits for this
    for (size_t i = 0; i < HOSTS_MAX; i++)
        start_drivers(&hosts[i]);
}

static void driver_ended(struct running *entry)
{
    int32_t exit_code = 0;
    mx_status_t status = process_wait(entry->process, 0, &exit_code);

    // One that found nothing to drive says so by 0.
    if (status != MX_OK || exit_code != 0)
        printf("devices: %s: %s ended (%d), the device is off\n", entry->grant.device.name,
               entry->program, exit_code);
    pci_revoke_function(entry->host, entry->function, &entry->grant);
    handle_close(entry->process);
    entry->process = MX_HANDLE_INVALID;
}

int main(void)
{
    struct mx_port_packet packet;

    job = startup_handle_look(MX_STARTUP_JOB, 0);
    authority = (struct pci_authority){
        .memory = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_MMIO),
        .irqs = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_IRQ),
        .dma = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_DMA),
    };
    if (mx_port_create(&port) != MX_OK)
        return 1;
    start_hosts();
    for (;;) {
        if (mx_port_wait(port, MX_TIME_INFINITE, &packet) == MX_OK && packet.key < running_count)
            driver_ended(&running[packet.key]);
    }
}
