// One thread for each vCPU: it creates the vCPU, waits until all are there, and runs it until the
// guest ends.
#pragma once

#include "vmm/monitor/guest.h"

// Starts the threads of all vCPUs and waits until each has created its vCPU. On failure `guest` is
// to be ended.
MX_MUST_CHECK mx_status_t vcpu_create_all(struct guest *guest);
// Lets them run.
void vcpu_run_all(struct guest *guest);
