// The local APIC state machine; see local_apic.h.
#include "kernel/arch/x86_64/hypervisor/portable/local_apic.h"

#include <stddef.h>

#include "kernel/arch/x86_64/regs/msr.h"

#define VECTOR_FIRST_LEGAL  16
#define LVT_WRITABLE        0x000107ffu // vector, delivery mode, mask
#define LVT_LINT_WRITABLE   0x0001a7ffu // and polarity, trigger mode
#define LVT_TIMER_WRITABLE  0x000700ffu
#define LVT_ERROR_WRITABLE  0x000100ffu
#define DESTINATION_ALL_8   0xffu
#define DESTINATION_ALL_32  0xffffffffu
#define TIMER_PERIOD_MIN_NS 10000 // shorter periods are taken for this

// --- vectors in a 256-bit set -------------------------------------------------------------------

static int vectors_highest(const uint64_t *set)
{
    for (int word = 3; word >= 0; word--)
        if (set[word])
            return word * 64 + 63 - __builtin_clzll(set[word]);
    return -1;
}

static bool vectors_are_none(const uint64_t *set)
{
    return (set[0] | set[1] | set[2] | set[3]) == 0;
}

static uint64_t vector_bit(unsigned vector)
{
    return (uint64_t)1 << (vector & 63);
}

static void vector_set(uint64_t *set, unsigned vector)
{
    set[vector >> 6] |= vector_bit(vector);
}

static void vector_clear(uint64_t *set, unsigned vector)
{
    set[vector >> 6] &= ~vector_bit(vector);
}

static uint32_t vectors_word(const uint64_t *set, unsigned index)
{
    return set[index >> 1] >> (index & 1 ? 32 : 0);
}

static uint32_t processor_priority(const struct local_apic *apic)
{
    int in_service = vectors_highest(apic->isr);
    uint32_t service_class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;

    return (apic->tpr & 0xf0) >= service_class ? apic->tpr : service_class;
}

// --- start --------------------------------------------------------------------------------------

void local_apic_init(struct local_apic *apic, uint32_t id, const struct local_apic_ops *ops)
{
    *apic = (struct local_apic){.id = id, .ops = ops};
    local_apic_reset(apic, true);
}

void local_apic_reset(struct local_apic *apic, bool is_power_on)
{
    if (is_power_on)
        apic->base = LOCAL_APIC_PAGE_DEFAULT | APIC_BASE_ENABLE | (apic->id ? 0 : APIC_BASE_BSP);
    for (unsigned i = 0; i < 4; i++)
        apic->irr[i] = apic->isr[i] = 0;
    apic->tpr = apic->esr = apic->esr_pending = 0;
    apic->icr_low = apic->icr_high = 0;
    apic->svr = 0xff;
    apic->dfr = DESTINATION_ALL_32;
    apic->ldr = 0;
    if (local_apic_is_x2apic(apic))
        apic->ldr = apic->id >> 4 << 16 | 1u << (apic->id & 0xf);
    apic->lvt_timer = apic->lvt_thermal = apic->lvt_performance = LOCAL_APIC_LVT_MASKED;
    apic->lvt_lint0 = apic->lvt_lint1 = apic->lvt_error = LOCAL_APIC_LVT_MASKED;
    apic->timer_initial = apic->timer_divide = 0;
    apic->timer_deadline = MX_TIME_INFINITE;
    apic->tsc_deadline = 0;
    apic->ops->set_timer(apic, MX_TIME_INFINITE);
}

// --- mailbox ------------------------------------------------------------------------------------

static void post(struct local_apic *apic, uint32_t bits)
{
    // Release pairs with the exchange in local_apic_take_posted: what was left before is seen
    // there.
    uint32_t before = __atomic_fetch_or(&apic->posted, bits, __ATOMIC_SEQ_CST);

    // Who set the bits first tells the owner; a guest that sends without end interrupts nobody
    // else's CPU without end.
    if ((before & bits) != bits)
        apic->ops->notify(apic);
}

