// struct arch_aspace on x86-64: four levels of page tables, for user programs (CR3) and for guests
// (nCR3 of SVM; the format is the same, every entry has the U bit).
//
// How a guest's tables change under running vCPUs. The unmapping side: clear entries, add 1 to
// flush_generation, read active_cpus, send an interrupt to each CPU in it and wait until that CPU
// has taken it. The running side (the world switch), interrupts disabled from before the first step
// until the guest runs:
//   1. set its bit in active_cpus (atomic, sequentially consistent);
//   2. read flush_generation (sequentially consistent); if it is not the value with which this CPU
//   last flushed the guest's
//      translations (the ASID it is about to use), flush them;
//   3. enter. A host interrupt takes the CPU out of the guest, and it goes through 1 to 3 before it
//   enters again.
// So a CPU whose bit was not seen will see the new generation, and one whose bit was seen leaves.
// The bit may stay set between entries and must be cleared when the vCPU's thread is switched out
// or leaves the run loop (a bit left set costs an interrupt, never correctness).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/core/spinlock.h"

struct job;

struct arch_aspace {
    struct spinlock lock; // the tables
    bool is_guest;
    uint64_t root; // host-physical address of the top table: CR3 or nCR3
    struct job *job;
    uint64_t active_cpus; // by CPU index; atomic. User: has it in CR3. Guest: may be running it
    uint64_t flush_generation; // atomic; guests only
};
