// Rows with a tiny guest, which takes the time stamps itself; see tests/bench/rows.h.

#include <stdio.h>
#include <string.h>

#include <bench_arch.h>

#include <machina/syscalls.h>

#include "tests/bench/arm64/bench_layout.h"
#include "tests/bench/arm64/bench_vmm.h"
#include "tests/bench/device_process.h"
#include "tests/bench/rows.h"
#include "tests/bench/samples.h"
#include "tests/system/child.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"

GUEST(bench_vectors)
GUEST(bench_nothing)
GUEST(bench_hypercall)
GUEST(bench_memory_read)
GUEST(bench_distributor_read)
GUEST(bench_distributor_write)
GUEST(bench_memory_bell)
GUEST(bench_self_sgi)
GUEST(bench_eoi)
GUEST(bench_eoi_nothing)
GUEST(bench_timer_busy)
GUEST(bench_timer_idle)
GUEST(bench_sgi)
GUEST(bench_sgi_answer)
GUEST(bench_device)

_Static_assert(BENCH_ROUNDS == SAMPLES_WARM_UP + SAMPLES_MAX, "as assembly says it");

#define SGI      5
#define PRIORITY 0xa0
#define TIMER    27

static struct guest_fixture guest;

static bool is_exit(const struct mx_vcpu_packet *packet, uint64_t value)
{
    return packet->type == MX_VCPU_PACKET_MEM && packet->mem.addr == GUEST_EXIT &&
           packet->mem.data == value;
}

// The VMM's loop: goes on from `packet`, and answers every access until the guest writes to
// GUEST_EXIT, which is in `packet` then. False: something else ended it.
static bool serve(struct mx_vcpu_packet *packet)
{
    for (;;) {
        if (mx_vcpu_enter(guest.vcpu, packet) != MX_OK || packet->type != MX_VCPU_PACKET_MEM)
            return false;
        if (packet->mem.addr == GUEST_EXIT)
            return true;
        bench_vmm_answer(packet, 0);
    }
}

static bool serve_to_end(struct mx_vcpu_packet *packet)
{
    return serve(packet) && is_exit(packet, GUEST_DONE);
}

static void copy_rounds(uint64_t *values)
{
    for (size_t i = 0; i < SAMPLES_MAX; i++)
        values[i] = guest_data(&guest)[SAMPLES_WARM_UP + i] * BENCH_INSTRUCTIONS_PER_TICK;
}

// With the vectors, the interrupts and the devices that there are for every row.
static bool start(const struct guest_code *code)
{
    if (!guest_start(&guest, code))
        return false;
    guest_load(&guest, GUEST_VECTORS, &code_bench_vectors);
    guest_enable_irq(&guest, 0, SGI, PRIORITY, true);
    guest_enable_irq(&guest, 0, TIMER, PRIORITY, false);
    guest_enable_irq(&guest, 0, BENCH_SPI, PRIORITY, true);
    if (bench_vmm_start(&guest) == MX_OK)
        return true;
    guest_destroy(&guest);
    return false;
}

static bool run(const struct guest_code *code, uint64_t *values)
{
    struct mx_vcpu_packet packet = {0};
    mx_handle_t port = MX_HANDLE_INVALID;
    bool is_done;

    if (!start(code))
        return false;
    is_done = mx_port_create(&port) == MX_OK &&
              guest_trap(&guest, MX_TRAP_BELL, GUEST_BELL, port, 0) == MX_OK &&
              serve_to_end(&packet);
    if (is_done)
        copy_rounds(values);
    guest_destroy(&guest);
    close_handle(port);
    return is_done;
}

// Repetitions of `code` less those of `code_nothing`.
static void measure_beside(const char *name, const struct guest_code *code,
                           const struct guest_code *code_nothing)
{
    uint64_t values[SAMPLES_MAX], nothing[SAMPLES_MAX];

    if (run(code, values) && run(code_nothing, nothing))
        samples_print_repeated(name, values, nothing, SAMPLES_MAX, BENCH_REPETITIONS);
    else
        printf("bench: failed: %s\n", name);
}

static void measure(const char *name, const struct guest_code *code)
{
    measure_beside(name, code, &code_bench_nothing);
}

// Each round is one, rounded down to the counter's ticks.
static void measure_rounds(const char *name, const struct guest_code *code)
{
    uint64_t values[SAMPLES_MAX];

    if (run(code, values))
        samples_print(name, values, SAMPLES_MAX, 0);
    else
        printf("bench: failed: %s\n", name);
}

// --- two vCPUs
// ------------------------------------------------------------------------------------

