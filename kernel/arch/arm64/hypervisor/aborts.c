// Second-stage faults: memory that the guest touches for the first time, and devices.
//
// An access to a device is described by the syndrome, or decoded from its instruction where it is
// not (portable/abort_decode.h). It goes to the VMM as one packet for each single access, until the
// last answer is in; only then are registers written back and the instruction is done.
#include <arch/mmu.h>

#include "kernel/arch/arm64/hypervisor/exits.h"
#include "kernel/arch/arm64/hypervisor/resident.h"
#include "kernel/arch/arm64/hypervisor/vgic.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/exception.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define KEY_NO_TRAP  UINT64_MAX
#define SP_REGISTER  31u
#define PSTATE_EL    0xcu
#define PSTATE_SPSEL 0x1u

// --- the guest's registers and translations
// -------------------------------------------------------

static bool is_el0(const struct arch_vcpu *arch)
{
    return !(arch->pstate & PSTATE_EL);
}

// Both stack pointers are in the CPU while the vCPU is resident and in the run loop.
static bool uses_sp_el0(const struct arch_vcpu *arch)
{
    return is_el0(arch) || !(arch->pstate & PSTATE_SPSEL);
}

static uint64_t read_sp(struct vcpu *vcpu)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    uint64_t sp;

    resident_load(vcpu);
    sp = uses_sp_el0(&vcpu->arch) ? sysreg_read(sp_el0) : sysreg_read(sp_el1);
    arch_interrupts_restore(state);
    return sp;
}

static void write_sp(struct vcpu *vcpu, uint64_t sp)
{
    arch_interrupt_state_t state = arch_interrupts_save();

    resident_load(vcpu);
    if (uses_sp_el0(&vcpu->arch))
        sysreg_write(sp_el0, sp);
    else
        sysreg_write(sp_el1, sp);
    arch_interrupts_restore(state);
}

// What the guest's own tables say about a virtual address. False: it has become inaccessible.
static bool translate(struct vcpu *vcpu, uint64_t addr, uint64_t *physical)
{
    arch_interrupt_state_t state = arch_interrupts_save();
    uint64_t hcr, par, guest_par;

    resident_load(vcpu);
    hcr = sysreg_read(hcr_el2);
    guest_par = sysreg_read(par_el1);
    sysreg_write(hcr_el2, vcpu->arch.hcr);
    isb();
    if (is_el0(&vcpu->arch))
        __asm__ volatile("at s1e0r, %0" : : "r"(addr) : "memory");
    else
        __asm__ volatile("at s1e1r, %0" : : "r"(addr) : "memory");
    isb();
    par = sysreg_read(par_el1);
    sysreg_write(hcr_el2, hcr);
    sysreg_write(par_el1, guest_par);
    isb();
    arch_interrupts_restore(state);
    *physical = (par & PAR_ADDRESS) | (addr & (MX_PAGE_SIZE - 1));
    return !(par & PAR_FAILED);
}

// HPFAR_EL2 is there for all faults but those of permission; but a table that cannot be written is
// one.
static bool find_address(struct vcpu *vcpu, uint64_t *addr)
{
    const struct arch_vcpu *arch = &vcpu->arch;

    if (ESR_FSC_TYPE(arch->esr) == ESR_FSC_PERMISSION && !(arch->esr & ESR_S1PTW))
        return translate(vcpu, arch->far, addr);
    *addr = HPFAR_ADDRESS(arch->hpfar) | (arch->far & (MX_PAGE_SIZE - 1));
    return true;
}

// --- what the instruction does
// ----------------------------------------------------------------------

static void access_from_syndrome(uint64_t esr, struct guest_access *access)
{
    *access = (struct guest_access){
        .is_write = esr & ESR_WNR,
        .is_sign_extended = esr & ESR_SSE,
        .is_64 = esr & ESR_SF,
        .width_bytes = (uint8_t)(1u << ESR_SAS(esr)),
        .count = 1,
        .registers = {(uint8_t)ESR_SRT(esr)},
    };
}

