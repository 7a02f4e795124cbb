// Guest-virtual to guest-physical: the guest's own page tables, walked in software.
//
// Implements AMD64 Architecture Programmer's Manual volume 2, "Page Translation and Protection"
// (chapter 5) for paging off, 32-bit with and without 4 MiB pages, PAE, 4-level and 5-level paging.
// Each entry is read once. Accessed and dirty bits are set as the CPU would, if the caller gives a
// way to.
//
// Not judged here: protection keys, shadow stacks, and physical addresses beyond the CPU's width
// (such an entry points outside RAM and the access ends there).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/x86_64/vcpu_regs.h"

#define X86_PAGE_BYTES UINT64_C(4096)

enum x86_access {
    X86_ACCESS_READ,
    X86_ACCESS_WRITE,
    X86_ACCESS_FETCH,
};

// The error code of a page fault (APM volume 2, "#PF - Page-Fault Exception (Vector 14)").
#define X86_PF_PRESENT  (UINT32_C(1) << 0)
#define X86_PF_WRITE    (UINT32_C(1) << 1)
#define X86_PF_USER     (UINT32_C(1) << 2)
#define X86_PF_RESERVED (UINT32_C(1) << 3)
#define X86_PF_FETCH    (UINT32_C(1) << 4)

// Guest RAM, where page tables live.
struct x86_table_memory {
    // Copies `size_bytes` (4 or 8, aligned) at `guest_physical`; false when outside RAM.
    bool (*read)(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes);
    // Replaces the entry atomically if it still is `expected`. May be NULL, then accessed and dirty
    // bits stay as they are. OK; SHOULD_WAIT: it has changed; OUT_OF_RANGE: not RAM.
    mx_status_t (*compare_exchange)(void *context, uint64_t guest_physical, unsigned width_bytes,
                                    uint64_t expected, uint64_t desired);
    void *context;
};

struct x86_translation {
    uint64_t guest_physical; // on OK
    uint32_t error_code;     // on ACCESS_DENIED: to inject with #PF
};

// Whether the address can be used in 64-bit mode: its upper bits repeat the highest implemented
// one.
bool x86_is_canonical(const struct x86_vcpu_regs *regs, uint64_t linear);

// Translates one linear address for an access with the vCPU's current privilege. Outside long mode
// the upper half of `linear` is ignored.
//   OK              out->guest_physical is set
//   ACCESS_DENIED   #PF is to be injected with out->error_code and `linear` in CR2
//   INVALID_ARGS    `linear` is not canonical (#GP or #SS)
//   OUT_OF_RANGE    a page table lies outside RAM, where a CPU would end in a shutdown or worse
//   SHOULD_WAIT     the guest changes the same entries all the time; run it and try again
mx_status_t x86_page_walk(const struct x86_vcpu_regs *regs, const struct x86_table_memory *tables,
                          uint64_t linear, enum x86_access access,
                          struct x86_translation *out) MX_MUST_CHECK;
