// The kernel's log: a ring of records that mx_log_read gives out, copied to the console while no user process has
// taken the console over.
#pragma once

#include <machina/objects.h>

#include "kernel/lib/types.h"

// One line, without a newline at its end. Any context that holds neither sched_lock nor an object's lock. Rate-limited by the caller where a guest or process can cause it.
void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A record of a user process. More than MX_LOG_LINE_SIZE bytes are cut.
void log_write(uint64_t process_koid, const char *text, size_t size_bytes);
// Takes the record at *position, or the oldest there still is, and moves on. False: no more.
bool log_read(uint64_t *position, struct mx_log_record *out);
bool log_has_record(uint64_t position);
// A user process reads the log from now on and prints it where it likes: the kernel stops writing to the console.
void log_release_console(void);
// Meanwhile the kernel writes there all the same: what is told while the machine goes down.
void log_insist_on_console(bool is_on);

// Prints the message, the registers and a backtrace on the console and stops the machine. Only for bugs of the kernel's
// own: nothing that a guest or process does may get here.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A condition that only a bug of the kernel's own can make false. No side effects in it.
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);                  \
    } while (0)
