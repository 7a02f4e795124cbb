// The kstats command: counters of guests, CPUs and memory, once per interval until ^C.
//
// Each table shows the difference since the sample before; the first one, what has been counted
// since the machine (or the guest) started. Memory is what it is now.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include <machina_user/guest_client.h>
#include "user/portable/kstats_format.h"
#include "user/portable/options.h"

#define CPUS_MAX     256
#define TEXT_BYTES   512
#define INTERVAL_MAX 86400

static const struct option option_table[] = {
    {.name = "guests", .short_name = 'v', .kind = OPTION_FLAG, .help = "guest exits by reason"},
    {.name = "cpus", .short_name = 'c', .kind = OPTION_FLAG, .help = "scheduling, per CPU"},
    {.name = "memory", .short_name = 'm', .kind = OPTION_FLAG, .help = "memory of the machine"},
    {.name = "guest",
     .kind = OPTION_NUMBER,
     .value_name = "ID",
     .maximum = UINT32_MAX,
     .help = "exits of one guest, per vCPU"},
    {.name = "delay",
     .short_name = 'd',
     .kind = OPTION_NUMBER,
     .value_name = "SECONDS",
     .minimum = 1,
     .maximum = INTERVAL_MAX,
     .help = "time between samples; 1 when not given"},
    {.name = "times",
     .short_name = 'n',
     .kind = OPTION_NUMBER,
     .value_name = "TIMES",
     .minimum = 1,
     .maximum = UINT32_MAX,
     .help = "samples to take; until ^C when not given"},
    {.name = "time", .short_name = 't', .kind = OPTION_FLAG, .help = "time of each sample"},
    {.name = "json", .kind = OPTION_FLAG, .help = "one JSON object per sample"},
    {.name = "help", .short_name = 'h', .kind = OPTION_FLAG, .help = "this text"},
};

static const struct option_command command = {
    .name = "kstats",
    .summary = "Shows counters: first since the start, then per interval.",
    .options = option_table,
    .option_count = sizeof(option_table) / sizeof(option_table[0]),
};

static struct options options;
static mx_handle_t system_resource, manager;
static bool is_json;

// One sample of each table and the one before.
static struct {
    struct mx_guest_stats guests[CPUS_MAX], guests_before[CPUS_MAX];
    struct mx_guest_stats vcpus_before[MX_GUEST_MAX_VCPUS];
    struct mx_info_cpu cpus[CPUS_MAX], cpus_before[CPUS_MAX];
    mx_time_t time_before;
} samples;

static void print_row(const struct text *text)
{
    fputs(text->buffer, stdout);
}

static mx_status_t read_records(uint32_t topic, void *records, size_t bytes, size_t record_bytes,
                                size_t *count)
{
    size_t actual = 0;
    mx_status_t status = mx_object_get_info(system_resource, topic, records, bytes, &actual);

    *count = (actual < bytes ? actual : bytes) / record_bytes;
    return status;
}

// A JSON array's name in front of its first element, a comma in front of the others, and its end.
static void print_json_before(const char *name, size_t index)
{
    if (index == 0)
        printf(",\"%s\":[", name);
    else
        printf(",");
}

static void print_guest_header(const char *title)
{
    char buffer[TEXT_BYTES];
    struct text text = text_begin(buffer, sizeof(buffer));

    if (is_json)
        return;
    kstats_guest_header(&text, title);
    print_row(&text);
}

// One CPU's or vCPU's difference to the sample before, which becomes this one.
static void print_guest_sample(const char *array, const char *key, size_t index, uint32_t number,
                               const struct mx_guest_stats *now, struct mx_guest_stats *before)
{
    struct mx_guest_stats difference = kstats_guest_difference(now, before);
    char buffer[TEXT_BYTES];
    struct text text = text_begin(buffer, sizeof(buffer));

    *before = *now;
    if (is_json) {
        print_json_before(array, index);
        kstats_guest_json(&text, key, number, &difference);
    } else {
        kstats_guest_row(&text, number, &difference);
    }
    print_row(&text);
}

static void print_array_end(size_t count)
{
    if (is_json && count > 0)
        printf("]");
}

static mx_status_t show_guests(void)
{
    size_t count;
    mx_status_t status = read_records(MX_INFO_GUEST_CPUS, samples.guests, sizeof(samples.guests),
                                      sizeof(samples.guests[0]), &count);

    if (status != MX_OK)
        return status;
    print_guest_header(" cpu");
    for (size_t i = 0; i < count; i++)
        print_guest_sample("guests", "cpu", i, (uint32_t)i, &samples.guests[i],
                           &samples.guests_before[i]);
    print_array_end(count);
    return MX_OK;
}

