// The VMM's side of a virtio device; see virtio_device.h.
#include "vmm/monitor/virtio_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>

#include "vmm/monitor/machine.h"
#include "vmm/monitor/manager_link.h"

// A device answers at once; one that does not is as good as dead.
#define CALL_TIMEOUT  MX_SEC(10)
#define KILL_TIMEOUT  MX_SEC(1)
#define ARGUMENTS_MAX (DEVICE_ARGUMENT_OWN + 8)
#define NUMBER_SIZE   24
#define EVENTS_MAX    16 // of one device in one go

struct bell_place {
    bool is_set;
    uint64_t address;
};

struct virtio_device_link {
    struct virtio_pci pci; // first: the transport's context is the link
    struct guest *guest;
    uint32_t index;
    char name[MX_NAME_SIZE];
    unsigned queue_count;
    mx_handle_t process;
    mx_handle_t channel;
    mx_handle_t port;                               // doorbells
    mx_handle_t irqs[VIRTIO_DEVICE_QUEUES_MAX + 1]; // the last is the configuration's
    struct bell_place bells[2];                     // in memory, and on I/O ports
    bool is_dead;
};

// --- messages to the process --------------------------------------------------------------------

// A process that hangs must not wake up later and write where the driver keeps something else by
// then.
static void end_process(const struct virtio_device_link *link)
{
    if (link->process != MX_HANDLE_INVALID &&
        (mx_task_kill(link->process, -1) != MX_OK ||
         mx_object_wait_one(link->process, MX_SIGNAL_TERMINATED,
                            mx_clock_get_monotonic() + KILL_TIMEOUT, NULL) != MX_OK))
        guest_log(link->guest, "vmm: %s (device %u): its process cannot be ended", link->name,
                  link->index);
}

// The device is lost: the driver is told, at the latest when the channel shows the end of the
// process, and the guest goes on without it.
static void declare_dead(struct virtio_device_link *link, const char *why)
{
    if (link->is_dead)
        return;
    link->is_dead = true;
    end_process(link);
    guest_log(link->guest, "vmm: %s (device %u): %s; the guest goes on without it", link->name,
              link->index, why);
}

static mx_status_t call(struct virtio_device_link *link, struct device_request *request,
                        struct virtio_reply *reply)
{
    const enum virtio_message_kind kind = request->message.header.kind;
    struct device_reply answer;
    struct mx_channel_call_args args = {
        .request_bytes = request,
        .reply_bytes = &answer,
        .request_size_bytes =
            (uint32_t)sizeof(request->envelope) + request->message.header.size_bytes,
        .reply_capacity_bytes = sizeof(answer),
    };

    if (link->is_dead)
        return MX_ERR_PEER_CLOSED;
    request->envelope.kind = DEVICE_ENVELOPE_VIRTIO;
    const mx_status_t status =
        mx_channel_call(link->channel, &args, mx_clock_get_monotonic() + CALL_TIMEOUT);
    if (status != MX_OK) {
        declare_dead(link, status == MX_ERR_TIMED_OUT ? "its process does not answer"
                                                      : "its process is gone");
        return status;
    }
    if (args.reply_size_bytes < sizeof(answer.envelope))
        return MX_ERR_IO_DATA_INTEGRITY;
    return virtio_reply_decode(&answer.reply, args.reply_size_bytes - sizeof(answer.envelope), kind,
                               reply);
}

static mx_status_t call_simple(struct virtio_device_link *link, struct device_request *request)
{
    struct virtio_reply reply;

    return call(link, request, &reply);
}

// --- what the transport needs (struct virtio_pci_backend_ops) ------------------------------------

static void backend_reset(void *context)
{
    struct device_request request = {.message.header =
                                         virtio_message_header_of(VIRTIO_MESSAGE_RESET)};

    // If it fails the process is dead or about to be: then, too, nothing touches guest memory for
    // it.
    if (call_simple(context, &request) != MX_OK)
        declare_dead(context, "it does not reset");
}

static mx_status_t backend_queue_start(void *context, unsigned queue_index,
                                       const struct virtqueue_layout *layout)
{
    struct device_request request = {
        .message.queue_start = {.header = virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_START),
                                .queue_index = (uint16_t)queue_index,
                                .size = layout->size,
                                .descriptors = layout->descriptors,
                                .available = layout->available,
                                .used = layout->used}};

    return call_simple(context, &request);
}

