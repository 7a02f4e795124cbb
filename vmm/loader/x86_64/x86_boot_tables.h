// The page tables and the GDT that a guest's first vCPU starts with.
//
// Linux's 64-bit boot protocol (Documentation/x86/boot.rst, "64-bit Boot Protocol") wants paging on
// with the kernel, the zero page and the command line mapped at their physical addresses, and a GDT
// with
// __BOOT_CS at 0x10 and __BOOT_DS at 0x18. 32-bit entries get the same GDT, with 32-bit code at
// 0x08.
#pragma once

#include <stdint.h>
#include <machina/status.h>

#include "vmm/loader/x86_64/x86_boot.h"

#define X86_BOOT_CODE_32_SELECTOR 0x08
#define X86_BOOT_CODE_64_SELECTOR 0x10
#define X86_BOOT_DATA_SELECTOR    0x18
#define X86_BOOT_TSS_SELECTOR     0x20

// Everything below this is mapped at its own address, writable and executable, in pages of 2 MiB.
#define X86_BOOT_IDENTITY_BYTES (UINT64_C(4) << 30)

// Builds four-level page tables in the arena; *cr3 is their root. Errors are the arena's.
mx_status_t x86_boot_build_page_tables(struct x86_boot_arena *arena, uint64_t *cr3) MX_MUST_CHECK;

// Builds the GDT in the arena and sets state->gdt and gdt_limit.
mx_status_t x86_boot_build_gdt(struct x86_boot_arena *arena,
                               struct x86_boot_state *state) MX_MUST_CHECK;
