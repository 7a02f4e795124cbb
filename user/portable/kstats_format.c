// The tables of kstats; see kstats_format.h.

#include "user/portable/kstats_format.h"

#include <string.h>

static const char entry_title[] = "    vm_entry";
static const char exit_title[] = " vm_exit";

static uint64_t difference(uint64_t later, uint64_t earlier)
{
    return later > earlier ? later - earlier : 0;
}

struct mx_guest_stats kstats_guest_difference(const struct mx_guest_stats *later,
                                              const struct mx_guest_stats *earlier)
{
    struct mx_guest_stats result = {
        .vm_entries = difference(later->vm_entries, earlier->vm_entries),
        .vm_exits = difference(later->vm_exits, earlier->vm_exits),
    };

    for (unsigned i = 0; i < MX_GUEST_EXIT_COUNT; i++)
        result.exits[i] = difference(later->exits[i], earlier->exits[i]);
    return result;
}

struct mx_info_cpu kstats_cpu_difference(const struct mx_info_cpu *later,
                                         const struct mx_info_cpu *earlier)
{
    return (struct mx_info_cpu){
        .idle_time_ns = difference(later->idle_time_ns, earlier->idle_time_ns),
        .context_switches = difference(later->context_switches, earlier->context_switches),
        .preemptions = difference(later->preemptions, earlier->preemptions),
        .migrations = difference(later->migrations, earlier->migrations),
        .interrupts = difference(later->interrupts, earlier->interrupts),
        .timer_interrupts = difference(later->timer_interrupts, earlier->timer_interrupts),
        .ipis = difference(later->ipis, earlier->ipis),
        .syscalls = difference(later->syscalls, earlier->syscalls),
        .cpu = later->cpu,
        .runs_threads = later->runs_threads,
    };
}

static size_t digit_count(uint64_t value)
{
    size_t count = 1;

    while (value >= 10) {
        value /= 10;
        count++;
    }
    return count;
}

// The number in a field that is as wide as the title without its closing brackets, one blank for
// each of those. A wider number pushes the rest of the row on, and never touches the one before.
static void add_field(struct text *text, const char *title, uint64_t value)
{
    size_t width = strlen(title);
    size_t brackets = 0;

    while (brackets < width && title[width - 1 - brackets] == ')')
        brackets++;
    width -= brackets;
    size_t digits = digit_count(value);
    for (size_t i = digits; i < width || i == digits; i++)
        text_add(text, " ");
    text_add_number(text, value);
    for (size_t i = 0; i < brackets; i++)
        text_add(text, " ");
}

// The row's own number, right-aligned in four characters like the titles it stands under.
static void add_row_number(struct text *text, uint64_t number)
{
    for (size_t i = digit_count(number); i < 4; i++)
        text_add(text, " ");
    text_add_number(text, number);
}

void kstats_guest_header(struct text *text, const char *first_title)
{
    text_add(text, first_title);
    text_add(text, entry_title);
    text_add(text, exit_title);
    for (size_t i = 0; i < kstats_column_count; i++)
        text_add(text, kstats_columns[i].title);
    text_add(text, "\n");
}

void kstats_guest_row(struct text *text, uint32_t number, const struct mx_guest_stats *stats)
{
    add_row_number(text, number);
    add_field(text, entry_title, stats->vm_entries);
    add_field(text, exit_title, stats->vm_exits);
    for (size_t i = 0; i < kstats_column_count; i++)
        add_field(text, kstats_columns[i].title, stats->exits[kstats_columns[i].exit]);
    // No blanks at the end of the line.
    while (text->length > 0 && text->buffer[text->length - 1] == ' ')
        text->buffer[--text->length] = '\0';
    text_add(text, "\n");
}

static void add_json(struct text *text, const char *separator, const char *key, uint64_t value)
{
    text_add(text, separator);
    text_add(text, "\"");
    text_add(text, key);
    text_add(text, "\":");
    text_add_number(text, value);
}

void kstats_guest_json(struct text *text, const char *key, uint32_t number,
                       const struct mx_guest_stats *stats)
{
    add_json(text, "{", key, number);
    add_json(text, ",", "vm_entry", stats->vm_entries);
    add_json(text, ",", "vm_exit", stats->vm_exits);
    for (size_t i = 0; i < kstats_column_count; i++)
        add_json(text, ",", kstats_columns[i].key, stats->exits[kstats_columns[i].exit]);
    text_add(text, "}");
}