static mx_status_t backend_ready(void *context, uint64_t features)
{
    struct device_request request = {
        .message.ready = {.header = virtio_message_header_of(VIRTIO_MESSAGE_READY),
                          .features = features}};

    return call_simple(context, &request);
}

static void backend_queue_notify(void *context, unsigned queue_index)
{
    struct device_request request = {
        .message.queue_notify = {.header = virtio_message_header_of(VIRTIO_MESSAGE_QUEUE_NOTIFY),
                                 .queue_index = queue_index}};

    // A doorbell for a device that does not run is nothing.
    (void)!call_simple(context, &request);
}

static void backend_config_write(void *context, uint32_t offset, const void *bytes,
                                 size_t size_bytes)
{
    struct device_request request = {
        .message.config_write = {.header = virtio_message_header_of(VIRTIO_MESSAGE_CONFIG_WRITE),
                                 .offset = offset,
                                 .size_bytes = (uint32_t)size_bytes}};

    if (size_bytes > sizeof(request.message.config_write.bytes))
        return;
    memcpy(request.message.config_write.bytes, bytes, size_bytes);
    // What the device refuses stays unwritten.
    (void)!call_simple(context, &request);
}

static mx_handle_t irq_of(const struct virtio_device_link *link, uint16_t source)
{
    return link->irqs[source < link->queue_count ? source : VIRTIO_DEVICE_QUEUES_MAX];
}

static struct mx_irq_route port_route(const struct virtio_device_link *link, uint16_t source)
{
    return (struct mx_irq_route){
        .kind = MX_IRQ_ROUTE_PORT,
        .port = link->guest->port,
        .key = guest_event_key(GUEST_EVENT_DEVICE_INTX, link->index << 16 | source)};
}

static void backend_route_interrupt(void *context, uint16_t source,
                                    const struct virtio_route *route)
{
    const struct virtio_device_link *link = context;
    struct mx_irq_route target = {.kind = MX_IRQ_ROUTE_NONE};

    if (route->kind == VIRTIO_ROUTE_INTX)
        target = port_route(link, source);
    else if (route->kind == VIRTIO_ROUTE_MSI &&
             !machine_route_message(link->guest->machine, &link->pci.pci, route->address,
                                    route->data, &target))
        target.kind = MX_IRQ_ROUTE_NONE;
    mx_status_t status = mx_guest_irq_route(irq_of(link, source), &target);
    if (status == MX_ERR_INVALID_ARGS) {
        // A message that no interrupt controller takes is lost on the bus.
        target = (struct mx_irq_route){.kind = MX_IRQ_ROUTE_NONE};
        status = mx_guest_irq_route(irq_of(link, source), &target);
    }
    if (status != MX_OK)
        guest_log(link->guest, "vmm: %s: an interrupt cannot be routed: %s", link->name,
                  mx_status_string(status));
}

static void backend_raise_config(void *context)
{
    struct virtio_device_link *link = context;

    if (mx_guest_irq_raise(irq_of(link, VIRTIO_SOURCE_CONFIG)) != MX_OK)
        declare_dead(link, "its interrupt cannot be raised");
}

// --- doorbells ----------------------------------------------------------------------------------

static void clear_bells(const struct virtio_device_link *link, bool is_io, uint64_t address,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const mx_status_t status =
            mx_guest_clear_trap(link->guest->handle, is_io ? MX_TRAP_IO_BELL : MX_TRAP_BELL,
                                address + i * VIRTIO_PCI_NOTIFY_STRIDE);
        if (status != MX_OK)
            guest_log(link->guest, "vmm: %s: a doorbell cannot be taken away: %s", link->name,
                      mx_status_string(status));
    }
}

