// Exits that the kernel handles the same way whatever told of them. Called with interrupts enabled,
// RIP still at the instruction; the caller passes where the next one begins.
#pragma once

#include "kernel/arch/x86_64/hypervisor/backend.h"

#define EXCEPTION_UD 6
#define EXCEPTION_GP 13
#define EXCEPTION_PF 14

void vcpu_inject_exception(struct arch_vcpu *arch, uint32_t vector, bool has_error_code,
                           uint32_t error_code);
void vcpu_inject_gp(struct arch_vcpu *arch);
void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t addr, uint32_t error_code);
// Puts what an IN or a load read into a general register.
void vcpu_set_register(struct arch_vcpu *arch, unsigned reg, bool is_high_byte, uint64_t data,
                       unsigned width_bytes);
// Goes on with the instruction at `next_rip`.
static inline void vcpu_finish_instruction(struct arch_vcpu *arch, uint64_t next_rip)
{
    arch->rip = next_rip;
    arch->has_interrupt_shadow = false;
}

enum vcpu_result exit_cpuid(struct vcpu *vcpu, uint64_t next_rip);
enum vcpu_result exit_rdmsr(struct vcpu *vcpu, uint64_t next_rip);
enum vcpu_result exit_wrmsr(struct vcpu *vcpu, uint64_t next_rip, struct mx_vcpu_packet *packet);
enum vcpu_result exit_hlt(struct vcpu *vcpu, uint64_t next_rip);
enum vcpu_result exit_pause(struct vcpu *vcpu, uint64_t next_rip);
enum vcpu_result exit_hypercall(struct vcpu *vcpu, uint64_t next_rip, uint32_t cpl);
enum vcpu_result exit_xsetbv(struct vcpu *vcpu, uint64_t next_rip, uint32_t cpl);

struct io_access {
    uint16_t port;
    uint8_t width_bytes;
    bool is_input, is_string;
};
enum vcpu_result exit_io(struct vcpu *vcpu, struct io_access access, uint64_t next_rip,
                         struct mx_vcpu_packet *packet);

struct second_stage_access {
    uint64_t addr; // guest-physical
    bool is_write, is_fetch, is_table_walk;
};
enum vcpu_result exit_second_stage(struct vcpu *vcpu, struct second_stage_access access,
                                   struct mx_vcpu_packet *packet);

// The guest is at its end: a packet with a text, and the log.
enum vcpu_result exit_shutdown(struct vcpu *vcpu, struct mx_vcpu_packet *packet, uint32_t reason,
                               uint64_t info, const char *text);
// An interrupt was acknowledged that I/O APICs want to hear of.
enum vcpu_result exit_eoi(struct mx_vcpu_packet *packet, uint8_t vector);
// Whether XCR0 can have the value, for what this machine and the architecture allow.
bool guest_xcr0_is_legal(uint64_t value);
// Whether the guest may make the kernel log one more line.
bool guest_may_log(struct guest *guest);
