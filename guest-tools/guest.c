// The guest command: launch, list, attach to and stop guests, by asking the guest manager.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>
#include <machina_user/terminal.h>

#include <machina_user/guest_client.h>
#include "user/portable/detach_keys.h"
#include "user/portable/list_format.h"
#include "user/portable/options.h"

#define CHUNK_BYTES  512
#define STOP_TIMEOUT MX_SEC(60)
#define STOP_POLL    MX_MSEC(100)
#define STOP_AGAIN   MX_SEC(3) // a guest that is still starting does not see its power button

static mx_handle_t manager;
static struct options options;

static int complain(const char *what, mx_status_t status, const union guest_client_reply *reply)
{
    if (status == MX_ERR_BAD_STATE && manager == MX_HANDLE_INVALID)
        printf("%s: there is no guest manager\n", what);
    else if (reply && reply->header.message[0])
        printf("%s: %s\n", what, reply->header.message);
    else
        printf("%s: %s\n", what, mx_status_string(status));
    return EXIT_FAILURE;
}

static bool parse_options(const struct option_command *command, int argc, char **argv, int *result)
{
    char buffer[2048];
    struct text text = text_begin(buffer, sizeof(buffer));

    *result = EXIT_FAILURE;
    if (options_parse(command, (size_t)argc, argv, &options) != MX_OK) {
        printf("%s\n", options.message);
        return false;
    }
    if (!options_has(&options, "help"))
        return true;
    options_usage(command, &text);
    fputs(buffer, stdout);
    *result = 0;
    return false;
}

static bool parse_id(const char *word, uint32_t *id)
{
    const char *reason;
    uint64_t value;

    if (parse_number(word, strlen(word), UINT32_MAX, &value, &reason) == MX_OK) {
        *id = (uint32_t)value;
        return true;
    }
    printf("guest: \"%.32s\" is not a guest's id; guest list shows them\n", word);
    return false;
}

static mx_status_t list_guests(union guest_client_reply **reply)
{
    struct guest_request request = {.operation = GUEST_LIST};

    return guest_client_call(manager, &request, sizeof(request), reply, NULL);
}

// The guest's entry, or NULL if it is not in the list.
static const struct guest_list_entry *find_guest(uint32_t id)
{
    union guest_client_reply *reply;

    if (list_guests(&reply) != MX_OK)
        return NULL;
    for (uint32_t i = 0; i < reply->list.count; i++) {
        if (reply->list.entries[i].id == id)
            return &reply->list.entries[i];
    }
    return NULL;
}

// --- an attached terminal
// ------------------------------------------------------------------------------

struct attachment {
    mx_handle_t stream;
    struct detach_keys keys;
    uint8_t pending[CHUNK_BYTES + 1]; // typed, for the guest
    size_t pending_count;
    bool is_detached, is_closed;
};

static void take_output(struct attachment *attachment)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t length = 0;
    mx_status_t status = mx_stream_read(attachment->stream, chunk, sizeof(chunk), &length);

    if (status == MX_OK)
        status = stream_write_all(terminal_output(), chunk, length);
    if (status != MX_OK && status != MX_ERR_SHOULD_WAIT)
        attachment->is_closed = true;
}

static void take_input(struct attachment *attachment)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t length = 0, used;
    mx_status_t status;

    if (attachment->pending_count > 0)
        return;
    status = mx_stream_read(terminal_input(), chunk, sizeof(chunk), &length);
    if (status == MX_ERR_PEER_CLOSED)
        attachment->is_detached = true;
    if (status != MX_OK)
        return;
    attachment->pending_count = detach_keys_filter(
        &attachment->keys, chunk, length, attachment->pending, &attachment->is_detached, &used);
}

static void pass_input(struct attachment *attachment)
{
    size_t written = 0;
    mx_status_t status;

    if (attachment->pending_count == 0)
        return;
    status = mx_stream_write(attachment->stream, attachment->pending, attachment->pending_count,
                             &written);
    if (status != MX_OK && status != MX_ERR_SHOULD_WAIT)
        written = attachment->pending_count;
    attachment->pending_count -= written;
    memmove(attachment->pending, attachment->pending + written, attachment->pending_count);
}

