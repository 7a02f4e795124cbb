// The shell: reads lines from the terminal and runs programs of bin/, each in a job of its own.
//
// A program gets the terminal, and beyond that only what the table below says. While it runs in the
// foreground, the shell passes the keyboard on to it and ends its whole job on ^C, unless the
// program asked for every byte
// (<machina_user/terminal.h>). What the program leaves unread comes back to the shell as typed
// ahead.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>
#include <machina_user/stream.h>
#include <machina_user/terminal.h>

#include "boot/bootfs.h"
#include <machina_user/guest_client.h>
#include "user/portable/line_editor.h"
#include "user/portable/shell_parse.h"

#define PROMPT         "machina$ "
#define EXIT_KILLED    130
#define BACKGROUND_MAX 16
#define INPUT_BYTES    1024
#define KEY_INTERRUPT  0x03 // ^C

// What a command is given beyond its terminal.
enum grant {
    GRANT_FILES = 1 << 0,  // the boot image's files, to read
    GRANT_JOBS = 1 << 1,   // the root job, to look at
    GRANT_STATS = 1 << 2,  // the machine's statistics
    GRANT_POWER = 1 << 3,  // switching the machine off
    GRANT_LOG = 1 << 4,    // the kernel's log, to read
    GRANT_GUESTS = 1 << 5, // a channel to the guest manager
    GRANT_KILL = 1 << 6,   // the root job, to end processes
};

