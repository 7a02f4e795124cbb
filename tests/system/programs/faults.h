// What a process must not do, by name: each ends it. The architecture's own are in ARCH/.
#pragma once

#include <arch_faults.h>

// Does what `name` says; 0 if that was allowed to go on, 99 for an unknown name.
int faults_run(const char *name);

// One instruction of each kind that only the kernel may execute, by the name of
// FAULTS_PRIVILEGED_NAMES; of the architecture. The last has no name.
extern const struct faults_instruction {
    const char *name;
    void (*execute)(void);
} faults_instructions[];
