// The architecture's side of guests: what the CPU must have, and the life of guests and vCPUs.
#include <arch/hypervisor.h>

#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>
#include <arch/mmu.h>

#include "kernel/arch/arm64/hypervisor/hypervisor_features.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/stage2.h"
#include "kernel/arch/arm64/hypervisor/vcpu_state.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/hypervisor/vtimer.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/arch/arm64/start.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/hypervisor/vcpu.h"
#include "kernel/lib/print.h"

struct hypervisor_features hypervisor_features;
static char description[160] = "not looked for yet";

static const char *const boot_reasons[] = {
    [BOOT_MODE_EL2] = NULL,
    [BOOT_MODE_NO_VHE] = "the CPU has no Virtualization Host Extensions (FEAT_VHE, Armv8.1)",
    [BOOT_MODE_ENTERED_EL1] = "entered at EL1; guests need Machina to be started at EL2",
};

static void find_features(void)
{
    static const uint8_t range_bits[] = {32, 36, 40, 42, 44, 48, 48};
    uint64_t isar1 = sysreg_read(id_aa64isar1_el1), isar2 = sysreg_read(S3_0_C0_C6_2);
    unsigned range = id_field(sysreg_read(id_aa64mmfr0_el1), ID_AA64MMFR0_PARANGE_SHIFT), bits;

    range = range < sizeof(range_bits) ? range : sizeof(range_bits) - 1;
    bits = range_bits[range];
    hypervisor_features = (struct hypervisor_features){
        .has_pauth = id_field(isar1, ID_AA64ISAR1_APA_SHIFT) ||
                     id_field(isar1, ID_AA64ISAR1_API_SHIFT) ||
                     id_field(isar2, ID_AA64ISAR2_APA3_SHIFT),
        .has_ras = id_field(sysreg_read(id_aa64pfr0_el1), ID_AA64PFR0_RAS_SHIFT),
        .has_fwb = id_field(sysreg_read(id_aa64mmfr2_el1), ID_AA64MMFR2_FWB_SHIFT),
        .has_vmid16 = id_field(sysreg_read(id_aa64mmfr1_el1), ID_AA64MMFR1_VMIDBITS_SHIFT) ==
                      ID_AA64MMFR1_VMIDBITS_16,
        .address_bits = bits < STAGE2_ADDRESS_BITS_MAX ? bits : STAGE2_ADDRESS_BITS_MAX,
        // 52-bit addresses need another table format.
        .host_range = range > 5 ? 5 : range,
    };
}

static const char *find_obstacle(void)
{
    const char *why = boot_reasons[boot_mode];

    if (!why)
        why = vgic_init();
    return why ? why : vtimer_init();
}

mx_status_t arch_hypervisor_init(void)
{
    const char *why = find_obstacle();

    if (why) {
        print_format(description, sizeof(description), "none: %s", why);
        return MX_ERR_NOT_SUPPORTED;
    }
    find_features();
    hypervisor_features.is_usable = true;
    print_format(description, sizeof(description),
                 "EL2 with VHE, GICv%u, %u-bit VMIDs, %u-bit addresses%s%s", vgic_version(),
                 hypervisor_features.has_vmid16 ? 16 : 8, hypervisor_features.address_bits,
                 hypervisor_features.has_fwb ? ", FWB" : "",
                 hypervisor_features.has_pauth ? ", PAuth" : "");
    return MX_OK;
}

const char *arch_hypervisor_description(void)
{
    return description;
}

bool arch_hypervisor_spares_cpu(uint32_t cpu_index)
{
    (void)cpu_index;
    return false;
}

void hypervisor_init_cpu(void)
{
    if (!hypervisor_features.is_usable)
        return;
    resident_init_cpu();
    vgic_init_cpu();
}

// --- guests
// ---------------------------------------------------------------------------------------

mx_status_t arch_guest_init(struct guest *guest)
{
    if (!hypervisor_features.is_usable)
        return MX_ERR_NOT_SUPPORTED;
    guest->arch.counter_offset = time_counter_read();
    vgic_guest_init(guest);
    return MX_OK;
}

void arch_guest_destroy(struct guest *guest)
{
    (void)guest; // nothing is allocated for it
}

uint64_t arch_guest_trap_limit(uint32_t kind)
{
    return kind == MX_TRAP_IO || kind == MX_TRAP_IO_BELL ? 0 : arch_aspace_guest_limit();
}

// --- vCPUs
// ----------------------------------------------------------------------------------------

mx_status_t arch_vcpu_init(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    mx_status_t status;

    arch->fpu = fpu_state_alloc(vcpu->guest->job);
    if (!arch->fpu)
        return MX_ERR_NO_MEMORY;
    arch->cached_cpu = VCPU_NO_CPU;
    vtimer_vcpu_init(vcpu);
    vcpu_reset(vcpu);
    arch->power = vcpu->options & MX_VCPU_CREATE_WAITING ? VCPU_OFF : VCPU_ON;
    status = vgic_vcpu_init(vcpu);
    if (status != MX_OK)
        fpu_state_free(arch->fpu);
    return status;
}

static void drop_live_fpu(void *state)
{
    if (arm64_current_cpu()->fpu_live == state)
        fpu_release_current_thread();
}

// May be done by any thread, while the vCPU's own is in user mode with the guest's registers still
// in the CPU.
void arch_vcpu_destroy(struct vcpu *vcpu)
{
    arch_interrupt_state_t state;

    resident_forget(vcpu);
    vtimer_vcpu_destroy(vcpu); // before its interrupts go
    vgic_vcpu_destroy(vcpu);
    state = arch_interrupts_save();
    drop_live_fpu(vcpu->arch.fpu);
    arch_interrupts_restore(state);
    cpu_call_others(drop_live_fpu, vcpu->arch.fpu);
    fpu_state_free(vcpu->arch.fpu);
}
