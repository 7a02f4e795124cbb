// Decodes the plain MOV between a register or immediate and memory: as much as the kernel needs for
// a guest's access to its memory-mapped local APIC and for skipping a write to a doorbell.
// Everything else is the VMM's decoder's business.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/x86_insn_length.h"

struct mov_access {
    unsigned length_bytes; // of the instruction
    bool is_store;
    struct x86_mov_store operand; // of a load: the register it goes to
};

// False: not a plain MOV (opcodes 88-8b, c6, c7), or not all of it in `bytes`.
bool mov_access_decode(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                       struct mov_access *out);

// Prefix bytes (legacy and, in 64-bit code, REX) at the start of an instruction.
size_t insn_prefix_count(const uint8_t *bytes, size_t byte_count, unsigned code_bits);
