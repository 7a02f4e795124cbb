// The tables of `guest list` and `ps`.

#include "tests/test.h"
#include "user/portable/list_format.h"

static char buffer[1024];

TEST(guest_row_stands_under_its_titles)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct guest_list_entry entry = {.id = 3,
                                     .state = GUEST_RUNNING,
                                     .package = "linux_guest",
                                     .uptime_ns = 3725000000000,
                                     .memory_bytes = 512 << 20,
                                     .cpu_count = 4};

    guest_list_header(&text);
    guest_list_row(&text, &entry);
    EXPECT_STR_EQ(buffer,
                  "  id  package              state     uptime     vcpus  memory      reason\n"
                  "   3  linux_guest          running   01:02:05       4  512 MiB\n");
}

TEST(ended_guest_says_why)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct guest_list_entry entry = {
        .id = 1, .state = GUEST_ENDED, .package = "p", .reason = "powered off"};

    guest_list_row(&text, &entry);
    EXPECT_TRUE(strstr(buffer, " ended ") != NULL);
    EXPECT_TRUE(strstr(buffer, " powered off\n") != NULL);
}

TEST(foreign_text_cannot_drive_the_terminal_or_run_on)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct guest_list_entry entry = {
        .id = UINT32_MAX, .state = 77, .package = "\x1b[2Jx\n", .uptime_ns = -1};

    memset(entry.reason, 'r', sizeof(entry.reason)); // no NUL
    guest_list_row(&text, &entry);
    EXPECT_TRUE(strchr(buffer, '\x1b') == NULL);
    EXPECT_TRUE(strstr(buffer, "?[2Jx?") != NULL);
    EXPECT_TRUE(strstr(buffer, " unknown ") != NULL);
    EXPECT_EQ(strchr(buffer, '\n') - buffer, (ptrdiff_t)strlen(buffer) - 1);
    EXPECT_EQ(strspn(strchr(buffer, 'r'), "r"), sizeof(entry.reason));
}

TEST(process_row_stands_under_its_titles)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_info_process process = {.koid = 12,
                                      .job_koid = 1,
                                      .name = "init",
                                      .thread_count = 1,
                                      .handle_count = 20,
                                      .mapped_bytes = 65536,
                                      .resident_bytes = 8192,
                                      .cpu_time_ns = 5000000};

    process_list_header(&text);
    process_list_row(&text, &process);
    EXPECT_STR_EQ(buffer, "    id    job threads handles  mapped_kib resident_kib     cpu_ms  name\n"
                          "    12      1       1      20          64            8          5  init\n");
}
