// See vgic.h.
#include "kernel/arch/arm64/hypervisor/vgic.h"

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"

static const struct vgic_ops *vgic;

static struct vcpu *vcpu_of_irqs(struct irq_vcpu *irqs)
{
    return CONTAINER_OF(CONTAINER_OF(irqs, struct arch_vcpu, irqs), struct vcpu, arch);
}

static void notify(struct irq_vcpu *irqs)
{
    arch_vcpu_notify(vcpu_of_irqs(irqs));
}

static const struct irq_state_ops irq_ops = {.notify = notify};

// --- start-up
// -------------------------------------------------------------------------------------

// The guest ended what the vCPU wanted to be told of: it looks again before the guest goes on.
static void handle_maintenance(void)
{
    struct vcpu *vcpu = resident_vcpu();

    vgic->silence();
    if (vcpu)
        __atomic_store_n(&vcpu->arch.irqs.posted, 1, __ATOMIC_SEQ_CST);
}

void vgic_init_cpu(void)
{
    vgic->init_cpu();
}

unsigned vgic_version(void)
{
    return vgic->version;
}

void vgic_set_active(uint32_t intid, bool is_active)
{
    vgic->set_active(intid, is_active);
}

// --- guests and vCPUs
// -----------------------------------------------------------------------------

void vgic_guest_init(struct guest *guest)
{
    guest->arch.irq_lock = (struct spinlock)SPINLOCK_INIT;
    irq_state_init(&guest->arch.irqs, &irq_ops, vgic->version == 2);
    guest->arch.gicv_place = GUEST_NO_PLACE;
}

mx_status_t vgic_vcpu_init(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->irq_lock);

    bool is_free = !guest->irqs.vcpus[vcpu->id];

    if (is_free) {
        irq_vcpu_join(&guest->irqs, &vcpu->arch.irqs, vcpu->id, vgic->list_count());
        vcpu->arch.irqs.hardware_ppis = 1u << VTIMER_INTID;
    }
    spin_unlock(&guest->irq_lock, state);
    return is_free ? MX_OK : MX_ERR_ALREADY_EXISTS;
}

void vgic_vcpu_destroy(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->irq_lock);

    irq_vcpu_leave(&guest->irqs, &vcpu->arch.irqs);
    spin_unlock(&guest->irq_lock, state);
}

void vgic_reset_interface(struct vcpu *vcpu)
{
    vcpu->arch.gic = (struct vcpu_gic){.vmcr = vgic->version == 3 ? ICH_VMCR_VFIQEN : 0};
}

// --- list registers
// -------------------------------------------------------------------------------

void vgic_load(struct vcpu *vcpu)
{
    vgic->load(vcpu);
    // irqs.lists stay where they are: the next refresh fills anew, under the lock.
}

void vgic_pull(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;

    if (!arch->lists_are_live)
        return;
    arch->lists_are_live = false;
    // Also taken by freeze(), on another CPU.
    __atomic_fetch_add(&arch->irqs.pulled_eoi_count, vgic->read_lists(vcpu), __ATOMIC_RELAXED);
    if (vtimer_list_is_done(&arch->irqs))
        arch->is_timer_held = false;
}

void vgic_unload(struct vcpu *vcpu)
{
    vgic_pull(vcpu);
    vgic->unload(vcpu);
}

// irq_lock held, the vCPU's lists are its own.
static void take_home(struct vcpu *vcpu)
{
    struct irq_vcpu *irqs = &vcpu->arch.irqs;
    uint32_t eoi_count = __atomic_exchange_n(&irqs->pulled_eoi_count, 0, __ATOMIC_RELAXED);

    irq_vcpu_take_back(&vcpu->guest->arch.irqs, irqs, eoi_count);
}

void vgic_refresh(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;

    vgic_pull(vcpu);
    spin_acquire(&guest->irq_lock);
    take_home(vcpu);
    vtimer_update_line(vcpu);
    irq_vcpu_fill(&guest->irqs, &vcpu->arch.irqs);
    spin_release(&guest->irq_lock);
    vgic->write_lists(vcpu);
    vcpu->arch.lists_are_live = true;
}