static const struct command {
    const char *name;
    unsigned grants;
    const char *summary;
} commands[] = {
    {"cat", GRANT_FILES, "print files"},
    {"dmesg", GRANT_LOG, "print the kernel's log (-f: and go on)"},
    {"echo", 0, "print the arguments"},
    {"free", GRANT_STATS, "memory of the machine"},
    {"guest", GRANT_GUESTS, "launch, list, attach to and stop guests"},
    {"kill", GRANT_KILL, "end a process"},
    {"kstats", GRANT_STATS | GRANT_GUESTS, "statistics of guests, CPUs and memory"},
    {"ls", GRANT_FILES, "list files"},
    {"poweroff", GRANT_POWER, "switch the machine off"},
    {"ps", GRANT_JOBS, "list processes"},
    {"reboot", GRANT_POWER, "start the machine again"},
    {"uptime", 0, "time since the machine started"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

struct background {
    mx_handle_t process; // MX_HANDLE_INVALID: free entry
    unsigned number;
    char name[MX_NAME_SIZE];
};

static struct {
    mx_handle_t job, root_job, system, manager;
    mx_handle_t input, output;
    struct line_editor editor;
    struct shell_line line;
    uint8_t typed[INPUT_BYTES]; // read from the terminal and not used yet
    size_t typed_count;
    struct background background[BACKGROUND_MAX];
    unsigned last_number;
    bool is_leaving;
    bool is_terminal_gone;
} shell;

// A built-in command; returns its exit status.
struct builtin {
    const char *name;
    int (*run)(const struct shell_command *command);
    const char *summary;
};
static int run_help(const struct shell_command *command);
static int run_exit(const struct shell_command *command);
static int run_history(const struct shell_command *command);

static const struct builtin builtins[] = {
    {"exit", run_exit, "leave the shell; a new one starts"},
    {"help", run_help, "this list"},
    {"history", run_history, "lines entered before"},
};
#define BUILTIN_COUNT (sizeof(builtins) / sizeof(builtins[0]))

// --- the terminal
// --------------------------------------------------------------------------------------

static void editor_write(void *context, const char *bytes, size_t length)
{
    (void)context;
    stream_write_all(shell.output, bytes, length);
}

static void offer(struct line_matches *matches, const char *prefix, size_t prefix_length,
                  const char *text, const char *end)
{
    char candidate[FILES_PATH_BYTES + 2];

    if (strncmp(text, prefix, prefix_length) != 0)
        return;
    snprintf(candidate, sizeof(candidate), "%s%s", text, end);
    line_matches_add(matches, candidate);
}

static void complete_command(const char *word, size_t length, struct line_matches *matches)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        offer(matches, word, length, commands[i].name, " ");
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        offer(matches, word, length, builtins[i].name, " ");
}

static void complete_path(const char *word, size_t length, struct line_matches *matches)
{
    const struct bootfs *archive;
    struct bootfs_cursor cursor = {0};
    struct bootfs_child child;
    char directory[FILES_PATH_BYTES], clean[FILES_PATH_BYTES], path[2 * FILES_PATH_BYTES];
    size_t directory_length = length;

    while (directory_length > 0 && word[directory_length - 1] != '/')
        directory_length--;
    if (directory_length >= sizeof(directory) || files_archive(&archive) != MX_OK)
        return;
    memcpy(directory, word, directory_length);
    directory[directory_length] = '\0';
    if (files_clean_path(directory, clean) != MX_OK)
        return;
    while (bootfs_next_child(archive, clean, &cursor, &child)) {
        snprintf(path, sizeof(path), "%s%.*s", directory, (int)child.name_length, child.name);
        offer(matches, word, length, path, child.is_directory ? "/" : " ");
    }
}

static void complete_guest(size_t word_index, const char *command, const char *word, size_t length,
                           struct line_matches *matches)
{
    static const char *const verbs[] = {"console", "launch", "list", "packages", "serial", "stop"};
    struct guest_request request = {.operation = GUEST_PACKAGES};
    union guest_client_reply *reply;

    if (word_index == 1) {
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
            offer(matches, word, length, verbs[i], " ");
        return;
    }
    const char *verb = command + strcspn(command, " ");
    verb += strspn(verb, " ");
    if (strncmp(verb, "launch ", 7) != 0 ||
        guest_client_call(shell.manager, &request, sizeof(request), &reply, NULL) != MX_OK)
        return;
    for (uint32_t i = 0; i < reply->packages.count; i++)
        offer(matches, word, length, reply->packages.names[i], " ");
}

static void editor_complete(void *context, const char *line, size_t cursor,
                            struct line_matches *matches)
{
    struct shell_cursor at = shell_cursor_at(line, cursor);
    const char *word = line + at.word_start;
    size_t length = cursor - at.word_start;

    (void)context;
    matches->word_start = at.word_start;
    if (at.is_comment)
        return;
    if (at.word_index == 0)
        complete_command(word, length, matches);
    else if (strncmp(line + at.command_start, "guest ", 6) == 0)
        complete_guest(at.word_index, line + at.command_start, word, length, matches);
    else
        complete_path(word, length, matches);
}

static const struct line_editor_ops editor_ops = {editor_write, editor_complete};

// Reads what the terminal has, waiting if nothing is typed ahead. False at its end.
static bool read_terminal(void)
{
    size_t length = 0;

    if (shell.typed_count > 0)
        return true;
    if (stream_read_some(shell.input, shell.typed, sizeof(shell.typed), MX_TIME_INFINITE,
                         &length) != MX_OK)
        return false;
    shell.typed_count = length;
    return true;
}

static void use_typed(size_t count)
{
    shell.typed_count -= count;
    memmove(shell.typed, shell.typed + count, shell.typed_count);
}

// --- programs
// ------------------------------------------------------------------------------------------

static mx_handle_t copy_with(mx_handle_t handle, mx_rights_t rights)
{
    mx_handle_t copy;

    if (handle == MX_HANDLE_INVALID || mx_handle_duplicate(handle, rights, &copy) != MX_OK)
        return MX_HANDLE_INVALID;
    return copy;
}

static mx_handle_t log_to_read(void)
{
    mx_handle_t log, copy;

    if (mx_log_create(shell.system, &log) != MX_OK)
        return MX_HANDLE_INVALID;
    copy = copy_with(log, MX_RIGHT_READ | MX_RIGHT_WAIT | MX_RIGHT_TRANSFER);
    handle_close(log);
    return copy;
}

static mx_handle_t guest_channel(void)
{
    mx_handle_t channel;

    return guest_client_connect(shell.manager, &channel) == MX_OK ? channel : MX_HANDLE_INVALID;
}

static mx_handle_t files_copy(void)
{
    mx_handle_t vmo, copy;

    if (files_duplicate_archive(&vmo) != MX_OK)
        return MX_HANDLE_INVALID;
    copy = copy_with(vmo, MX_RIGHT_READ | MX_RIGHT_MAP | MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER);
    handle_close(vmo);
    return copy;
}

static unsigned grants_of(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].grants;
    }
    return 0;
}