static void set_trigger_mode(struct local_apic *apic, uint8_t vector, bool is_level)
{
    uint64_t *word = &apic->tmr[vector >> 6];

    if (is_level)
        __atomic_fetch_or(word, vector_bit(vector), __ATOMIC_RELAXED);
    else if (__atomic_load_n(word, __ATOMIC_RELAXED) & vector_bit(vector))
        __atomic_fetch_and(word, ~vector_bit(vector), __ATOMIC_RELAXED);
}

void local_apic_post_vector(struct local_apic *apic, uint8_t vector, bool is_level)
{
    if (vector < VECTOR_FIRST_LEGAL)
        return;
    set_trigger_mode(apic, vector, is_level);
    __atomic_fetch_or(&apic->posted_irr[vector >> 6], vector_bit(vector), __ATOMIC_RELEASE);
    post(apic, APIC_POSTED_IRR);
}

void local_apic_post_nmi(struct local_apic *apic)
{
    post(apic, APIC_POSTED_NMI);
}

void local_apic_post_timer(struct local_apic *apic)
{
    post(apic, APIC_POSTED_TIMER);
}

void local_apic_post_extint(struct local_apic *apic, bool is_raised)
{
    __atomic_store_n(&apic->extint_level, is_raised, __ATOMIC_RELEASE);
    post(apic, APIC_POSTED_EXTINT);
}

static bool accepts_interrupts(const struct local_apic *apic)
{
    return local_apic_is_enabled(apic) &&
           __atomic_load_n(&apic->svr, __ATOMIC_RELAXED) & LOCAL_APIC_SVR_ENABLE;
}

static void deliver(struct local_apic *apic, const struct apic_message *message)
{
    switch (message->delivery) {
    case LOCAL_APIC_DELIVERY_FIXED:
    case LOCAL_APIC_DELIVERY_LOWEST:
        if (accepts_interrupts(apic))
            local_apic_post_vector(apic, message->vector, message->is_level);
        return;
    case LOCAL_APIC_DELIVERY_NMI:
        post(apic, APIC_POSTED_NMI);
        return;
    case LOCAL_APIC_DELIVERY_INIT:
        // A start-up request from before the INIT is void.
        __atomic_fetch_and(&apic->posted, ~APIC_POSTED_STARTUP, __ATOMIC_RELAXED);
        post(apic, APIC_POSTED_INIT);
        return;
    case LOCAL_APIC_DELIVERY_STARTUP:
        __atomic_store_n(&apic->posted_startup_vector, message->vector, __ATOMIC_RELAXED);
        post(apic, APIC_POSTED_STARTUP);
        return;
    case LOCAL_APIC_DELIVERY_EXTINT:
    case LOCAL_APIC_DELIVERY_SMI:
        return; // nobody sends these to an APIC; there is no system management mode
    }
}

static bool matches_logical(const struct local_apic *apic, const struct apic_message *message)
{
    uint32_t ldr = __atomic_load_n(&apic->ldr, __ATOMIC_RELAXED);
    uint32_t destination = message->destination;

    if (local_apic_is_x2apic(apic))
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff);
    if (destination > DESTINATION_ALL_8)
        return false;
    ldr >>= 24;
    if (__atomic_load_n(&apic->dfr, __ATOMIC_RELAXED) >> 28 == 0xf)
        return ldr & destination;
    return destination >> 4 == ldr >> 4 && (destination & ldr & 0xf);
}

static bool message_is_broadcast(const struct apic_message *message)
{
    return message->destination == (message->is_x2apic ? DESTINATION_ALL_32 : DESTINATION_ALL_8);
}

static bool matches(const struct local_apic *apic, const struct apic_message *message)
{
    if (message_is_broadcast(message))
        return true;
    return message->is_logical ? matches_logical(apic, message) : apic->id == message->destination;
}

static void send_lowest(struct apic_bus *bus, const struct apic_message *message,
                        const struct local_apic *except)
{
    for (uint32_t i = 0; i < APIC_BUS_MAX; i++) {
        uint32_t index = (bus->next_lowest + i) % APIC_BUS_MAX;
        struct local_apic *apic = bus->apics[index];

        if (!apic || apic == except || !matches(apic, message) || !accepts_interrupts(apic))
            continue;
        bus->next_lowest = index + 1;
        deliver(apic, message);
        return;
    }
}

