// Exits that the kernel handles itself; see exits.h.
#include "kernel/arch/x86_64/hypervisor/exits.h"

#include <arch/fpu.h>

#include "kernel/arch/x86_64/hypervisor/insn_fetch.h"
#include "kernel/arch/x86_64/hypervisor/msr.h"
#include "kernel/arch/x86_64/hypervisor/portable/cpuid_model.h"
#include "kernel/arch/x86_64/hypervisor/portable/mov_access.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/log.h"
#include "kernel/hypervisor/guest.h"
#include "kernel/lib/string.h"

#define GUEST_LOG_LINES_MAX 16
#define KEY_NO_TRAP         UINT64_MAX
#define APIC_PAGE_MASK      0xfffu

// Linux Documentation/virt/kvm/x86/hypercalls.rst
#define KVM_ERROR_PERMISSION ((uint64_t)-1)
#define KVM_ERROR_UNKNOWN    ((uint64_t)-1000)

bool guest_may_log(struct guest *guest)
{
    uint32_t count = __atomic_fetch_add(&guest->arch.log_count, 1, __ATOMIC_RELAXED);

    if (count < GUEST_LOG_LINES_MAX)
        return true;
    __atomic_store_n(&guest->arch.log_count, GUEST_LOG_LINES_MAX, __ATOMIC_RELAXED);
    return false;
}

// --- exceptions ---------------------------------------------------------------------------------

void vcpu_inject_exception(struct arch_vcpu *arch, uint32_t vector, bool has_error_code,
                           uint32_t error_code)
{
    arch->event = VCPU_EVENT_VALID | VCPU_EVENT_EXCEPTION | vector;
    if (has_error_code)
        arch->event |= VCPU_EVENT_HAS_ERROR | (uint64_t)error_code << VCPU_EVENT_ERROR_SHIFT;
}

void vcpu_inject_gp(struct arch_vcpu *arch)
{
    vcpu_inject_exception(arch, EXCEPTION_GP, true, 0);
}

void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t addr, uint32_t error_code)
{
    hypervisor_backend->write_cr2(vcpu, addr);
    vcpu_inject_exception(&vcpu->arch, EXCEPTION_PF, true, error_code);
}

enum vcpu_result exit_shutdown(struct vcpu *vcpu, struct mx_vcpu_packet *packet, uint32_t reason,
                               uint64_t info, const char *text)
{
    vcpu->arch.is_shut_down = true;
    memset(packet, 0, sizeof(*packet));
    packet->type = MX_VCPU_PACKET_SHUTDOWN;
    packet->shutdown.reason = reason;
    packet->shutdown.info[0] = info;
    packet->shutdown.info[1] = vcpu->arch.rip;
    memcpy(packet->shutdown.text, text, strnlen(text, sizeof(packet->shutdown.text) - 1));
    if (guest_may_log(vcpu->guest))
        log_print("guest vCPU %u ended: %s (0x%llx, rip 0x%llx)", vcpu->id, text,
                  (unsigned long long)info, (unsigned long long)vcpu->arch.rip);
    return VCPU_LEAVE;
}

// --- instructions -------------------------------------------------------------------------------

enum vcpu_result exit_cpuid(struct vcpu *vcpu, uint64_t next_rip)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint32_t leaf = (uint32_t)arch->gpr[MX_X86_RAX];
    const struct cpuid_model model = {
        .host = cpuid_read,
        .apic_id = vcpu->id,
        .vcpu_count = vcpu->guest->vcpu_count,
        .tsc_khz = (uint32_t)(tsc_hz() / 1000),
        .apic_khz = LOCAL_APIC_TIMER_HZ / 1000,
        .host_xcr0 = fpu_host_xcr0(),
        .xcr0 = arch->xcr0,
        .has_osxsave = leaf == CPUID_LEAF_FEATURES &&
                       hypervisor_backend->read_control(vcpu, VCPU_CR4) & CR4_OSXSAVE,
        .is_apic_enabled = local_apic_is_enabled(&arch->apic),
    };
    struct cpuid_result r = cpuid_model_read(&model, leaf, (uint32_t)arch->gpr[MX_X86_RCX]);

    arch->gpr[MX_X86_RAX] = r.eax;
    arch->gpr[MX_X86_RBX] = r.ebx;
    arch->gpr[MX_X86_RCX] = r.ecx;
    arch->gpr[MX_X86_RDX] = r.edx;
    vcpu_finish_instruction(arch, next_rip);
    return VCPU_RESUME;
}

