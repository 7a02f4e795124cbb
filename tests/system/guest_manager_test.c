// The guest manager and VMMs that are not what they should be: its boot image here has
// tests/system/programs/hostile_vmm.c in the place of the VMM. Whatever that says, the manager
// answers its clients, ends the guest with a reason, and keeps nothing.
#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/files.h>
#include <machina_user/guest_client.h>
#include <machina_user/process.h>
#include <machina_user/startup.h>

#include "boot/bootfs_writer.h"
#include "tests/system/child.h"
#include "tests/test.h"

#define PACKAGE     "victim"
#define ANSWER_WAIT MX_SEC(20)
#define BROKEN      "its VMM broke the protocol"

static mx_handle_t job, process, manager, other_client;
static union guest_client_reply *reply;

// A copy-on-write child of the boot image, since only that may be run, with another archive in it.
static mx_handle_t make_archive(void)
{
    struct bootfs_source files[] = {
        {.name = "bin/vmm"},
        {"pkg/" PACKAGE "/data/guest.cfg", "{}", 2},
    };
    mx_handle_t boot, archive = MX_HANDLE_INVALID;
    size_t size_bytes, bad_index;

    if (files_map("bin/hostile_vmm", &files[0].data, &files[0].size_bytes) != MX_OK ||
        bootfs_plan(files, 2, &size_bytes, &bad_index) != MX_OK ||
        files_duplicate_archive(&boot) != MX_OK)
        return MX_HANDLE_INVALID;
    void *bytes = malloc(size_bytes);
    if (bytes && mx_vmo_create_child(boot, MX_VMO_CHILD_COW, 0, size_bytes, &archive) == MX_OK) {
        bootfs_write(files, 2, bytes, size_bytes);
        EXPECT_OK(mx_vmo_write(archive, bytes, 0, size_bytes));
    }
    free(bytes);
    close_handle(boot);
    return archive;
}

static bool start(void)
{
    static const char *const argv[] = {"guest_manager"};
    mx_handle_t hypervisor = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    mx_handle_t server;

    if (mx_job_create(own_job(), &job) != MX_OK || mx_channel_create(&manager, &server) != MX_OK)
        return false;
    const struct process_handle handles[] = {
        {MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER, server},
        {MX_STARTUP_JOB, 0, with_rights(job, MX_RIGHT_SAME)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR, with_rights(hypervisor, MX_RIGHT_SAME)},
        {MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM, with_rights(system_resource(), MX_RIGHT_SAME)},
        {MX_STARTUP_BOOTFS, 0, make_archive()},
    };
    const struct process_launch launch = {.job = own_job(),
                                          .argv = argv,
                                          .argc = 1,
                                          .handles = handles,
                                          .handle_count = sizeof(handles) / sizeof(handles[0])};
    return process_launch_file(&launch, "bin/guest_manager", &process) == MX_OK &&
           guest_client_connect(manager, &other_client) == MX_OK;
}

static void stop(void)
{
    EXPECT_OK(mx_task_kill(process, 0));
    EXPECT_OK(mx_task_kill(job, 0));
    close_handle(process);
    close_handle(job);
    close_handle(manager);
    close_handle(other_client);
}

struct launch {
    struct guest_launch_request head;
    char overrides[64];
};

static uint32_t make_launch(struct launch *launch, const char *act)
{
    *launch = (struct launch){
        .head = {.request.operation = GUEST_LAUNCH, .package = PACKAGE, .override_count = 1}};
    memcpy(launch->overrides, "act", 4);
    snprintf(launch->overrides + 4, sizeof(launch->overrides) - 4, "%s", act);
    launch->head.override_bytes = (uint32_t)(4 + strlen(act) + 1);
    return (uint32_t)sizeof(launch->head) + launch->head.override_bytes;
}

// The launch's answer is in `reply`.
static mx_status_t run(const char *act)
{
    struct launch launch;
    uint32_t bytes = make_launch(&launch, act);

    return guest_client_call(manager, &launch, bytes, &reply, NULL);
}

// Launches without waiting for the answer.
static void begin(const char *act)
{
    struct launch launch;
    uint32_t bytes = make_launch(&launch, act);

    launch.head.request.transaction = 1;
    EXPECT_OK(mx_channel_write(manager, &launch, bytes, NULL, 0));
}

static uint32_t count_listed(void)
{
    struct guest_request request = {.operation = GUEST_LIST};

    if (guest_client_call(other_client, &request, sizeof(request), &reply, NULL) != MX_OK)
        return UINT32_MAX;
    return reply->list.count;
}

// The only guest, once it is in that state; NULL after a time.
static const struct guest_list_entry *await(enum guest_state state)
{
    const mx_time_t deadline = deadline_after(ANSWER_WAIT);

    while (mx_clock_get_monotonic() < deadline) {
        if (count_listed() == 1 && reply->list.entries[0].state == state)
            return &reply->list.entries[0];
        mx_nanosleep(deadline_after(MX_MSEC(5)));
    }
    return NULL;
}

static void expect_end(const char *reason)
{
    const struct guest_list_entry *entry = await(GUEST_ENDED);

    ASSERT_TRUE(entry != NULL);
    EXPECT_STR_EQ(entry->reason, reason);
}