bool vgic_has_deliverable(struct vcpu *vcpu)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    struct arch_vcpu *arch = &vcpu->arch;
    bool is_resident = resident_is_here(vcpu), is_deliverable;

    vgic_pull(vcpu);
    if (is_resident)
        vgic->read_interface(vcpu);
    spin_acquire(&guest->irq_lock);
    take_home(vcpu);
    if (is_resident)
        vtimer_update_line(vcpu);
    is_deliverable =
        irq_vcpu_has_deliverable(&guest->irqs, &arch->irqs, vgic->priority_mask(&arch->gic),
                                 arch->gic.vmcr & ICH_VMCR_GROUPS);
    // What is there is seen by the next refresh; what comes later is told.
    __atomic_store_n(&arch->irqs.posted, is_deliverable, __ATOMIC_SEQ_CST);
    spin_release(&guest->irq_lock);
    return is_deliverable;
}

// --- from anywhere
// --------------------------------------------------------------------------------

void vgic_set_private_line(struct vcpu *vcpu, uint32_t intid, bool is_high)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->irq_lock);

    irq_set_private_line(&guest->irqs, &vcpu->arch.irqs, intid, is_high);
    spin_unlock(&guest->irq_lock, state);
}

void vgic_send_sgi(struct vcpu *vcpu, uint64_t value, bool is_group1)
{
    struct arch_guest *guest = &vcpu->guest->arch;
    arch_interrupt_state_t state = spin_lock(&guest->irq_lock);

    irq_send_sgi(&guest->irqs, &vcpu->arch.irqs, value, is_group1);
    spin_unlock(&guest->irq_lock, state);
}

bool arch_guest_accepts_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    (void)guest;
    return addr == 0 && irq_is_shared(data);
}

mx_status_t arch_guest_send_msi(struct guest *guest, uint64_t addr, uint64_t data)
{
    arch_interrupt_state_t state;

    if (!arch_guest_accepts_msi(guest, addr, data))
        return MX_ERR_INVALID_ARGS;
    state = spin_lock(&guest->arch.irq_lock);
    irq_raise(&guest->arch.irqs, (uint32_t)data);
    spin_unlock(&guest->arch.irq_lock, state);
    return MX_OK;
}

bool arch_guest_lower_line(struct guest *guest, uint64_t addr, uint64_t data)
{
    arch_interrupt_state_t state;
    bool was_high;

    if (!arch_guest_accepts_msi(guest, addr, data))
        return false;
    state = spin_lock(&guest->arch.irq_lock);
    was_high = irq_lower(&guest->arch.irqs, (uint32_t)data);
    spin_unlock(&guest->arch.irq_lock, state);
    return was_high;
}

mx_status_t arch_vcpu_interrupt(struct vcpu *vcpu, uint32_t vector)
{
    struct guest *guest = vcpu->guest;

    if (vector >= MX_GIC_SGI_COUNT && vector < MX_GIC_PRIVATE_COUNT) {
        arch_interrupt_state_t state = spin_lock(&guest->arch.irq_lock);
        (void)!irq_field_write(&guest->arch.irqs, vcpu->id, MX_GIC_PENDING, 0, 1u << vector,
                               1u << vector);
        spin_unlock(&guest->arch.irq_lock, state);
        return MX_OK;
    }
    return arch_guest_send_msi(guest, 0, vector) == MX_OK ? MX_OK : MX_ERR_OUT_OF_RANGE;
}

// --- the VMM's register models
// --------------------------------------------------------------------

// On each CPU: out of the list registers with what the guest's vCPU that is resident there has in
// them.
static void pull_here(void *argument)
{
    struct vcpu *vcpu = resident_vcpu();

    if (vcpu && vcpu->guest == argument)
        vgic_pull(vcpu); // and refreshes before the guest goes on
}

// Frozen, with the state of all interrupts home; irq_lock held on return.
static arch_interrupt_state_t freeze(struct guest *guest)
{
    arch_interrupt_state_t state = spin_lock(&guest->arch.irq_lock);

    irq_state_freeze(&guest->arch.irqs);
    spin_unlock(&guest->arch.irq_lock, state);
    state = arch_interrupts_save();
    pull_here(guest);
    arch_interrupts_restore(state);
    cpu_call_others(pull_here, guest);
    state = spin_lock(&guest->arch.irq_lock);
    for (uint32_t id = 0; id < MX_GUEST_MAX_VCPUS; id++) {
        struct irq_vcpu *irqs = guest->arch.irqs.vcpus[id];
        if (irqs)
            take_home(vcpu_of_irqs(irqs));
    }
    return state;
}

