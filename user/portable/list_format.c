// The tables of `guest list` and `ps`; see list_format.h.

#include "user/portable/list_format.h"

#include <stdbool.h>
#include <string.h>

// Adds text of somebody else's, at most `size` bytes or up to its NUL.
static void add_foreign(struct text *text, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && bytes[i]; i++) {
        bool is_plain = bytes[i] >= ' ' && bytes[i] < 0x7f;
        text_add_bytes(text, is_plain ? &bytes[i] : "?", 1);
    }
}

static void add_right(struct text *text, uint64_t value, size_t column)
{
    char digits[24];
    struct text number = text_begin(digits, sizeof(digits));

    text_add_number(&number, value);
    if (column > number.length)
        text_add_padding(text, column - number.length);
    text_add(text, digits);
}

// At least one blank, and on to the column.
static void next_column(struct text *text, size_t column)
{
    text_add(text, " ");
    text_add_padding(text, column);
}

enum {
    GUEST_COLUMN_ID = 4,
    GUEST_COLUMN_PACKAGE = 6,
    GUEST_COLUMN_STATE = 27,
    GUEST_COLUMN_UPTIME = 37,
    GUEST_COLUMN_CPUS = 53, // right edge
    GUEST_COLUMN_MEMORY = 55,
    GUEST_COLUMN_REASON = 67,
};

void guest_list_header(struct text *text)
{
    text_add(text, "  id  package              state     uptime     vcpus  memory      reason\n");
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [GUEST_STARTING] = "starting",
        [GUEST_RUNNING] = "running",
        [GUEST_STOPPING] = "stopping",
        [GUEST_ENDED] = "ended",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

void guest_list_row(struct text *text, const struct guest_list_entry *entry)
{
    add_right(text, entry->id, GUEST_COLUMN_ID);
    next_column(text, GUEST_COLUMN_PACKAGE);
    add_foreign(text, entry->package, sizeof(entry->package));
    next_column(text, GUEST_COLUMN_STATE);
    text_add(text, state_name(entry->state));
    next_column(text, GUEST_COLUMN_UPTIME);
    text_add_duration(text, entry->uptime_ns > 0 ? (uint64_t)entry->uptime_ns / 1000000000 : 0);
    text_add(text, " ");
    add_right(text, entry->cpu_count, GUEST_COLUMN_CPUS);
    next_column(text, GUEST_COLUMN_MEMORY);
    text_add_size(text, entry->memory_bytes);
    if (entry->reason[0]) {
        next_column(text, GUEST_COLUMN_REASON);
        add_foreign(text, entry->reason, sizeof(entry->reason));
    }
    text_add(text, "\n");
}

enum {
    PROCESS_COLUMN_ID = 6, // right edges
    PROCESS_COLUMN_JOB = 13,
    PROCESS_COLUMN_THREADS = 21,
    PROCESS_COLUMN_HANDLES = 29,
    PROCESS_COLUMN_MAPPED = 41,
    PROCESS_COLUMN_RESIDENT = 54,
    PROCESS_COLUMN_CPU = 65,
    PROCESS_COLUMN_NAME = 67,
};

void process_list_header(struct text *text)
{
    text_add(text, "    id    job threads handles  mapped_kib resident_kib     cpu_ms  name\n");
}

void process_list_row(struct text *text, const struct mx_info_process *process)
{
    add_right(text, process->koid, PROCESS_COLUMN_ID);
    text_add(text, " ");
    add_right(text, process->job_koid, PROCESS_COLUMN_JOB);
    text_add(text, " ");
    add_right(text, process->thread_count, PROCESS_COLUMN_THREADS);
    text_add(text, " ");
    add_right(text, process->handle_count, PROCESS_COLUMN_HANDLES);
    text_add(text, " ");
    add_right(text, process->mapped_bytes / 1024, PROCESS_COLUMN_MAPPED);
    text_add(text, " ");
    add_right(text, process->resident_bytes / 1024, PROCESS_COLUMN_RESIDENT);
    text_add(text, " ");
    add_right(text, process->cpu_time_ns / 1000000, PROCESS_COLUMN_CPU);
    next_column(text, PROCESS_COLUMN_NAME);
    add_foreign(text, process->name, sizeof(process->name));
    text_add(text, "\n");
}