static mx_status_t command(uint32_t operation, uint32_t id)
{
    struct guest_id_request request = {.request.operation = operation, .id = id};
    mx_handle_t stream = MX_HANDLE_INVALID;
    const mx_status_t status =
        guest_client_call(other_client, &request, sizeof(request), &reply, &stream);

    close_handle(stream);
    return status;
}

static mx_status_t kill_guest(uint32_t id)
{
    struct guest_stop_request request = {.request.operation = GUEST_STOP, .id = id, .is_forced = 1};

    return guest_client_call(other_client, &request, sizeof(request), &reply, NULL);
}

TEST(vmm_that_says_what_is_no_message_loses_its_guest)
{
    static const char *const acts[] = {"too little", "too much", "many handles",
                                       "unknown",    "command",  "short end"};

    ASSERT_TRUE(start());
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        EXPECT_NE(run(acts[i]), MX_OK);
        EXPECT_STR_EQ(reply->header.message, BROKEN);
        // It was never there.
        EXPECT_EQ(count_listed(), 0u);
    }
    stop();
}

TEST(vmm_that_breaks_the_protocol_later_ends_with_that_reason)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("late unknown"));
    expect_end(BROKEN);
    stop();
}

TEST(vmm_that_says_nothing_can_be_killed)
{
    struct guest_reply answer = {.transaction = 0};

    ASSERT_TRUE(start());
    begin("nothing");
    ASSERT_TRUE(await(GUEST_STARTING) != NULL);
    uint32_t id = reply->list.entries[0].id;
    EXPECT_STATUS(MX_ERR_BAD_STATE, command(GUEST_ATTACH_SERIAL, id));
    EXPECT_STATUS(MX_ERR_BAD_STATE, command(GUEST_STATS, id));
    EXPECT_OK(kill_guest(id));
    expect_end("killed");
    // Whoever launched it hears of it.
    EXPECT_OK(mx_object_wait_one(manager, MX_SIGNAL_READABLE, deadline_after(ANSWER_WAIT), NULL));
    EXPECT_OK(mx_channel_read(manager, &answer, sizeof(answer), NULL, 0, NULL));
    EXPECT_EQ(answer.transaction, 1u);
    EXPECT_NE(answer.status, MX_OK);
    stop();
}

TEST(vmm_whose_calls_are_nonsense_gets_errors)
{
    ASSERT_TRUE(start());
    EXPECT_NE(run("reserve"), MX_OK);
    EXPECT_STR_EQ(reply->header.message, "as it should be");
    EXPECT_NE(run("open"), MX_OK);
    EXPECT_STR_EQ(reply->header.message, "as it should be");
    stop();
}

TEST(vmm_that_shows_no_guest_tells_no_statistics)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("run twice"));
    ASSERT_TRUE(await(GUEST_RUNNING) != NULL);
    uint32_t id = reply->list.entries[0].id;
    EXPECT_NE(command(GUEST_STATS, id), MX_OK);
    // Nobody reads the other end of the terminal; it can be attached to and left.
    EXPECT_OK(command(GUEST_ATTACH_SERIAL, id));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, command(GUEST_ATTACH_CONSOLE, id));
    EXPECT_OK(kill_guest(id));
    expect_end("killed");
    stop();
}

TEST(vmm_that_ends_or_hangs_up_is_told_of)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("exit"));
    expect_end("its VMM ended with code 3");
    stop();
    ASSERT_TRUE(start());
    EXPECT_OK(run("close"));
    const struct guest_list_entry *entry = await(GUEST_ENDED);
    ASSERT_TRUE(entry != NULL);
    EXPECT_TRUE(strncmp(entry->reason, "its VMM ended", 13) == 0);
    stop();
}

TEST(vmm_that_has_ended_and_goes_on_is_killed)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("end and stay"));
    expect_end("it says that it has ended");
    stop();
}

TEST(vmm_that_reboots_at_once_is_not_started_for_ever)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("reboot"));
    expect_end("rebooted within a second of its start");
    stop();
}

TEST(words_of_a_vmm_are_printable)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("control characters"));
    const struct guest_list_entry *entry = await(GUEST_ENDED);
    ASSERT_TRUE(entry != NULL);
    EXPECT_EQ(strlen(entry->reason), (size_t)GUEST_REASON_SIZE - 1);
    for (const char *at = entry->reason; *at; at++)
        EXPECT_TRUE((unsigned char)*at >= ' ' && *at != 0x7f);
    stop();
}

TEST(vmm_that_floods_keeps_nobody_from_the_manager)
{
    ASSERT_TRUE(start());
    EXPECT_OK(run("flood"));
    uint32_t id = reply->header.id;
    for (unsigned i = 0; i < 50; i++)
        EXPECT_EQ(count_listed(), 1u);
    // Another guest starts, and is heard.
    EXPECT_NE(run("reserve"), MX_OK);
    EXPECT_STR_EQ(reply->header.message, "as it should be");
    EXPECT_OK(kill_guest(id));
    expect_end("killed");
    stop();
}

TEST(broken_vmms_leave_nothing_behind)
{
    static const char *const acts[] = {"too much", "many handles", "open"};

    ASSERT_TRUE(start());
    // What the manager makes for its first guests only.
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        EXPECT_NE(run(acts[i]), MX_OK);
    EXPECT_EQ(count_listed(), 0u);
    mx_nanosleep(deadline_after(MX_MSEC(100)));
    const struct machine_counts before = machine_counts();
    for (unsigned round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
            EXPECT_NE(run(acts[i]), MX_OK);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
    stop();
}
