// The tables of kstats.

#include "tests/test.h"
#include "user/portable/kstats_format.h"

static char buffer[1024];

static struct mx_guest_stats sample(void)
{
    struct mx_guest_stats stats = {.vm_entries = 100, .vm_exits = 99};

    for (unsigned i = 0; i < MX_GUEST_EXIT_COUNT; i++)
        stats.exits[i] = i + 1;
    return stats;
}

TEST(guest_header_is_the_users_page)
{
    struct text text = text_begin(buffer, sizeof(buffer));

    kstats_guest_header(&text, " cpu");
    EXPECT_STR_EQ(buffer, " cpu    vm_entry vm_exit ints ints_win ept ctrl_reg msr(rd wr) "
                          "inst(io hlt cpuid pause vmcall xsetbv)\n");
}

TEST(guest_numbers_stand_under_their_titles)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_guest_stats stats = sample();

    kstats_guest_row(&text, 3, &stats);
    EXPECT_STR_EQ(buffer, "   3         100      99    1        2   3        4      5  6        "
                          "7   8     9    10     11     12\n");
}

TEST(reads_are_under_rd_and_writes_under_wr)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_guest_stats stats = {.exits = {[MX_GUEST_EXIT_RDMSR] = 7, [MX_GUEST_EXIT_WRMSR] = 8}};

    kstats_guest_json(&text, "cpu", 1, &stats);
    EXPECT_TRUE(strstr(buffer, "\"msr_rd\":7,\"msr_wr\":8,") != NULL);
}

TEST(wide_numbers_never_touch)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_guest_stats stats = {.vm_entries = UINT64_MAX, .vm_exits = UINT64_MAX};
    unsigned numbers = 0;

    for (unsigned i = 0; i < MX_GUEST_EXIT_COUNT; i++)
        stats.exits[i] = UINT64_MAX;
    kstats_guest_row(&text, 0, &stats);
    for (const char *at = buffer; (at = strstr(at, " 18446744073709551615")) != NULL; at++)
        numbers++;
    EXPECT_EQ(numbers, 2 + kstats_column_count);
}

TEST(json_names_every_column_once)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_guest_stats stats = sample();

    kstats_guest_json(&text, "vcpu", 2, &stats);
    EXPECT_STR_EQ(buffer, "{\"vcpu\":2,\"vm_entry\":100,\"vm_exit\":99,\"ints\":1,\"ints_win\":2,"
                          "\"ept\":3,\"ctrl_reg\":4,\"msr_rd\":5,\"msr_wr\":6,\"io\":7,\"hlt\":8,"
                          "\"cpuid\":9,\"pause\":10,\"vmcall\":11,\"xsetbv\":12}");
}

TEST(differences_never_wrap)
{
    struct mx_guest_stats later = sample(), earlier = sample();

    earlier.vm_exits = 90;
    earlier.exits[0] = 100;
    struct mx_guest_stats difference = kstats_guest_difference(&later, &earlier);
    EXPECT_EQ(difference.vm_exits, 9);
    EXPECT_EQ(difference.vm_entries, 0);
    EXPECT_EQ(difference.exits[0], 0);

    struct mx_info_cpu now = {.syscalls = 10, .ipis = 5, .cpu = 3},
                       before = {.syscalls = 4, .ipis = 6};
    struct mx_info_cpu cpu = kstats_cpu_difference(&now, &before);
    EXPECT_EQ(cpu.syscalls, 6);
    EXPECT_EQ(cpu.ipis, 0);
    EXPECT_EQ(cpu.cpu, 3);
}

TEST(cpu_table_lines_up)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_info_cpu cpu = {.idle_time_ns = 750000000,
                              .context_switches = 1,
                              .preemptions = 2,
                              .migrations = 3,
                              .interrupts = 4,
                              .timer_interrupts = 5,
                              .ipis = 6,
                              .syscalls = 7,
                              .cpu = 1};

    kstats_cpu_header(&text);
    kstats_cpu_row(&text, &cpu, 1000000000);
    EXPECT_STR_EQ(buffer,
                  " cpu idle% switches preempts migrations    ints   timer    ipis  syscalls\n"
                  "   1    75        1        2          3       4       5       6         7\n");
    text = text_begin(buffer, sizeof(buffer));
    kstats_cpu_row(&text, &cpu, 0);
    EXPECT_TRUE(strncmp(buffer, "   1     0 ", 11) == 0);
    text = text_begin(buffer, sizeof(buffer));
    kstats_cpu_json(&text, &cpu);
    EXPECT_STR_EQ(buffer, "{\"cpu\":1,\"idle_time_ns\":750000000,\"context_switches\":1,"
                          "\"preemptions\":2,\"migrations\":3,\"interrupts\":4,"
                          "\"timer_interrupts\":5,\"ipis\":6,\"syscalls\":7}");
}

TEST(memory_table_lines_up)
{
    struct text text = text_begin(buffer, sizeof(buffer));
    struct mx_info_memory memory = {
        .total_bytes = 4096, .free_bytes = 2048, .object_count = 17, .handle_count = 18};

    kstats_memory_header(&text);
    kstats_memory_row(&text, &memory);
    EXPECT_STR_EQ(buffer, "  total_kib   free_kib    vmo_kib heap_kib tables_kib kernel_kib "
                          "boot_kib objects handles\n"
                          "          4          2          0        0          0          0 "
                          "       0      17      18\n");
    text = text_begin(buffer, sizeof(buffer));
    kstats_memory_json(&text, &memory);
    EXPECT_TRUE(strncmp(buffer, "{\"total_bytes\":4096,\"free_bytes\":2048,", 38) == 0);
}
