// What a process must not do, by name: each ends it. The architecture's own are in ARCH/.
#pragma once

#include <arch_faults.h>

// Does what `name` says; 0 if that was allowed to go on, 99 for an unknown name.
int faults_run(const char *name);

// One instruction of each kind that only the kernel may execute; 99 for an unknown name.
int faults_run_privileged(const char *name);
