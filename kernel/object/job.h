// The tree of jobs, for process.c and info.c; what everybody uses is in process.h.
#pragma once

#include "kernel/object/process.h"

extern struct mutex job_mutex;
extern const mx_rights_t job_default_rights;
extern const mx_rights_t process_default_rights;

// BAD_STATE: the job was killed.
MUST_CHECK mx_status_t job_add_process(struct job *job, struct process *process);
void job_remove_process(struct job *job, struct process *process);
// Calls `visit` for the processes of the job and all below it, with job_mutex held, until it returns an error.
MUST_CHECK mx_status_t job_for_each_process(struct job *top,
                                            mx_status_t (*visit)(struct process *process, void *argument),
                                            void *argument);
// process_kill with job_mutex held.
void process_kill_in_job(struct process *process, int32_t exit_code);
