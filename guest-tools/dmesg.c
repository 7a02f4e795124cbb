// The dmesg command: the kernel's log; with -f what is added to it as well, until ^C.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "user/portable/log_line.h"
#include "user/portable/options.h"

static const struct option option_table[] = {
    {.name = "follow", .short_name = 'f', .kind = OPTION_FLAG, .help = "go on with new records"},
    {.name = "help", .short_name = 'h', .kind = OPTION_FLAG, .help = "this text"},
};

static const struct option_command command = {
    .name = "dmesg",
    .summary = "Prints the kernel's log.",
    .options = option_table,
    .option_count = sizeof(option_table) / sizeof(option_table[0]),
};

static struct options options;

static void print_record(const struct mx_log_record *record)
{
    char text[MX_LOG_LINE_SIZE];
    uint64_t us = (uint64_t)(record->timestamp / MX_USEC(1));
    size_t size = log_line_text(record, text);

    if (record->dropped_count)
        printf("(%u records lost)\n", record->dropped_count);
    printf("[%5lu.%06lu] ", us / 1000000, us % 1000000);
    if (record->process_koid)
        printf("%lu: ", record->process_koid);
    printf("%.*s\n", (int)size, text);
}

static mx_status_t print_log(mx_handle_t log, bool follow)
{
    struct mx_log_record record;

    for (;;) {
        mx_status_t status = mx_log_read(log, &record);
        if (status == MX_OK)
            print_record(&record);
        else if (status == MX_ERR_SHOULD_WAIT && follow)
            status = mx_object_wait_one(log, MX_SIGNAL_READABLE, MX_TIME_INFINITE, NULL);
        if (status != MX_OK)
            return status == MX_ERR_SHOULD_WAIT ? MX_OK : status;
    }
}

int main(int argc, char **argv)
{
    char buffer[512];
    struct text text = text_begin(buffer, sizeof(buffer));

    if (options_parse(&command, (size_t)argc, argv, &options) != MX_OK) {
        printf("%s\n", options.message);
        return EXIT_FAILURE;
    }
    if (options_has(&options, "help")) {
        options_usage(&command, &text);
        fputs(buffer, stdout);
        return 0;
    }
    mx_status_t status =
        print_log(startup_handle_look(MX_STARTUP_LOG, 0), options_has(&options, "follow"));
    if (status != MX_OK)
        printf("dmesg: %s\n", mx_status_string(status));
    return status == MX_OK ? 0 : EXIT_FAILURE;
}
