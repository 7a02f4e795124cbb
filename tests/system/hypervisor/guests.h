// The guests, and the layout of guest memory. Shared with assembly.
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
struct guest_code {
    const char *start, *end;
};

#define GUEST(name)                                         \
    extern const char guest_##name[], guest_##name##_end[]; \
    static const struct guest_code code_##name              \
        __attribute__((unused)) = {guest_##name, guest_##name##_end};
#include "tests/system/hypervisor/guest_list.h"
#undef GUEST
#endif
