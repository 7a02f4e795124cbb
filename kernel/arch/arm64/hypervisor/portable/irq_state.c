// See irq_state.h.
#include "kernel/arch/arm64/hypervisor/portable/irq_state.h"

#include "kernel/lib/string.h"

#define PRIORITY_SHIFT 16 // of a sort key: priority, then index

// --- sets
// -----------------------------------------------------------------------------------------

static void set_add(struct irq_set *set, uint32_t index)
{
    set->words[index / 64] |= (uint64_t)1 << index % 64;
    set->used_words |= 1u << index / 64;
}

static void set_remove(struct irq_set *set, uint32_t index)
{
    set->words[index / 64] &= ~((uint64_t)1 << index % 64);
    if (!set->words[index / 64])
        set->used_words &= ~(1u << index / 64);
}

#define SET_END UINT32_MAX

// The lowest index that is at least `from`, or SET_END.
static uint32_t set_next(const struct irq_set *set, uint32_t from)
{
    uint32_t word = from / 64, later;
    uint64_t bits;

    if (from >= IRQ_INDEX_COUNT)
        return SET_END;
    bits = set->words[word] & UINT64_MAX << from % 64;
    if (bits)
        return word * 64 + (uint32_t)__builtin_ctzll(bits);
    later = (uint32_t)((uint64_t)set->used_words >> (word + 1));
    if (!later)
        return SET_END;
    word += 1 + (uint32_t)__builtin_ctz(later);
    return word * 64 + (uint32_t)__builtin_ctzll(set->words[word]);
}

#define SET_FOR_EACH(index, set) \
    for (index = set_next(set, 0); index != SET_END; index = set_next(set, index + 1))

// --- interrupts
// -----------------------------------------------------------------------------------

static uint32_t index_of(uint32_t intid)
{
    return intid >= MX_GIC_LPI_BASE ? intid - MX_GIC_LPI_BASE + IRQ_LPI_INDEX : intid;
}

static uint32_t intid_of(uint32_t index)
{
    return index >= IRQ_LPI_INDEX ? index - IRQ_LPI_INDEX + MX_GIC_LPI_BASE : index;
}

// `vcpu` chooses the bank.
static struct irq *irq_at(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t index)
{
    return index < MX_GIC_PRIVATE_COUNT ? &vcpu->private[index]
                                        : &state->shared[index - MX_GIC_PRIVATE_COUNT];
}

static bool is_sgi(uint32_t index)
{
    return index < MX_GIC_SGI_COUNT;
}

static bool is_pending(const struct irq *irq)
{
    return irq->flags & IRQ_LATCH || irq->sources ||
           (irq->flags & (IRQ_LINE | IRQ_EDGE)) == IRQ_LINE;
}

static uint8_t group_bit(const struct irq *irq)
{
    return irq->flags & IRQ_GROUP1 ? 2 : 1;
}

static bool is_forwarded(const struct irq_state *state, const struct irq *irq)
{
    return irq->flags & IRQ_ENABLED && state->control & group_bit(irq);
}

static struct irq_vcpu *vcpu_at(const struct irq_state *state, uint32_t id)
{
    return id < MX_GUEST_MAX_VCPUS ? state->vcpus[id] : NULL;
}

static void post(struct irq_state *state, struct irq_vcpu *vcpu)
{
    if (vcpu && !__atomic_exchange_n(&vcpu->posted, 1, __ATOMIC_SEQ_CST))
        state->ops->notify(vcpu);
}

// Puts the interrupt among the candidates of its vCPU or takes it out, as its state says now. Call
// it before `target` changes as well, with `is_leaving`.
static void update(struct irq_state *state, struct irq *irq, uint32_t index, bool is_leaving)
{
    struct irq_vcpu *target = vcpu_at(state, irq->target);
    bool is_candidate = target && !is_leaving && !(irq->flags & (IRQ_ACTIVE | IRQ_LISTED)) &&
                        is_pending(irq) && is_forwarded(state, irq);

    if (is_candidate == !!(irq->flags & IRQ_CANDIDATE))
        return;
    irq->flags ^= IRQ_CANDIDATE;
    if (is_candidate) {
        set_add(&target->candidates, index);
        post(state, target);
    } else if (target) {
        set_remove(&target->candidates, index);
    }
}

