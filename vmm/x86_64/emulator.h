// An instruction under emulation, and what every kind of instruction needs: the vCPU's registers,
// operands in memory that may be RAM or device, and the ways to end.
//
// Internal to the emulator (emulate.h). Nothing here has an effect on the guest except the
// functions that say that they write.
#pragma once

#include "vmm/x86_64/emulate.h"

// How a step of the emulation ended.
enum step {
    STEP_OK,
    STEP_AGAIN,     // the guest has to run before this can be done
    STEP_EXCEPTION, // recorded in the result
    STEP_FAILED,    // recorded in emulator.failure
};

// Where a memory operand lies: one piece, or two when it crosses a page.
struct span {
    uint64_t guest_physical[2];
    uint8_t piece_bytes[2];
};

// The last translation of each kind of access, kept within one call as a TLB would.
struct cached_page {
    bool is_valid;
    uint64_t linear;
    uint64_t guest_physical;
};

struct emulator {
    struct x86_vcpu_regs *regs;
    const struct x86_exit_info *exit;
    const struct x86_emulate_ops *ops;
    void *context;
    struct x86_table_memory tables;
    struct x86_instruction instruction;
    struct x86_emulate_result *result;
    struct cached_page cached[2]; // by enum x86_access, without FETCH
    mx_status_t failure;
};

// Records an exception to inject, with an error code of zero or none. Returns STEP_EXCEPTION.
enum step emulator_raise(struct emulator *emulator, uint8_t vector, bool has_error_code);

// Records why the emulation cannot go on. Returns STEP_FAILED.
enum step emulator_fail(struct emulator *emulator, mx_status_t status);

// STEP_OK for MX_OK, otherwise as emulator_fail.
enum step emulator_step_of(struct emulator *emulator, mx_status_t status);

// A general register by its encoding, as an operand of 1, 2, 4 or 8 bytes. Writing 4 bytes clears
// the upper half; narrower writes keep the rest.
uint64_t emulator_register_read(const struct emulator *emulator, unsigned reg,
                                unsigned width_bytes);
void emulator_register_write(struct emulator *emulator, unsigned reg, unsigned width_bytes,
                             uint64_t value);

// A register as part of an address: rSI, rDI and rCX of string instructions.
uint64_t emulator_address_register(const struct emulator *emulator, unsigned reg);
void emulator_address_add(struct emulator *emulator, unsigned reg, uint64_t delta);

// The offset that the instruction's memory operand names, in its segment.
uint64_t emulator_effective_address(const struct emulator *emulator);

// segment:offset to a linear address of which `size_bytes` bytes are used.
enum step emulator_linearize(struct emulator *emulator, unsigned segment, uint64_t offset,
                             unsigned size_bytes, uint64_t *linear);

// A linear address to a guest-physical one, with the permissions of the access.
enum step emulator_translate(struct emulator *emulator, uint64_t linear, enum x86_access access,
                             uint64_t *guest_physical);

// Translates all of a memory operand of 1 to 16 bytes.
enum step emulator_span_resolve(struct emulator *emulator, unsigned segment, uint64_t offset,
                                unsigned size_bytes, enum x86_access access, struct span *span);

// Read or write a translated operand: as bytes, or as a value of at most 8 bytes.
enum step emulator_span_read(struct emulator *emulator, const struct span *span, uint8_t *buffer);
enum step emulator_span_write(struct emulator *emulator, const struct span *span,
                              const uint8_t *buffer);
enum step emulator_span_read_value(struct emulator *emulator, const struct span *span,
                                   uint64_t *value);
enum step emulator_span_write_value(struct emulator *emulator, const struct span *span,
                                    uint64_t value);

// The write of a read-modify-write: atomic if the instruction is, which XCHG always is. A device's
// register is read and written under the machine's lock anyway.
enum step emulator_span_replace_value(struct emulator *emulator, const struct span *span,
                                      uint64_t old_value, uint64_t value);