static void wait_attached(const struct attachment *attachment)
{
    bool has_pending = attachment->pending_count > 0;
    struct mx_wait_item items[] = {
        {attachment->stream,
         MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED | (has_pending ? MX_SIGNAL_WRITABLE : 0), 0},
        {terminal_input(), has_pending ? 0 : MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0},
    };

    if (mx_object_wait_many(items, 2, MX_TIME_INFINITE) != MX_OK)
        abort();
}

static void report_end(uint32_t id)
{
    const struct guest_list_entry *entry = find_guest(id);

    if (entry && entry->state == GUEST_ENDED)
        printf("\n[guest %u ended: %s]\n", id, entry->reason);
    else
        printf("\n[guest %u: closed by the other end]\n", id);
}

static int run_attached(uint32_t id, mx_handle_t stream)
{
    static struct attachment attachment;

    attachment = (struct attachment){
        .stream = stream,
        .keys = {.prefix = GUEST_DETACH_PREFIX, .key = GUEST_DETACH_KEY},
    };
    if (terminal_set_raw(true) != MX_OK) {
        handle_close(stream);
        printf("guest: there is no terminal to attach\n");
        return EXIT_FAILURE;
    }
    printf("[guest %u: Ctrl-] then d detaches]\n", id);
    while (!attachment.is_closed && !attachment.is_detached) {
        take_output(&attachment);
        take_input(&attachment);
        pass_input(&attachment);
        if (!attachment.is_closed && !attachment.is_detached)
            wait_attached(&attachment);
    }
    handle_close(stream);
    if (attachment.is_closed)
        report_end(id);
    else
        printf("\n[detached from guest %u, which runs on: guest serial %u attaches again]\n", id,
               id);
    return 0;
}

// `is_new`: launched just now, so that it is no mistake to name it if it has ended since.
static int attach(uint32_t id, enum guest_operation operation, bool is_new)
{
    struct guest_id_request request = {.request.operation = operation, .id = id};
    union guest_client_reply *reply;
    mx_handle_t stream;
    mx_status_t status = guest_client_call(manager, &request, sizeof(request), &reply, &stream);

    if (status == MX_ERR_BAD_STATE && is_new) {
        report_end(id);
        return 0;
    }
    if (status != MX_OK)
        return complain("guest", status, reply);
    return run_attached(id, stream);
}

// --- launch
// --------------------------------------------------------------------------------------------

#define OVERRIDE(option_name, value, text)                                          \
    {                                                                               \
        .name = option_name, .kind = OPTION_TEXT, .value_name = value, .help = text \
    }

static const struct option launch_options[] = {
    OVERRIDE("cpus", "N", "number of vCPUs"),
    OVERRIDE("memory", "SIZE", "memory, like 512M"),
    OVERRIDE("kernel", "PATH", "kernel in the package"),
    OVERRIDE("linux", "PATH", "the same, refused unless it is a Linux kernel"),
    OVERRIDE("zircon", "PATH", "the same, refused unless it is a Zircon boot image"),
    OVERRIDE("ramdisk", "PATH", "ramdisk in the package"),
    OVERRIDE("dtb-overlay", "PATH", "device tree overlay in the package"),
    OVERRIDE("cmdline", "TEXT", "kernel command line"),
    {.name = "cmdline-add",
     .kind = OPTION_TEXT,
     .is_repeatable = true,
     .value_name = "TEXT",
     .help = "more of the kernel command line"},
    {.name = "block",
     .kind = OPTION_TEXT,
     .is_repeatable = true,
     .value_name = "SPEC",
     .help = "one more disk: PATH,ro|rw|volatile or memory:SIZE"},
    OVERRIDE("console", "BOOL", "whether there is a virtio console"),
    OVERRIDE("rng", "BOOL", "whether there is a virtio rng"),
    OVERRIDE("pci-ports", "BOOL", "whether PCI has its configuration ports"),
    {.name = "detach", .short_name = 'd', .kind = OPTION_FLAG, .help = "do not attach"},
    {.name = "help", .short_name = 'h', .kind = OPTION_FLAG, .help = "this text"},
};