// The same after a change that a list register has to follow.
static void update_listed(struct irq_state *state, struct irq *irq, uint32_t index)
{
    if (irq->flags & IRQ_LISTED)
        post(state, vcpu_at(state, irq->taker));
    else
        update(state, irq, index, false);
}

static void set_active(struct irq_state *state, struct irq *irq, uint32_t index, bool is_active)
{
    struct irq_vcpu *taker;

    if (is_active == !!(irq->flags & IRQ_ACTIVE) || irq->flags & IRQ_LISTED)
        return;
    irq->flags ^= IRQ_ACTIVE;
    taker = vcpu_at(state, irq->taker);
    if (!taker)
        return;
    if (is_active)
        set_add(&taker->active, index);
    else
        set_remove(&taker->active, index);
    post(state, taker);
}

// --- vCPUs
// ----------------------------------------------------------------------------------------

void irq_state_init(struct irq_state *state, const struct irq_state_ops *ops, bool has_sgi_sources)
{
    memset(state, 0, sizeof(*state));
    state->ops = ops;
    state->has_sgi_sources = has_sgi_sources;
    for (uint32_t i = 0; i < IRQ_INDEX_COUNT - MX_GIC_PRIVATE_COUNT; i++) {
        struct irq *irq = &state->shared[i];
        bool is_lpi = i + MX_GIC_PRIVATE_COUNT >= IRQ_LPI_INDEX;
        irq->target = is_lpi ? IRQ_NO_TARGET : 0;
        irq->taker = IRQ_NO_TARGET;
        irq->flags = is_lpi ? IRQ_EDGE | IRQ_GROUP1 : 0;
    }
}

void irq_vcpu_join(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t id, uint32_t list_count)
{
    *vcpu = (struct irq_vcpu){.id = id, .list_count = list_count};
    for (uint32_t i = 0; i < MX_GIC_PRIVATE_COUNT; i++)
        vcpu->private[i] = (struct irq){
            .flags = is_sgi(i) ? IRQ_EDGE : 0, .target = (uint8_t)id, .taker = (uint8_t)id};
    state->vcpus[id] = vcpu;
    for (uint32_t index = MX_GIC_PRIVATE_COUNT; index < IRQ_INDEX_COUNT; index++) {
        struct irq *irq = irq_at(state, NULL, index);
        if (irq->target == id)
            update(state, irq, index, false);
    }
}

void irq_vcpu_leave(struct irq_state *state, struct irq_vcpu *vcpu)
{
    if (vcpu_at(state, vcpu->id) != vcpu)
        return;
    state->vcpus[vcpu->id] = NULL;
    for (uint32_t index = MX_GIC_PRIVATE_COUNT; index < IRQ_INDEX_COUNT; index++) {
        struct irq *irq = irq_at(state, NULL, index);
        if (irq->target == vcpu->id)
            irq->flags &= ~IRQ_CANDIDATE;
        if (irq->taker == vcpu->id)
            irq->flags &= ~(IRQ_LISTED | IRQ_ACTIVE);
    }
}

// --- lines and messages
// ---------------------------------------------------------------------------

bool irq_is_shared(uint64_t intid)
{
    return (intid >= MX_GIC_PRIVATE_COUNT && intid < MX_GIC_SPI_END) ||
           (intid >= MX_GIC_LPI_BASE && intid < MX_GIC_LPI_BASE + MX_GIC_LPI_COUNT);
}

void irq_raise(struct irq_state *state, uint32_t intid)
{
    uint32_t index = index_of(intid);
    struct irq *irq = irq_at(state, NULL, index);

    if (!(irq->flags & IRQ_EDGE)) {
        irq->flags |= IRQ_LINE;
        // If it is listed, the vCPU looks again when the guest ends it.
        update(state, irq, index, false);
        return;
    }
    irq->flags |= IRQ_LATCH;
    update_listed(state, irq, index);
}