// One trap for each queue, since rings of one trap become one packet.
static mx_status_t set_bells(const struct virtio_device_link *link, bool is_io, uint64_t address)
{
    for (unsigned i = 0; i < link->queue_count; i++) {
        const struct mx_trap trap = {.kind = is_io ? MX_TRAP_IO_BELL : MX_TRAP_BELL,
                                     .port = link->port,
                                     .addr = address + i * VIRTIO_PCI_NOTIFY_STRIDE,
                                     .size_bytes = VIRTIO_PCI_NOTIFY_STRIDE,
                                     .key = DEVICE_BELL_KEY + i};
        const mx_status_t status = mx_guest_set_trap(link->guest->handle, &trap);
        if (status != MX_OK) {
            clear_bells(link, is_io, address, i);
            return status;
        }
    }
    return MX_OK;
}

static void backend_bell_moved(void *context, bool is_io, bool is_mapped, uint64_t address)
{
    struct virtio_device_link *link = context;
    struct bell_place *place = &link->bells[is_io];

    if (place->is_set)
        clear_bells(link, is_io, place->address, link->queue_count);
    place->is_set = false;
    if (!is_mapped)
        return;
    const mx_status_t status = set_bells(link, is_io, address);
    *place = (struct bell_place){.is_set = status == MX_OK, .address = address};
    if (status != MX_OK)
        guest_log(link->guest, "vmm: %s: doorbells cannot be at 0x%llx: %s", link->name,
                  (unsigned long long)address, mx_status_string(status));
}

static const struct virtio_pci_backend_ops backend_ops = {
    .reset = backend_reset,
    .queue_start = backend_queue_start,
    .ready = backend_ready,
    .queue_notify = backend_queue_notify,
    .config_write = backend_config_write,
    .route_interrupt = backend_route_interrupt,
    .raise_config = backend_raise_config,
    .bell_moved = backend_bell_moved,
};

// --- start --------------------------------------------------------------------------------------

static mx_status_t create_irqs(struct virtio_device_link *link)
{
    mx_status_t status = MX_OK;

    for (unsigned i = 0; status == MX_OK && i <= link->queue_count; i++) {
        const uint16_t source = i < link->queue_count ? (uint16_t)i : VIRTIO_SOURCE_CONFIG;
        mx_handle_t *irq = &link->irqs[i < link->queue_count ? i : VIRTIO_DEVICE_QUEUES_MAX];
        const struct mx_irq_route route = port_route(link, source);
        status = mx_guest_irq_create(link->guest->handle, irq);
        if (status == MX_OK)
            status = mx_guest_irq_route(*irq, &route);
    }
    return status;
}

// The handles that a device process gets: copies with the rights that it needs.
struct handle_list {
    struct process_handle handles[VIRTIO_DEVICE_QUEUES_MAX + 8];
    size_t count;
    mx_status_t status; // of the first that could not be made
};

static void give(struct handle_list *list, uint32_t kind, uint32_t arg, mx_handle_t handle,
                 mx_rights_t rights)
{
    mx_handle_t copy;

    if (list->status == MX_OK)
        list->status = mx_handle_duplicate(handle, rights | MX_RIGHT_TRANSFER, &copy);
    if (list->status == MX_OK)
        list->handles[list->count++] = (struct process_handle){kind, arg, copy};
}

static void give_all(struct virtio_device_link *link, const struct virtio_device_spec *spec,
                     struct handle_list *list)
{
    const struct guest *guest = link->guest;

    if (spec->backend != MX_HANDLE_INVALID)
        list->handles[list->count++] =
            (struct process_handle){DEVICE_STARTUP_BACKEND, 0, spec->backend};
    give(list, DEVICE_STARTUP_RAM, 0, guest->ram,
         MX_RIGHT_READ | MX_RIGHT_WRITE | MX_RIGHT_MAP |
             (spec->hands_ram_on ? MX_RIGHT_DUPLICATE | MX_RIGHT_INSPECT : 0));
    give(list, DEVICE_STARTUP_PORT, 0, link->port, MX_RIGHT_READ | MX_RIGHT_WRITE);
    if (guest->log != MX_HANDLE_INVALID)
        give(list, MX_STARTUP_LOG, 0, guest->log, MX_RIGHT_WRITE);
    for (unsigned i = 0; i < link->queue_count; i++)
        give(list, DEVICE_STARTUP_IRQ, i, link->irqs[i], MX_RIGHT_SIGNAL);
    give(list, DEVICE_STARTUP_IRQ, VIRTIO_SOURCE_CONFIG, link->irqs[VIRTIO_DEVICE_QUEUES_MAX],
         MX_RIGHT_SIGNAL);
}

