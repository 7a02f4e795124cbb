// The virtual GIC: the guest's interrupts (portable/irq_state.h) in the list registers of the CPU,
// whichever version of the GIC it has. A guest has the version of the host.
//
// Owner of irqs.lists and of the CPU's list registers is the vCPU's thread, or the CPU it is
// resident on with interrupts disabled. Interrupt handlers and other CPUs reach in only by
// vgic_pull, on the CPU itself. The guest's irq_lock protects the rest.
#pragma once

#include <arch/hypervisor.h>

struct vcpu;

// What differs between GICv2 and GICv3. Interrupts disabled, on the CPU where the vCPU is resident
// or about to be.
struct vgic_ops {
    unsigned version;
    // NULL, or why it cannot be used.
    const char *(*init)(void);
    // Each CPU: list registers free, delivery off.
    void (*init_cpu)(void);
    unsigned (*list_count)(void);
    // The CPU interface that the guest sees (struct vcpu_gic), into the CPU and out of it; delivery
    // is off after `unload`.
    void (*load)(struct vcpu *vcpu);
    void (*unload)(struct vcpu *vcpu);
    // irqs.lists into the list registers and delivery on, with the maintenance interrupts that irqs
    // wants; all other list registers are free.
    void (*write_lists)(struct vcpu *vcpu);
    // The other way, delivery off. Returns how many interrupts were ended that were in none.
    uint32_t (*read_lists)(struct vcpu *vcpu);
    // No more maintenance interrupts before the next write_lists.
    void (*silence)(void);
    void (*read_interface)(struct vcpu *vcpu); // into arch.gic, without unloading it
    uint8_t (*priority_mask)(const struct vcpu_gic *gic);
    // Of this CPU's PPI.
    void (*set_active)(uint32_t intid, bool is_active);
};
extern const struct vgic_ops vgic_v2, vgic_v3;

// Start-up: NULL, or why there is no virtual GIC.
const char *vgic_init(void);
// Each CPU.
void vgic_init_cpu(void);
unsigned vgic_version(void);
#define VGIC_V2_GICV_SIZE 0x2000
// GICv2: the virtual CPU interface that guests are shown.
paddr_t vgic_v2_gicv(void);

void vgic_guest_init(struct guest *guest);
// ALREADY_EXISTS: the guest has a vCPU with this id.
MX_MUST_CHECK mx_status_t vgic_vcpu_init(struct vcpu *vcpu);
void vgic_vcpu_destroy(struct vcpu *vcpu);
void vgic_reset_interface(struct vcpu *vcpu);

// Residence. Interrupts disabled. vgic_unload takes no lock.
void vgic_load(struct vcpu *vcpu);
void vgic_unload(struct vcpu *vcpu);
// Before the guest runs, if vgic_needs_refresh: list registers as they should be. Resident,
// interrupts disabled.
static inline bool vgic_needs_refresh(const struct arch_vcpu *arch)
{
    return !arch->lists_are_live || irq_vcpu_has_posted(&arch->irqs);
}
void vgic_refresh(struct vcpu *vcpu);
// Out of the list registers; what they said waits in irqs.lists, and the vCPU needs a refresh.
// Resident, on its CPU, interrupts disabled.
void vgic_pull(struct vcpu *vcpu);
// Takes all state home, and says whether something could interrupt the guest. Resident or not;
// interrupts disabled.
bool vgic_has_deliverable(struct vcpu *vcpu);
// A PPI's line, of any vCPU. Any context.
void vgic_set_private_line(struct vcpu *vcpu, uint32_t intid, bool is_high);
// ICC_SGI1R_EL1 and the others, written by the vCPU.
void vgic_send_sgi(struct vcpu *vcpu, uint64_t value, bool is_group1);
void vgic_set_active(uint32_t intid, bool is_active);
