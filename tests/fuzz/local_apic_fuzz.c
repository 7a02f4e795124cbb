// A guest that writes anything to its local APICs, in any mode, with messages and timers in
// between.
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/x86_64/hypervisor/portable/local_apic.h"

#define CPUS 3

static struct local_apic apics[CPUS];
static struct apic_bus bus;
static mx_time_t now;

static mx_time_t fuzz_now(struct local_apic *apic)
{
    (void)apic;
    return now;
}
static uint64_t fuzz_tsc(struct local_apic *apic)
{
    (void)apic;
    return (uint64_t)now;
}
static mx_time_t fuzz_time_of_tsc(struct local_apic *apic, uint64_t tsc)
{
    (void)apic;
    return tsc > (uint64_t)MX_TIME_INFINITE ? MX_TIME_INFINITE : (mx_time_t)tsc;
}
static void fuzz_set_timer(struct local_apic *apic, mx_time_t deadline)
{
    (void)apic;
    (void)deadline;
}
static void fuzz_send(struct local_apic *apic, const struct apic_message *message,
                      const struct local_apic *except)
{
    (void)apic;
    apic_bus_send(&bus, message, except);
}
static void fuzz_notify(struct local_apic *apic)
{
    (void)apic;
}
static const struct local_apic_ops ops = {fuzz_now,       fuzz_tsc,  fuzz_time_of_tsc,
                                          fuzz_set_timer, fuzz_send, fuzz_notify};

struct step {
    uint8_t what, cpu;
    uint16_t where;
    uint64_t value;
} __attribute__((packed));

static void run(const struct step *step)
{
    struct local_apic *apic = &apics[step->cpu % CPUS];
    struct apic_message message;
    uint64_t value;
    uint8_t vector;
    int pending;

    switch (step->what % 9) {
    case 0:
        local_apic_write_msr(apic, MSR_X2APIC_BASE + (step->where & 0x1ff), step->value, &vector);
        break;
    case 1:
        local_apic_read_msr(apic, MSR_X2APIC_BASE + (step->where & 0x1ff), &value);
        break;
    case 2:
        local_apic_write_page(apic, step->where & 0xffc, (uint32_t)step->value, &vector);
        break;
    case 3:
        local_apic_read_page(apic, step->where & 0xffc);
        break;
    case 4:
        local_apic_write_base(apic, step->value, 40);
        break;
    case 5:
        local_apic_write_tsc_deadline(apic, step->value);
        break;
    case 6:
        if (apic_message_from_msi(0xfee00000 | step->where << 4, step->value & 0xffff, &message))
            apic_bus_send(&bus, &message, NULL);
        break;
    case 7:
        now += step->value & 0xffffffff;
        local_apic_post_timer(apic);
        break;
    default:
        local_apic_take_posted(apic);
        pending = local_apic_pending_vector(apic);
        if (pending >= 0 && pending < 16)
            abort(); // no such vector is ever taken
        if (pending >= 0)
            local_apic_accept_vector(apic, (uint8_t)pending);
        if (pending >= 0 && local_apic_pending_vector(apic) >> 4 == pending >> 4)
            abort(); // nothing of the same class interrupts it
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step step;

    now = 1;
    memset(&bus, 0, sizeof(bus));
    for (unsigned i = 0; i < CPUS; i++) {
        local_apic_init(&apics[i], i, &ops);
        bus.apics[i] = &apics[i];
    }
    for (; size >= sizeof(step); data += sizeof(step), size -= sizeof(step)) {
        memcpy(&step, data, sizeof(step));
        run(&step);
    }
    return 0;
}
