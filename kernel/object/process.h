// Jobs, processes and user threads.
#pragma once

#include "kernel/core/thread.h"
#include "kernel/memory/aspace.h"
#include "kernel/object/handle.h"

struct job {
    struct object object;
    struct job *parent; // referenced; NULL for the root
    struct list_node children, child_node;
    struct list_node processes;
    uint32_t depth; // of the root: 0
    uint64_t used_bytes, limit_bytes; // atomic
    uint32_t process_count;           // living, children included
    bool is_killed;
};

enum process_state {
    PROCESS_NEW,
    PROCESS_RUNNING,
    PROCESS_ENDING, // killed or exiting, threads still there
    PROCESS_ENDED,
};

struct process {
    struct object object;
    struct job *job; // referenced
    struct list_node job_node;
    struct aspace *aspace; // referenced
    struct handle_table handles;
    struct mutex mutex;
    struct list_node threads;
    uint32_t thread_count; // that have not ended
    enum process_state state;
    int32_t exit_code;
    uint64_t ended_cpu_time_ns; // of threads that are gone
    char name[MX_NAME_SIZE];
};

// Where and with what a thread begins in user mode.
struct user_entry {
    uint64_t pc, stack, arg1, arg2;
};

struct user_thread {
    struct object object;
    struct thread *thread; // NULL once it has ended
    struct process *process; // referenced
    struct list_node process_node;
    bool is_started;
    struct user_entry entry;
    mx_status_t exit_status;
    uint64_t cpu_time_ns; // once it has ended
    uint32_t last_cpu;
    char name[MX_NAME_SIZE];
};

extern struct job *root_job;

static inline struct process *process_current(void)
{
    return thread_current()->process;
}

MUST_CHECK mx_status_t job_create(struct job *parent, struct job **out);
// Charges memory to the job and all above it; NO_MEMORY if one is at its limit. `job` may be NULL.
MUST_CHECK mx_status_t job_charge(struct job *job, uint64_t bytes);
void job_uncharge(struct job *job, uint64_t bytes);
void job_kill(struct job *job, int32_t exit_code);

MUST_CHECK mx_status_t process_create(struct job *job, const char *name, struct process **out);
MUST_CHECK mx_status_t user_thread_create(struct process *process, const char *name,
                                          struct user_thread **out);
MUST_CHECK mx_status_t user_thread_start(struct user_thread *thread, uint64_t entry, uint64_t stack,
                                         uint64_t arg1, uint64_t arg2);
// Ends the current thread; with the last one the process. For a killed thread on its way to user mode too.
_Noreturn void user_thread_exit_current(void);
// Starts the first thread; consumes arg_handle.
MUST_CHECK mx_status_t process_start(struct process *process, struct user_thread *thread, uint64_t entry,
                                     uint64_t stack, struct transfer arg_handle, uint64_t arg);
void process_kill(struct process *process, int32_t exit_code);
// Ends the current process with a message in the log: it did what only a broken program does. For the architecture's
// exception handlers, from a user-mode fault with interrupts enabled.
_Noreturn void process_fault(const char *what, uint64_t pc, uint64_t addr);