void apic_bus_send(struct apic_bus *bus, const struct apic_message *message,
                   const struct local_apic *except)
{
    // An APIC's id is its place on the bus, so one physical target needs no search.
    if (!message->is_logical && !message_is_broadcast(message)) {
        struct local_apic *apic =
            message->destination < APIC_BUS_MAX ? bus->apics[message->destination] : NULL;

        if (apic && apic != except)
            deliver(apic, message);
        return;
    }
    if (message->delivery == LOCAL_APIC_DELIVERY_LOWEST) {
        send_lowest(bus, message, except);
        return;
    }
    for (unsigned i = 0; i < APIC_BUS_MAX; i++)
        if (bus->apics[i] && bus->apics[i] != except && matches(bus->apics[i], message))
            deliver(bus->apics[i], message);
}

bool apic_message_from_msi(uint64_t addr, uint64_t data, struct apic_message *out)
{
    uint32_t delivery = data >> 8 & 7;

    if (addr >> 20 != LOCAL_APIC_PAGE_DEFAULT >> 20 || data >> 32)
        return false;
    if (delivery == 3)
        return false; // reserved
    *out = (struct apic_message){
        // APM and Intel SDM "Message Address Register Format"; bits 11:5 as bits 14:8 of the
        // destination are the
        // extension that KVM_FEATURE_MSI_EXT_DEST_ID announces.
        .destination = (addr >> 12 & 0xff) | (addr >> 5 & 0x7f) << 8,
        .is_logical = addr & 4,
        .is_level = data >> 15 & 1,
        .vector = data & 0xff,
        .delivery = (enum local_apic_delivery)delivery,
    };
    return true;
}

// --- requests -----------------------------------------------------------------------------------

void local_apic_raise(struct local_apic *apic, uint8_t vector)
{
    if (vector < VECTOR_FIRST_LEGAL) {
        apic->esr_pending |= LOCAL_APIC_ESR_RECEIVE_ILLEGAL;
        return;
    }
    set_trigger_mode(apic, vector, false);
    vector_set(apic->irr, vector);
}

static void raise_local_vector(struct local_apic *apic, uint32_t lvt)
{
    if (!(lvt & LOCAL_APIC_LVT_MASKED) && accepts_interrupts(apic))
        local_apic_raise(apic, lvt & LOCAL_APIC_LVT_VECTOR);
}

static uint32_t timer_mode(const struct local_apic *apic)
{
    return apic->lvt_timer & LOCAL_APIC_LVT_TIMER_MODE_MASK;
}

static mx_time_t timer_period(const struct local_apic *apic)
{
    unsigned shift = ((apic->timer_divide & 3) | (apic->timer_divide >> 1 & 4)) + 1;

    return (mx_time_t)apic->timer_initial << (shift & 7);
}

static void timer_deadline_check(struct local_apic *apic)
{
    if (!apic->tsc_deadline)
        return;
    if (apic->ops->guest_tsc(apic) < apic->tsc_deadline) {
        apic->ops->set_timer(apic, apic->ops->time_of_tsc(apic, apic->tsc_deadline));
        return;
    }
    apic->tsc_deadline = 0;
    raise_local_vector(apic, apic->lvt_timer);
}

static void timer_count_check(struct local_apic *apic)
{
    mx_time_t now = apic->ops->now(apic);
    mx_time_t period = timer_period(apic);

    if (apic->timer_deadline == MX_TIME_INFINITE)
        return;
    if (now < apic->timer_deadline) {
        apic->ops->set_timer(apic, apic->timer_deadline);
        return;
    }
    raise_local_vector(apic, apic->lvt_timer);
    if (timer_mode(apic) != LOCAL_APIC_LVT_TIMER_PERIODIC) {
        apic->timer_deadline = MX_TIME_INFINITE;
        return;
    }
    if (period < TIMER_PERIOD_MIN_NS)
        period = TIMER_PERIOD_MIN_NS;
    // Periods that nobody saw are skipped, not made up for.
    apic->timer_start = apic->timer_deadline + (now - apic->timer_deadline) / period * period;
    apic->timer_deadline = apic->timer_start + period;
    apic->ops->set_timer(apic, apic->timer_deadline);
}