// --- tables of plain 64-bit fields
// ------------------------------------------------------------------

struct plain_column {
    const char *title;
    const char *key;
    size_t offset;
    uint64_t divisor; // in text; JSON has the number as it is
};

static const struct plain_column cpu_columns[] = {
    {" switches", "context_switches", offsetof(struct mx_info_cpu, context_switches), 1},
    {" preempts", "preemptions", offsetof(struct mx_info_cpu, preemptions), 1},
    {" migrations", "migrations", offsetof(struct mx_info_cpu, migrations), 1},
    {"    ints", "interrupts", offsetof(struct mx_info_cpu, interrupts), 1},
    {"   timer", "timer_interrupts", offsetof(struct mx_info_cpu, timer_interrupts), 1},
    {"    ipis", "ipis", offsetof(struct mx_info_cpu, ipis), 1},
    {"  syscalls", "syscalls", offsetof(struct mx_info_cpu, syscalls), 1},
};

static const struct plain_column memory_columns[] = {
    {"  total_kib", "total_bytes", offsetof(struct mx_info_memory, total_bytes), 1024},
    {"   free_kib", "free_bytes", offsetof(struct mx_info_memory, free_bytes), 1024},
    {"    vmo_kib", "vmo_bytes", offsetof(struct mx_info_memory, vmo_bytes), 1024},
    {" heap_kib", "kernel_heap_bytes", offsetof(struct mx_info_memory, kernel_heap_bytes), 1024},
    {" tables_kib", "page_table_bytes", offsetof(struct mx_info_memory, page_table_bytes), 1024},
    {" kernel_kib", "kernel_image_bytes", offsetof(struct mx_info_memory, kernel_image_bytes),
     1024},
    {" boot_kib", "boot_image_bytes", offsetof(struct mx_info_memory, boot_image_bytes), 1024},
    {" objects", "object_count", offsetof(struct mx_info_memory, object_count), 1},
    {" handles", "handle_count", offsetof(struct mx_info_memory, handle_count), 1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t plain_value(const struct plain_column *column, const void *record)
{
    uint64_t value;

    memcpy(&value, (const char *)record + column->offset, sizeof(value));
    return value;
}

static void add_plain_titles(struct text *text, const struct plain_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_add(text, columns[i].title);
    text_add(text, "\n");
}

static void add_plain_row(struct text *text, const struct plain_column *columns, size_t count,
                          const void *record)
{
    for (size_t i = 0; i < count; i++)
        add_field(text, columns[i].title, plain_value(&columns[i], record) / columns[i].divisor);
    text_add(text, "\n");
}

static void add_plain_json(struct text *text, const char *separator,
                           const struct plain_column *columns, size_t count, const void *record)
{
    for (size_t i = 0; i < count; i++)
        add_json(text, i == 0 ? separator : ",", columns[i].key, plain_value(&columns[i], record));
    text_add(text, "}");
}

static const char idle_title[] = " idle%";

void kstats_cpu_header(struct text *text)
{
    text_add(text, " cpu");
    text_add(text, idle_title);
    add_plain_titles(text, cpu_columns, COUNT(cpu_columns));
}

void kstats_cpu_row(struct text *text, const struct mx_info_cpu *cpu, uint64_t elapsed_ns)
{
    uint64_t hundredth = elapsed_ns / 100;
    uint64_t idle = hundredth ? cpu->idle_time_ns / hundredth : 0;

    add_row_number(text, cpu->cpu);
    add_field(text, idle_title, idle > 100 ? 100 : idle);
    add_plain_row(text, cpu_columns, COUNT(cpu_columns), cpu);
}

void kstats_cpu_json(struct text *text, const struct mx_info_cpu *cpu)
{
    add_json(text, "{", "cpu", cpu->cpu);
    add_json(text, ",", "idle_time_ns", cpu->idle_time_ns);
    add_plain_json(text, ",", cpu_columns, COUNT(cpu_columns), cpu);
}

void kstats_memory_header(struct text *text)
{
    add_plain_titles(text, memory_columns, COUNT(memory_columns));
}

void kstats_memory_row(struct text *text, const struct mx_info_memory *memory)
{
    add_plain_row(text, memory_columns, COUNT(memory_columns), memory);
}

void kstats_memory_json(struct text *text, const struct mx_info_memory *memory)
{
    add_plain_json(text, "{", memory_columns, COUNT(memory_columns), memory);
}