static mx_handle_t make_grant(enum grant grant)
{
    switch (grant) {
    case GRANT_FILES:
        return files_copy();
    case GRANT_JOBS:
        return copy_with(shell.root_job, MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER);
    case GRANT_KILL:
        return copy_with(shell.root_job, MX_RIGHT_MANAGE | MX_RIGHT_TRANSFER);
    case GRANT_STATS:
        return copy_with(shell.system, MX_RIGHT_INSPECT | MX_RIGHT_TRANSFER);
    case GRANT_POWER:
        return copy_with(shell.system, MX_RIGHT_SAME);
    case GRANT_LOG:
        return log_to_read();
    case GRANT_GUESTS:
        return guest_channel();
    }
    return MX_HANDLE_INVALID;
}

static const struct {
    enum grant grant;
    uint32_t kind, arg;
} grant_kinds[] = {
    {GRANT_FILES, MX_STARTUP_BOOTFS, 0},
    {GRANT_JOBS, MX_STARTUP_JOB, 1},
    {GRANT_KILL, MX_STARTUP_JOB, 1},
    {GRANT_STATS, MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM},
    {GRANT_POWER, MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM},
    {GRANT_LOG, MX_STARTUP_LOG, 0},
    {GRANT_GUESTS, MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER},
};
#define GRANT_COUNT (sizeof(grant_kinds) / sizeof(grant_kinds[0]))

// A running command.
struct running {
    mx_handle_t job, process;
    mx_handle_t keyboard;      // the shell's end of the program's input
    mx_handle_t program_input; // a copy of the program's own end
    uint8_t pending[INPUT_BYTES];
    size_t pending_count; // for the program
};

static void explain_failure(const char *name, mx_status_t status, const char *reason)
{
    if (status == MX_ERR_NOT_FOUND)
        printf("%s: no such command; try help\n", name);
    else
        printf("%s: cannot start: %s%s%s\n", name, mx_status_string(status), reason ? ": " : "",
               reason ? reason : "");
}

static mx_status_t launch(const struct shell_command *command, mx_handle_t input,
                          struct running *running)
{
    struct process_handle handles[GRANT_COUNT + 2] = {
        {MX_STARTUP_STDIN, 0, input},
        {MX_STARTUP_STDOUT, 0, copy_with(shell.output, MX_RIGHT_SAME)},
    };
    unsigned grants = grants_of(command->argv[0]);
    char path[FILES_PATH_BYTES];
    const char *reason = NULL;
    struct process_launch spec = {.job = running->job,
                                  .argv = (const char *const *)command->argv,
                                  .argc = command->argc,
                                  .handles = handles,
                                  .handle_count = GRANT_COUNT + 2,
                                  .reason = &reason};

    for (size_t i = 0; i < GRANT_COUNT; i++) {
        bool is_granted = (grants & grant_kinds[i].grant) != 0;
        handles[i + 2] = (struct process_handle){grant_kinds[i].kind, grant_kinds[i].arg,
                                                 is_granted ? make_grant(grant_kinds[i].grant)
                                                            : MX_HANDLE_INVALID};
    }
    snprintf(path, sizeof(path), "bin/%s", command->argv[0]);
    mx_status_t status = process_launch_file(&spec, path, &running->process);
    if (status != MX_OK)
        explain_failure(command->argv[0], status, reason);
    return status;
}

static void close_running(struct running *running)
{
    handle_close(running->process);
    handle_close(running->job);
    handle_close(running->keyboard);
    handle_close(running->program_input);
}

// --- the foreground
// ------------------------------------------------------------------------------------

static bool is_raw(const struct running *running)
{
    mx_signals_t pending = 0;

    return mx_object_wait_one(running->program_input, TERMINAL_SIGNAL_RAW, 0, &pending) == MX_OK;
}

// Takes what was typed: ^C ends the job, the rest waits to be passed on.
static void take_typed(struct running *running)
{
    const uint8_t *interrupt = memchr(shell.typed, KEY_INTERRUPT, shell.typed_count);
    size_t room = sizeof(running->pending) - running->pending_count;
    size_t count = shell.typed_count < room ? shell.typed_count : room;

    if (interrupt && !is_raw(running)) {
        use_typed((size_t)(interrupt - shell.typed) + 1);
        stream_write_all(shell.output, "^C\n", 3);
        if (mx_task_kill(running->job, EXIT_KILLED) != MX_OK)
            printf("cannot end it\n");
        return;
    }
    memcpy(running->pending + running->pending_count, shell.typed, count);
    running->pending_count += count;
    use_typed(count);
}