static void timer_check(struct local_apic *apic)
{
    if (timer_mode(apic) == LOCAL_APIC_LVT_TIMER_DEADLINE)
        timer_deadline_check(apic);
    else
        timer_count_check(apic);
}

uint32_t local_apic_take_posted(struct local_apic *apic)
{
    // Acquire pairs with post().
    uint32_t posted = __atomic_exchange_n(&apic->posted, 0, __ATOMIC_SEQ_CST);

    if (posted & APIC_POSTED_IRR)
        for (unsigned i = 0; i < 4; i++)
            if (__atomic_load_n(&apic->posted_irr[i], __ATOMIC_RELAXED))
                apic->irr[i] |= __atomic_exchange_n(&apic->posted_irr[i], 0, __ATOMIC_ACQUIRE);
    if (posted & APIC_POSTED_TIMER)
        timer_check(apic);
    return posted & (APIC_POSTED_NMI | APIC_POSTED_INIT | APIC_POSTED_STARTUP);
}

int local_apic_pending_vector(const struct local_apic *apic)
{
    int requested = vectors_highest(apic->irr);

    if (vectors_are_none(apic->isr) || requested >> 4 > vectors_highest(apic->isr) >> 4)
        return requested;
    return -1;
}

void local_apic_accept_vector(struct local_apic *apic, uint8_t vector)
{
    vector_clear(apic->irr, vector);
    vector_set(apic->isr, vector);
}

static bool vectors_are_only(const uint64_t *set, unsigned vector)
{
    unsigned word = vector >> 6;

    return set[word] == vector_bit(vector) &&
           (set[(word + 1) & 3] | set[(word + 2) & 3] | set[(word + 3) & 3]) == 0;
}

bool local_apic_has_lone_interrupt(const struct local_apic *apic, int offered)
{
    bool is_offered = offered >= 0;
    int vector = is_offered ? offered : vectors_highest(apic->isr);

    return vector >= 0 && vectors_are_none(is_offered ? apic->isr : apic->irr) &&
           vectors_are_only(is_offered ? apic->irr : apic->isr, (unsigned)vector) &&
           !(__atomic_load_n(&apic->tmr[vector >> 6], __ATOMIC_RELAXED) &
             vector_bit((unsigned)vector));
}

void local_apic_end_lone_interrupt(struct local_apic *apic)
{
    int vector = vectors_highest(apic->isr);

    if (vector >= 0)
        vector_clear(apic->isr, (unsigned)vector);
}

bool local_apic_has_extint(const struct local_apic *apic)
{
    if (!__atomic_load_n(&apic->extint_level, __ATOMIC_ACQUIRE))
        return false;
    if (!accepts_interrupts(apic))
        return true; // the pin goes straight to the CPU, as before an operating system takes over
    return !(apic->lvt_lint0 & LOCAL_APIC_LVT_MASKED) &&
           (apic->lvt_lint0 & LOCAL_APIC_LVT_DELIVERY_MASK) == LOCAL_APIC_LVT_DELIVERY_EXTINT;
}

// --- writes -------------------------------------------------------------------------------------

static enum local_apic_result end_of_interrupt(struct local_apic *apic, uint8_t *eoi_vector)
{
    int vector = vectors_highest(apic->isr);

    if (vector < 0)
        return LOCAL_APIC_OK;
    vector_clear(apic->isr, (unsigned)vector);
    if (!(__atomic_load_n(&apic->tmr[vector >> 6], __ATOMIC_RELAXED) &
          vector_bit((unsigned)vector)) ||
        apic->svr & LOCAL_APIC_SVR_SUPPRESS_EOI)
        return LOCAL_APIC_OK;
    *eoi_vector = (uint8_t)vector;
    return LOCAL_APIC_EOI_BROADCAST;
}

static void signal_error(struct local_apic *apic, uint32_t error)
{
    apic->esr_pending |= error;
    raise_local_vector(apic, apic->lvt_error);
}

