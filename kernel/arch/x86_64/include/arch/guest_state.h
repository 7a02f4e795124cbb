// struct arch_guest and struct arch_vcpu on x86-64. Everything that both back ends (SVM, VMX) need
// is here; what only one has is behind `backend`.
#pragma once

#include <machina/arch/vcpu_state.h>

#include "kernel/arch/x86_64/hypervisor/portable/local_apic.h"
#include "kernel/arch/x86_64/hypervisor/portable/pv_clock.h"
#include "kernel/core/spinlock.h"
#include "kernel/core/timer.h"

struct fpu_state;

struct arch_guest {
    struct spinlock bus_lock; // of apic_bus: adding, removing, sending
    struct apic_bus bus;
    uint64_t tsc_offset; // guest TSC = host TSC + this: zero when the guest was created
    uint32_t log_count;  // lines that the guest made the kernel log
};

enum vcpu_run_state {
    VCPU_RUNNING,
    VCPU_HALTED,       // by HLT, until an interrupt
    VCPU_WAIT_STARTUP, // after INIT, until a start-up message
};

// What the VMM's next packet may answer.
enum vcpu_reply {
    VCPU_REPLY_NONE,
    VCPU_REPLY_IO_INPUT,
    VCPU_REPLY_MEM_ACCESS,  // data of a decoded access, which then is done
    VCPU_REPLY_INSTRUCTION, // the whole state of an emulated instruction
    VCPU_REPLY_INTACK,
};

// An event to deliver with the next entry, encoded as SVM (EVENTINJ) and VMX encode it alike in the
// low 12 bits and bit 31: vector, type, whether there is an error code (in the upper half). 0:
// none.
#define VCPU_EVENT_VALID       ((uint64_t)1 << 31)
#define VCPU_EVENT_HAS_ERROR   ((uint64_t)1 << 11)
#define VCPU_EVENT_EXTERNAL    ((uint64_t)0 << 8)
#define VCPU_EVENT_NMI         ((uint64_t)2 << 8)
#define VCPU_EVENT_EXCEPTION   ((uint64_t)3 << 8)
#define VCPU_EVENT_TYPE_MASK   ((uint64_t)7 << 8)
#define VCPU_EVENT_ERROR_SHIFT 32

// A page of guest code fetched from, with the page-table entries that led there; see insn_fetch.c.
#define INSN_CACHE_PAGES 8 // a power of two
#define INSN_WALK_MAX    5
struct insn_page {
    uint64_t linear_page, flush_generation;
    uint64_t cr3, paging_mode;
    const uint8_t *bytes; // NULL: nothing cached
    uint32_t entry_count;
    uint32_t entry_bytes;
    struct {
        const void *at;
        uint64_t value;
    } entries[INSN_WALK_MAX];
};

// The word of guest memory that saves exits for EOI; see pv_eoi.c.
struct pv_eoi {
    uint64_t msr; // 0: not enabled
    uint64_t flush_generation;
    uint32_t *word;  // NULL: not in guest memory
    bool is_offered; // set by the last entry, not looked at since
};

struct arch_vcpu {
    // Live between exits, for whichever back end; the rest of the guest's registers is with the
    // back end.
    uint64_t gpr[MX_X86_GPR_COUNT]; // first: the world switch addresses it
    uint64_t rip, rflags;
    void *backend;

    struct local_apic apic;
    struct timer apic_timer;

    enum vcpu_run_state run_state;
    uint64_t event;
    uint32_t nmi_count;  // waiting, at most 2
    bool is_nmi_blocked; // until IRET
    bool has_interrupt_shadow;
    int pending_vector; // offered to the CPU with the last entry, or -1
    bool is_shut_down;

    enum vcpu_reply reply;
    uint8_t reply_width_bytes;
    // VCPU_REPLY_MEM_ACCESS: the register that a load goes to, where the guest goes on.
    uint8_t reply_reg;
    bool reply_is_load, reply_is_high_byte;
    uint64_t reply_next_rip;
    mx_status_t leave_status;

    struct fpu_state *fpu;
    uint64_t xcr0;
    uint64_t tsc_offset; // the guest's, and what this vCPU changed
    uint64_t tsc_aux;
    uint64_t pat, misc_enable, hwcr;
    uint64_t pv_time_msr, pv_wall_msr;
    struct pv_eoi pv_eoi;
    uint32_t pv_time_version, pv_wall_version;
    struct insn_page insn_cache[INSN_CACHE_PAGES]; // by linear page
    bool has_pause_exits;
};