static void thaw(struct guest *guest, arch_interrupt_state_t state)
{
    irq_state_thaw(&guest->arch.irqs);
    spin_unlock(&guest->arch.irq_lock, state);
}

// irq_lock held on return; true: and frozen.
static bool lock_field(struct guest *guest, uint32_t vcpu_id, uint32_t field, uint32_t first,
                       arch_interrupt_state_t *state)
{
    *state = spin_lock(&guest->arch.irq_lock);
    if (!irq_field_is_listed(&guest->arch.irqs, vcpu_id, field, first))
        return false;
    spin_unlock(&guest->arch.irq_lock, *state);
    *state = freeze(guest);
    return true;
}

static void unlock_field(struct guest *guest, bool is_frozen, arch_interrupt_state_t state)
{
    if (is_frozen)
        thaw(guest, state);
    else
        spin_unlock(&guest->arch.irq_lock, state);
}

static mx_status_t gic_read(struct guest *guest, uint32_t vcpu_id, uint32_t field, uint32_t first,
                            uint32_t *value)
{
    arch_interrupt_state_t state;
    bool is_frozen = lock_field(guest, vcpu_id, field, first, &state);
    mx_status_t status = irq_field_read(&guest->arch.irqs, vcpu_id, field, first, value);

    unlock_field(guest, is_frozen, state);
    return status;
}

static mx_status_t gic_write(struct guest *guest, uint32_t vcpu_id, uint32_t field, uint32_t first,
                             uint32_t value, uint32_t mask)
{
    arch_interrupt_state_t state;
    bool is_frozen = lock_field(guest, vcpu_id, field, first, &state);
    mx_status_t status = irq_field_write(&guest->arch.irqs, vcpu_id, field, first, value, mask);

    unlock_field(guest, is_frozen, state);
    return status;
}

static mx_status_t gic_set_lpi(struct guest *guest, uint32_t intid, uint32_t vcpu_id,
                               uint32_t priority, bool is_enabled)
{
    arch_interrupt_state_t state;
    mx_status_t status;

    if (priority > UINT8_MAX)
        return MX_ERR_OUT_OF_RANGE;
    state = spin_lock(&guest->arch.irq_lock);
    status = irq_set_lpi(&guest->arch.irqs, intid, vcpu_id, (uint8_t)priority, is_enabled);
    spin_unlock(&guest->arch.irq_lock, state);
    return status;
}

static mx_status_t gic_place(struct guest *guest, uint64_t addr)
{
    uint64_t none = GUEST_NO_PLACE;

    if (vgic->version != 2)
        return MX_ERR_NOT_SUPPORTED;
    if (!is_aligned(addr, MX_PAGE_SIZE) ||
        !range_is_within(addr, VGIC_V2_GICV_SIZE, arch_aspace_guest_limit()))
        return MX_ERR_OUT_OF_RANGE;
    return __atomic_compare_exchange_n(&guest->arch.gicv_place, &none, addr, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
               ? MX_OK
               : MX_ERR_BAD_STATE;
}

// --- the choice of a GIC
// -----------------------------------------------------------------------------------

static const struct guest_interrupt_ops interrupt_ops = {
    .read = gic_read, .write = gic_write, .set_message = gic_set_lpi, .place_interface = gic_place};

const char *vgic_init(void)
{
    static const struct vgic_ops *const versions[] = {
        [MACHINE_GIC_NONE] = NULL, [MACHINE_GIC_V2] = &vgic_v2, [MACHINE_GIC_V3] = &vgic_v3};
    const struct vgic_ops *found = versions[boot_machine()->gic];
    const char *why = found ? found->init() : "no GIC";

    if (why)
        return why;
    if (boot_machine()->gic_maintenance_intid == MACHINE_INTID_NONE)
        return "the GIC has no maintenance interrupt";
    vgic = found;
    guest_set_interrupt_ops(&interrupt_ops);
    interrupts_set_private(boot_machine()->gic_maintenance_intid, handle_maintenance);
    return NULL;
}
