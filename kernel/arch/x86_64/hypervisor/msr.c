// The guest's MSRs: a table of what is kept, what reads as a constant and what is ignored;
// everything else is #GP.
//
// Registers that the guest owns in hardware (FS, GS and kernel GS base, STAR, LSTAR, CSTAR, SFMASK,
// SYSENTER) do not exit. Constants and ignored writes are what operating systems touch without
// asking CPUID, on AMD and Intel CPUs of all ages: AMD64 APM Volume 2, Appendix A; AMD BIOS and
// kernel developer's guides; Intel SDM Volume 4.
#include "kernel/arch/x86_64/hypervisor/msr.h"

#include "kernel/arch/x86_64/hypervisor/backend.h"
#include "kernel/arch/x86_64/hypervisor/guest_clock.h"
#include "kernel/arch/x86_64/hypervisor/pv_eoi.h"
#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/hypervisor/guest.h"

#define MSR_X2APIC_LAST        0x8ff
#define MSR_MICROCODE_LEVEL    0x8b
#define MSR_KVM_WALL_CLOCK_OLD 0x11
#define MSR_KVM_TIME_OLD       0x12
#define MSR_KVM_WALL_CLOCK     0x4b564d00
#define MSR_KVM_TIME           0x4b564d01
#define MSR_KVM_EOI_EN         0x4b564d04
#define MSR_HWCR               0xc0010015

#define MICROCODE_LEVEL        ((uint64_t)0x01000065 << 32)
#define MTRRCAP_WC             (1u << 10) // no variable and no fixed ranges: all is the default type
#define MTRR_DEFAULT_WB        0x806u     // enabled, write-back
#define MTRR_FIXED_WB          UINT64_C(0x0606060606060606) // eight write-back ranges
#define FEATURE_CONTROL_LOCKED 1u
#define MISC_ENABLE_DEFAULT    1u // fast strings
#define HWCR_TSC_FREQ_SEL      ((uint64_t)1 << 24)
#define VM_CR_DISABLED         (VM_CR_SVM_DISABLE | VM_CR_SVM_LOCK)
#define DE_CFG_LFENCE          2u // LFENCE is serialising

struct msr_entry {
    uint32_t first, last;
    bool (*read)(struct vcpu *vcpu, uint32_t msr, uint64_t *value); // NULL: reads as `constant`
    bool (*write)(struct vcpu *vcpu, uint32_t msr, uint64_t value);
    uint64_t constant;
};

static bool write_ignored(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    (void)value;
    return true;
}

static bool write_refused(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    (void)value;
    return false;
}

static bool read_tsc(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = tsc_read() + vcpu->arch.tsc_offset;
    return true;
}

static bool write_tsc(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    guest_clock_set_tsc_offset(vcpu, value - tsc_read());
    return true;
}

static bool read_tsc_adjust(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.tsc_offset - vcpu->guest->arch.tsc_offset;
    return true;
}

static bool write_tsc_adjust(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    guest_clock_set_tsc_offset(vcpu, vcpu->guest->arch.tsc_offset + value);
    return true;
}

static bool read_apic_base(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.apic.base;
    return true;
}

static bool write_apic_base(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    return local_apic_write_base(&vcpu->arch.apic, value, cpuid_physical_address_bits());
}

static bool read_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.misc_enable | MISC_ENABLE_DEFAULT;
    return true;
}

static bool write_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    vcpu->arch.misc_enable = value;
    return true;
}

static bool read_pat(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.pat;
    return true;
}

bool guest_pat_is_legal(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = value >> 8 * i & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static bool write_pat(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (!guest_pat_is_legal(value))
        return false;
    vcpu->arch.pat = value;
    hypervisor_backend->write_pat(vcpu, value);
    return true;
}

static bool read_efer(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = hypervisor_backend->read_control(vcpu, VCPU_EFER);
    return true;
}

static bool write_efer(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t old = hypervisor_backend->read_control(vcpu, VCPU_EFER);

    (void)msr;
    if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR))
        return false;
    if ((value ^ old) & EFER_LME && hypervisor_backend->read_control(vcpu, VCPU_CR0) & CR0_PG)
        return false;
    hypervisor_backend->write_efer(vcpu,
                                   (value & ~EFER_LMA) | (old & EFER_LMA)); // LMA is read-only
    return true;
}