static const struct option_command launch_command = {
    .name = "guest launch",
    .summary = "Starts a guest and attaches to its serial port.",
    .arguments_name = "PACKAGE",
    .arguments_min = 0, // --help goes without
    .arguments_max = 1,
    .options = launch_options,
    .option_count = sizeof(launch_options) / sizeof(launch_options[0]),
};

struct launch_message {
    struct guest_launch_request request;
    char overrides[GUEST_OVERRIDE_BYTES_MAX];
};

static bool add_override(struct launch_message *message, const struct option_match *match)
{
    size_t key_bytes = strlen(match->option->name) + 1;
    size_t value_bytes = strlen(match->value) + 1;
    size_t room = GUEST_OVERRIDE_BYTES_MAX - message->request.override_bytes;
    char *at = message->overrides + message->request.override_bytes;

    if (key_bytes > room || value_bytes > room - key_bytes ||
        message->request.override_count == GUEST_OVERRIDES_MAX)
        return false;
    memcpy(at, match->option->name, key_bytes);
    memcpy(at + key_bytes, match->value, value_bytes);
    message->request.override_bytes += (uint32_t)(key_bytes + value_bytes);
    message->request.override_count++;
    return true;
}

static bool fill_launch(struct launch_message *message)
{
    const char *package = options.arguments[0];

    message->request.request.operation = GUEST_LAUNCH;
    if (strlen(package) >= GUEST_NAME_SIZE) {
        printf("guest launch: a package's name has at most %d characters\n", GUEST_NAME_SIZE - 1);
        return false;
    }
    memcpy(message->request.package, package, strlen(package) + 1);
    for (size_t i = 0; i < options.match_count; i++) {
        const struct option_match *match = &options.matches[i];
        if (match->value && !add_override(message, match)) {
            printf("guest launch: too many or too long options\n");
            return false;
        }
    }
    return true;
}

static int run_launch(int argc, char **argv)
{
    static struct launch_message message;
    union guest_client_reply *reply;
    int result;

    if (!parse_options(&launch_command, argc, argv, &result))
        return result;
    if (options.argument_count == 0) {
        printf("guest launch: name a package; guest packages lists them\n");
        return EXIT_FAILURE;
    }
    if (!fill_launch(&message))
        return EXIT_FAILURE;
    mx_status_t status = guest_client_call(
        manager, &message, sizeof(message.request) + message.request.override_bytes, &reply, NULL);
    if (status != MX_OK)
        return complain(options.arguments[0], status, reply);
    uint32_t id = reply->header.id;
    if (!options_has(&options, "detach"))
        return attach(id, GUEST_ATTACH_SERIAL, true);
    printf("guest %u\n", id);
    return 0;
}

// --- the others
// ----------------------------------------------------------------------------------------

static int run_list(int argc, char **argv)
{
    char buffer[512];
    struct text text = text_begin(buffer, sizeof(buffer));
    union guest_client_reply *reply;
    mx_status_t status = list_guests(&reply);

    (void)argc;
    (void)argv;
    if (status != MX_OK)
        return complain("guest list", status, reply);
    guest_list_header(&text);
    fputs(buffer, stdout);
    for (uint32_t i = 0; i < reply->list.count; i++) {
        text = text_begin(buffer, sizeof(buffer));
        guest_list_row(&text, &reply->list.entries[i]);
        fputs(buffer, stdout);
    }
    return 0;
}

static int run_packages(int argc, char **argv)
{
    struct guest_request request = {.operation = GUEST_PACKAGES};
    union guest_client_reply *reply;
    mx_status_t status = guest_client_call(manager, &request, sizeof(request), &reply, NULL);

    (void)argc;
    (void)argv;
    if (status != MX_OK)
        return complain("guest packages", status, reply);
    for (uint32_t i = 0; i < reply->packages.count; i++)
        printf("%s\n", reply->packages.names[i]);
    return 0;
}