enum vcpu_result exit_rdmsr(struct vcpu *vcpu, uint64_t next_rip)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t value;

    if (!guest_msr_read(vcpu, (uint32_t)arch->gpr[MX_X86_RCX], &value)) {
        vcpu_inject_gp(arch);
        return VCPU_RESUME;
    }
    arch->gpr[MX_X86_RAX] = (uint32_t)value;
    arch->gpr[MX_X86_RDX] = value >> 32;
    vcpu_finish_instruction(arch, next_rip);
    return VCPU_RESUME;
}

enum vcpu_result exit_eoi(struct mx_vcpu_packet *packet, uint8_t vector)
{
    packet->type = MX_VCPU_PACKET_EOI;
    packet->key = 0;
    packet->eoi.vector = vector;
    return VCPU_LEAVE;
}

enum vcpu_result exit_wrmsr(struct vcpu *vcpu, uint64_t next_rip, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t value = (uint32_t)arch->gpr[MX_X86_RAX] | arch->gpr[MX_X86_RDX] << 32;
    uint8_t vector;

    switch (guest_msr_write(vcpu, (uint32_t)arch->gpr[MX_X86_RCX], value, &vector)) {
    case GUEST_MSR_OK:
        vcpu_finish_instruction(arch, next_rip);
        return VCPU_RESUME;
    case GUEST_MSR_FAULT:
        vcpu_inject_gp(arch);
        return VCPU_RESUME;
    case GUEST_MSR_EOI:
        vcpu_finish_instruction(arch, next_rip);
        return exit_eoi(packet, vector);
    }
    return VCPU_RESUME;
}

enum vcpu_result exit_hlt(struct vcpu *vcpu, uint64_t next_rip)
{
    vcpu_finish_instruction(&vcpu->arch, next_rip);
    vcpu->arch.run_state = VCPU_HALTED;
    return VCPU_RESUME;
}

enum vcpu_result exit_pause(struct vcpu *vcpu, uint64_t next_rip)
{
    vcpu_finish_instruction(&vcpu->arch, next_rip);
    thread_yield();
    return VCPU_RESUME;
}

// No KVM hypercall is offered: each answers "unknown".
enum vcpu_result exit_hypercall(struct vcpu *vcpu, uint64_t next_rip, uint32_t cpl)
{
    vcpu->arch.gpr[MX_X86_RAX] = cpl ? KVM_ERROR_PERMISSION : KVM_ERROR_UNKNOWN;
    vcpu_finish_instruction(&vcpu->arch, next_rip);
    return VCPU_RESUME;
}

bool guest_xcr0_is_legal(uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512;

    if (!(value & XCR0_X87) || value & ~fpu_host_xcr0())
        return false;
    if (value & XCR0_AVX && !(value & XCR0_SSE))
        return false;
    return avx512 == 0 || (avx512 == XCR0_AVX512 && value & XCR0_AVX);
}

enum vcpu_result exit_xsetbv(struct vcpu *vcpu, uint64_t next_rip, uint32_t cpl)
{
    struct arch_vcpu *arch = &vcpu->arch;
    uint64_t value = (uint32_t)arch->gpr[MX_X86_RAX] | arch->gpr[MX_X86_RDX] << 32;

    if (!(hypervisor_backend->read_control(vcpu, VCPU_CR4) & CR4_OSXSAVE)) {
        vcpu_inject_exception(arch, EXCEPTION_UD, false, 0);
    } else if (cpl != 0 || (uint32_t)arch->gpr[MX_X86_RCX] != 0 || !guest_xcr0_is_legal(value)) {
        vcpu_inject_gp(arch);
    } else {
        arch->xcr0 = value;
        vcpu_finish_instruction(arch, next_rip);
    }
    return VCPU_RESUME;
}

// --- port I/O -----------------------------------------------------------------------------------

static uint64_t width_mask(unsigned width_bytes)
{
    return width_bytes >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * width_bytes) - 1;
}

void vcpu_set_register(struct arch_vcpu *arch, unsigned reg, bool is_high_byte, uint64_t data,
                       unsigned width_bytes)
{
    uint64_t mask = width_mask(width_bytes), *to = &arch->gpr[reg & 0xf];

    if (is_high_byte) {
        mask <<= 8;
        data <<= 8;
    }
    // A 32-bit result clears the upper half; narrower ones leave the rest.
    if (width_bytes == 4)
        *to = data & mask;
    else
        *to = (*to & ~mask) | (data & mask);
}

static enum vcpu_result send_io_packet(struct vcpu *vcpu, struct io_access access, uint64_t key,
                                       struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;

    packet->type = MX_VCPU_PACKET_IO;
    packet->reserved = 0;
    packet->key = key;
    packet->io = (struct mx_packet_io){
        .data = access.is_input ? 0 : arch->gpr[MX_X86_RAX] & width_mask(access.width_bytes),
        .port = access.port,
        .width_bytes = access.width_bytes,
        .is_input = access.is_input,
        .is_string = access.is_string,
    };
    arch->reply_width_bytes = access.width_bytes;
    if (access.is_string) {
        hypervisor_backend->read_insn_state(vcpu, &packet->state);
        arch->reply = VCPU_REPLY_INSTRUCTION;
    } else if (access.is_input) {
        arch->reply = VCPU_REPLY_IO_INPUT;
    }
    return VCPU_LEAVE;
}

