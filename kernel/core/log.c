// The kernel's log; see log.h. Records are numbered from the start of time; the ring keeps the last LOG_CAPACITY.

#include "kernel/core/log.h"

#include <arch/console.h>
#include <arch/time.h>

#include "kernel/core/cpu.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/object/log_object.h"

#define LOG_CAPACITY 512

static struct spinlock log_lock = SPINLOCK_INIT;
static struct mx_log_record records[LOG_CAPACITY];
static uint64_t next_number;
static bool is_console_taken, is_insisting;

static void print_on_console(const struct mx_log_record *record)
{
    char line[MX_LOG_LINE_SIZE + 32];
    int length = print_format(line, sizeof(line), "[%5ld.%06ld] ", (long)(record->timestamp / MX_SEC(1)),
                              (long)(record->timestamp % MX_SEC(1) / 1000));

    memcpy(line + length, record->text, record->size_bytes);
    line[length + (int)record->size_bytes] = '\n';
    arch_console_write(line, (size_t)length + record->size_bytes + 1);
}

void log_write(uint64_t process_koid, const char *text, size_t size_bytes)
{
    mx_time_t now = arch_time_now();

    arch_interrupt_state_t state = spin_lock(&log_lock);
    struct mx_log_record *record = &records[next_number % LOG_CAPACITY];
    *record = (struct mx_log_record){.timestamp = now, .process_koid = process_koid};
    record->size_bytes = (uint32_t)(size_bytes < MX_LOG_LINE_SIZE ? size_bytes : MX_LOG_LINE_SIZE);
    memcpy(record->text, text, record->size_bytes);
    next_number++;
    if (!is_console_taken || is_insisting)
        print_on_console(record);
    spin_unlock(&log_lock, state);
    log_object_notify_all();
}

void log_print(const char *format, ...)
{
    char text[MX_LOG_LINE_SIZE + 1];
    va_list args;

    va_start(args, format);
    int length = print_format_args(text, sizeof(text), format, args);
    va_end(args);
    log_write(0, text, length < MX_LOG_LINE_SIZE ? (size_t)length : MX_LOG_LINE_SIZE);
}

bool log_read(uint64_t *position, struct mx_log_record *out)
{
    arch_interrupt_state_t state = spin_lock(&log_lock);
    uint64_t oldest = next_number > LOG_CAPACITY ? next_number - LOG_CAPACITY : 0;
    uint64_t dropped = *position < oldest ? oldest - *position : 0;
    uint64_t number = *position + dropped;
    bool is_there = number < next_number;
    if (is_there) {
        *out = records[number % LOG_CAPACITY];
        out->dropped_count = (uint32_t)(dropped < UINT32_MAX ? dropped : UINT32_MAX);
        *position = number + 1;
    }
    spin_unlock(&log_lock, state);
    return is_there;
}

bool log_has_record(uint64_t position)
{
    return position < __atomic_load_n(&next_number, __ATOMIC_RELAXED);
}

void log_release_console(void)
{
    is_console_taken = true;
}

void log_insist_on_console(bool is_on)
{
    is_insisting = is_on;
}

_Noreturn void panic(const char *format, ...)
{
    static uint32_t is_panicking;
    char text[MX_LOG_LINE_SIZE];
    va_list args;

    arch_interrupts_disable();
    if (__atomic_exchange_n(&is_panicking, 1, __ATOMIC_RELAXED) != 0)
        arch_cpu_halt();
    cpu_stop_others();
    va_start(args, format);
    int length = print_format_args(text, sizeof(text), format, args);
    va_end(args);
    arch_console_write("\npanic: ", 8);
    arch_console_write(text, length < (int)sizeof(text) ? (size_t)length : sizeof(text) - 1);
    arch_console_write("\n", 1);
    arch_cpu_print_backtrace();
    arch_cpu_halt();
}
