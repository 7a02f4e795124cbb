// The virtual GIC on GICv2: list registers in memory, one bank for each CPU; the guest sees the
// virtual CPU interface (GICV) itself. Arm IHI 0048B.b, 5.3 "GIC virtual interface control
// registers".
#include "kernel/arch/arm64/hypervisor/vgic.h"

#include <arch/mmu.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/regs/gic.h"
#include "kernel/arch/arm64/regs/hypervisor.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/core/cpu.h"
#include "kernel/hypervisor/vcpu.h"

static volatile void *gich, *gicd;
static unsigned list_count_found;

static const char *init(void)
{
    const struct machine *machine = boot_machine();

    if (!machine->gich.size_bytes || machine->gicv.size_bytes < VGIC_V2_GICV_SIZE ||
        !is_aligned(machine->gicv.base, MX_PAGE_SIZE))
        return "the GIC has no virtual interface";
    gich = arch_map_device(PADDR(machine->gich.base), GICH_SIZE);
    gicd = arch_map_device(PADDR(machine->gicd.base), GICH_SIZE);
    if (!gich || !gicd)
        return "no room to map the GIC's virtual interface";
    list_count_found = GICH_VTR_LIST_COUNT(mmio_read32(gich, GICH_VTR));
    return NULL;
}

paddr_t vgic_v2_gicv(void)
{
    return PADDR(boot_machine()->gicv.base);
}

static unsigned list_count(void)
{
    return list_count_found < IRQ_LIST_MAX ? list_count_found : IRQ_LIST_MAX;
}

static void init_cpu(void)
{
    mmio_write32(gich, GICH_HCR, 0);
    for (unsigned i = 0; i < list_count_found; i++)
        mmio_write32(gich, GICH_LR(i), 0);
}

static void load(struct vcpu *vcpu)
{
    mmio_write32(gich, GICH_VMCR, (uint32_t)vcpu->arch.gic.vmcr);
    mmio_write32(gich, GICH_APR, vcpu->arch.gic.apr0[0]);
}

static void read_interface(struct vcpu *vcpu)
{
    vcpu->arch.gic.vmcr = mmio_read32(gich, GICH_VMCR);
}

static void unload(struct vcpu *vcpu)
{
    read_interface(vcpu);
    vcpu->arch.gic.apr0[0] = mmio_read32(gich, GICH_APR);
    mmio_write32(gich, GICH_HCR, 0);
}

static uint32_t to_v2(uint64_t list)
{
    uint32_t value = (uint32_t)list & GICH_LR_ID_MASK;

    value |= (uint32_t)(list >> IRQ_LIST_PRIORITY_SHIFT & 0xf8) << (GICH_LR_PRIORITY_SHIFT - 3);
    value |= (uint32_t)(list >> 62) << GICH_LR_STATE_SHIFT;
    value |= list & IRQ_LIST_GROUP1 ? GICH_LR_GROUP1 : 0;
    // The physical interrupt or the source: both in the same place.
    value |= (uint32_t)(list >> IRQ_LIST_SOURCE_SHIFT & (list & IRQ_LIST_HW ? GICH_LR_ID_MASK : 7))
             << GICH_LR_PHYSICAL_SHIFT;
    if (list & IRQ_LIST_HW)
        return value | GICH_LR_HW;
    return list & IRQ_LIST_EOI ? value | GICH_LR_EOI : value;
}

static void write_lists(struct vcpu *vcpu)
{
    const struct irq_vcpu *irqs = &vcpu->arch.irqs;
    uint32_t hcr = ICH_HCR_EN;

    for (uint32_t left = irqs->used_lists; left; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        mmio_write32(gich, GICH_LR(index), to_v2(irqs->lists[index]));
    }
    hcr |= irqs->wants_underflow ? ICH_HCR_UIE : 0;
    hcr |= irqs->wants_not_present ? ICH_HCR_LRENPIE : 0;
    mmio_write32(gich, GICH_HCR, hcr);
}

static uint32_t read_lists(struct vcpu *vcpu)
{
    struct irq_vcpu *irqs = &vcpu->arch.irqs;
    uint32_t eoi_count = 0;

    // Only the state changes.
    for (uint32_t left = irqs->used_lists; left; left &= left - 1) {
        unsigned index = (unsigned)__builtin_ctz(left);
        uint64_t state = mmio_read32(gich, GICH_LR(index)) >> GICH_LR_STATE_SHIFT & 3;
        irqs->lists[index] =
            (irqs->lists[index] & ~(IRQ_LIST_PENDING | IRQ_LIST_ACTIVE)) | state << 62;
        mmio_write32(gich, GICH_LR(index), 0);
    }
    if (irqs->wants_not_present)
        eoi_count = mmio_read32(gich, GICH_HCR) >> ICH_HCR_EOICOUNT_SHIFT & ICH_HCR_EOICOUNT_MASK;
    mmio_write32(gich, GICH_HCR, 0);
    return eoi_count;
}

static void silence(void)
{
    mmio_write32(gich, GICH_HCR,
                 mmio_read32(gich, GICH_HCR) & (uint32_t)ICH_HCR_EOICOUNT_MASK
                                                   << ICH_HCR_EOICOUNT_SHIFT);
}

static uint8_t priority_mask(const struct vcpu_gic *gic)
{
    return (uint8_t)(gic->vmcr >> GICH_VMCR_PMR_SHIFT << 3);
}

static void set_active(uint32_t intid, bool is_active)
{
    mmio_write32(gicd, is_active ? GIC_ISACTIVER0 : GIC_ICACTIVER0, 1u << intid);
}

const struct vgic_ops vgic_v2 = {
    .version = 2,
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