static uint32_t zva_bytes(void)
{
    uint64_t dczid = sysreg_read(dczid_el0);

    return dczid & DCZID_DZP ? 0 : 4u << DCZID_BS(dczid);
}

static const char *decode_error(enum access_decoding decoding)
{
    switch (decoding) {
    case ACCESS_DECODED:
        break;
    case ACCESS_VECTOR:
        return "vector access to a device";
    case ACCESS_EXCLUSIVE:
        return "exclusive or atomic access to a device";
    case ACCESS_UNKNOWN:
        return "access to a device by an instruction that is none";
    }
    return NULL;
}

// NULL, or why not. The instruction is what is there now, which may not be what was there.
static const char *access_from_instruction(struct vcpu *vcpu, struct guest_access *access)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t x[MX_ARM64_GPR_COUNT + 1], physical;
    enum access_decoding decoding;
    uint32_t instruction;

    if (arch->pstate & PSTATE_AARCH32)
        return "access of a 32-bit program to a device";
    if (!translate(vcpu, arch->pc, &physical) ||
        aspace_read(vcpu->guest->aspace, physical, &instruction, sizeof(instruction)) != MX_OK)
        return "access to a device by an instruction out of sight";
    memcpy(x, arch->x, sizeof(arch->x));
    x[SP_REGISTER] = read_sp(vcpu);
    decoding = abort_decode(instruction, x, arch->pc, zva_bytes(), access);
    if (decoding != ACCESS_DECODED)
        return decode_error(decoding);
    // One that reaches over from memory to a device, or back, cannot be done in one go.
    if (access->is_write != !!(arch->esr & ESR_WNR) || access->address != arch->far ||
        !range_is_within(arch->far & (MX_PAGE_SIZE - 1),
                         (uint64_t)access->count * access->width_bytes, MX_PAGE_SIZE))
        return "access that is only in part one to a device";
    return NULL;
}

// --- doing it
// -------------------------------------------------------------------------------------

static uint64_t width_mask(unsigned width_bytes)
{
    return width_bytes >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * width_bytes) - 1;
}

static uint64_t piece_value(const struct arch_vcpu *arch, unsigned index)
{
    const struct guest_access *access = &arch->access.access;
    unsigned reg = index < 2 ? access->registers[index] : ACCESS_ZERO_REGISTER;

    return reg == ACCESS_ZERO_REGISTER ? 0 : arch->x[reg] & width_mask(access->width_bytes);
}

static void finish_access(struct vcpu *vcpu)
{
    struct arch_vcpu *arch = &vcpu->arch;
    const struct guest_access *access = &arch->access.access;

    arch->access.is_waiting = false;
    if (access->has_writeback && access->base_register == SP_REGISTER)
        write_sp(vcpu, access->writeback);
    else if (access->has_writeback)
        arch->x[access->base_register] = access->writeback;
    vcpu_skip(arch);
}

static enum vcpu_result send_piece(struct arch_vcpu *arch, struct mx_vcpu_packet *packet)
{
    const struct vcpu_access *waiting = &arch->access;

    packet->type = MX_VCPU_PACKET_MEM;
    packet->reserved = 0;
    packet->key = waiting->key;
    packet->mem = (struct mx_packet_mem){
        .addr = waiting->address + (uint64_t)waiting->done_count * waiting->access.width_bytes,
        .data = waiting->access.is_write ? piece_value(arch, waiting->done_count) : 0,
        .width_bytes = waiting->access.width_bytes,
        .is_write = waiting->access.is_write,
        .is_decoded = true,
        .exception = MX_VCPU_NO_EXCEPTION,
    };
    return VCPU_LEAVE;
}