static void close_list(const struct handle_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        handle_close(list->handles[i].handle);
}

static mx_status_t launch_process(struct virtio_device_link *link,
                                  const struct virtio_device_spec *spec,
                                  const struct handle_list *list)
{
    const struct guest *guest = link->guest;
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    const char *argv[ARGUMENTS_MAX] = {spec->program, low, high};
    struct process_launch launch = {.job = guest->job,
                                    .argv = argv,
                                    .argc = DEVICE_ARGUMENT_OWN + spec->argc,
                                    .handles = list->handles,
                                    .handle_count = list->count,
                                    .out_channel = &link->channel};

    snprintf(low, sizeof(low), "%llu", (unsigned long long)guest->low_bytes);
    snprintf(high, sizeof(high), "%llu", (unsigned long long)guest->high_bytes);
    for (size_t i = 0; i < spec->argc; i++)
        argv[DEVICE_ARGUMENT_OWN + i] = spec->argv[i];
    struct manager_file file;
    mx_status_t status = manager_open(link->guest, VMM_FILE_DEVICE, spec->program, false, &file);
    if (status != MX_OK) {
        close_list(list);
        return status;
    }
    launch.executable = file.handle;
    launch.executable_bytes = file.size_bytes;
    status = process_launch(&launch, &link->process);
    handle_close(launch.executable);
    return status;
}

static mx_status_t start_process(struct virtio_device_link *link,
                                 const struct virtio_device_spec *spec)
{
    struct handle_list list = {.status = MX_OK};

    mx_status_t status = mx_port_create(&link->port);
    if (status == MX_OK)
        status = create_irqs(link);
    if (status != MX_OK) {
        handle_close(spec->backend);
        return status;
    }
    give_all(link, spec, &list);
    if (list.status != MX_OK) {
        close_list(&list);
        return list.status;
    }
    return launch_process(link, spec, &list);
}

static mx_status_t init_transport(struct virtio_device_link *link)
{
    struct device_request request = {
        .message.start = {.header = virtio_message_header_of(VIRTIO_MESSAGE_START),
                          .version = VIRTIO_PROTOCOL_VERSION}};
    struct virtio_reply reply;

    mx_status_t status = call(link, &request, &reply);
    if (status != MX_OK)
        return status;
    if (reply.queue_count != link->queue_count)
        return MX_ERR_IO_DATA_INTEGRITY;
    const struct virtio_pci_config config = {.device_type = reply.device_type,
                                             .queue_count = reply.queue_count,
                                             .queue_size_max = reply.queue_size_max,
                                             .config_bytes = reply.config_bytes,
                                             .features = reply.features,
                                             .config = reply.config,
                                             .has_io_notify = machine_has_io_ports};
    status = virtio_pci_init(&link->pci, &config, &backend_ops, link);
    return status == MX_OK ? machine_add_pci(link->guest->machine, &link->pci.pci) : status;
}

