// See tiny_guest.h.

#include "tests/system/hypervisor/arm64/tiny_guest.h"

#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>
#include <machina_user/mutex.h>
#include <machina_user/startup.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"

#define RUN_TIMEOUT MX_SEC(5)
#define EXIT_KEY    1
#define WATCHED_MAX 8

// --- the watchdog: kicks vCPUs whose guests run too long
// --------------------------------------------

static struct {
    struct mutex mutex;
    struct thread *thread;
    struct watched {
        mx_handle_t vcpu;
        mx_time_t deadline;
    } entries[WATCHED_MAX];
} watchdog;

static void watch(void *argument)
{
    (void)argument;
    for (;;) {
        mx_nanosleep(deadline_after(MX_MSEC(100)));
        mx_time_t now = mx_clock_get_monotonic();
        mutex_lock(&watchdog.mutex);
        for (size_t i = 0; i < WATCHED_MAX; i++) {
            const struct watched *entry = &watchdog.entries[i];
            if (entry->vcpu != MX_HANDLE_INVALID && now > entry->deadline)
                (void)!mx_vcpu_kick(entry->vcpu);
        }
        mutex_unlock(&watchdog.mutex);
    }
}

static struct watched *watch_start(mx_handle_t vcpu)
{
    struct watched *entry = watchdog.entries;

    mutex_lock(&watchdog.mutex);
    if (watchdog.thread == NULL &&
        thread_create(&watchdog.thread, "watchdog", watch, NULL, 0) != MX_OK)
        printf("# no watchdog\n");
    while (entry->vcpu != MX_HANDLE_INVALID && entry < &watchdog.entries[WATCHED_MAX - 1])
        entry++;
    *entry = (struct watched){vcpu, deadline_after(RUN_TIMEOUT)};
    mutex_unlock(&watchdog.mutex);
    return entry;
}

mx_status_t tiny_guest_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet)
{
    struct watched *entry = watch_start(vcpu);
    mx_status_t status = mx_vcpu_enter(vcpu, packet);

    mutex_lock(&watchdog.mutex);
    entry->vcpu = MX_HANDLE_INVALID;
    mutex_unlock(&watchdog.mutex);
    return status;
}

// --- making
// -----------------------------------------------------------------------------------------

mx_status_t tiny_guest_trap(const struct tiny_guest *guest, uint32_t kind, uint64_t addr,
                            mx_handle_t port, uint64_t key)
{
    struct mx_trap trap = {
        .kind = kind, .port = port, .addr = addr, .size_bytes = 0x1000, .key = key};

    return mx_guest_set_trap(guest->guest, &trap);
}

void tiny_guest_load(struct tiny_guest *guest, uint64_t addr, const struct tiny_code *code)
{
    memcpy(guest->ram + addr, code->start, (size_t)(code->end - code->start));
}

static mx_status_t set_up_gic(struct tiny_guest *guest)
{
    mx_status_t status = mx_guest_gic_read(guest->guest, 0, MX_GIC_VERSION, 0, &guest->gic_version);

    if (status == MX_OK && guest->gic_version == 2)
        status = mx_guest_gic_place(guest->guest, GUEST_GICC);
    return status == MX_OK ? mx_guest_gic_write(guest->guest, 0, MX_GIC_CONTROL, 0, 3, 3) : status;
}

static mx_status_t create(struct tiny_guest *guest)
{
    mx_handle_t resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    uint64_t addr = 0;
    mx_status_t status = mx_guest_create(resource, own_job(), &guest->guest, &guest->aspace);

    if (status == MX_OK)
        status = mx_aspace_map(guest->aspace,
                               MX_MAP_READ | MX_MAP_WRITE | MX_MAP_EXECUTE | MX_MAP_SPECIFIC,
                               guest->memory, 0, GUEST_RAM_BYTES, &addr);
    if (status == MX_OK)
        status = tiny_guest_trap(guest, MX_TRAP_MEM, GUEST_EXIT, MX_HANDLE_INVALID, EXIT_KEY);
    return status == MX_OK ? set_up_gic(guest) : status;
}