static void send_to_bus(struct local_apic *apic, struct apic_message *message, unsigned shorthand)
{
    const struct local_apic *except = shorthand == LOCAL_APIC_SHORTHAND_OTHERS ? apic : NULL;

    if (shorthand == LOCAL_APIC_SHORTHAND_ALL || shorthand == LOCAL_APIC_SHORTHAND_OTHERS) {
        message->is_logical = false;
        message->destination = message->is_x2apic ? DESTINATION_ALL_32 : DESTINATION_ALL_8;
    }
    apic->ops->send(apic, message, except);
}

static void send_ipi(struct local_apic *apic)
{
    uint32_t low = apic->icr_low;
    unsigned shorthand = low >> LOCAL_APIC_ICR_SHORTHAND_SHIFT & 3;
    bool is_x2apic = local_apic_is_x2apic(apic);
    struct apic_message message = {
        .destination = is_x2apic ? apic->icr_high : apic->icr_high >> 24,
        .is_logical = low & LOCAL_APIC_ICR_LOGICAL,
        .is_x2apic = is_x2apic,
        .vector = low & LOCAL_APIC_ICR_VECTOR,
        .delivery = (enum local_apic_delivery)(low >> LOCAL_APIC_ICR_DELIVERY_SHIFT & 7),
    };
    bool is_vectored = message.delivery == LOCAL_APIC_DELIVERY_FIXED ||
                       message.delivery == LOCAL_APIC_DELIVERY_LOWEST;
    bool is_to_self = shorthand == LOCAL_APIC_SHORTHAND_SELF ||
                      (shorthand == LOCAL_APIC_SHORTHAND_NONE && !message.is_logical &&
                       message.destination == apic->id);

    if (is_vectored && message.vector < VECTOR_FIRST_LEGAL) {
        signal_error(apic, LOCAL_APIC_ESR_SEND_ILLEGAL);
    } else if (is_to_self && is_vectored) {
        if (accepts_interrupts(apic))
            local_apic_raise(apic, message.vector);
    } else if (message.delivery == LOCAL_APIC_DELIVERY_INIT && low & LOCAL_APIC_ICR_LEVEL &&
               !(low & LOCAL_APIC_ICR_ASSERT)) {
        // INIT level de-assert only synchronises arbitration ids.
    } else if (shorthand == LOCAL_APIC_SHORTHAND_SELF) {
        if (message.delivery == LOCAL_APIC_DELIVERY_NMI)
            local_apic_post_nmi(apic);
    } else {
        send_to_bus(apic, &message, shorthand);
    }
}

static void write_svr(struct local_apic *apic, uint32_t value)
{
    __atomic_store_n(&apic->svr, value & LOCAL_APIC_SVR_WRITABLE, __ATOMIC_RELAXED);
    if (value & LOCAL_APIC_SVR_ENABLE)
        return;
    apic->lvt_timer |= LOCAL_APIC_LVT_MASKED;
    apic->lvt_thermal |= LOCAL_APIC_LVT_MASKED;
    apic->lvt_performance |= LOCAL_APIC_LVT_MASKED;
    apic->lvt_lint0 |= LOCAL_APIC_LVT_MASKED;
    apic->lvt_lint1 |= LOCAL_APIC_LVT_MASKED;
    apic->lvt_error |= LOCAL_APIC_LVT_MASKED;
}

static uint32_t lvt_value(const struct local_apic *apic, uint32_t value, uint32_t writable)
{
    value &= writable;
    return apic->svr & LOCAL_APIC_SVR_ENABLE ? value : value | LOCAL_APIC_LVT_MASKED;
}

static void write_lvt_timer(struct local_apic *apic, uint32_t value)
{
    uint32_t old_mode = timer_mode(apic);
    bool was_deadline = old_mode == LOCAL_APIC_LVT_TIMER_DEADLINE;

    apic->lvt_timer = lvt_value(apic, value, LVT_TIMER_WRITABLE);
    if (was_deadline == (timer_mode(apic) == LOCAL_APIC_LVT_TIMER_DEADLINE))
        return;
    // Changing between the count and the deadline disarms both.
    apic->timer_initial = 0;
    apic->timer_deadline = MX_TIME_INFINITE;
    apic->tsc_deadline = 0;
    apic->ops->set_timer(apic, MX_TIME_INFINITE);
}

