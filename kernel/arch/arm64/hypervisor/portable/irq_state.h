// The state of all interrupts of a guest, and what of it goes into the list registers of the CPU
// that runs a vCPU.
//
// Everything here is serialised by the caller (one lock per guest) but for irq_vcpu_has_posted.
// Nothing here blocks or loops longer than the number of interrupts. Whoever changes what a vCPU
// may take marks it (`posted`) and calls ops->notify, once until the vCPU has looked; so a vCPU
// about to run needs no lock to see that nothing changed.
//
// While an interrupt stands in a list register ("listed"), pending and active of it are there;
// irq_vcpu_take_back brings them home. What is pending is derived: a latch (an edge, or software)
// or the level of the line. An interrupt that is pending, enabled, of an enabled group and not
// listed is a candidate of its vCPU.
//
// List registers have the format of ICH_LR<n>_EL2 (Arm IHI 0069, 12.4); GICv2's are translated by
// who writes them. The source of a GICv2 SGI is in bits 34:32, which are zero in GICv3.
//
// Arm IHI 0069, "Interrupt handling and prioritization", "Virtual interrupt handling and
// prioritization".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <machina/gic.h>
#include <machina/hypervisor.h>
#include <machina/status.h>

#define IRQ_LIST_MAX 16u

#define IRQ_LIST_PENDING        ((uint64_t)1 << 62)
#define IRQ_LIST_ACTIVE         ((uint64_t)1 << 63)
#define IRQ_LIST_HW             ((uint64_t)1 << 61)
#define IRQ_LIST_GROUP1         ((uint64_t)1 << 60)
#define IRQ_LIST_PRIORITY_SHIFT 48
#define IRQ_LIST_EOI            ((uint64_t)1 << 41) // only without HW
#define IRQ_LIST_HW_ID_SHIFT    32                  // only with HW: the physical interrupt
#define IRQ_LIST_SOURCE_SHIFT   32                  // only without HW, GICv2

// irq.flags
#define IRQ_ENABLED   (1u << 0)
#define IRQ_GROUP1    (1u << 1)
#define IRQ_EDGE      (1u << 2)
#define IRQ_LINE      (1u << 3) // level of the input
#define IRQ_LATCH     (1u << 4) // pending by an edge or by software
#define IRQ_ACTIVE    (1u << 5)
#define IRQ_LISTED    (1u << 6)
#define IRQ_CANDIDATE (1u << 7) // its bit in the candidates of its vCPU is set

struct irq {
    uint8_t flags;
    uint8_t priority;
    uint8_t target;  // vCPU; IRQ_NO_TARGET
    uint8_t sources; // GICv2 SGIs: the vCPUs whose SGI is pending
    uint8_t taker;   // while listed or active: the vCPU that took it
    uint8_t source;  // GICv2 SGIs, while listed or active: whose it is
};
#define IRQ_NO_TARGET 0xffu

// Index of an interrupt: its number, LPIs from 1024.
#define IRQ_LPI_INDEX   1024u
#define IRQ_INDEX_COUNT (IRQ_LPI_INDEX + MX_GIC_LPI_COUNT)

// A set of interrupts by index, with a summary of its words.
struct irq_set {
    uint32_t used_words; // bit n: words[n] is not zero
    uint64_t words[IRQ_INDEX_COUNT / 64];
};

struct irq_vcpu {
    uint32_t posted; // atomic
    uint32_t id;
    uint32_t list_count; // list registers that there are
    uint32_t used_lists; // bit n: lists[n] names an interrupt
    uint32_t
        pulled_eoi_count; // what the next irq_vcpu_take_back is to be told; its caller's, atomic
    uint64_t lists[IRQ_LIST_MAX];
    struct irq_set candidates;
    struct irq_set active;  // taken by this vCPU, not listed
    bool wants_underflow;   // the last fill left pending ones behind
    bool wants_not_present; // the last fill left active ones behind
    // PPIs whose physical interrupt of the same number stays active until the guest deactivates the
    // virtual one.
    uint32_t hardware_ppis;
    struct irq private[MX_GIC_PRIVATE_COUNT];
};

struct irq_state;
struct irq_state_ops {
    // The vCPU has something to look at. Called with the caller's lock held.
    void (*notify)(struct irq_vcpu *vcpu);
};