static enum vcpu_result io_string(struct vcpu *vcpu, struct io_access access,
                                  struct mx_vcpu_packet *packet)
{
    struct guest_trap_hit hit = {.key = KEY_NO_TRAP};

    if (!guest_find_trap(vcpu->guest, &vcpu->guest->io_traps, access.port, &hit))
        hit.key = KEY_NO_TRAP;
    return send_io_packet(vcpu, access, hit.key, packet);
}

static enum vcpu_result io_input(struct vcpu *vcpu, struct io_access access,
                                 struct mx_vcpu_packet *packet)
{
    struct guest_trap_hit hit;

    if (guest_find_trap(vcpu->guest, &vcpu->guest->io_traps, access.port, &hit) &&
        hit.kind == MX_TRAP_IO)
        return send_io_packet(vcpu, access, hit.key, packet);
    vcpu_set_register(&vcpu->arch, MX_X86_RAX, false, UINT64_MAX, access.width_bytes);
    return VCPU_RESUME;
}

static enum vcpu_result io_output(struct vcpu *vcpu, struct io_access access,
                                  struct mx_vcpu_packet *packet)
{
    struct guest_trap_hit hit;
    mx_status_t status =
        guest_write_trap(vcpu->guest, &vcpu->guest->io_traps, access.port,
                         vcpu->arch.gpr[MX_X86_RAX] & width_mask(access.width_bytes), &hit);

    if (status == MX_ERR_SHOULD_WAIT)
        return send_io_packet(vcpu, access, hit.key, packet);
    if (status != MX_ERR_BAD_STATE)
        return VCPU_RESUME; // the bell is rung, or nothing is there
    vcpu->arch.leave_status = status;
    return VCPU_LEAVE;
}

enum vcpu_result exit_io(struct vcpu *vcpu, struct io_access access, uint64_t next_rip,
                         struct mx_vcpu_packet *packet)
{
    if (access.is_string)
        return io_string(vcpu, access, packet);
    vcpu_finish_instruction(&vcpu->arch, next_rip);
    return access.is_input ? io_input(vcpu, access, packet) : io_output(vcpu, access, packet);
}

// --- guest memory -------------------------------------------------------------------------------

static bool fetch_mov(struct vcpu *vcpu, struct mov_access *mov)
{
    uint8_t bytes[INSN_BYTES_MAX];
    size_t count = insn_fetch(vcpu, bytes);

    return mov_access_decode(bytes, count, hypervisor_backend->code_bits(vcpu), mov);
}

static uint64_t mov_value(const struct arch_vcpu *arch, const struct mov_access *mov)
{
    const struct x86_mov_store *operand = &mov->operand;

    if (operand->is_immediate)
        return operand->immediate;
    return (arch->gpr[operand->reg & 0xf] >> (operand->is_high_byte ? 8 : 0)) &
           width_mask(operand->width_bytes);
}

// The memory-mapped local APIC: 32-bit MOVs, as the manuals ask for; anything else is refused with
// #GP.
static enum vcpu_result access_apic_page(struct vcpu *vcpu, uint32_t offset, bool is_write,
                                         struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    enum local_apic_result result = LOCAL_APIC_OK;
    struct mov_access mov;
    uint8_t vector = 0;

    if (!fetch_mov(vcpu, &mov) || mov.operand.width_bytes != 4 || mov.is_store != is_write ||
        offset & 3) {
        if (guest_may_log(vcpu->guest))
            log_print(
                "guest vCPU %u: access to the local APIC that is not a 32-bit MOV, rip 0x%llx",
                vcpu->id, (unsigned long long)arch->rip);
        vcpu_inject_gp(arch);
        return VCPU_RESUME;
    }
    if (is_write)
        result =
            local_apic_write_page(&arch->apic, offset, (uint32_t)mov_value(arch, &mov), &vector);
    else
        arch->gpr[mov.operand.reg & 0xf] = local_apic_read_page(&arch->apic, offset);
    vcpu_finish_instruction(arch, arch->rip + mov.length_bytes);
    return result == LOCAL_APIC_EOI_BROADCAST ? exit_eoi(packet, vector) : VCPU_RESUME;
}

