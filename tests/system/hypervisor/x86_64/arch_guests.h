// The guests of x86-64, and the layout of their memory. Shared with assembly.
//
// A guest talks by port GUEST_PORT_EXIT. Exceptions that it does not expect end it on
// GUEST_PORT_EXCEPTION. Its results are in the memory at GUEST_RESULTS.
#pragma once

#define GUEST_RAM_BYTES 0x400000
#define GUEST_CODE      0x10000
#define GUEST_CODE_2    0x60000 // of a second vCPU
#define GUEST_REAL_MODE 0x50000 // what a start-up interrupt with vector 0x50 begins
#define GUEST_VECTORS   0x20000
#define GUEST_STACK     0x80000 // top; that of vCPU n is n * 0x1000 lower
#define GUEST_RESULTS   0x90000
#define GUEST_LOG       0x91000
#define GUEST_DATA      0x92000
#define GUEST_TABLES    0x1000
#define GUEST_GDT       0x7000
#define GUEST_IDT       0x8000

#define GUEST_PORT_EXIT      0x100
#define GUEST_PORT_EXCEPTION 0x104
#define GUEST_PORT_TEST      0x108
#define GUEST_PORT_BELL      0x200
#define GUEST_DONE           0x600d
#define GUEST_FAILED         0xbad0

// Guest-physical addresses without memory.
#define GUEST_DEVICE  0x800000
#define GUEST_BELL    0x801000
#define GUEST_NOTHING 0x40000000

#define GUEST_CODE_SELECTOR   0x08
#define GUEST_DATA_SELECTOR   0x10
#define GUEST_TASK_SELECTOR   0x18
#define GUEST_COMPAT_SELECTOR 0x28
#define GUEST_USER_DATA       0x33
#define GUEST_USER_CODE       0x3b

#ifndef __ASSEMBLER__
#include <stdint.h>

struct guest_code {
    const char *start, *end;
};

#define GUEST(name)                                         \
    extern const char guest_##name[], guest_##name##_end[]; \
    static const struct guest_code code_##name              \
        __attribute__((unused)) = {guest_##name, guest_##name##_end};
#include "tests/system/hypervisor/x86_64/guest_list.h"
#undef GUEST

// The reason under which exits with a value are counted.
#define GUEST_EXIT_REASON MX_GUEST_EXIT_IO

// What the handlers of guest_vectors.S leave behind, at GUEST_RESULTS; see there.
struct guest_results {
    uint32_t interrupt_count[256];
    uint8_t free_use[0x400];
    uint64_t error_code, fault_rip, fault_address; // of the last exception
    uint32_t eoi_kind;                             // 0 none, 1 x2APIC, 2 xAPIC
    uint32_t reserved;
    uint64_t skip_bytes;     // not zero: exceptions are noted and skip this much
    uint64_t skipped_vector; // the last one noted
};
struct guest_interrupt_log {
    uint32_t count, reserved;
    uint8_t vectors[256];
};

struct guest_fixture;
volatile struct guest_results *guest_results(const struct guest_fixture *fixture);
volatile struct guest_interrupt_log *guest_log(const struct guest_fixture *fixture);
#endif
