// The process that is the device of the doorbell row: it waits on the port that it was given and
// answers with the interrupt line, ROUNDS times.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/types.h>

#include "tests/bench/samples.h"

#define DEVICE_ROUNDS (SAMPLES_WARM_UP + SAMPLES_MAX)

struct child;

// When the process was woken by each doorbell, and when it raised the line after it; time stamps.
struct device_report {
    uint64_t woken[DEVICE_ROUNDS], raised[DEVICE_ROUNDS];
};

// What the guest notes of a round: before it rings, and at its interrupt handler's first
// instruction.
struct device_stamps {
    uint64_t rung, taken;
};

// The process' own main; its exit code.
int device_process_run(void);
// Starts it, and waits until it does; false if it did not.
MX_MUST_CHECK bool device_process_start(struct child *device, mx_handle_t port, mx_handle_t line);
// What it reports after the last round; false if nothing.
MX_MUST_CHECK bool device_process_report(const struct child *device, struct device_report *report);
// The two rows. `offset` is how far the guest's stamps (one for each round) are ahead of the
// host's.
void device_process_print(const struct device_report *report, const struct device_stamps *stamps,
                          uint64_t offset);