static void write_timer_initial(struct local_apic *apic, uint32_t value)
{
    if (timer_mode(apic) == LOCAL_APIC_LVT_TIMER_DEADLINE)
        return;
    apic->timer_initial = value;
    apic->timer_deadline = MX_TIME_INFINITE;
    if (value) {
        apic->timer_start = apic->ops->now(apic);
        apic->timer_deadline = apic->timer_start + timer_period(apic);
    }
    apic->ops->set_timer(apic, apic->timer_deadline);
}

static uint32_t timer_current(struct local_apic *apic)
{
    mx_time_t left;
    unsigned shift = ((apic->timer_divide & 3) | (apic->timer_divide >> 1 & 4)) + 1;

    if (apic->timer_deadline == MX_TIME_INFINITE)
        return 0;
    left = apic->timer_deadline - apic->ops->now(apic);
    return left > 0 ? (uint32_t)(left >> (shift & 7)) : 0;
}

void local_apic_write_tsc_deadline(struct local_apic *apic, uint64_t value)
{
    bool was_armed = apic->tsc_deadline != 0;

    if (timer_mode(apic) != LOCAL_APIC_LVT_TIMER_DEADLINE)
        return;
    apic->tsc_deadline = value;
    if (value && apic->ops->guest_tsc(apic) < value)
        apic->ops->set_timer(apic, apic->ops->time_of_tsc(apic, value));
    else if (was_armed)
        apic->ops->set_timer(apic, MX_TIME_INFINITE);
    if (value && apic->ops->guest_tsc(apic) >= value)
        timer_deadline_check(apic);
}

uint64_t local_apic_read_tsc_deadline(const struct local_apic *apic)
{
    return timer_mode(apic) == LOCAL_APIC_LVT_TIMER_DEADLINE ? apic->tsc_deadline : 0;
}

bool local_apic_write_base(struct local_apic *apic, uint64_t value, uint32_t physical_address_bits)
{
    uint64_t reserved = ~(APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE |
                          (((uint64_t)1 << physical_address_bits) - 4096));
    bool enabled = value & APIC_BASE_ENABLE, x2apic = value & APIC_BASE_X2APIC;

    if (value & reserved || (x2apic && !enabled))
        return false;
    // Intel SDM "x2APIC State Transitions": x2APIC can only be left through disabled, and not
    // entered from it.
    if (local_apic_is_x2apic(apic) && enabled && !x2apic)
        return false;
    if (!local_apic_is_enabled(apic) && x2apic)
        return false;
    if (!enabled && local_apic_is_enabled(apic)) {
        apic->base = value;
        local_apic_reset(apic, false);
    }
    __atomic_store_n(&apic->base, value, __ATOMIC_RELAXED);
    if (x2apic)
        __atomic_store_n(&apic->ldr, apic->id >> 4 << 16 | 1u << (apic->id & 0xf),
                         __ATOMIC_RELAXED);
    return true;
}

// --- registers ----------------------------------------------------------------------------------

static uint32_t tmr_word(const struct local_apic *apic, unsigned index)
{
    return __atomic_load_n(&apic->tmr[index >> 1], __ATOMIC_RELAXED) >> (index & 1 ? 32 : 0);
}

// The address of a register that is read and written plainly, or NULL.
static uint32_t *lvt_register(struct local_apic *apic, uint32_t offset, uint32_t *writable)
{
    *writable = LVT_WRITABLE;
    switch (offset) {
    case LOCAL_APIC_LVT_THERMAL:
        return &apic->lvt_thermal;
    case LOCAL_APIC_LVT_PERFORMANCE:
        return &apic->lvt_performance;
    case LOCAL_APIC_LVT_LINT0:
        *writable = LVT_LINT_WRITABLE;
        return &apic->lvt_lint0;
    case LOCAL_APIC_LVT_LINT1:
        *writable = LVT_LINT_WRITABLE;
        return &apic->lvt_lint1;
    case LOCAL_APIC_LVT_ERROR:
        *writable = LVT_ERROR_WRITABLE;
        return &apic->lvt_error;
    default:
        return NULL;
    }
}