mx_status_t tiny_guest_make_vcpu(const struct tiny_guest *guest, uint32_t id, uint32_t options,
                                 uint64_t addr, mx_handle_t *vcpu)
{
    struct mx_vcpu_state state;
    mx_status_t status = mx_vcpu_create(guest->guest, id, options, vcpu);

    if (status != MX_OK || options & MX_VCPU_CREATE_WAITING)
        return status;
    status = mx_vcpu_read_state(*vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    state.pc = addr;
    state.sp_el1 = GUEST_STACK - id * 0x1000;
    state.vbar_el1 = GUEST_VECTORS;
    state.cpacr_el1 = 3 << 20;
    state.x[20] = guest->gic_version;
    if (status == MX_OK)
        status = mx_vcpu_write_state(*vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    return status;
}

bool tiny_guest_start(struct tiny_guest *guest, const struct tiny_code *code)
{
    mx_status_t status;

    *guest = (struct tiny_guest){0};
    guest->ram = map_new(GUEST_RAM_BYTES, &guest->memory);
    status = guest->ram ? create(guest) : MX_ERR_NO_MEMORY;
    if (status == MX_OK) {
        tiny_guest_load(guest, GUEST_VECTORS, &code_vectors);
        tiny_guest_load(guest, GUEST_CODE, code);
        status = tiny_guest_make_vcpu(guest, 0, 0, GUEST_CODE, &guest->vcpu);
    }
    if (status == MX_OK)
        return true;
    printf("# no guest: %s\n", mx_status_string(status));
    tiny_guest_destroy(guest);
    return false;
}

void tiny_guest_destroy(struct tiny_guest *guest)
{
    if (guest->ram != NULL)
        unmap(guest->ram, GUEST_RAM_BYTES);
    close_handle(guest->vcpu);
    close_handle(guest->memory);
    close_handle(guest->aspace);
    close_handle(guest->guest);
    *guest = (struct tiny_guest){0};
}

// --- running
// ----------------------------------------------------------------------------------------

uint32_t tiny_guest_run(mx_handle_t vcpu)
{
    struct mx_vcpu_packet packet = {0};
    mx_status_t status = tiny_guest_enter(vcpu, &packet);

    if (status == MX_OK && packet.type == MX_VCPU_PACKET_MEM && packet.key == EXIT_KEY) {
        uint32_t value = (uint32_t)packet.mem.data;
        // The write is done with the next enter; a kick ends that at once.
        (void)!mx_vcpu_kick(vcpu);
        (void)!mx_vcpu_enter(vcpu, &packet);
        return value;
    }
    printf("# %s, packet %u, key %lu: %lx %lx %lx %s\n", mx_status_string(status), packet.type,
           packet.key, packet.words[0], packet.words[1], packet.words[2],
           packet.type == MX_VCPU_PACKET_SHUTDOWN ? packet.shutdown.text : "");
    return UINT32_MAX;
}

volatile uint64_t *tiny_guest_data(const struct tiny_guest *guest)
{
    return (volatile uint64_t *)(guest->ram + GUEST_DATA);
}

uint64_t tiny_guest_result(const struct tiny_guest *guest, unsigned offset)
{
    return *(volatile uint64_t *)(guest->ram + GUEST_RESULTS + offset);
}

uint32_t tiny_guest_irq(const struct tiny_guest *guest, unsigned index)
{
    return ((volatile uint32_t *)(guest->ram + GUEST_RESULTS + RESULT_IRQS))[index];
}

void tiny_guest_enable_irq(const struct tiny_guest *guest, uint32_t vcpu_id, uint32_t intid,
                           uint8_t priority, bool is_edge)
{
    uint32_t word = intid & ~31u, bit = 1u << intid % 32, shift = intid % 4 * 8;
    mx_handle_t g = guest->guest;

    if (mx_guest_gic_write(g, vcpu_id, MX_GIC_GROUP, word, bit,
                           guest->gic_version == 3 ? bit : 0) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_EDGE, word, is_edge ? bit : 0, bit) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_PRIORITY, intid & ~3u, (uint32_t)priority << shift,
                           0xffu << shift) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_ENABLE, word, bit, bit) != MX_OK)
        printf("# interrupt %u not enabled\n", intid);
}

// --- a second vCPU
// ----------------------------------------------------------------------------------

static void run_second(void *argument)
{
    struct tiny_second *second = argument;

    second->status = tiny_guest_make_vcpu(second->guest, second->id, second->options, GUEST_CODE_2,
                                          &second->vcpu);
    __atomic_store_n(&second->is_ready, 1, __ATOMIC_SEQ_CST);
    if (second->status == MX_OK)
        second->status = tiny_guest_enter(second->vcpu, &second->packet);
}

bool tiny_second_start(struct tiny_second *second, const struct tiny_guest *guest, uint32_t id,
                       uint32_t options)
{
    *second = (struct tiny_second){.guest = guest, .id = id, .options = options};
    if (thread_create(&second->thread, "vcpu", run_second, second, 0) != MX_OK)
        return false;
    while (!__atomic_load_n(&second->is_ready, __ATOMIC_SEQ_CST))
        mx_nanosleep(deadline_after(MX_MSEC(1)));
    return second->vcpu != MX_HANDLE_INVALID;
}

void tiny_second_finish(struct tiny_second *second, bool is_kicked)
{
    if (is_kicked && second->vcpu != MX_HANDLE_INVALID)
        (void)!mx_vcpu_kick(second->vcpu);
    thread_join(second->thread);
    close_handle(second->vcpu);
}