// It goes into the CPU's own register, which not every CPU has.
bool guest_tsc_aux_is_legal(uint64_t value)
{
    return cpuid_has(CPUID_RDTSCP) ? value <= UINT32_MAX : value == 0;
}

static bool read_tsc_aux(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.tsc_aux;
    return true;
}

static bool write_tsc_aux(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (!guest_tsc_aux_is_legal((uint32_t)value))
        return false;
    vcpu->arch.tsc_aux = (uint32_t)value;
    return true;
}

static bool read_hwcr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.hwcr | HWCR_TSC_FREQ_SEL;
    return true;
}

static bool write_hwcr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    vcpu->arch.hwcr = value;
    return true;
}

static bool read_pv_time(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.pv_time_msr;
    return true;
}

static bool write_pv_time(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    guest_clock_set_time_page(vcpu, value);
    return true;
}

static bool read_pv_wall(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.pv_wall_msr;
    return true;
}

static bool write_pv_wall(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    guest_clock_write_wall_clock(vcpu, value);
    return true;
}

static bool read_pv_eoi(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->arch.pv_eoi.msr;
    return true;
}

static bool write_pv_eoi(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    return pv_eoi_write_msr(vcpu, value);
}

static const struct msr_entry msrs[] = {
    {MSR_TSC, MSR_TSC, read_tsc, write_tsc, 0},
    {MSR_EFER, MSR_EFER, read_efer, write_efer, 0},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_apic_base, write_apic_base, 0},
    {MSR_PAT, MSR_PAT, read_pat, write_pat, 0},
    {MSR_TSC_AUX, MSR_TSC_AUX, read_tsc_aux, write_tsc_aux, 0},
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust, 0},
    {MSR_KVM_TIME, MSR_KVM_TIME, read_pv_time, write_pv_time, 0},
    {MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, read_pv_wall, write_pv_wall, 0},
    {MSR_KVM_EOI_EN, MSR_KVM_EOI_EN, read_pv_eoi, write_pv_eoi, 0},
    {MSR_KVM_TIME_OLD, MSR_KVM_TIME_OLD, read_pv_time, write_pv_time, 0},
    {MSR_KVM_WALL_CLOCK_OLD, MSR_KVM_WALL_CLOCK_OLD, read_pv_wall, write_pv_wall, 0},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_misc_enable, 0},
    {MSR_MTRRCAP, MSR_MTRRCAP, NULL, write_refused, MTRRCAP_WC},
    {MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, NULL, write_ignored, MTRR_DEFAULT_WB},
    // Variable and fixed ranges, for kernels that save and restore them without asking MTRRCAP
    {0x200, 0x20f, NULL, write_ignored, 0},
    {0x250, 0x250, NULL, write_ignored, MTRR_FIXED_WB},
    {0x258, 0x259, NULL, write_ignored, MTRR_FIXED_WB},
    {0x268, 0x26f, NULL, write_ignored, MTRR_FIXED_WB},
    {MSR_MCG_CAP, MSR_MCG_CAP, NULL, write_refused, 0},
    {MSR_MCG_STATUS, MSR_MCG_STATUS, NULL, write_ignored, 0},
    // Intel: platform id, SMI count, feature control, microcode loader and level, bus frequency,
    // platform information
    {0x17, 0x17, NULL, write_refused, 0},
    {0x34, 0x34, NULL, write_refused, 0},
    {0x3a, 0x3a, NULL, write_refused, FEATURE_CONTROL_LOCKED},
    {0x79, 0x79, NULL, write_ignored, 0},
    {MSR_MICROCODE_LEVEL, MSR_MICROCODE_LEVEL, NULL, write_ignored, MICROCODE_LEVEL},
    {0xcd, 0xce, NULL, write_refused, 0},
    // Intel: miscellaneous features; debug control and the last-branch records, which AMD has too
    {0x140, 0x140, NULL, write_ignored, 0},
    {0x1d9, 0x1d9, NULL, write_ignored, 0},
    {0x1db, 0x1de, NULL, write_refused, 0},
    // AMD: performance counters of the K7, system configuration
    {0xc0010000, 0xc0010007, NULL, write_ignored, 0},
    {0xc0010010, 0xc0010010, NULL, write_ignored, 0},
    {MSR_HWCR, MSR_HWCR, read_hwcr, write_hwcr, 0},
    // AMD: IORRs and tops of memory, northbridge configuration, microcode loader
    {0xc0010016, 0xc001001a, NULL, write_ignored, 0},
    {0xc001001d, 0xc001001d, NULL, write_ignored, 0},
    {0xc001001f, 0xc001001f, NULL, write_ignored, 0},
    {0xc0010020, 0xc0010020, NULL, write_ignored, 0},
    // AMD: machine check masks, interrupt pending, memory-mapped configuration space, P-states
    {0xc0010044, 0xc001004f, NULL, write_ignored, 0},
    {0xc0010055, 0xc0010055, NULL, write_ignored, 0},
    {0xc0010058, 0xc0010058, NULL, write_ignored, 0},
    {0xc0010061, 0xc0010071, NULL, write_ignored, 0},
    // AMD: system management mode, VM_CR (SVM is off and locked), SEV status, OS-visible
    // workarounds
    {0xc0010111, 0xc0010113, NULL, write_ignored, 0},
    {MSR_VM_CR, MSR_VM_CR, NULL, write_ignored, VM_CR_DISABLED},
    {0xc0010131, 0xc0010131, NULL, write_refused, 0},
    {0xc0010140, 0xc0010141, NULL, write_ignored, 0},
    {0xc0010200, 0xc001020b, NULL, write_ignored, 0},
    // AMD: processor configuration where kernels apply errata workarounds
    {0xc001100d, 0xc001100d, NULL, write_ignored, 0},
    {0xc0011020, 0xc0011028, NULL, write_ignored, 0},
    {0xc0011029, 0xc0011029, NULL, write_ignored, DE_CFG_LFENCE},
    {0xc001102a, 0xc001102f, NULL, write_ignored, 0},
};

