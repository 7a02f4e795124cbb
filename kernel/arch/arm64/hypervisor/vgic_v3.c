// The virtual GIC on GICv3: list registers and CPU interface in system registers. Arm IHI
// 0069H.b, 12.4.
#include "kernel/arch/arm64/hypervisor/vgic.h"

#include <arch/percpu.h>

#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"
#include "kernel/hypervisor/vcpu.h"

static unsigned list_count_found;
static unsigned apr_count; // active-priority registers of each group

// The registers have no index: one instruction for each. (The formatter moves such lists further
// with each run.)
// clang-format off
#define LISTS(X) \
    X(0, S3_4_C12_C12_0) X(1, S3_4_C12_C12_1) X(2, S3_4_C12_C12_2) X(3, S3_4_C12_C12_3) \
    X(4, S3_4_C12_C12_4) X(5, S3_4_C12_C12_5) X(6, S3_4_C12_C12_6) X(7, S3_4_C12_C12_7) \
    X(8, S3_4_C12_C13_0) X(9, S3_4_C12_C13_1) X(10, S3_4_C12_C13_2) X(11, S3_4_C12_C13_3) \
    X(12, S3_4_C12_C13_4) X(13, S3_4_C12_C13_5) X(14, S3_4_C12_C13_6) X(15, S3_4_C12_C13_7)
#define APRS(X) \
    X(0, S3_4_C12_C8_0, S3_4_C12_C9_0) X(1, S3_4_C12_C8_1, S3_4_C12_C9_1) \
    X(2, S3_4_C12_C8_2, S3_4_C12_C9_2) X(3, S3_4_C12_C8_3, S3_4_C12_C9_3)
// clang-format on

static void write_list(unsigned index, uint64_t value)
{
#define CASE(n, name)              \
    case n:                        \
        sysreg_write(name, value); \
        break;
    switch (index) {
        LISTS(CASE)
    }
#undef CASE
}

static uint64_t read_list(unsigned index)
{
#define CASE(n, name) \
    case n:           \
        return sysreg_read(name);
    switch (index) {
        LISTS(CASE)
    }
#undef CASE
    return 0;
}

static const char *init(void)
{
    uint64_t vtr = sysreg_read(ICH_VTR_EL2);

    list_count_found = ICH_VTR_LIST_COUNT(vtr);
    apr_count = 1u << (ICH_VTR_PREBITS(vtr) - 5);
    return ICH_VTR_PREBITS(vtr) < 5 ? "the GIC has too few preemption levels" : NULL;
}

static unsigned list_count(void)
{
    return list_count_found < IRQ_LIST_MAX ? list_count_found : IRQ_LIST_MAX;
}

static void init_cpu(void)
{
    sysreg_write(ICH_HCR_EL2, 0);
    for (unsigned i = 0; i < list_count_found; i++)
        write_list(i, 0);
}

static void load(struct vcpu *vcpu)
{
    const struct vcpu_gic *gic = &vcpu->arch.gic;

    sysreg_write(ICC_SRE_EL1, ICC_SRE_ALL);
    isb(); // before what it makes accessible
    sysreg_write(ICH_VMCR_EL2, gic->vmcr);
#define LOAD(n, ap0, ap1)                \
    if (n < apr_count) {                 \
        sysreg_write(ap0, gic->apr0[n]); \
        sysreg_write(ap1, gic->apr1[n]); \
    }
    APRS(LOAD)
#undef LOAD
}

static void read_interface(struct vcpu *vcpu)
{
    struct vcpu_gic *gic = &vcpu->arch.gic;

    gic->vmcr = sysreg_read(ICH_VMCR_EL2);
}

static void unload(struct vcpu *vcpu)
{
    struct vcpu_gic *gic = &vcpu->arch.gic;

    read_interface(vcpu);
#define SAVE(n, ap0, ap1)                          \
    if (n < apr_count) {                           \
        gic->apr0[n] = (uint32_t)sysreg_read(ap0); \
        gic->apr1[n] = (uint32_t)sysreg_read(ap1); \
    }
    APRS(SAVE)
#undef SAVE
    sysreg_write(ICH_HCR_EL2, 0);
}

static void write_lists(struct vcpu *vcpu)
{
    const struct irq_vcpu *irqs = &vcpu->arch.irqs;
    uint64_t hcr = ICH_HCR_EN;

    for (uint32_t left = irqs->used_lists; left; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        write_list(index, irqs->lists[index]);
    }
    hcr |= irqs->wants_underflow ? ICH_HCR_UIE : 0;
    hcr |= irqs->wants_not_present ? ICH_HCR_LRENPIE : 0;
    sysreg_write(ICH_HCR_EL2, hcr);
}

static uint32_t read_lists(struct vcpu *vcpu)
{
    struct irq_vcpu *irqs = &vcpu->arch.irqs;
    uint32_t eoi_count = 0;

    for (uint32_t left = irqs->used_lists; left; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        irqs->lists[index] = read_list(index);
        write_list(index, 0);
    }
    if (irqs->wants_not_present)
        eoi_count =
            (uint32_t)(sysreg_read(ICH_HCR_EL2) >> ICH_HCR_EOICOUNT_SHIFT) & ICH_HCR_EOICOUNT_MASK;
    sysreg_write(ICH_HCR_EL2, 0);
    return eoi_count;
}

static void silence(void)
{
    sysreg_write(ICH_HCR_EL2, sysreg_read(ICH_HCR_EL2) & (uint64_t)ICH_HCR_EOICOUNT_MASK
                                                             << ICH_HCR_EOICOUNT_SHIFT);
    isb();
}

static uint8_t priority_mask(const struct vcpu_gic *gic)
{
    return (uint8_t)(gic->vmcr >> ICH_VMCR_PMR_SHIFT);
}

static void set_active(uint32_t intid, bool is_active)
{
    volatile uint8_t *frame = (volatile uint8_t *)arm64_current_cpu()->gicr + GICR_SGI_FRAME;

    mmio_write32(frame, is_active ? GIC_ISACTIVER0 : GIC_ICACTIVER0, 1u << intid);
}

const struct vgic_ops vgic_v3 = {
    .version = 3,
    .init = init,
    .init_cpu = init_cpu,
    .list_count = list_count,
    .load = load,
    .unload = unload,
    .write_lists = write_lists,
    .read_lists = read_lists,
    .silence = silence,
    .read_interface = read_interface,
    .priority_mask = priority_mask,
    .set_active = set_active,
};
