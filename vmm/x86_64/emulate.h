// Executes one guest instruction that touched a device: memory-mapped registers and string port
// I/O.
//
// The CPU stopped before the instruction had any effect. x86_emulate fetches it through the guest's
// page tables, decodes it and performs it through callbacks; memory operands may be RAM or device,
// on one page or two. All addresses are translated before the first access, so an instruction that
// faults has had no effect (of a repeated one: the iterations before it have).
//
// The guest may rewrite its code between the exit and the fetch. That gains it nothing: every
// access is checked with the vCPU's own privilege, and port permissions, which only the CPU can
// judge (TSS bitmap), are taken from the exit.
//
// Not judged: segment limits and rights, alignment checks (#AC), protection keys, data breakpoints.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <machina/status.h>

#include "vmm/x86_64/decode.h"
#include "vmm/x86_64/page_walk.h"
#include "vmm/x86_64/vcpu_regs.h"

// Iterations of a repeated string instruction in one call, after which interrupts get their turn.
#define X86_EMULATE_REPEAT_MAX 1024

#define X86_VECTOR_UD 6
#define X86_VECTOR_SS 12
#define X86_VECTOR_GP 13
#define X86_VECTOR_PF 14

// What the machine does for an instruction. `ram_*` get ranges within one page. A device access has
// a width of 1, 2, 4 or 8 bytes, lies within one page and need not be aligned; any status but MX_OK
// ends the emulation with that status.
struct x86_emulate_ops {
    // False, and nothing done, if the range is not RAM.
    bool (*ram_read)(void *context, uint64_t guest_physical, void *buffer, size_t size_bytes);
    bool (*ram_write)(void *context, uint64_t guest_physical, const void *buffer,
                      size_t size_bytes);
    // Atomic on 1, 2, 4 or 8 bytes. OK; SHOULD_WAIT: holds another value; OUT_OF_RANGE: not RAM or
    // not possible there (misaligned). May be NULL: locked instructions then are a read and a
    // write, and accessed and dirty bits are not set.
    mx_status_t (*ram_compare_exchange)(void *context, uint64_t guest_physical,
                                        unsigned width_bytes, uint64_t expected, uint64_t desired);
    mx_status_t (*device_read)(void *context, uint64_t guest_physical, unsigned width_bytes,
                               uint64_t *value);
    mx_status_t (*device_write)(void *context, uint64_t guest_physical, unsigned width_bytes,
                                uint64_t value);
    // Widths 1, 2 and 4.
    mx_status_t (*port_in)(void *context, uint16_t port, unsigned width_bytes, uint32_t *value);
    mx_status_t (*port_out)(void *context, uint16_t port, unsigned width_bytes, uint32_t value);
    // An XMM register, index 0 to 15. May be NULL: SSE moves are then not supported.
    mx_status_t (*xmm_read)(void *context, unsigned index, uint8_t value[16]);
    mx_status_t (*xmm_write)(void *context, unsigned index, const uint8_t value[16]);
};

enum x86_exit_kind {
    X86_EXIT_UNKNOWN,
    X86_EXIT_MEMORY,
    X86_EXIT_PORT,
};

// What the exit already told; it saves work and is never needed, except for port I/O at a privilege
// that has to ask the TSS. Zero-initialised, it tells nothing.
struct x86_exit_info {
    enum x86_exit_kind kind;
    uint64_t guest_physical; // MEMORY: of the access that the CPU refused
    bool is_write;           // MEMORY
    uint16_t port;           // PORT
    uint8_t port_bytes;      // PORT
    uint8_t byte_count;      // of `bytes`, which the CPU fetched at rip; 0: none
    uint8_t bytes[X86_INSTRUCTION_BYTES_MAX];
};

enum x86_outcome {
    X86_OUTCOME_DONE,      // rip is behind the instruction
    X86_OUTCOME_AGAIN,     // enter the guest with the registers as they are
    X86_OUTCOME_EXCEPTION, // inject it; rip is at the instruction
};

struct x86_exception {
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint64_t address; // for CR2, if vector is #PF
};

struct x86_emulate_result {
    enum x86_outcome outcome;
    struct x86_exception exception;
    bool is_single_stepping; // RFLAGS.TF was set: inject #DB with DR6.BS before anything else
    uint8_t byte_count;      // the instruction, for messages
    uint8_t bytes[X86_INSTRUCTION_BYTES_MAX];
};

// Executes the instruction at regs->rip. On OK, result->outcome says how to go on, and gpr, rip and
// rflags are updated; an interrupt shadow that was in force has ended if it is DONE.
//   NOT_SUPPORTED  an instruction that decode.h does not list; result->bytes holds it
//   OUT_OF_RANGE   code or page tables outside RAM
//   other          what a callback returned
// On an error the guest cannot go on: its registers are those before the instruction, except for
// the completed iterations of a repeated one.
mx_status_t x86_emulate(struct x86_vcpu_regs *regs, const struct x86_exit_info *exit,
                        const struct x86_emulate_ops *ops, void *context,
                        struct x86_emulate_result *result) MX_MUST_CHECK;
