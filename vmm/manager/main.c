// The guest manager: answers the tools (<machina_user/guest_manager.h>) and keeps the guests
// (guests.h).
//
// One thread and one port. A request of any size and content gets an answer; a client that sends
// what no channel message of the protocol can be loses its channel. Nothing waits for a client or a
// VMM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/guest_manager.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "vmm/manager/guests.h"
#include "vmm/manager/packages.h"

#define CLIENTS_MAX        64
#define REQUESTS_PER_EVENT 16

struct client {
    uint64_t id; // 0: free
    mx_handle_t channel;
};

union request {
    struct guest_request header;
    struct guest_stop_request stop;
    struct guest_id_request by_id;
    struct {
        struct guest_launch_request head;
        char overrides[GUEST_OVERRIDE_BYTES_MAX];
    } launch;
};

union reply {
    struct guest_reply header;
    struct guest_list_reply list;
    struct guest_stats_reply stats;
    struct guest_packages_reply packages;
};

static struct client clients[CLIENTS_MAX];
static uint64_t last_client_id;
static mx_handle_t port;
static union request request;
static union reply reply;

// --- clients ------------------------------------------------------------------------------------

static struct client *find_client(uint64_t id)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].id == id && id != 0)
            return &clients[i];
    }
    return NULL;
}

static mx_status_t wait_for_client(const struct client *client)
{
    return mx_object_wait_async(client->channel, port, MANAGER_KEY(MANAGER_KEY_CLIENT, client->id),
                                MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0);
}

static void remove_client(struct client *client)
{
    handle_close(client->channel);
    *client = (struct client){.id = 0};
}

// Takes the channel. Without a free place it is closed, which the client sees.
static void add_client(mx_handle_t channel)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].id != 0)
            continue;
        clients[i] = (struct client){.id = ++last_client_id, .channel = channel};
        if (wait_for_client(&clients[i]) != MX_OK)
            remove_client(&clients[i]);
        return;
    }
    handle_close(channel);
}

static void launched(const struct guests_waiter *waiter, const struct guest_reply *outcome)
{
    const struct client *client = find_client(waiter->client_id);
    struct guest_reply answer = *outcome;

    answer.transaction = waiter->transaction;
    // A client that is gone does not care; the guest runs on.
    if (client)
        (void)!mx_channel_write(client->channel, &answer, sizeof(answer), NULL, 0);
}

// --- requests -----------------------------------------------------------------------------------

// What a request led to.
struct outcome {
    mx_status_t status;
    size_t reply_bytes; // 0: no reply now
    mx_handle_t handle; // goes with the reply
};

static struct outcome refuse(mx_status_t status, const char *message)
{
    return (struct outcome){.status = guests_refuse(&reply.header, status, "%s", message),
                            .reply_bytes = sizeof(reply.header)};
}

static struct outcome handle_launch(const struct client *client, size_t size_bytes)
{
    const struct guests_waiter waiter = {client->id, request.header.transaction};
    const size_t head_bytes = sizeof(request.launch.head);
    struct guest_launch_request *launch = &request.launch.head;

    if (size_bytes < head_bytes || launch->override_bytes != size_bytes - head_bytes ||
        !memchr(launch->package, '\0', sizeof(launch->package)))
        return refuse(MX_ERR_INVALID_ARGS, "malformed launch request");
    const mx_status_t status =
        guests_launch(launch->package, launch->override_count, request.launch.overrides,
                      launch->override_bytes, &waiter, &reply.header);
    return (struct outcome){.status = status,
                            .reply_bytes = status == MX_OK ? 0 : sizeof(reply.header)};
}

static struct outcome handle_stop(size_t size_bytes)
{
    if (size_bytes != sizeof(request.stop))
        return refuse(MX_ERR_INVALID_ARGS, "malformed stop request");
    return (struct outcome){
        .status = guests_stop(request.stop.id, request.stop.is_forced != 0, &reply.header),
        .reply_bytes = sizeof(reply.header)};
}

static struct outcome handle_attach(size_t size_bytes, enum vmm_terminal terminal)
{
    struct outcome outcome = {.reply_bytes = sizeof(reply.header)};

    if (size_bytes != sizeof(request.by_id))
        return refuse(MX_ERR_INVALID_ARGS, "malformed attach request");
    outcome.status = guests_attach(request.by_id.id, terminal, &outcome.handle, &reply.header);
    if (outcome.status != MX_OK)
        outcome.handle = MX_HANDLE_INVALID;
    return outcome;
}

static struct outcome handle_stats(size_t size_bytes)
{
    if (size_bytes != sizeof(request.by_id))
        return refuse(MX_ERR_INVALID_ARGS, "malformed statistics request");
    const mx_status_t status = guests_stats(request.by_id.id, &reply.stats);
    return (struct outcome){
        .status = status,
        .reply_bytes = status == MX_OK ? offsetof(struct guest_stats_reply, vcpus) +
                                             reply.stats.count * sizeof(reply.stats.vcpus[0])
                                       : sizeof(reply.header)};
}

