// The layout of an arm64 test guest's memory. Shared with assembly.
#pragma once

#define GUEST_RAM_BYTES 0x400000
#define GUEST_CODE      0x10000
#define GUEST_CODE_2    0x18000 // of a second vCPU
#define GUEST_VECTORS   0x20000
#define GUEST_STACK     0x80000 // top
#define GUEST_RESULTS   0x90000 // what handlers leave behind
#define GUEST_DATA      0x92000 // what tests and guests agree on
#define GUEST_WRITTEN   0xa0000 // code that tests write

// GUEST_RESULTS
#define RESULT_EXCEPTION_COUNT 0x00
#define RESULT_ESR             0x08
#define RESULT_FAR             0x10
#define RESULT_IRQ_COUNT       0x18
#define RESULT_IRQS            0x20 // as many words

// Guest-physical addresses without memory.
#define GUEST_EXIT    0x810000 // a word written here ends guest_run with its value
#define GUEST_DEVICE  0x801000
#define GUEST_BELL    0x802000
#define GUEST_GICC    0x900000
#define GUEST_NOTHING 0xa00000

#define GUEST_DONE 0x600d