struct irq_state {
    const struct irq_state_ops *ops;
    bool has_sgi_sources;  // GICv2
    uint32_t freeze_count; // not zero: nothing is put into list registers
    uint8_t control;       // bits as MX_GIC_CONTROL
    struct irq_vcpu *vcpus[MX_GUEST_MAX_VCPUS];
    struct irq shared[IRQ_INDEX_COUNT - MX_GIC_PRIVATE_COUNT];
};

void irq_state_init(struct irq_state *state, const struct irq_state_ops *ops, bool has_sgi_sources);

// `list_count` is at least 1 and at most IRQ_LIST_MAX. What was pending for it before is a
// candidate from now on.
void irq_vcpu_join(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t id,
                   uint32_t list_count);
// Harmless if it never joined.
void irq_vcpu_leave(struct irq_state *state, struct irq_vcpu *vcpu);

// --- lines and messages
// ---------------------------------------------------------------------------

// Whether an interrupt line can go to this number: an SPI or LPI.
bool irq_is_shared(uint64_t intid);
// An edge, or the line going up. `intid` is an SPI or LPI.
void irq_raise(struct irq_state *state, uint32_t intid);
// The line going down, and whether it was up; nothing for an edge.
bool irq_lower(struct irq_state *state, uint32_t intid);
// The level of a PPI of one vCPU.
void irq_set_private_line(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t intid,
                          bool is_high);
// What writing `value` to ICC_SGI1R_EL1 (or ICC_SGI0R_EL1, ICC_ASGI1R_EL1) does: SGIs of
// `is_group1` become pending for the vCPUs that the value names and whose SGI is in that group.
void irq_send_sgi(struct irq_state *state, const struct irq_vcpu *sender, uint64_t value,
                  bool is_group1);

// --- registers
// ------------------------------------------------------------------------------------

// As the system calls. INVALID_ARGS: no such field, or `first` is not aligned for it. OUT_OF_RANGE:
// no such interrupt or vCPU. Pending and active of listed interrupts are as of when they were
// listed: see irq_field_is_listed.
MX_MUST_CHECK mx_status_t irq_field_read(const struct irq_state *state, uint32_t vcpu_id,
                                         uint32_t field, uint32_t first, uint32_t *value);
MX_MUST_CHECK mx_status_t irq_field_write(struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                                          uint32_t first, uint32_t value, uint32_t mask);
// Whether a list register knows better what irq_field_read would say. Then: irq_state_freeze, have
// every vCPU that is on a CPU take back, read or write, irq_state_thaw.
bool irq_field_is_listed(const struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                         uint32_t first);
// While frozen, vCPUs may run but get no interrupts. Calls nest.
void irq_state_freeze(struct irq_state *state);
void irq_state_thaw(struct irq_state *state);
// OUT_OF_RANGE: not an LPI, or no such vCPU.
MX_MUST_CHECK mx_status_t irq_set_lpi(struct irq_state *state, uint32_t intid, uint32_t vcpu_id,
                                      uint8_t priority, bool is_enabled);

// --- list registers
// -------------------------------------------------------------------------------

// Whether something changed since the last irq_vcpu_fill. Any context, no lock.
static inline bool irq_vcpu_has_posted(const struct irq_vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->posted, __ATOMIC_SEQ_CST) != 0;
}
// vcpu->lists are what the CPU's list registers hold now: brings the state home. `eoi_count` is how
// many interrupts the guest ended that were in none (ICH_HCR_EL2.EOIcount).
void irq_vcpu_take_back(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t eoi_count);
// Chooses what goes into the list registers, nothing being there: pending ones by priority, active
// ones first but for one place that the most urgent pending one always gets. Clears `posted`.
void irq_vcpu_fill(struct irq_state *state, struct irq_vcpu *vcpu);
// Whether one would interrupt the vCPU if it had interrupts enabled; nothing is listed.
// `priority_mask` and `enabled_groups` are ICC_PMR_EL1 and the group enables (bit 0, bit 1) of its
// CPU interface.
bool irq_vcpu_has_deliverable(const struct irq_state *state, const struct irq_vcpu *vcpu,
                              uint8_t priority_mask, uint8_t enabled_groups);