static struct outcome handle_list(void)
{
    guests_list(&reply.list);
    return (struct outcome){.reply_bytes = offsetof(struct guest_list_reply, entries) +
                                           reply.list.count * sizeof(reply.list.entries[0])};
}

static struct outcome handle_packages(void)
{
    packages_list(&reply.packages);
    return (struct outcome){.reply_bytes = offsetof(struct guest_packages_reply, names) +
                                           reply.packages.count * sizeof(reply.packages.names[0])};
}

static struct outcome handle_request(const struct client *client, size_t size_bytes)
{
    switch ((enum guest_operation)request.header.operation) {
    case GUEST_LAUNCH:
        return handle_launch(client, size_bytes);
    case GUEST_LIST:
        return handle_list();
    case GUEST_STOP:
        return handle_stop(size_bytes);
    case GUEST_ATTACH_SERIAL:
        return handle_attach(size_bytes, VMM_TERMINAL_SERIAL);
    case GUEST_ATTACH_CONSOLE:
        return handle_attach(size_bytes, VMM_TERMINAL_CONSOLE);
    case GUEST_STATS:
        return handle_stats(size_bytes);
    case GUEST_PACKAGES:
        return handle_packages();
    case GUEST_CONNECT:
        return (struct outcome){.reply_bytes = 0};
    }
    return refuse(MX_ERR_INVALID_ARGS, "there is no such request");
}

static mx_status_t answer(const struct client *client, size_t size_bytes)
{
    memset(&reply, 0, sizeof(reply));
    if (size_bytes < sizeof(request.header))
        return MX_ERR_INVALID_ARGS; // it has no transaction to answer to
    const struct outcome outcome = handle_request(client, size_bytes);
    if (outcome.reply_bytes == 0)
        return MX_OK;
    reply.header.transaction = request.header.transaction;
    reply.header.status = outcome.status;
    return mx_channel_write(client->channel, &reply, (uint32_t)outcome.reply_bytes, &outcome.handle,
                            outcome.handle != MX_HANDLE_INVALID ? 1 : 0);
}

static mx_status_t take_request(const struct client *client)
{
    mx_handle_t handle = MX_HANDLE_INVALID;
    uint32_t actual[2] = {0, 0};
    const mx_status_t status =
        mx_channel_read(client->channel, &request, sizeof(request), &handle, 1, actual);

    if (status != MX_OK)
        return status;
    if (actual[0] >= sizeof(request.header) && request.header.operation == GUEST_CONNECT &&
        handle != MX_HANDLE_INVALID) {
        add_client(handle);
        return MX_OK;
    }
    handle_close(handle);
    return answer(client, actual[0]);
}

static void handle_client(uint64_t id)
{
    struct client *client = find_client(id);
    mx_status_t status = MX_OK;

    if (!client)
        return;
    for (unsigned i = 0; status == MX_OK && i < REQUESTS_PER_EVENT; i++)
        status = take_request(client);
    if (status == MX_OK || status == MX_ERR_SHOULD_WAIT)
        status = wait_for_client(client);
    if (status != MX_OK)
        remove_client(client);
}

// --- start --------------------------------------------------------------------------------------

static void serve_one(void)
{
    struct mx_port_packet packet;
    const mx_status_t status = mx_port_wait(port, MX_TIME_INFINITE, &packet);
    const uint64_t id = packet.key & ((UINT64_C(1) << 56) - 1);

    if (status != MX_OK) {
        printf("guest_manager: %s\n", mx_status_string(status));
        abort();
    }
    switch ((enum manager_key)(packet.key >> 56)) {
    case MANAGER_KEY_CLIENT:
        handle_client(id);
        break;
    case MANAGER_KEY_VMM:
        guests_vmm_event(id);
        break;
    case MANAGER_KEY_PROCESS:
        guests_process_event(id);
        break;
    }
}

int main(void)
{
    const mx_status_t status = mx_port_create(&port);

    if (status != MX_OK) {
        printf("guest_manager: %s\n", mx_status_string(status));
        return EXIT_FAILURE;
    }
    const struct guests_host host = {
        .port = port,
        .job = startup_handle_take(MX_STARTUP_JOB, 0),
        .hypervisor = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR),
        .system = startup_handle_take(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM),
        .log = startup_handle_take(MX_STARTUP_LOG, 0),
        .launched = launched,
    };
    guests_init(&host);
    packages_use_disks(startup_handle_take(MX_STARTUP_SERVICE, MX_SERVICE_DISKS));
    add_client(startup_handle_take(MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER));
    for (;;)
        serve_one();
}
