// Handles onto the kernel's log, each with its own read position.
#pragma once

#include "kernel/object/object.h"

MUST_CHECK mx_status_t log_object_create(struct job *job, struct object **out);
extern const mx_rights_t log_object_default_rights;
// A record was added: raises MX_SIGNAL_READABLE on all. Any context without sched_lock or an object's lock.
void log_object_notify_all(void);