bool irq_lower(struct irq_state *state, uint32_t intid)
{
    uint32_t index = index_of(intid);
    struct irq *irq = irq_at(state, NULL, index);

    if (!(irq->flags & IRQ_LINE))
        return false;
    irq->flags &= ~IRQ_LINE;
    update_listed(state, irq, index);
    return true;
}

void irq_set_private_line(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t intid,
                          bool is_high)
{
    struct irq *irq = &vcpu->private[intid];

    if (is_high == !!(irq->flags & IRQ_LINE))
        return;
    irq->flags ^= IRQ_LINE;
    if (is_high && irq->flags & IRQ_EDGE)
        irq->flags |= IRQ_LATCH;
    update_listed(state, irq, intid);
}

static void make_sgi_pending(struct irq_state *state, const struct irq_vcpu *sender,
                             struct irq_vcpu *target, uint32_t intid, bool is_group1)
{
    struct irq *irq;

    if (!target)
        return;
    irq = &target->private[intid];
    if (!!(irq->flags & IRQ_GROUP1) != is_group1)
        return;
    if (state->has_sgi_sources)
        irq->sources |= (uint8_t)(1u << sender->id % 8);
    else
        irq->flags |= IRQ_LATCH;
    update_listed(state, irq, intid);
}

// Arm IHI 0069, 12.2 "ICC_SGI1R_EL1, Interrupt Controller Software Generated Interrupt Group 1
// Register".
#define SGI_TARGET_LIST(value) ((uint32_t)(value)&0xffff)
#define SGI_INTID(value)       ((uint32_t)((value) >> 24) & 0xf)
#define SGI_AFF1(value)        ((uint32_t)((value) >> 16) & 0xff)
#define SGI_AFF2(value)        ((uint32_t)((value) >> 32) & 0xff)
#define SGI_AFF3(value)        ((uint32_t)((value) >> 48) & 0xff)
#define SGI_IRM(value)         ((value) >> 40 & 1)
#define SGI_RS(value)          ((uint32_t)((value) >> 44) & 0xf)

void irq_send_sgi(struct irq_state *state, const struct irq_vcpu *sender, uint64_t value,
                  bool is_group1)
{
    uint32_t intid = SGI_INTID(value);

    if (SGI_IRM(value)) {
        for (uint32_t id = 0; id < MX_GUEST_MAX_VCPUS; id++)
            if (state->vcpus[id] != sender)
                make_sgi_pending(state, sender, state->vcpus[id], intid, is_group1);
        return;
    }
    // A range selector other than 0 is for clusters of more than 16; ours have no such vCPU.
    if (SGI_AFF2(value) || SGI_AFF3(value) || SGI_RS(value))
        return;
    for (uint32_t left = SGI_TARGET_LIST(value); left; left &= left - 1) {
        uint32_t id = SGI_AFF1(value) * 16 + (uint32_t)__builtin_ctz(left);
        make_sgi_pending(state, sender, vcpu_at(state, id), intid, is_group1);
    }
}

// --- registers
// ------------------------------------------------------------------------------------

// How many interrupts a word of the field has.
static uint32_t field_span(uint32_t field)
{
    switch ((enum mx_gic_field)field) {
    case MX_GIC_GROUP:
    case MX_GIC_ENABLE:
    case MX_GIC_PENDING:
    case MX_GIC_ACTIVE:
    case MX_GIC_EDGE:
        return 32;
    case MX_GIC_PRIORITY:
    case MX_GIC_SGI_SOURCES:
        return 4;
    case MX_GIC_TARGET:
    case MX_GIC_CONTROL:
    case MX_GIC_VERSION:
        return 1;
    case MX_GIC_FIELD_COUNT:
        break;
    }
    return 0;
}

