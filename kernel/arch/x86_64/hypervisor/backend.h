// What differs between SVM and VMX: one const table, chosen once at start-up.
//
// The run loop (run_loop.c) calls prepare and run with interrupts disabled, handle_exit with
// interrupts enabled. Between run and the next prepare, arch->gpr, rip and rflags are the guest's
// and may be changed; all else is read and written through the table.
#pragma once

#include <arch/hypervisor.h>

#include "kernel/hypervisor/vcpu.h"

enum vcpu_result {
    VCPU_RESUME, // back into the guest
    VCPU_LEAVE,  // out of mx_vcpu_enter: with arch->leave_status and, if that is MX_OK, the packet
};

enum vcpu_control {
    VCPU_CR0,
    VCPU_CR3,
    VCPU_CR4,
    VCPU_EFER, // as the guest sees it
    VCPU_CS_BASE,
};

struct hypervisor_backend {
    // MX_OK if this CPU has what it takes; fills the description either way.
    mx_status_t (*init)(char *description, size_t size_bytes);
    void (*init_cpu)(void);
    bool (*spares_cpu)(uint32_t cpu_index); // arch_hypervisor_spares_cpu
    mx_status_t (*vcpu_init)(struct vcpu *vcpu);
    void (*vcpu_destroy)(struct vcpu *vcpu);
    // Tells the CPU what may interrupt the guest: `vector` or -1; whether an exit is wanted as soon
    // as the guest can take an interrupt.
    void (*prepare)(struct vcpu *vcpu, int vector, bool wants_window);
    void (*run)(struct vcpu *vcpu);
    enum vcpu_result (*handle_exit)(struct vcpu *vcpu, struct mx_vcpu_packet *packet);
    uint64_t (*read_control)(struct vcpu *vcpu, enum vcpu_control which);
    // CR3, and in one word what decides how the tables are read: PG of CR0, PSE, PAE and LA57 of CR4,
    // LMA of EFER, whose places do not overlap.
    uint64_t (*read_paging)(struct vcpu *vcpu, uint64_t *cr3);
    void (*write_cr2)(struct vcpu *vcpu, uint64_t value);
    void (*write_efer)(struct vcpu *vcpu, uint64_t value);
    void (*write_pat)(struct vcpu *vcpu, uint64_t value);
    void (*tsc_offset_changed)(struct vcpu *vcpu);
    // 16, 32 or 64: of the code segment.
    unsigned (*code_bits)(struct vcpu *vcpu);
    void (*read_insn_state)(struct vcpu *vcpu, struct mx_insn_state *state);
    void (*read_state)(struct vcpu *vcpu, struct mx_vcpu_state *state);
    // The state was checked.
    void (*write_state)(struct vcpu *vcpu, const struct mx_vcpu_state *state);
    // Real mode at vector << 12, after INIT.
    void (*set_startup)(struct vcpu *vcpu, uint8_t vector);
};

// NULL: this machine cannot run guests.
extern const struct hypervisor_backend *hypervisor_backend;
extern const struct hypervisor_backend svm_backend;