// Fills arch.access. False: it cannot be done, and the guest has been told.
static bool describe_access(struct vcpu *vcpu, uint64_t addr, uint64_t key)
{
    struct arch_vcpu *arch = &vcpu->arch;
    const char *why = NULL;

    arch->access.done_count = 0;
    arch->access.address = addr;
    arch->access.key = key;
    if (arch->esr & ESR_ISV)
        access_from_syndrome(arch->esr, &arch->access.access);
    else
        why = access_from_instruction(vcpu, &arch->access.access);
    if (!why)
        return true;
    if (guest_may_log(vcpu->guest))
        log_print("guest vCPU %u: %s (0x%llx, pc 0x%llx)", vcpu->id, why, (unsigned long long)addr,
                  (unsigned long long)arch->pc);
    vcpu_inject_abort(vcpu, false, arch->far);
    return false;
}

static enum vcpu_result ask_vmm(struct vcpu *vcpu, uint64_t addr, uint64_t key,
                                struct mx_vcpu_packet *packet)
{
    if (!describe_access(vcpu, addr, key))
        return VCPU_RESUME;
    vcpu->arch.access.is_waiting = true;
    return send_piece(&vcpu->arch, packet);
}

static enum vcpu_result ring_bell(struct vcpu *vcpu, uint64_t addr, uint64_t key)
{
    struct arch_vcpu *arch = &vcpu->arch;
    mx_status_t status = MX_OK;

    if (!describe_access(vcpu, addr, key))
        return VCPU_RESUME;
    for (unsigned i = 0; i < arch->access.access.count && status == MX_OK; i++)
        status = guest_ring_bell(vcpu->guest, &vcpu->guest->memory_traps,
                                 addr + (uint64_t)i * arch->access.access.width_bytes,
                                 piece_value(arch, i));
    finish_access(vcpu);
    if (status == MX_OK)
        return VCPU_RESUME;
    arch->leave_status = status;
    return VCPU_LEAVE;
}

mx_status_t abort_take_answer(struct vcpu *vcpu, struct mx_vcpu_packet *packet,
                              enum vcpu_result *next)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct vcpu_access *waiting = &arch->access;

    *next = VCPU_RESUME;
    if (arch->is_ended)
        return MX_ERR_BAD_STATE;
    if (!waiting->is_waiting || packet->type == MX_VCPU_PACKET_NONE) {
        waiting->is_waiting = false; // the instruction is done again
        return MX_OK;
    }
    if (packet->type != MX_VCPU_PACKET_MEM || (packet->mem.exception != MX_VCPU_NO_EXCEPTION &&
                                               packet->mem.exception != MX_ARM64_EXCEPTION_ABORT))
        return MX_ERR_INVALID_ARGS;
    if (packet->mem.exception == MX_ARM64_EXCEPTION_ABORT) {
        waiting->is_waiting = false;
        vcpu_inject_abort(vcpu, false, arch->far);
        return MX_OK;
    }
    if (!waiting->access.is_write &&
        waiting->access.registers[waiting->done_count] != ACCESS_ZERO_REGISTER)
        arch->x[waiting->access.registers[waiting->done_count]] =
            access_extend(&waiting->access, packet->mem.data);
    if (++waiting->done_count < waiting->access.count)
        *next = send_piece(arch, packet);
    else
        finish_access(vcpu);
    return MX_OK;
}

// --- faults
// ---------------------------------------------------------------------------------------

// GICv2: the virtual CPU interface, which the CPU shows to the vCPU that runs on it.
static bool show_gicv(struct vcpu *vcpu, uint64_t addr)
{
    struct guest *guest = vcpu->guest;
    uint64_t place = __atomic_load_n(&guest->arch.gicv_place, __ATOMIC_RELAXED),
             page = align_down(addr, MX_PAGE_SIZE);

    if (addr < place || addr - place >= VGIC_V2_GICV_SIZE)
        return false;
    return arch_aspace_map(&guest->aspace->arch, page, PADDR(vgic_v2_gicv().raw + (page - place)),
                           0, MX_MAP_READ | MX_MAP_WRITE, true) == MX_OK;
}

static bool is_curable(uint64_t esr)
{
    uint64_t type = ESR_FSC_TYPE(esr);

    return type == ESR_FSC_TRANSLATION || type == ESR_FSC_ACCESS_FLAG || type == ESR_FSC_PERMISSION;
}

