// Loads an uncompressed Linux kernel (vmlinux) by its PVH entry point.
//
// An ELF64 file for x86-64 whose notes hold XEN_ELFNOTE_PHYS32_ENTRY is entered in 32-bit protected
// mode without paging, with the address of struct hvm_start_info in rBX (Xen, "x86/HVM direct boot
// ABI" and public/arch-x86/hvm/start_info.h; System V ABI, "Object Files"). No time is spent on
// decompression.
#pragma once

#include <stdbool.h>

#include "vmm/loader/x86_64/x86_boot.h"

// Whether the file begins like an ELF file.
bool linux_elf_matches(const struct boot_blob *kernel);

// Fills guest memory and *state; errors as linux_bzimage_load. Segments go to their physical
// addresses, all in low RAM; the ramdisk goes above the highest of them.
mx_status_t linux_elf_load(const struct boot_request *request, const struct x86_boot_map *map,
                           struct x86_boot_state *state) MX_MUST_CHECK;