static void pass_on(struct running *running)
{
    size_t written = 0;
    mx_status_t status;

    if (running->pending_count == 0)
        return;
    status = mx_stream_write(running->keyboard, running->pending, running->pending_count, &written);
    if (status == MX_ERR_SHOULD_WAIT)
        return;
    if (status != MX_OK)
        written = running->pending_count;
    running->pending_count -= written;
    memmove(running->pending, running->pending + written, running->pending_count);
}

// What the program did not read was typed for the shell.
static void take_back(struct running *running)
{
    size_t length = 0, room;
    mx_status_t status;
    uint8_t unread[INPUT_BYTES];

    status = mx_stream_read(running->program_input, unread, sizeof(unread), &length);
    if (status != MX_OK)
        length = 0;
    room = sizeof(unread) - length;
    if (running->pending_count < room)
        room = running->pending_count;
    memcpy(unread + length, running->pending, room);
    length += room;
    room = sizeof(unread) - length;
    if (shell.typed_count < room)
        room = shell.typed_count;
    memcpy(unread + length, shell.typed, room);
    shell.typed_count = length + room;
    memcpy(shell.typed, unread, shell.typed_count);
}

// Waits until the program has ended, something was typed, or there is room to pass it on.
static mx_status_t wait_foreground(const struct running *running, bool *has_ended)
{
    bool is_deaf = shell.is_terminal_gone || running->pending_count == sizeof(running->pending);
    struct mx_wait_item items[] = {
        {running->process, MX_SIGNAL_TERMINATED, 0},
        {running->keyboard, running->pending_count ? MX_SIGNAL_WRITABLE : 0, 0},
        {shell.input, is_deaf ? 0 : MX_SIGNAL_READABLE | MX_SIGNAL_PEER_CLOSED, 0},
    };
    mx_status_t status = mx_object_wait_many(items, 3, MX_TIME_INFINITE);

    *has_ended = (items[0].pending & MX_SIGNAL_TERMINATED) != 0;
    return status;
}

static void read_typed(void)
{
    mx_status_t status =
        mx_stream_read(shell.input, shell.typed, sizeof(shell.typed), &shell.typed_count);

    if (status != MX_OK)
        shell.typed_count = 0;
    shell.is_terminal_gone = status == MX_ERR_PEER_CLOSED;
}

static int run_foreground(struct running *running)
{
    bool has_ended = false;
    int32_t exit_code = 0;

    for (;;) {
        take_typed(running);
        pass_on(running);
        if (wait_foreground(running, &has_ended) != MX_OK || has_ended)
            break;
        if (shell.typed_count == 0)
            read_typed();
    }
    take_back(running);
    if (process_wait(running->process, MX_TIME_INFINITE, &exit_code) != MX_OK)
        exit_code = EXIT_FAILURE;
    return exit_code;
}

// --- the background
// ------------------------------------------------------------------------------------

static struct background *free_background(void)
{
    for (size_t i = 0; i < BACKGROUND_MAX; i++) {
        if (shell.background[i].process == MX_HANDLE_INVALID)
            return &shell.background[i];
    }
    return NULL;
}

static void keep_background(struct background *entry, const char *name, struct running *running)
{
    entry->process = running->process;
    running->process = MX_HANDLE_INVALID;
    entry->number = ++shell.last_number;
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    printf("[%u] %s\n", entry->number, entry->name);
}

static void report_background(void)
{
    int32_t exit_code;

    for (size_t i = 0; i < BACKGROUND_MAX; i++) {
        struct background *entry = &shell.background[i];
        if (entry->process == MX_HANDLE_INVALID ||
            process_wait(entry->process, 0, &exit_code) != MX_OK)
            continue;
        printf("[%u] %s exited with %d\n", entry->number, entry->name, exit_code);
        handle_close(entry->process);
        entry->process = MX_HANDLE_INVALID;
    }
}

// --- commands
// ------------------------------------------------------------------------------------------

