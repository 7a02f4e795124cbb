// Loads and stores whose data abort came without a description (ESR_EL2.ISS.ISV is 0), decoded from
// the instruction: pairs, write-back, DC ZVA. A64 only.
//
// What is left out is refused: SIMD and floating-point registers, exclusives and atomics, memory
// tags, memory copies. Nothing of them makes sense on a device's registers, and none can be done in
// pieces.
//
// Arm ARM (DDI 0487), C4.1 "A64 instruction set encoding", "Loads and Stores"; "ISS encoding for an
// exception from a Data Abort".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_ZERO_REGISTER 31u
#define ACCESS_ZVA_MAX_BYTES 2048u

// One to two accesses of equal width at adjacent addresses, or a block of zeroes.
struct guest_access {
    bool is_write, is_sign_extended;
    bool is_64;          // a sign-extended load fills 64 bits
    uint8_t width_bytes; // of each
    uint16_t count;
    uint8_t registers[2]; // of the first two; ACCESS_ZERO_REGISTER
    bool has_writeback;
    uint8_t base_register; // with write-back: 31 is SP
    uint64_t writeback;
    uint64_t address; // virtual, of the first
};

enum access_decoding {
    ACCESS_DECODED,
    ACCESS_VECTOR,    // SIMD, floating point
    ACCESS_EXCLUSIVE, // exclusives, atomics
    ACCESS_UNKNOWN,
};

// `x` are X0 to X30 and SP; `pc` that of the instruction; `zva_bytes` the block size of DC ZVA, 0
// if it is not there.
enum access_decoding abort_decode(uint32_t instruction, const uint64_t x[32], uint64_t pc,
                                  uint32_t zva_bytes, struct guest_access *access);

// What a load of `width_bytes` leaves in its register.
uint64_t access_extend(const struct guest_access *access, uint64_t data);