static enum vcpu_result send_mem_packet(struct vcpu *vcpu, struct second_stage_access access,
                                        uint64_t key, struct mx_vcpu_packet *packet)
{
    packet->type = MX_VCPU_PACKET_MEM;
    packet->reserved = 0;
    packet->key = key;
    packet->mem = (struct mx_packet_mem){
        .addr = access.addr,
        .is_write = access.is_write,
        .exception = MX_VCPU_NO_EXCEPTION,
    };
    hypervisor_backend->read_insn_state(vcpu, &packet->state);
    vcpu->arch.reply = VCPU_REPLY_INSTRUCTION;
    return VCPU_LEAVE;
}

// A trapped access. A plain MOV is told as what it reads or writes; of all else the VMM emulates
// the instruction.
static enum vcpu_result send_access_packet(struct vcpu *vcpu, struct second_stage_access access,
                                           uint64_t key, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct mov_access mov;

    if (!fetch_mov(vcpu, &mov) || mov.is_store != access.is_write ||
        !mov_access_is_at(&mov, arch->gpr, access.addr))
        return send_mem_packet(vcpu, access, key, packet);
    packet->type = MX_VCPU_PACKET_MEM;
    packet->reserved = 0;
    packet->key = key;
    packet->mem = (struct mx_packet_mem){
        .addr = access.addr,
        .data = access.is_write ? mov_value(arch, &mov) : 0,
        .width_bytes = mov.operand.width_bytes,
        .is_write = access.is_write,
        .is_decoded = true,
        .exception = MX_VCPU_NO_EXCEPTION,
    };
    arch->reply = VCPU_REPLY_MEM_ACCESS;
    arch->reply_is_load = !mov.is_store;
    arch->reply_reg = mov.operand.reg;
    arch->reply_is_high_byte = mov.operand.is_high_byte;
    arch->reply_width_bytes = mov.operand.width_bytes;
    arch->reply_next_rip = arch->rip + mov.length_bytes;
    return VCPU_LEAVE;
}

static enum vcpu_result ring_memory_bell(struct vcpu *vcpu, struct second_stage_access access,
                                         uint64_t key, struct mx_vcpu_packet *packet)
{
    struct arch_vcpu *arch = &vcpu->arch;
    struct mov_access mov;
    mx_status_t status;

    if (!access.is_write || !fetch_mov(vcpu, &mov) || !mov.is_store)
        return send_mem_packet(vcpu, access, key, packet);
    status = guest_ring_bell(vcpu->guest, &vcpu->guest->memory_traps, access.addr,
                             mov_value(arch, &mov));
    vcpu_finish_instruction(arch, arch->rip + mov.length_bytes);
    if (status == MX_OK)
        return VCPU_RESUME;
    arch->leave_status = status;
    return VCPU_LEAVE;
}

static enum vcpu_result fault_in(struct vcpu *vcpu, struct second_stage_access access,
                                 struct mx_vcpu_packet *packet)
{
    uint32_t wanted = access.is_fetch   ? MX_MAP_EXECUTE
                      : access.is_write ? MX_MAP_WRITE
                                        : MX_MAP_READ;
    mx_status_t status = aspace_handle_fault(vcpu->guest->aspace, access.addr, wanted);

    if (status == MX_OK)
        return VCPU_RESUME;
    if (status != MX_ERR_NOT_FOUND && status != MX_ERR_ACCESS_DENIED) {
        vcpu->arch.leave_status = status;
        return VCPU_LEAVE;
    }
    if (access.is_table_walk)
        return exit_shutdown(vcpu, packet, MX_GUEST_EXIT_SECOND_STAGE, access.addr,
                             "page tables are not in memory");
    if (access.is_fetch)
        return exit_shutdown(vcpu, packet, MX_GUEST_EXIT_SECOND_STAGE, access.addr,
                             "ran into addresses without memory");
    return send_mem_packet(vcpu, access, KEY_NO_TRAP, packet);
}

enum vcpu_result exit_second_stage(struct vcpu *vcpu, struct second_stage_access access,
                                   struct mx_vcpu_packet *packet)
{
    const struct local_apic *apic = &vcpu->arch.apic;
    struct guest_trap_hit hit;

    if (access.is_fetch || access.is_table_walk)
        return fault_in(vcpu, access, packet);
    if ((access.addr & ~(uint64_t)APIC_PAGE_MASK) == (apic->base & APIC_BASE_ADDRESS) &&
        local_apic_is_enabled(apic) && !local_apic_is_x2apic(apic))
        return access_apic_page(vcpu, access.addr & APIC_PAGE_MASK, access.is_write, packet);
    if (!guest_find_trap(vcpu->guest, &vcpu->guest->memory_traps, access.addr, &hit))
        return fault_in(vcpu, access, packet);
    if (hit.kind == MX_TRAP_BELL)
        return ring_memory_bell(vcpu, access, hit.key, packet);
    return send_access_packet(vcpu, access, hit.key, packet);
}