static const struct msr_entry *find(uint32_t msr)
{
    for (size_t i = 0; i < ARRAY_COUNT(msrs); i++)
        if (msr >= msrs[i].first && msr <= msrs[i].last)
            return &msrs[i];
    return NULL;
}

bool guest_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct msr_entry *entry;

    if (msr >= MSR_X2APIC_BASE && msr <= MSR_X2APIC_LAST)
        return local_apic_read_msr(&vcpu->arch.apic, msr, value);
    if (msr == MSR_TSC_DEADLINE) {
        *value = local_apic_read_tsc_deadline(&vcpu->arch.apic);
        return true;
    }
    entry = find(msr);
    if (!entry)
        return false;
    if (entry->read)
        return entry->read(vcpu, msr, value);
    *value = entry->constant;
    return true;
}

static enum guest_msr_result write_apic(struct vcpu *vcpu, uint32_t msr, uint64_t value,
                                        uint8_t *eoi_vector)
{
    switch (local_apic_write_msr(&vcpu->arch.apic, msr, value, eoi_vector)) {
    case LOCAL_APIC_OK:
        return GUEST_MSR_OK;
    case LOCAL_APIC_FAULT:
        return GUEST_MSR_FAULT;
    case LOCAL_APIC_EOI_BROADCAST:
        return GUEST_MSR_EOI;
    }
    return GUEST_MSR_FAULT;
}

enum guest_msr_result guest_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value,
                                      uint8_t *eoi_vector)
{
    const struct msr_entry *entry;

    if (msr >= MSR_X2APIC_BASE && msr <= MSR_X2APIC_LAST)
        return write_apic(vcpu, msr, value, eoi_vector);
    if (msr == MSR_TSC_DEADLINE) {
        local_apic_write_tsc_deadline(&vcpu->arch.apic, value);
        return GUEST_MSR_OK;
    }
    entry = find(msr);
    return entry && entry->write(vcpu, msr, value) ? GUEST_MSR_OK : GUEST_MSR_FAULT;
}
