// Decodes the plain MOV between a register or immediate and memory: as much as the kernel needs for
// a guest's access to its memory-mapped local APIC, for skipping a write to a doorbell, and for
// telling the VMM what an access to a device is. Everything else is the VMM's decoder's business.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/x86_insn_length.h"

struct mov_access {
    unsigned length_bytes; // of the instruction
    bool is_store;
    struct x86_mov_store operand; // of a load: the register it goes to
    // The address is a general register plus a displacement, and no segment has a say in it.
    bool has_plain_address;
    uint8_t base_reg;
    int32_t displacement;
};

// False: not a plain MOV (opcodes 88-8b, c6, c7), or not all of it in `bytes`.
bool mov_access_decode(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                       struct mov_access *out);

// Whether the access begins at `guest_physical` and ends on the same page, so that it is one access
// to what is there. A fault on either half of an access that crosses pages looks the same but for
// the address in the instruction; `gpr` holds the registers. False also if only a full decoder can
// tell.
bool mov_access_is_at(const struct mov_access *access, const uint64_t *gpr,
                      uint64_t guest_physical);

// Prefix bytes (legacy and, in 64-bit code, REX) at the start of an instruction.
size_t insn_prefix_count(const uint8_t *bytes, size_t byte_count, unsigned code_bits);