static mx_status_t show_guest(uint32_t id)
{
    struct guest_id_request request = {.request.operation = GUEST_STATS, .id = id};
    union guest_client_reply *reply;
    mx_status_t status = guest_client_call(manager, &request, sizeof(request), &reply, NULL);

    if (status != MX_OK && reply->header.message[0])
        printf("kstats: %s\n", reply->header.message);
    if (status != MX_OK)
        return status;
    print_guest_header("vcpu");
    for (uint32_t i = 0; i < reply->stats.count; i++)
        print_guest_sample("vcpus", "vcpu", i, reply->stats.vcpus[i].id,
                           &reply->stats.vcpus[i].stats, &samples.vcpus_before[i]);
    print_array_end(reply->stats.count);
    return MX_OK;
}

static void print_cpu_sample(size_t index, mx_time_t elapsed)
{
    struct mx_info_cpu difference =
        kstats_cpu_difference(&samples.cpus[index], &samples.cpus_before[index]);
    char buffer[TEXT_BYTES];
    struct text text = text_begin(buffer, sizeof(buffer));

    samples.cpus_before[index] = samples.cpus[index];
    if (is_json) {
        print_json_before("cpus", index);
        kstats_cpu_json(&text, &difference);
    } else {
        kstats_cpu_row(&text, &difference, (uint64_t)elapsed);
    }
    print_row(&text);
}

static mx_status_t show_cpus(mx_time_t elapsed)
{
    char buffer[TEXT_BYTES];
    struct text text = text_begin(buffer, sizeof(buffer));
    size_t count;
    mx_status_t status = read_records(MX_INFO_CPUS, samples.cpus, sizeof(samples.cpus),
                                      sizeof(samples.cpus[0]), &count);

    if (status != MX_OK)
        return status;
    if (!is_json) {
        kstats_cpu_header(&text);
        print_row(&text);
    }
    for (size_t i = 0; i < count; i++)
        print_cpu_sample(i, elapsed);
    print_array_end(count);
    return MX_OK;
}

static mx_status_t show_memory(void)
{
    struct mx_info_memory memory;
    char buffer[TEXT_BYTES];
    struct text text = text_begin(buffer, sizeof(buffer));
    mx_status_t status =
        mx_object_get_info(system_resource, MX_INFO_MEMORY, &memory, sizeof(memory), NULL);

    if (status != MX_OK)
        return status;
    if (is_json) {
        text_add(&text, ",\"memory\":");
        kstats_memory_json(&text, &memory);
    } else {
        kstats_memory_header(&text);
        kstats_memory_row(&text, &memory);
    }
    print_row(&text);
    return MX_OK;
}

static mx_status_t show_sample(void)
{
    mx_time_t now = mx_clock_get_monotonic();
    const struct option_match *guest = options_get(&options, "guest", 0);
    unsigned long ms = (unsigned long)(now / MX_MSEC(1));
    mx_status_t status = MX_OK;

    if (is_json)
        printf("{\"time_ms\":%lu", ms);
    else if (options_has(&options, "time"))
        printf("--- %lu.%03lu s\n", ms / 1000, ms % 1000);
    if (options_has(&options, "guests"))
        status = show_guests();
    if (status == MX_OK && guest)
        status = show_guest((uint32_t)guest->number);
    if (status == MX_OK && options_has(&options, "cpus"))
        status = show_cpus(now - samples.time_before);
    if (status == MX_OK && options_has(&options, "memory"))
        status = show_memory();
    if (is_json)
        printf("}\n");
    samples.time_before = now;
    return status;
}

static int show_samples(void)
{
    const struct option_match *delay = options_get(&options, "delay", 0);
    const struct option_match *times = options_get(&options, "times", 0);
    mx_time_t next = mx_clock_get_monotonic();

    for (uint64_t i = 0; !times || i < times->number; i++) {
        if (i > 0) {
            next += MX_SEC(delay ? delay->number : 1);
            mx_nanosleep(next);
        }
        mx_status_t status = show_sample();
        if (status != MX_OK) {
            printf("kstats: %s\n", mx_status_string(status));
            return EXIT_FAILURE;
        }
    }
    return 0;
}

static int print_usage(int result)
{
    char buffer[2048];
    struct text text = text_begin(buffer, sizeof(buffer));

    options_usage(&command, &text);
    print_row(&text);
    return result;
}

int main(int argc, char **argv)
{
    system_resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_SYSTEM);
    manager = startup_handle_look(MX_STARTUP_SERVICE, MX_SERVICE_GUEST_MANAGER);
    if (options_parse(&command, (size_t)argc, argv, &options) != MX_OK) {
        printf("%s\n", options.message);
        return EXIT_FAILURE;
    }
    if (options_has(&options, "help"))
        return print_usage(0);
    if (!options_has(&options, "guests") && !options_has(&options, "cpus") &&
        !options_has(&options, "memory") && !options_has(&options, "guest")) {
        printf("kstats: name at least one of -v, -c, -m, --guest ID\n");
        return EXIT_FAILURE;
    }
    is_json = options_has(&options, "json");
    return show_samples();
}