static int attach_argument(int argc, char **argv, enum guest_operation operation)
{
    uint32_t id;

    if (argc != 2) {
        printf("guest %s: name one guest by its id; guest list shows them\n", argv[0]);
        return EXIT_FAILURE;
    }
    return parse_id(argv[1], &id) ? attach(id, operation, false) : EXIT_FAILURE;
}

static int run_serial(int argc, char **argv)
{
    return attach_argument(argc, argv, GUEST_ATTACH_SERIAL);
}

static int run_console(int argc, char **argv)
{
    return attach_argument(argc, argv, GUEST_ATTACH_CONSOLE);
}

static const struct option stop_options[] = {
    {.name = "force", .short_name = 'f', .kind = OPTION_FLAG, .help = "kill it at once"},
    {.name = "help", .short_name = 'h', .kind = OPTION_FLAG, .help = "this text"},
};

static const struct option_command stop_command = {
    .name = "guest stop",
    .summary = "Presses a guest's power button and waits until it is off.",
    .arguments_name = "ID",
    .arguments_min = 0,
    .arguments_max = 1,
    .options = stop_options,
    .option_count = sizeof(stop_options) / sizeof(stop_options[0]),
};

static mx_status_t send_stop(uint32_t id, bool is_forced, union guest_client_reply **reply)
{
    struct guest_stop_request request = {
        .request.operation = GUEST_STOP, .id = id, .is_forced = is_forced};

    return guest_client_call(manager, &request, sizeof(request), reply, NULL);
}

static int wait_stopped(uint32_t id)
{
    const mx_time_t started = mx_clock_get_monotonic();
    mx_time_t pressed = started;

    while (mx_clock_get_monotonic() - started < STOP_TIMEOUT) {
        const struct guest_list_entry *entry = find_guest(id);
        if (!entry || entry->state == GUEST_ENDED) {
            printf("guest %u ended: %s\n", id, entry ? entry->reason : "gone");
            return 0;
        }
        if (mx_clock_get_monotonic() - pressed >= STOP_AGAIN) {
            union guest_client_reply *reply;
            pressed = mx_clock_get_monotonic();
            // One that has ended meanwhile is found in the list.
            (void)!send_stop(id, false, &reply);
        }
        mx_nanosleep(mx_clock_get_monotonic() + STOP_POLL);
    }
    printf("guest %u does not react to its power button; guest stop -f %u kills it\n", id, id);
    return EXIT_FAILURE;
}

static int run_stop(int argc, char **argv)
{
    union guest_client_reply *reply;
    uint32_t id;
    int result;

    if (!parse_options(&stop_command, argc, argv, &result))
        return result;
    if (options.argument_count == 0) {
        printf("guest stop: name a guest by its id; guest list shows them\n");
        return EXIT_FAILURE;
    }
    if (!parse_id(options.arguments[0], &id))
        return EXIT_FAILURE;
    mx_status_t status = send_stop(id, options_has(&options, "force"), &reply);
    return status == MX_OK ? wait_stopped(id) : complain("guest stop", status, reply);
}

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} verbs[] = {
    {"launch", run_launch, "launch PACKAGE [OPTIONS]   start a guest and attach; launch --help"},
    {"list", run_list, "list                       all guests"},
    {"packages", run_packages, "packages                   what can be launched"},
    {"serial", run_serial, "serial ID                  attach to its serial port"},
    {"console", run_console, "console ID                 attach to its virtio console"},
    {"stop", run_stop, "stop [-f] ID               power off, or kill with -f"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(void)
{
    printf("usage:\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf("  guest %s\n", verbs[i].usage);
    printf("In an attached guest, Ctrl-] then d detaches; Ctrl-] twice sends Ctrl-].\n");
}

int main(int argc, char **argv)
{
    manager = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER);
    for (size_t i = 0; argc > 1 && i < VERB_COUNT; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    print_usage();
    bool is_help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    return is_help ? 0 : EXIT_FAILURE;
}
