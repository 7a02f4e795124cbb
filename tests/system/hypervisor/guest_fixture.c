// Making and running tiny guests; see guest_fixture.h.

#include "tests/system/hypervisor/guest_fixture.h"

#include <stdio.h>
#include <string.h>

#include <machina/syscalls.h>
#include <machina_user/mutex.h>
#include <machina_user/startup.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"

#define RUN_TIMEOUT MX_SEC(5)
#define WATCHED_MAX 8

// --- the watchdog: kicks vCPUs whose guests run too long
// ------------------------------------------

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

static void watch_stop(struct watched *entry)
{
    mutex_lock(&watchdog.mutex);
    entry->vcpu = MX_HANDLE_INVALID;
    mutex_unlock(&watchdog.mutex);
}

// --- making
// ---------------------------------------------------------------------------------------

bool guest_create(struct guest_fixture *fixture)
{
    mx_handle_t resource = startup_handle_look(MX_STARTUP_RESOURCE, MX_RESOURCE_HYPERVISOR);
    uint64_t addr = 0;

    *fixture = (struct guest_fixture){0};
    fixture->ram = map_new(GUEST_RAM_BYTES, &fixture->memory);
    mx_status_t status = mx_guest_create(resource, own_job(), &fixture->guest, &fixture->aspace);
    if (status == MX_OK)
        status = mx_aspace_map(fixture->aspace,
                               MX_MAP_READ | MX_MAP_WRITE | MX_MAP_EXECUTE | MX_MAP_SPECIFIC,
                               fixture->memory, 0, GUEST_RAM_BYTES, &addr);
    if (status == MX_OK)
        status = guest_setup_machine(fixture);
    if (status != MX_OK || fixture->ram == NULL) {
        printf("# no guest: %s\n", mx_status_string(status));
        guest_destroy(fixture);
        return false;
    }
    guest_setup_memory(fixture->ram);
    return true;
}

void guest_destroy(struct guest_fixture *fixture)
{
    if (fixture->ram != NULL)
        unmap(fixture->ram, GUEST_RAM_BYTES);
    close_handle(fixture->vcpu);
    close_handle(fixture->memory);
    close_handle(fixture->aspace);
    close_handle(fixture->guest);
    *fixture = (struct guest_fixture){0};
}

void guest_load(struct guest_fixture *fixture, uint64_t address, const struct guest_code *code)
{
    memcpy(fixture->ram + address, code->start, (size_t)(code->end - code->start));
}

mx_status_t guest_make_vcpu(const struct guest_fixture *fixture, uint32_t id, uint64_t address,
                            mx_handle_t *vcpu)
{
    struct mx_vcpu_state state;
    mx_status_t status = mx_vcpu_create(fixture->guest, id, 0, vcpu);

    if (status != MX_OK)
        return status;
    status = mx_vcpu_read_state(*vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    if (status == MX_OK) {
        guest_setup_state(fixture, &state, id, address);
        status = mx_vcpu_write_state(*vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    }
    if (status != MX_OK) {
        close_handle(*vcpu);
        *vcpu = MX_HANDLE_INVALID;
    }
    return status;
}

bool guest_start(struct guest_fixture *fixture, const struct guest_code *code)
{
    if (!guest_create(fixture))
        return false;
    guest_load(fixture, GUEST_CODE, code);
    mx_status_t status = guest_make_vcpu(fixture, 0, GUEST_CODE, &fixture->vcpu);
    if (status != MX_OK) {
        printf("# no vCPU: %s\n", mx_status_string(status));
        guest_destroy(fixture);
    }
    return status == MX_OK;
}

// --- running
// --------------------------------------------------------------------------------------

mx_status_t guest_enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet)
{
    struct watched *entry = watch_start(vcpu);
    mx_status_t status = mx_vcpu_enter(vcpu, packet);

    watch_stop(entry);
    return status;
}

static void print_packet(const struct mx_vcpu_packet *packet)
{
    printf("# packet %u, key %lu: %lx %lx %lx\n", packet->type, packet->key, packet->words[0],
           packet->words[1], packet->words[2]);
}

bool guest_run(mx_handle_t vcpu, uint32_t *value)
{
    struct mx_vcpu_packet packet = {0};
    mx_status_t status = guest_enter(vcpu, &packet);

    if (status != MX_OK) {
        printf("# mx_vcpu_enter: %s\n", mx_status_string(status));
        return false;
    }
    if (guest_is_exit(&packet, value))
        return true;
    print_packet(&packet);
    return false;
}

bool guest_finishes(const struct guest_fixture *fixture)
{
    uint32_t value = 0;

    if (!guest_run(fixture->vcpu, &value))
        return false;
    if (value != GUEST_DONE)
        printf("# the guest ended with 0x%x\n", value);
    return value == GUEST_DONE;
}

volatile uint64_t *guest_data(const struct guest_fixture *fixture)
{
    return (volatile uint64_t *)(fixture->ram + GUEST_DATA);
}