static bool run_pair(uint64_t *values)
{
    struct mx_vcpu_packet packet = {0};
    struct second_vcpu second;
    bool is_done;

    if (!start(&code_bench_sgi))
        return false;
    guest_load(&guest, GUEST_CODE_2, &code_bench_sgi_answer);
    if (!second_vcpu_start(&second, &guest, 1, 0)) {
        guest_destroy(&guest);
        return false;
    }
    guest_enable_irq(&guest, 1, SGI, PRIORITY, true);
    is_done = serve_to_end(&packet);
    second_vcpu_finish(&second, true);
    if (is_done)
        copy_rounds(values);
    guest_destroy(&guest);
    return is_done;
}

static void measure_sgi(void)
{
    uint64_t values[SAMPLES_MAX], nothing[SAMPLES_MAX];

    if (run_pair(values) && run(&code_bench_nothing, nothing))
        samples_print_repeated("sgi-to-vcpu", values, nothing, SAMPLES_MAX, 2 * BENCH_REPETITIONS);
    else
        printf("bench: failed: sgi-to-vcpu\n");
}

// --- the device process
// ---------------------------------------------------------------------------

static uint64_t stamp_at(unsigned offset)
{
    return guest_data(&guest)[offset / 8] * BENCH_INSTRUCTIONS_PER_TICK;
}

// How far the guest's counter is ahead of the host's clock. The guest takes stamps around a
// device's read and the VMM around its answer; the ways out and in are taken to be of the same
// length.
static bool find_offset(struct mx_vcpu_packet *packet, uint64_t *offset)
{
    uint64_t left = 0, entered = 0;

    if (mx_vcpu_enter(guest.vcpu, packet) != MX_OK)
        return false;
    while (packet->type == MX_VCPU_PACKET_MEM && packet->mem.addr == GUEST_DEVICE) {
        left = time_stamp(); // the second time, which counts, all is warm
        packet->mem.exception = MX_VCPU_NO_EXCEPTION;
        entered = time_stamp();
        if (mx_vcpu_enter(guest.vcpu, packet) != MX_OK)
            return false;
    }
    *offset = (uint64_t)(((int64_t)(stamp_at(BENCH_OFFSET_STAMPS) - left) +
                          (int64_t)(stamp_at(BENCH_OFFSET_STAMPS + 8) - entered)) /
                         2);
    return is_exit(packet, BENCH_OFFSET_DONE);
}

static void print_device_rows(const struct device_report *report, uint64_t offset)
{
    static struct device_stamps stamps[DEVICE_ROUNDS];

    for (unsigned i = 0; i < DEVICE_ROUNDS; i++)
        stamps[i] = (struct device_stamps){stamp_at(BENCH_STAMPS + i * sizeof(stamps[i])),
                                           stamp_at(BENCH_STAMPS + i * sizeof(stamps[i]) + 8)};
    device_process_print(report, stamps, offset);
}

static bool run_device(mx_handle_t port, mx_handle_t line)
{
    static struct device_report report;
    const struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0, .data = BENCH_SPI};
    struct mx_vcpu_packet packet = {0};
    struct child device;
    uint64_t offset = 0;

    if (guest_trap(&guest, MX_TRAP_BELL, GUEST_BELL, port, 0) != MX_OK ||
        mx_guest_irq_route(line, &route) != MX_OK || !device_process_start(&device, port, line))
        return false;
    bool is_done = find_offset(&packet, &offset) && serve_to_end(&packet) &&
                   device_process_report(&device, &report);
    (void)child_finish(&device);
    if (is_done)
        print_device_rows(&report, offset);
    return is_done;
}

static void measure_device(void)
{
    mx_handle_t port = MX_HANDLE_INVALID, line = MX_HANDLE_INVALID;

    if (!start(&code_bench_device))
        return;
    if (mx_port_create(&port) != MX_OK || mx_guest_irq_create(guest.guest, &line) != MX_OK ||
        !run_device(port, line))
        printf("bench: failed: doorbell-to-device\n");
    guest_destroy(&guest);
    close_handle(line);
    close_handle(port);
}

void guest_rows_measure(void)
{
    measure("hypercall", &code_bench_hypercall);
    measure("memory-read", &code_bench_memory_read);
    measure("distributor-read", &code_bench_distributor_read);
    measure("distributor-write", &code_bench_distributor_write);
    measure("memory-doorbell", &code_bench_memory_bell);
    measure("self-sgi", &code_bench_self_sgi);
    measure_sgi();
    measure_beside("eoi", &code_bench_eoi, &code_bench_eoi_nothing);
    measure_rounds("timer-busy", &code_bench_timer_busy);
    measure_rounds("timer-idle", &code_bench_timer_idle);
    measure_device();
}
