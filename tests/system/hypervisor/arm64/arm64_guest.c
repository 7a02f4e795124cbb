// See arm64_guest.h.

#include "tests/system/hypervisor/arm64/arm64_guest.h"

#include <stdio.h>

#include <machina/syscalls.h>

#define PAGE_BYTES 0x1000

mx_status_t guest_trap(const struct guest_fixture *fixture, uint32_t kind, uint64_t addr,
                       mx_handle_t port, uint64_t key)
{
    struct mx_trap trap = {
        .kind = kind, .port = port, .addr = addr, .size_bytes = PAGE_BYTES, .key = key};

    return mx_guest_set_trap(fixture->guest, &trap);
}

uint32_t guest_run_to_exit(mx_handle_t vcpu)
{
    struct mx_vcpu_packet packet = {0};
    mx_status_t status = guest_enter(vcpu, &packet);
    uint32_t value;

    if (status == MX_OK && guest_is_exit(&packet, &value)) {
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

uint64_t guest_result(const struct guest_fixture *fixture, unsigned offset)
{
    return *(volatile uint64_t *)(fixture->ram + GUEST_RESULTS + offset);
}

uint32_t guest_irq(const struct guest_fixture *fixture, unsigned index)
{
    return ((volatile uint32_t *)(fixture->ram + GUEST_RESULTS + RESULT_IRQS))[index];
}

uint32_t guest_gic_version(const struct guest_fixture *fixture)
{
    uint32_t version = 0;
    mx_status_t status = mx_guest_gic_read(fixture->guest, 0, MX_GIC_VERSION, 0, &version);

    if (status != MX_OK)
        printf("# no GIC: %s\n", mx_status_string(status));
    return version;
}

void guest_enable_irq(const struct guest_fixture *fixture, uint32_t vcpu_id, uint32_t intid,
                      uint8_t priority, bool is_edge)
{
    uint32_t word = intid & ~31u, bit = 1u << intid % 32, shift = intid % 4 * 8;
    mx_handle_t g = fixture->guest;

    if (mx_guest_gic_write(g, vcpu_id, MX_GIC_GROUP, word, bit,
                           guest_gic_version(fixture) == 3 ? bit : 0) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_EDGE, word, is_edge ? bit : 0, bit) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_PRIORITY, intid & ~3u, (uint32_t)priority << shift,
                           0xffu << shift) != MX_OK ||
        mx_guest_gic_write(g, vcpu_id, MX_GIC_ENABLE, word, bit, bit) != MX_OK)
        printf("# interrupt %u not enabled\n", intid);
}