// Registers that both modes have. False: there is none at the offset.
static bool read_register(struct local_apic *apic, uint32_t offset, uint32_t *value)
{
    uint32_t writable;
    uint32_t *lvt = lvt_register(apic, offset, &writable);

    if (lvt) {
        *value = *lvt;
        return true;
    }
    if (offset >= LOCAL_APIC_ISR && offset < LOCAL_APIC_TMR)
        *value = vectors_word(apic->isr, (offset - LOCAL_APIC_ISR) >> 4);
    else if (offset >= LOCAL_APIC_TMR && offset < LOCAL_APIC_IRR)
        *value = tmr_word(apic, (offset - LOCAL_APIC_TMR) >> 4);
    else if (offset >= LOCAL_APIC_IRR && offset < LOCAL_APIC_ESR)
        *value = vectors_word(apic->irr, (offset - LOCAL_APIC_IRR) >> 4);
    else if (offset == LOCAL_APIC_VERSION)
        *value = LOCAL_APIC_VERSION_VALUE;
    else if (offset == LOCAL_APIC_TPR)
        *value = apic->tpr;
    else if (offset == LOCAL_APIC_PPR)
        *value = processor_priority(apic);
    else if (offset == LOCAL_APIC_LDR)
        *value = apic->ldr;
    else if (offset == LOCAL_APIC_SVR)
        *value = apic->svr;
    else if (offset == LOCAL_APIC_ESR)
        *value = apic->esr;
    else if (offset == LOCAL_APIC_LVT_TIMER)
        *value = apic->lvt_timer;
    else if (offset == LOCAL_APIC_TIMER_INITIAL)
        *value = apic->timer_initial;
    else if (offset == LOCAL_APIC_TIMER_CURRENT)
        *value = timer_current(apic);
    else if (offset == LOCAL_APIC_TIMER_DIVIDE)
        *value = apic->timer_divide;
    else
        return false;
    return true;
}

// LOCAL_APIC_FAULT: no such register, or it is read-only.
static enum local_apic_result write_register(struct local_apic *apic, uint32_t offset,
                                             uint32_t value, uint8_t *eoi_vector)
{
    uint32_t writable;
    uint32_t *lvt;

    switch (offset) {
    case LOCAL_APIC_EOI:
        return end_of_interrupt(apic, eoi_vector);
    case LOCAL_APIC_TPR:
        apic->tpr = value & 0xff;
        return LOCAL_APIC_OK;
    case LOCAL_APIC_SVR:
        write_svr(apic, value);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_ESR:
        apic->esr = apic->esr_pending;
        apic->esr_pending = 0;
        return LOCAL_APIC_OK;
    case LOCAL_APIC_LVT_TIMER:
        write_lvt_timer(apic, value);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_TIMER_INITIAL:
        write_timer_initial(apic, value);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_TIMER_DIVIDE:
        apic->timer_divide = value & 0xb;
        return LOCAL_APIC_OK;
    default:
        lvt = lvt_register(apic, offset, &writable);
        if (!lvt)
            return LOCAL_APIC_FAULT;
        *lvt = lvt_value(apic, value, writable);
        return LOCAL_APIC_OK;
    }
}

bool local_apic_read_msr(struct local_apic *apic, uint32_t msr, uint64_t *value)
{
    uint32_t offset = (msr - MSR_X2APIC_BASE) << 4;
    uint32_t word;

    if (!local_apic_is_x2apic(apic) || msr < MSR_X2APIC_BASE || offset > LOCAL_APIC_SELF_IPI)
        return false;
    if (offset == LOCAL_APIC_ICR_LOW) {
        *value = (uint64_t)apic->icr_high << 32 | apic->icr_low;
        return true;
    }
    if (offset == LOCAL_APIC_ID) {
        *value = apic->id;
        return true;
    }
    if (!read_register(apic, offset, &word))
        return false;
    *value = word;
    return true;
}