static mx_status_t check_word(const struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                              uint32_t first)
{
    uint32_t span = field_span(field);

    if (!span || first % span)
        return MX_ERR_INVALID_ARGS;
    if (field == MX_GIC_CONTROL || field == MX_GIC_VERSION)
        return first == 0 ? MX_OK : MX_ERR_OUT_OF_RANGE;
    if (field == MX_GIC_SGI_SOURCES && first >= MX_GIC_SGI_COUNT)
        return MX_ERR_OUT_OF_RANGE;
    if (first < MX_GIC_PRIVATE_COUNT) // TARGET is of SPIs
        return vcpu_at(state, vcpu_id) && field != MX_GIC_TARGET ? MX_OK : MX_ERR_OUT_OF_RANGE;
    return irq_is_shared(first) ? MX_OK : MX_ERR_OUT_OF_RANGE;
}

static uint32_t read_one(const struct irq *irq, enum mx_gic_field field)
{
    switch (field) {
    case MX_GIC_GROUP:
        return !!(irq->flags & IRQ_GROUP1);
    case MX_GIC_ENABLE:
        return !!(irq->flags & IRQ_ENABLED);
    case MX_GIC_PENDING:
        return is_pending(irq);
    case MX_GIC_ACTIVE:
        return !!(irq->flags & IRQ_ACTIVE);
    case MX_GIC_EDGE:
        return !!(irq->flags & IRQ_EDGE);
    case MX_GIC_PRIORITY:
        return irq->priority;
    case MX_GIC_TARGET:
        return irq->target == IRQ_NO_TARGET ? MX_GIC_TARGET_NONE : irq->target;
    case MX_GIC_SGI_SOURCES:
        return irq->sources;
    case MX_GIC_CONTROL:
    case MX_GIC_VERSION:
    case MX_GIC_FIELD_COUNT:
        break;
    }
    return 0;
}

// The interrupts of a word, one after the other: struct irq of `first` + i.
static const struct irq *word_irqs(const struct irq_state *state, uint32_t vcpu_id, uint32_t first)
{
    uint32_t index = index_of(first);

    return index < MX_GIC_PRIVATE_COUNT ? &state->vcpus[vcpu_id]->private[index]
                                        : &state->shared[index - MX_GIC_PRIVATE_COUNT];
}

// Whole words are what a guest's reads come to, so this loop is short.
static uint32_t read_flags(const struct irq *irqs, uint8_t flag)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < 32; i++)
        value |= (uint32_t) !!(irqs[i].flags & flag) << i;
    return value;
}

static uint32_t read_word(const struct irq *irqs, enum mx_gic_field field, uint32_t span)
{
    uint32_t value = 0;

    if (field == MX_GIC_ENABLE)
        return read_flags(irqs, IRQ_ENABLED);
    if (field == MX_GIC_ACTIVE)
        return read_flags(irqs, IRQ_ACTIVE);
    for (uint32_t i = 0; i < span; i++)
        value |= read_one(&irqs[i], field) << i * (32 / span) % 32;
    return value;
}

mx_status_t irq_field_read(const struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                           uint32_t first, uint32_t *value)
{
    mx_status_t status = check_word(state, vcpu_id, field, first);

    if (status != MX_OK)
        return status;
    if (field == MX_GIC_CONTROL)
        *value = state->control;
    else if (field == MX_GIC_VERSION)
        *value = state->has_sgi_sources ? 2 : 3;
    else
        *value = read_word(word_irqs(state, vcpu_id, first), (enum mx_gic_field)field,
                           field_span(field));
    return MX_OK;
}

bool irq_field_is_listed(const struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                         uint32_t first)
{
    const struct irq *irqs;

    if (field != MX_GIC_PENDING && field != MX_GIC_ACTIVE && field != MX_GIC_SGI_SOURCES)
        return false;
    if (check_word(state, vcpu_id, field, first) != MX_OK)
        return false;
    irqs = word_irqs(state, vcpu_id, first);
    for (uint32_t i = 0; i < field_span(field); i++)
        if (irqs[i].flags & IRQ_LISTED)
            return true;
    return false;
}

static void set_flag(struct irq *irq, uint8_t flag, bool is_set)
{
    irq->flags = (uint8_t)(is_set ? irq->flags | flag : irq->flags & ~flag);
}