static int run_help(const struct shell_command *command)
{
    (void)command;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        printf("  %-10s %s\n", builtins[i].name, builtins[i].summary);
    printf("COMMAND & runs in the background; ^C ends a command; COMMAND --help explains it.\n");
    return 0;
}

static int run_exit(const struct shell_command *command)
{
    (void)command;
    shell.is_leaving = true;
    return 0;
}

static int run_history(const struct shell_command *command)
{
    unsigned number = 1;

    (void)command;
    for (size_t at = 0; at < shell.editor.history_bytes; number++) {
        printf("%5u  %s\n", number, shell.editor.history + at);
        at += strlen(shell.editor.history + at) + 1;
    }
    return 0;
}

static mx_status_t prepare(struct running *running, bool has_keyboard, mx_handle_t *input)
{
    mx_status_t status = mx_job_create(shell.job, &running->job);

    if (status == MX_OK && has_keyboard)
        status = mx_stream_create(&running->keyboard, input);
    if (status == MX_OK && has_keyboard)
        status = mx_handle_duplicate(*input, MX_RIGHT_SAME, &running->program_input);
    return status;
}

static int run_program(const struct shell_command *command)
{
    static struct running running;
    struct background *entry = command->is_background ? free_background() : NULL;
    mx_handle_t input = MX_HANDLE_INVALID;
    int exit_code = EXIT_FAILURE;

    memset(&running, 0, sizeof(running));
    if (command->is_background && !entry) {
        printf("too many commands in the background\n");
        return exit_code;
    }
    mx_status_t status = prepare(&running, !command->is_background, &input);
    if (status != MX_OK) {
        handle_close(input);
        explain_failure(command->argv[0], status, NULL);
    } else if (launch(command, input, &running) == MX_OK) {
        if (command->is_background)
            keep_background(entry, command->argv[0], &running);
        exit_code = command->is_background ? 0 : run_foreground(&running);
    }
    close_running(&running);
    return exit_code;
}

static void run_command(const struct shell_command *command)
{
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(builtins[i].name, command->argv[0]) == 0) {
            builtins[i].run(command);
            return;
        }
    }
    int exit_code = run_program(command);
    if (exit_code != 0)
        printf("(%s: exit status %d)\n", command->argv[0], exit_code);
}

static void run_line(const char *text)
{
    struct shell_error error;

    line_editor_add_history(&shell.editor, text);
    if (shell_parse(text, strlen(text), &shell.line, &error) != MX_OK) {
        printf("column %u: %s\n", error.column, error.reason);
        return;
    }
    for (size_t i = 0; i < shell.line.command_count && !shell.is_leaving; i++)
        run_command(&shell.line.commands[i]);
}

// Feeds typed bytes until a line is complete; false at the terminal's end or on ^D.
static bool read_line(void)
{
    enum line_editor_event event = LINE_EDITOR_MORE;

    report_background();
    fflush(stdout);
    line_editor_start(&shell.editor, PROMPT);
    while (read_terminal()) {
        size_t used = 0;
        while (used < shell.typed_count && event == LINE_EDITOR_MORE)
            event = line_editor_feed(&shell.editor, shell.typed[used++]);
        use_typed(used);
        if (event == LINE_EDITOR_CANCEL) {
            event = LINE_EDITOR_MORE;
            line_editor_start(&shell.editor, PROMPT);
        }
        if (event != LINE_EDITOR_MORE)
            return event == LINE_EDITOR_LINE;
    }
    return false;
}

int main(void)
{
    shell.job = startup_handle_look(MX_STARTUP_JOB, 0);
    shell.root_job = startup_handle_look(MX_STARTUP_JOB, 1);
    shell.system = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
    shell.manager = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER);
    shell.input = terminal_input();
    shell.output = terminal_output();
    if (shell.input == MX_HANDLE_INVALID || shell.output == MX_HANDLE_INVALID)
        return EXIT_FAILURE;
    line_editor_init(&shell.editor, &editor_ops, NULL);
    // PC firmware leaves terminals without line wrap (DECAWM).
    printf("\x1b[?7h\nMachina. help lists the commands.\n");
    while (!shell.is_leaving && read_line())
        run_line(line_editor_line(&shell.editor));
    return 0;
}
