// The length of a plain MOV to memory, for skipping a guest's write to a doorbell.
//
// A doorbell needs only to know that it was rung, and where the guest goes on. CPUs without
// next-RIP save leave the second to software; this is as much decoding as the kernel does. Anything
// else that a guest may ring a bell with goes to the VMM, which has a full decoder.
//
// Covers opcodes 88, 89, C6 /0 and C7 /0 (AMD64 Architecture Programmer's Manual volume 3, "MOV")
// with any legacy prefixes but LOCK, REX, and all forms of addressing. No dependencies.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct x86_mov_store {
    uint8_t width_bytes; // 1, 2, 4, 8
    bool is_immediate;
    bool is_high_byte;  // the source is bits 8 to 15 of general register `reg`
    uint8_t reg;        // 0 (rAX) to 15, in the order of encoding; if not is_immediate
    uint64_t immediate; // truncated to the width; if is_immediate
};

// The length in bytes, 2 to 15, of the store at the start of `bytes`, as code of 16, 32 or 64 bits,
// and what it stores. 0, with *store cleared, if it is another instruction or does not fit into
// `byte_count`.
unsigned x86_mov_store_length(const uint8_t *bytes, size_t byte_count, unsigned code_bits,
                              struct x86_mov_store *store);