// What may be set in each register in x2APIC mode, where reserved bits fault.
static bool x2apic_value_is_legal(uint32_t offset, uint64_t value)
{
    uint32_t writable;
    struct local_apic none;

    switch (offset) {
    case LOCAL_APIC_EOI:
    case LOCAL_APIC_ESR:
        return value == 0;
    case LOCAL_APIC_TPR:
        return value <= 0xff;
    case LOCAL_APIC_SVR:
        return !(value & ~(uint64_t)LOCAL_APIC_SVR_WRITABLE);
    case LOCAL_APIC_LVT_TIMER:
        // The status bit is read-only, not reserved.
        return !(value & ~(uint64_t)(LVT_TIMER_WRITABLE | LOCAL_APIC_ICR_BUSY));
    case LOCAL_APIC_TIMER_DIVIDE:
        return !(value & ~(uint64_t)0xb);
    case LOCAL_APIC_TIMER_INITIAL:
        return value <= UINT32_MAX;
    default:
        return lvt_register(&none, offset, &writable) &&
               !(value & ~(uint64_t)(LVT_LINT_WRITABLE | 0x5000));
    }
}

static enum local_apic_result write_x2apic_icr(struct local_apic *apic, uint64_t value)
{
    apic->icr_low = (uint32_t)value & ~LOCAL_APIC_ICR_BUSY;
    apic->icr_high = value >> 32;
    send_ipi(apic);
    return LOCAL_APIC_OK;
}

enum local_apic_result local_apic_write_msr(struct local_apic *apic, uint32_t msr, uint64_t value,
                                            uint8_t *eoi_vector)
{
    uint32_t offset = (msr - MSR_X2APIC_BASE) << 4;

    if (!local_apic_is_x2apic(apic) || msr < MSR_X2APIC_BASE || offset > LOCAL_APIC_SELF_IPI)
        return LOCAL_APIC_FAULT;
    if (offset == LOCAL_APIC_EOI && value == 0)
        return end_of_interrupt(apic, eoi_vector);
    if (offset == LOCAL_APIC_ICR_LOW)
        return write_x2apic_icr(apic, value);
    if (offset == LOCAL_APIC_SELF_IPI) {
        if (value > 0xff)
            return LOCAL_APIC_FAULT;
        if (value < VECTOR_FIRST_LEGAL)
            signal_error(apic, LOCAL_APIC_ESR_SEND_ILLEGAL);
        else if (accepts_interrupts(apic))
            local_apic_raise(apic, (uint8_t)value);
        return LOCAL_APIC_OK;
    }
    if (!x2apic_value_is_legal(offset, value))
        return LOCAL_APIC_FAULT;
    return write_register(apic, offset, (uint32_t)value, eoi_vector);
}

uint32_t local_apic_read_page(struct local_apic *apic, uint32_t offset)
{
    uint32_t value;

    switch (offset) {
    case LOCAL_APIC_ID:
        return apic->id << 24;
    case LOCAL_APIC_DFR:
        return apic->dfr;
    case LOCAL_APIC_ICR_LOW:
        return apic->icr_low;
    case LOCAL_APIC_ICR_HIGH:
        return apic->icr_high;
    default:
        return read_register(apic, offset, &value) ? value : 0;
    }
}

enum local_apic_result local_apic_write_page(struct local_apic *apic, uint32_t offset,
                                             uint32_t value, uint8_t *eoi_vector)
{
    enum local_apic_result result;

    switch (offset) {
    case LOCAL_APIC_ID:
        return LOCAL_APIC_OK; // read-only, as on CPUs that have the x2APIC
    case LOCAL_APIC_LDR:
        __atomic_store_n(&apic->ldr, value & 0xff000000, __ATOMIC_RELAXED);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_DFR:
        __atomic_store_n(&apic->dfr, value | 0x0fffffff, __ATOMIC_RELAXED);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_ICR_LOW:
        apic->icr_low = value & ~LOCAL_APIC_ICR_BUSY;
        send_ipi(apic);
        return LOCAL_APIC_OK;
    case LOCAL_APIC_ICR_HIGH:
        apic->icr_high = value & 0xff000000;
        return LOCAL_APIC_OK;
    default:
        result = write_register(apic, offset, value, eoi_vector);
        if (result != LOCAL_APIC_FAULT)
            return result;
        signal_error(apic, LOCAL_APIC_ESR_REGISTER);
        return LOCAL_APIC_OK;
    }
}
