// Rows with a tiny guest, which takes the time stamps itself; see tests/bench/rows.h.

#include <stdio.h>
#include <string.h>

#include <bench_arch.h>

#include <machina/syscalls.h>

#include "tests/bench/device_process.h"
#include "tests/bench/rows.h"
#include "tests/bench/samples.h"
#include "tests/bench/x86_64/device_access.h"
#include "tests/system/child.h"
#include "tests/system/hypervisor/guest_fixture.h"

#define GUEST(name)                                         \
    extern const char guest_##name[], guest_##name##_end[]; \
    static const struct guest_code code_##name = {guest_##name, guest_##name##_end};
#include "tests/bench/x86_64/bench_guest_list.h"
#undef GUEST

#define STAMPS        (0x1000 / 8) // of bench_device, index in guest_data()
#define OFFSET_STAMPS (0x800 / 8)
#define OFFSET_DONE   1
#define LINE_VECTOR   0x41
#define MSI_ADDRESS   UINT64_C(0xfee00000)

static struct guest_fixture guest;

static mx_status_t set_trap(uint32_t kind, uint64_t addr, uint64_t size_bytes, mx_handle_t port)
{
    struct mx_trap trap = {
        .kind = kind, .port = port, .addr = addr, .size_bytes = size_bytes, .key = 2};

    return mx_guest_set_trap(guest.guest, &trap);
}

// The VMM's loop: answers every access until the guest is done.
static bool serve(void)
{
    struct mx_vcpu_packet packet = {0};

    for (;;) {
        if (mx_vcpu_enter(guest.vcpu, &packet) != MX_OK)
            return false;
        switch ((enum mx_vcpu_packet_type)packet.type) {
        case MX_VCPU_PACKET_IO:
            if (!packet.io.is_input)
                return packet.io.port == GUEST_PORT_EXIT && packet.io.data == GUEST_DONE;
            packet.io.data = 0x1234;
            break;
        case MX_VCPU_PACKET_MEM:
            if (packet.mem.is_decoded)
                packet.mem.data = 0x5678;
            else if (!device_access_emulate(&packet, guest.ram, GUEST_RAM_BYTES, 0x5678))
                return false;
            break;
        case MX_VCPU_PACKET_NONE:
        case MX_VCPU_PACKET_EOI:
        case MX_VCPU_PACKET_INTACK:
        case MX_VCPU_PACKET_SHUTDOWN:
        case MX_VCPU_PACKET_POWER:
            return false;
        }
    }
}

static bool collect(uint64_t values[SAMPLES_MAX])
{
    if (!serve())
        return false;
    for (size_t i = 0; i < SAMPLES_MAX; i++)
        values[i] = guest_data(&guest)[SAMPLES_WARM_UP + i];
    return true;
}

static uint64_t overhead;

// The guest's memory trap, bells and ports are there for every row.
static void measure(const char *name, const struct guest_code *code)
{
    uint64_t values[SAMPLES_MAX];
    mx_handle_t port = MX_HANDLE_INVALID;

    if (!guest_start(&guest, code))
        return;
    if (mx_port_create(&port) == MX_OK &&
        set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port) == MX_OK &&
        set_trap(MX_TRAP_BELL, GUEST_BELL, 0x1000, port) == MX_OK &&
        set_trap(MX_TRAP_MEM, GUEST_DEVICE, 0x1000, MX_HANDLE_INVALID) == MX_OK &&
        collect(values)) {
        if (name == NULL)
            overhead = samples_median(values, SAMPLES_MAX);
        else
            samples_print(name, values, SAMPLES_MAX, overhead);
    } else {
        printf("bench: failed: %s\n", name != NULL ? name : "nothing");
    }
    guest_destroy(&guest);
    close_handle(port);
}

// --- the device process
// ---------------------------------------------------------------------------

// How far the guest's time stamp counter is ahead of the host's. The guest takes stamps around a
// port read and the VMM around its answer; the ways out and in are taken to be of the same length.
static bool find_offset(uint64_t *offset)
{
    struct mx_vcpu_packet packet = {0};
    volatile const uint64_t *stamps = guest_data(&guest) + OFFSET_STAMPS;
    uint64_t left, entered;

    if (mx_vcpu_enter(guest.vcpu, &packet) != MX_OK || !packet.io.is_input)
        return false;
    for (int i = 0; i < 2; i++) { // the second time all is warm
        left = time_stamp();
        packet.io.data = 0;
        entered = time_stamp();
        if (mx_vcpu_enter(guest.vcpu, &packet) != MX_OK)
            return false;
        if (i == 0)
            continue;
        *offset = (uint64_t)(((int64_t)(stamps[0] - left) + (int64_t)(stamps[1] - entered)) / 2);
    }
    return packet.type == MX_VCPU_PACKET_IO && packet.io.data == OFFSET_DONE;
}

static bool run_device(mx_handle_t port, mx_handle_t line)
{
    static struct device_report report;
    static struct device_stamps stamps[DEVICE_ROUNDS];
    struct mx_irq_route route = {
        .kind = MX_IRQ_ROUTE_MSI, .addr = MSI_ADDRESS, .data = LINE_VECTOR};
    struct child device;
    uint64_t offset = 0;

    if (set_trap(MX_TRAP_IO_BELL, GUEST_PORT_BELL, 4, port) != MX_OK ||
        mx_guest_irq_route(line, &route) != MX_OK || !device_process_start(&device, port, line))
        return false;
    bool is_done = find_offset(&offset) && serve() && device_process_report(&device, &report);
    (void)child_finish(&device);
    if (!is_done)
        return false;
    memcpy(stamps, (const void *)(guest_data(&guest) + STAMPS), sizeof(stamps));
    device_process_print(&report, stamps, offset);
    return true;
}

static void measure_device(void)
{
    mx_handle_t port = MX_HANDLE_INVALID, line = MX_HANDLE_INVALID;

    if (!guest_start(&guest, &code_bench_device))
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
    measure(NULL, &code_bench_nothing);
    measure("cpuid", &code_bench_cpuid);
    measure("hypercall", &code_bench_hypercall);
    measure("port-read", &code_bench_port_read);
    measure("memory-read", &code_bench_memory_read);
    measure("port-doorbell", &code_bench_port_bell);
    measure("memory-doorbell", &code_bench_memory_bell);
    measure("self-ipi", &code_bench_self_ipi);
    measure("timer-due", &code_bench_timer);
    measure("cr8-write", &code_bench_cr8_write);
    measure("cr8-read", &code_bench_cr8_read);
    measure_device();
}
