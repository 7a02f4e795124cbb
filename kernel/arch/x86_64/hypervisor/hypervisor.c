// The architecture's side of guests: choice of the back end, and the life of guests and vCPUs.
#include <arch/hypervisor.h>

#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>
#include <arch/mmu.h>
#include <arch/percpu.h>

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/guest_apic.h"
#include "kernel/arch/x86_64/hypervisor/reset.h"
#include "kernel/arch/x86_64/regs/control.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/core/cpu.h"
#include "kernel/hypervisor/guest.h"

#define IO_PORT_COUNT 0x10000

const struct hypervisor_backend *hypervisor_backend;
static char description[160] = "not looked for yet";

// In the order in which they are tried.
static const struct hypervisor_backend *const backends[] = {&svm_backend};

mx_status_t arch_hypervisor_init(void)
{
    mx_status_t status = MX_ERR_NOT_SUPPORTED;

    for (size_t i = 0; i < ARRAY_COUNT(backends); i++) {
        status = backends[i]->init(description, sizeof(description));
        if (status == MX_OK) {
            hypervisor_backend = backends[i];
            return MX_OK;
        }
    }
    return status;
}

const char *arch_hypervisor_description(void)
{
    return description;
}

bool arch_hypervisor_spares_cpu(uint32_t cpu_index)
{
    return hypervisor_backend && hypervisor_backend->spares_cpu(cpu_index);
}

void hypervisor_init_cpu(void)
{
    if (hypervisor_backend)
        hypervisor_backend->init_cpu();
}

// --- guests -------------------------------------------------------------------------------------

mx_status_t arch_guest_init(struct guest *guest)
{
    if (!hypervisor_backend)
        return MX_ERR_NOT_SUPPORTED;
    guest->arch.tsc_offset = -tsc_read();
    return MX_OK;
}

void arch_guest_destroy(struct guest *guest)
{
    (void)guest; // nothing is allocated for it
}

uint64_t arch_guest_trap_limit(uint32_t kind)
{
    return kind == MX_TRAP_IO || kind == MX_TRAP_IO_BELL ? IO_PORT_COUNT
                                                         : arch_aspace_guest_limit();
}

// --- vCPUs --------------------------------------------------------------------------------------

mx_status_t arch_vcpu_init(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    mx_status_t status;

    arch->fpu = fpu_state_alloc(vcpu->guest->job);
    if (!arch->fpu)
        return MX_ERR_NO_MEMORY;
    arch->tsc_offset = vcpu->guest->arch.tsc_offset;
    status = hypervisor_backend->vcpu_init(vcpu);
    if (status != MX_OK) {
        fpu_state_free(arch->fpu);
        return status;
    }
    guest_apic_init(vcpu);
    vcpu_reset(vcpu);
    if (vcpu->options & MX_VCPU_CREATE_WAITING)
        arch->run_state = VCPU_WAIT_STARTUP;
    guest_apic_join(vcpu);
    return MX_OK;
}

// The state may still be in the registers of the CPU where the vCPU's thread runs, in user mode by
// now.
static void drop_live_fpu(void *state)
{
    struct x86_cpu *cpu = x86_current_cpu();

    if (cpu->fpu_live != state)
        return;
    cpu->fpu_live = NULL;
    cr0_write(cr0_read() | CR0_TS);
}

static bool fpu_is_live_elsewhere(const struct fpu_state *state)
{
    for (uint32_t i = 0; i < cpu_count; i++)
        if (__atomic_load_n(&x86_cpus[i].fpu_live, __ATOMIC_RELAXED) == state)
            return true;
    return false;
}

void arch_vcpu_destroy(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    arch_interrupt_state_t state = arch_interrupts_save();

    drop_live_fpu(arch->fpu);
    arch_interrupts_restore(state);
    if (fpu_is_live_elsewhere(arch->fpu))
        cpu_call_others(drop_live_fpu, arch->fpu);
    guest_apic_leave(vcpu);
    fpu_state_free(arch->fpu);
    hypervisor_backend->vcpu_destroy(vcpu);
}
