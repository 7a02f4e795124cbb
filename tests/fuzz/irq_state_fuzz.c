// A guest, its VMM and its devices that do anything to the guest's interrupts, while list registers
// go their own way.
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/arm64/hypervisor/portable/irq_state.h"

#define CPUS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct irq_state state;
static struct irq_vcpu vcpus[CPUS];

static void ignore_notify(struct irq_vcpu *vcpu)
{
    (void)vcpu;
}
static const struct irq_state_ops ops = {ignore_notify};

struct step {
    uint8_t what, cpu;
    uint16_t where;
    uint32_t value, mask;
} __attribute__((packed));

// What a CPU can make of its list registers: pending ones are taken, active ones end.
static void run_guest(struct irq_vcpu *vcpu, uint32_t choice)
{
    for (uint32_t i = 0; i < vcpu->list_count; i++) {
        uint64_t *list = &vcpu->lists[i];
        if (!(vcpu->used_lists >> i & 1))
            continue;
        switch (choice >> 2 * i & 3) {
        case 1:
            if (*list & IRQ_LIST_PENDING && !(*list & IRQ_LIST_ACTIVE))
                *list ^= IRQ_LIST_PENDING | IRQ_LIST_ACTIVE;
            break;
        case 2:
            *list &= ~IRQ_LIST_ACTIVE;
            break;
        }
    }
}

// Each interrupt is in the sets and list registers that its flags say, and in no others.
static void check_vcpu(const struct irq_vcpu *vcpu)
{
    for (uint32_t index = 0; index < IRQ_INDEX_COUNT; index++) {
        const struct irq *irq = index < MX_GIC_PRIVATE_COUNT
                                    ? &vcpu->private[index]
                                    : &state.shared[index - MX_GIC_PRIVATE_COUNT];
        bool is_candidate = vcpu->candidates.words[index / 64] >> index % 64 & 1;
        bool is_active = vcpu->active.words[index / 64] >> index % 64 & 1;
        if (is_candidate != (irq->flags & IRQ_CANDIDATE && irq->target == vcpu->id))
            abort();
        if (is_active !=
            (irq->flags & IRQ_ACTIVE && !(irq->flags & IRQ_LISTED) && irq->taker == vcpu->id))
            abort();
    }
    if (__builtin_popcount(vcpu->used_lists) > (int)vcpu->list_count)
        abort();
}

static void run(const struct step *step)
{
    struct irq_vcpu *vcpu = &vcpus[step->cpu % CPUS];
    uint32_t shared = step->where & 1 ? 8192 + step->where % 1024 : 32 + step->where % 960, value;

    switch (step->what % 11) {
    case 0:
        irq_raise(&state, shared);
        break;
    case 1:
        irq_lower(&state, shared);
        break;
    case 2:
        irq_set_private_line(&state, vcpu, 16 + step->where % 16, step->value & 1);
        break;
    case 3:
        irq_send_sgi(&state, vcpu, (uint64_t)step->value << 16 | step->where, step->mask & 1);
        break;
    case 4:
        if (irq_field_is_listed(&state, step->cpu, step->what / 11, step->where))
            break;
        (void)!irq_field_write(&state, step->cpu, step->what / 11, step->where, step->value,
                               step->mask);
        break;
    case 5:
        (void)!irq_field_read(&state, step->cpu, step->what / 11, step->where, &value);
        break;
    case 6:
        (void)!irq_set_lpi(&state, step->where, step->value, (uint8_t)step->mask, step->cpu & 1);
        break;
    case 7:
        irq_vcpu_take_back(&state, vcpu, step->value % 40);
        irq_vcpu_fill(&state, vcpu);
        break;
    case 8:
        run_guest(vcpu, step->value);
        break;
    case 9:
        irq_vcpu_leave(&state, vcpu);
        irq_vcpu_join(&state, vcpu, (uint32_t)(vcpu - vcpus), 4);
        break;
    case 10:
        irq_state_freeze(&state);
        irq_vcpu_take_back(&state, vcpu, 0);
        irq_vcpu_fill(&state, vcpu);
        irq_state_thaw(&state);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step step;

    irq_state_init(&state, &ops, size & 1);
    for (uint32_t i = 0; i < CPUS; i++) {
        irq_vcpu_join(&state, &vcpus[i], i, 4);
        vcpus[i].hardware_ppis = 1u << 27;
        (void)!irq_field_write(&state, i, MX_GIC_ENABLE, 0, UINT32_MAX, UINT32_MAX);
    }
    (void)!irq_field_write(&state, 0, MX_GIC_CONTROL, 0, 3, 3);
    for (uint32_t first = 32; first < MX_GIC_SPI_END; first += 32)
        (void)!irq_field_write(&state, 0, MX_GIC_ENABLE, first, UINT32_MAX, UINT32_MAX);
    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        memcpy(&step, data, sizeof(step));
        run(&step);
        for (uint32_t i = 0; i < CPUS; i++)
            check_vcpu(&vcpus[i]);
    }
    return 0;
}