// True: the result is in *result; false: nothing is there.
static bool fault_in(struct vcpu *vcpu, uint64_t addr, uint32_t access, enum vcpu_result *result)
{
    mx_status_t status = aspace_handle_fault(vcpu->guest->aspace, addr, access);

    if (status == MX_ERR_NOT_FOUND || status == MX_ERR_ACCESS_DENIED)
        return false;
    *result = status == MX_OK ? VCPU_RESUME : VCPU_LEAVE;
    vcpu->arch.leave_status = status;
    return true;
}

// Cache maintenance says that it writes; only if it is not allowed to does it matter (DC IVAC).
static bool is_write(uint64_t esr)
{
    return (esr & ESR_WNR) && (!(esr & ESR_CM) || ESR_FSC_TYPE(esr) == ESR_FSC_PERMISSION);
}

// Cache maintenance of what is no memory has nothing to do.
static enum vcpu_result access_nothing(struct vcpu *vcpu, uint64_t addr, uint64_t key,
                                       struct mx_vcpu_packet *packet)
{
    if (vcpu->arch.esr & ESR_CM) {
        vcpu_skip(&vcpu->arch);
        return VCPU_RESUME;
    }
    return ask_vmm(vcpu, addr, key, packet);
}

// The guest's own tables are where no memory is: its walk gets what an access to nothing on a bus
// gets.
static enum vcpu_result refuse_walk(struct vcpu *vcpu, bool is_fetch, uint64_t addr)
{
    if (guest_may_log(vcpu->guest))
        log_print("guest vCPU %u: page tables are not in memory (0x%llx, pc 0x%llx)", vcpu->id,
                  (unsigned long long)addr, (unsigned long long)vcpu->arch.pc);
    vcpu_inject_abort(vcpu, is_fetch, vcpu->arch.far);
    return VCPU_RESUME;
}

static enum vcpu_result access_memory(struct vcpu *vcpu, uint64_t addr,
                                      struct mx_vcpu_packet *packet)
{
    uint64_t esr = vcpu->arch.esr;
    enum vcpu_result result;

    if (show_gicv(vcpu, addr))
        return VCPU_RESUME;
    if (fault_in(vcpu, addr, is_write(esr) ? MX_MAP_WRITE : MX_MAP_READ, &result))
        return result;
    if (esr & ESR_S1PTW)
        return refuse_walk(vcpu, false, addr);
    return access_nothing(vcpu, addr, KEY_NO_TRAP, packet);
}

enum vcpu_result exit_data_abort(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct guest_trap_hit hit;
    uint64_t addr;

    if (!is_curable(arch->esr)) {
        vcpu_inject_abort(vcpu, false, arch->far);
        return VCPU_RESUME;
    }
    if (!find_address(vcpu, &addr))
        return VCPU_RESUME; // the guest's tables changed meanwhile: it will fault again, or not
    if (arch->esr & ESR_S1PTW ||
        !guest_find_trap(vcpu->guest, &vcpu->guest->memory_traps, addr, &hit))
        return access_memory(vcpu, addr, packet);
    if (hit.kind == MX_TRAP_BELL && is_write(arch->esr) && !(arch->esr & ESR_CM))
        return ring_bell(vcpu, addr, hit.key);
    return access_nothing(vcpu, addr, hit.key, packet);
}

enum vcpu_result exit_fetch_abort(struct vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    enum vcpu_result result;
    uint64_t addr;

    if (!is_curable(arch->esr)) {
        vcpu_inject_abort(vcpu, true, arch->far);
        return VCPU_RESUME;
    }
    if (!find_address(vcpu, &addr))
        return VCPU_RESUME;
    if (fault_in(vcpu, addr, arch->esr & ESR_S1PTW ? MX_MAP_READ : MX_MAP_EXECUTE, &result))
        return result;
    if (arch->esr & ESR_S1PTW)
        return refuse_walk(vcpu, true, addr);
    return exit_shutdown(vcpu, packet, addr, "ran into addresses without memory");
}