static void write_pending(struct irq_state *state, struct irq *irq, uint32_t index,
                          bool is_pending_now)
{
    set_flag(irq, IRQ_LATCH, is_pending_now);
    if (!is_sgi(index) || !state->has_sgi_sources)
        return;
    // GICv2 has no such register for SGIs; without a source it is the vCPU itself.
    set_flag(irq, IRQ_LATCH, false);
    irq->sources = is_pending_now ? (uint8_t)(irq->sources | 1u << irq->target % 8) : 0;
}

static void write_target(struct irq_state *state, struct irq *irq, uint32_t index, uint32_t vcpu_id)
{
    update(state, irq, index, true);
    irq->target = vcpu_id < MX_GUEST_MAX_VCPUS ? (uint8_t)vcpu_id : IRQ_NO_TARGET;
}

static void write_one(struct irq_state *state, struct irq *irq, uint32_t index,
                      enum mx_gic_field field, uint32_t value)
{
    switch (field) {
    case MX_GIC_GROUP:
        set_flag(irq, IRQ_GROUP1, value);
        break;
    case MX_GIC_ENABLE:
        set_flag(irq, IRQ_ENABLED, value);
        break;
    case MX_GIC_PENDING:
        write_pending(state, irq, index, value);
        break;
    case MX_GIC_ACTIVE:
        if (!(irq->flags & (IRQ_ACTIVE | IRQ_LISTED)))
            irq->taker = irq->target;
        set_active(state, irq, index, value);
        break;
    case MX_GIC_EDGE:
        if (!is_sgi(index) && index < IRQ_LPI_INDEX)
            set_flag(irq, IRQ_EDGE, value);
        break;
    case MX_GIC_PRIORITY:
        irq->priority = (uint8_t)value;
        break;
    case MX_GIC_TARGET:
        write_target(state, irq, index, value);
        break;
    case MX_GIC_SGI_SOURCES:
        irq->sources = (uint8_t)value;
        break;
    case MX_GIC_CONTROL:
    case MX_GIC_VERSION:
    case MX_GIC_FIELD_COUNT:
        break;
    }
    update_listed(state, irq, index);
}

static void update_bank(struct irq_state *state, struct irq_vcpu *vcpu)
{
    for (uint32_t i = 0; i < MX_GIC_PRIVATE_COUNT; i++)
        update_listed(state, &vcpu->private[i], i);
}

static void write_control(struct irq_state *state, uint8_t value)
{
    if (value == state->control)
        return;
    state->control = value;
    for (uint32_t id = 0; id < MX_GUEST_MAX_VCPUS; id++)
        if (state->vcpus[id])
            update_bank(state, state->vcpus[id]);
    for (uint32_t index = MX_GIC_PRIVATE_COUNT; index < IRQ_INDEX_COUNT; index++)
        update_listed(state, irq_at(state, NULL, index), index);
}

mx_status_t irq_field_write(struct irq_state *state, uint32_t vcpu_id, uint32_t field,
                            uint32_t first, uint32_t value, uint32_t mask)
{
    mx_status_t status = check_word(state, vcpu_id, field, first);
    uint32_t span = field_span(field), width, field_mask;
    struct irq_vcpu *vcpu = vcpu_at(state, vcpu_id);

    if (status != MX_OK || field == MX_GIC_VERSION)
        return status != MX_OK ? status : MX_ERR_INVALID_ARGS;
    if (field == MX_GIC_CONTROL) {
        write_control(state, (uint8_t)((state->control & ~mask) | (value & mask & 3)));
        return MX_OK;
    }
    width = 32 / span;
    field_mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
    while (mask) {
        uint32_t shift = (uint32_t)__builtin_ctz(mask) / width * width,
                 index = index_of(first) + shift / width;
        uint32_t one_mask = mask >> shift & field_mask;
        struct irq *irq = irq_at(state, vcpu, index);
        uint32_t old = read_one(irq, (enum mx_gic_field)field);
        write_one(state, irq, index, (enum mx_gic_field)field,
                  (old & ~one_mask) | (value >> shift & one_mask));
        mask &= ~(field_mask << shift);
    }
    return MX_OK;
}