static mx_status_t wait_for_events(const struct virtio_device_link *link)
{
    return mx_object_wait_async(link->channel, link->guest->port,
                                guest_event_key(GUEST_EVENT_DEVICE_MESSAGE, link->index),
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

mx_status_t virtio_device_start(struct guest *guest, const struct virtio_device_spec *spec)
{
    struct virtio_device_link *link = calloc(1, sizeof(*link));

    if (!link || guest->device_count == GUEST_VIRTIO_DEVICES_MAX ||
        spec->queue_count > VIRTIO_DEVICE_QUEUES_MAX ||
        spec->argc > ARGUMENTS_MAX - DEVICE_ARGUMENT_OWN) {
        free(link);
        handle_close(spec->backend);
        return MX_ERR_NO_RESOURCES;
    }
    link->guest = guest;
    link->index = (uint32_t)guest->device_count;
    link->queue_count = spec->queue_count;
    snprintf(link->name, sizeof(link->name), "%s", spec->program);
    guest->devices[guest->device_count++] = link;
    mx_status_t status = start_process(link, spec);
    if (status == MX_OK)
        status = init_transport(link);
    return status == MX_OK ? wait_for_events(link) : status;
}

// --- events -------------------------------------------------------------------------------------

static void handle_event(struct virtio_device_link *link, const struct device_request *event,
                         size_t size_bytes)
{
    union virtio_message message;
    mx_status_t status = MX_ERR_INVALID_ARGS;

    if (size_bytes >= sizeof(event->envelope))
        status =
            virtio_message_decode(&event->message, size_bytes - sizeof(event->envelope), &message);
    if (status != MX_OK)
        declare_dead(link, "its process sent nonsense");
    else if (message.header.kind == VIRTIO_EVENT_NEEDS_RESET)
        virtio_pci_set_needs_reset(&link->pci);
    else if (message.header.kind == VIRTIO_EVENT_INTERRUPT)
        virtio_pci_raise_intx(&link->pci, (uint16_t)message.interrupt.source);
    else if (message.header.kind == VIRTIO_EVENT_CONFIG_CHANGED &&
             virtio_pci_set_config(&link->pci, message.config_changed.config,
                                   message.config_changed.config_bytes) != MX_OK)
        declare_dead(link, "its process sent a configuration of another size");
}

static mx_status_t take_event(struct virtio_device_link *link)
{
    struct device_request event;
    uint32_t actual[2];
    const mx_status_t status =
        mx_channel_read(link->channel, &event, sizeof(event), NULL, 0, actual);

    if (status == MX_OK)
        handle_event(link, &event, actual[0]);
    else if (status == MX_ERR_PEER_CLOSED)
        declare_dead(link, "its process ended");
    else if (status != MX_ERR_SHOULD_WAIT)
        declare_dead(link, "its process sent nonsense");
    return status;
}

void virtio_device_message_event(struct guest *guest, uint32_t index)
{
    struct virtio_device_link *link = index < guest->device_count ? guest->devices[index] : NULL;
    mx_status_t status = MX_OK;

    if (!link)
        return;
    mutex_lock(&guest->lock);
    for (unsigned i = 0; status == MX_OK && i < EVENTS_MAX && !link->is_dead; i++)
        status = take_event(link);
    if (!link->is_dead && wait_for_events(link) != MX_OK)
        declare_dead(link, "its messages cannot be waited for");
    if (link->is_dead)
        virtio_pci_set_needs_reset(&link->pci);
    mutex_unlock(&guest->lock);
}

void virtio_device_intx_event(struct guest *guest, uint32_t index_and_source)
{
    const uint32_t index = index_and_source >> 16;

    if (index >= guest->device_count)
        return;
    mutex_lock(&guest->lock);
    virtio_pci_raise_intx(&guest->devices[index]->pci, (uint16_t)index_and_source);
    mutex_unlock(&guest->lock);
}

static void route_again(struct virtio_device_link *link, uint16_t source, unsigned index)
{
    const struct virtio_route *route = &link->pci.routes[index];

    if (route->kind == VIRTIO_ROUTE_MSI)
        backend_route_interrupt(link, source, route);
}

void virtio_device_route_again(struct guest *guest)
{
    for (size_t i = 0; i < guest->device_count; i++) {
        struct virtio_device_link *link = guest->devices[i];
        for (unsigned queue = 0; queue < link->queue_count; queue++)
            route_again(link, (uint16_t)queue, queue);
        route_again(link, VIRTIO_SOURCE_CONFIG, VIRTIO_QUEUES_MAX);
    }
}

static mx_handle_t console_channel(const struct guest *guest)
{
    for (size_t i = 0; i < guest->device_count; i++) {
        const struct virtio_device_link *link = guest->devices[i];
        if (strcmp(link->name, "virtio-console") == 0 && !link->is_dead)
            return link->channel;
    }
    return MX_HANDLE_INVALID;
}

mx_status_t virtio_device_attach_console(struct guest *guest, mx_handle_t stream)
{
    const struct device_envelope envelope = {.kind = DEVICE_ENVELOPE_ATTACH};

    mutex_lock(&guest->lock);
    const mx_handle_t channel = console_channel(guest);
    mutex_unlock(&guest->lock);
    if (channel != MX_HANDLE_INVALID)
        return mx_channel_write(channel, &envelope, sizeof(envelope), &stream, 1);
    handle_close(stream);
    return MX_ERR_NOT_SUPPORTED;
}
