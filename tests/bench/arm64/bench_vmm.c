// See bench_vmm.h.
#include "tests/bench/arm64/bench_vmm.h"

#include <stdio.h>

#include <machina/syscalls.h>
#include <machina_user/mutex.h>

#include "tests/bench/arm64/bench_layout.h"
#include "tests/system/hypervisor/arm64/arm64_guest.h"
#include "vmm/arm64/gic_distributor.h"
#include "vmm/chips/pl061.h"
#include "vmm/monitor/portable/access_map.h"

#define SPI_COUNT 96u

static struct bench_vmm {
    struct mutex lock;
    mx_handle_t guest;
    struct access_map memory;
    struct gic_machine gic;
    struct gic_distributor distributor;
    struct pl061 gpio;
} vmm;

static void check(mx_status_t status)
{
    if (status != MX_OK)
        printf("bench: failed: interrupt state: %s\n", mx_status_string(status));
}

static uint32_t state_read(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first)
{
    const struct bench_vmm *machine = context;
    uint32_t value = 0;

    check(mx_guest_gic_read(machine->guest, vcpu_id, (uint32_t)field, first, &value));
    return value;
}

static void state_write(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first,
                        uint32_t value, uint32_t mask)
{
    const struct bench_vmm *machine = context;

    check(mx_guest_gic_write(machine->guest, vcpu_id, (uint32_t)field, first, value, mask));
}

static const struct gic_state_ops state_ops = {.read = state_read, .write = state_write};

static mx_status_t place(const struct guest_fixture *guest, uint64_t base, uint64_t size_bytes,
                         const struct device_ops *ops, void *device)
{
    const struct access_row row = {
        .base = base, .size_bytes = size_bytes, .ops = ops, .device = device};
    size_t index;
    mx_status_t status = access_map_add(&vmm.memory, &row, &index);

    return status == MX_OK ? guest_trap(guest, MX_TRAP_MEM, base, MX_HANDLE_INVALID, index)
                           : status;
}

mx_status_t bench_vmm_start(const struct guest_fixture *guest)
{
    vmm = (struct bench_vmm){
        .guest = guest->guest,
        .gic = {.ops = &state_ops, .context = &vmm, .vcpu_count = 1, .spi_count = SPI_COUNT}};
    pl061_init(&vmm.gpio, (struct irq_line){0});
    gic_distributor_init_v3(&vmm.distributor, &vmm.gic, false);
    mx_status_t status = place(guest, GUEST_DEVICE, PL061_SIZE_BYTES, &pl061_ops, &vmm.gpio);

    return status == MX_OK
               ? place(guest, BENCH_DISTRIBUTOR, 0x1000, &gic_distributor_ops, &vmm.distributor)
               : status;
}

void bench_vmm_answer(struct mx_vcpu_packet *packet, uint32_t vcpu_id)
{
    struct mx_packet_mem *mem = &packet->mem;

    mutex_lock(&vmm.lock);
    gic_distributor_set_accessor(&vmm.distributor, vcpu_id);
    if (mem->is_write)
        access_map_write(&vmm.memory, packet->key, mem->addr, mem->width_bytes, mem->data);
    else
        mem->data = access_map_read(&vmm.memory, packet->key, mem->addr, mem->width_bytes);
    mutex_unlock(&vmm.lock);
    mem->exception = MX_VCPU_NO_EXCEPTION;
}