mx_status_t irq_set_lpi(struct irq_state *state, uint32_t intid, uint32_t vcpu_id, uint8_t priority,
                        bool is_enabled)
{
    uint32_t index = index_of(intid);
    struct irq *irq;

    if (intid < MX_GIC_LPI_BASE || !irq_is_shared(intid) ||
        (vcpu_id >= MX_GUEST_MAX_VCPUS && (vcpu_id != MX_GIC_TARGET_NONE || is_enabled)))
        return MX_ERR_OUT_OF_RANGE;
    irq = irq_at(state, NULL, index);
    irq->priority = priority;
    set_flag(irq, IRQ_ENABLED, is_enabled);
    write_target(state, irq, index, vcpu_id);
    update_listed(state, irq, index);
    return MX_OK;
}

void irq_state_freeze(struct irq_state *state)
{
    state->freeze_count++;
}

void irq_state_thaw(struct irq_state *state)
{
    if (--state->freeze_count)
        return;
    for (uint32_t id = 0; id < MX_GUEST_MAX_VCPUS; id++) {
        struct irq_vcpu *vcpu = state->vcpus[id];
        if (vcpu && (vcpu->candidates.used_words || vcpu->active.used_words))
            post(state, vcpu);
    }
}

// --- list registers
// -------------------------------------------------------------------------------

static uint32_t sort_key(const struct irq *irq, uint32_t index)
{
    return (uint32_t)irq->priority << PRIORITY_SHIFT | index;
}

static uint32_t key_index(uint32_t key)
{
    return key & ((1u << PRIORITY_SHIFT) - 1);
}

// The guest ended an interrupt that had no list register. They end in order of priority, the most
// urgent first.
static void end_most_urgent(struct irq_state *state, struct irq_vcpu *vcpu)
{
    uint32_t best = UINT32_MAX, index;

    SET_FOR_EACH(index, &vcpu->active)
    {
        uint32_t key = sort_key(irq_at(state, vcpu, index), index);
        if (key < best)
            best = key;
    }
    index = key_index(best);
    set_active(state, irq_at(state, vcpu, index), index, false);
    update(state, irq_at(state, vcpu, index), index, false);
}

static void take_back_one(struct irq_state *state, struct irq_vcpu *vcpu, uint64_t list)
{
    uint32_t index = index_of((uint32_t)list);
    struct irq *irq = irq_at(state, vcpu, index);
    bool is_still_pending = list & IRQ_LIST_PENDING;

    irq->flags &= ~IRQ_LISTED;
    if (irq->flags & IRQ_EDGE && is_still_pending) {
        if (is_sgi(index) && state->has_sgi_sources)
            irq->sources |= (uint8_t)(1u << irq->source);
        else
            irq->flags |= IRQ_LATCH;
    }
    if (!(irq->flags & IRQ_EDGE) && !is_still_pending)
        irq->flags &= ~IRQ_LATCH;
    if (list & IRQ_LIST_ACTIVE) {
        irq->flags |= IRQ_ACTIVE;
        set_add(&vcpu->active, index);
    } else {
        irq->flags &= ~IRQ_ACTIVE;
    }
    update(state, irq, index, false);
}

void irq_vcpu_take_back(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t eoi_count)
{
    uint32_t used = vcpu->used_lists;

    for (; eoi_count && vcpu->active.used_words; eoi_count--)
        end_most_urgent(state, vcpu);
    vcpu->used_lists = 0;
    for (; used; used &= used - 1)
        take_back_one(state, vcpu, vcpu->lists[__builtin_ctz(used)]);
}

// The `limit` most urgent of a set, in order; returns how many there are.
static uint32_t choose(struct irq_state *state, struct irq_vcpu *vcpu, const struct irq_set *set,
                       uint32_t *keys, uint32_t limit)
{
    uint32_t count = 0, index;

    SET_FOR_EACH(index, set)
    {
        uint32_t key = sort_key(irq_at(state, vcpu, index), index), at;
        if (count == limit && (!limit || key > keys[limit - 1]))
            continue;
        if (count < limit)
            count++;
        for (at = count - 1; at && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
    return count;
}

static uint8_t take_source(struct irq *irq)
{
    uint8_t source = (uint8_t)__builtin_ctz(irq->sources);

    irq->sources &= (uint8_t)(irq->sources - 1);
    return source;
}

// Whether a list register shows pending beside active: a level that is still high comes again when
// the guest ends it.
static bool shows_pending(const struct irq_state *state, const struct irq *irq)
{
    if (!is_pending(irq) || !is_forwarded(state, irq))
        return false;
    return !(irq->flags & IRQ_ACTIVE) || (irq->flags & IRQ_EDGE && !irq->sources);
}

static uint64_t make_list(struct irq_state *state, struct irq_vcpu *vcpu, struct irq *irq,
                          uint32_t index)
{
    bool is_hardware = index < MX_GIC_PRIVATE_COUNT && vcpu->hardware_ppis >> index & 1;
    uint64_t list = intid_of(index) | (uint64_t)irq->priority << IRQ_LIST_PRIORITY_SHIFT;

    list |= irq->flags & IRQ_GROUP1 ? IRQ_LIST_GROUP1 : 0;
    list |= irq->flags & IRQ_ACTIVE ? IRQ_LIST_ACTIVE : 0;
    if (shows_pending(state, irq) && !(is_hardware && irq->flags & IRQ_ACTIVE)) {
        list |= IRQ_LIST_PENDING;
        if (irq->sources && !(irq->flags & IRQ_LATCH))
            irq->source = take_source(irq);
        else if (irq->flags & IRQ_EDGE)
            irq->flags &= ~IRQ_LATCH;
    }
    if (is_hardware)
        return list | IRQ_LIST_HW | (uint64_t)index << IRQ_LIST_HW_ID_SHIFT;
    if (is_sgi(index) && state->has_sgi_sources)
        list |= (uint64_t)irq->source << IRQ_LIST_SOURCE_SHIFT;
    if (!(irq->flags & IRQ_EDGE) || irq->sources)
        list |= IRQ_LIST_EOI;
    return list;
}

static void list_one(struct irq_state *state, struct irq_vcpu *vcpu, uint32_t index, uint32_t at)
{
    struct irq *irq = irq_at(state, vcpu, index);

    vcpu->lists[at] = make_list(state, vcpu, irq, index);
    vcpu->used_lists |= 1u << at;
    irq->taker = (uint8_t)vcpu->id;
    if (irq->flags & IRQ_ACTIVE)
        set_remove(&vcpu->active, index);
    irq->flags |= IRQ_LISTED;
    if (irq->flags & IRQ_CANDIDATE) {
        irq->flags &= ~IRQ_CANDIDATE;
        set_remove(&vcpu->candidates, index);
    }
}

void irq_vcpu_fill(struct irq_state *state, struct irq_vcpu *vcpu)
{
    uint32_t limit = state->freeze_count ? 0 : vcpu->list_count, count = 0;
    uint32_t keys[IRQ_LIST_MAX];

    __atomic_exchange_n(&vcpu->posted, 0, __ATOMIC_SEQ_CST);
    if (vcpu->active.used_words)
        count = choose(state, vcpu, &vcpu->active, keys,
                       limit && vcpu->candidates.used_words ? limit - 1 : limit);
    if (vcpu->candidates.used_words)
        count += choose(state, vcpu, &vcpu->candidates, keys + count, limit - count);
    for (uint32_t i = 0; i < count; i++)
        list_one(state, vcpu, key_index(keys[i]), i);
    vcpu->wants_underflow = limit && vcpu->candidates.used_words;
    vcpu->wants_not_present = vcpu->active.used_words;
}

bool irq_vcpu_has_deliverable(const struct irq_state *state, const struct irq_vcpu *vcpu,
                              uint8_t priority_mask, uint8_t enabled_groups)
{
    uint32_t index;

    SET_FOR_EACH(index, &vcpu->candidates)
    {
        const struct irq *irq = index < MX_GIC_PRIVATE_COUNT
                                    ? &vcpu->private[index]
                                    : &state->shared[index - MX_GIC_PRIVATE_COUNT];
        if (irq->priority < priority_mask && enabled_groups & group_bit(irq))
            return true;
    }
    return false;
}
