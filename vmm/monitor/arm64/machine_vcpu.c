// What an exit that the kernel hands on leads to.
#include "vmm/monitor/arm64/machine.h"

// There are no ports and no 8259 pair: accesses to memory are the only packets.
void machine_handle_packet(struct machine *machine, struct guest_vcpu *vcpu,
                           struct mx_vcpu_packet *packet)
{
    if (packet->type != MX_VCPU_PACKET_MEM)
        return;
    mutex_lock(&vcpu->guest->lock);
    gic_distributor_set_accessor(&machine->distributor, vcpu->id);
    device_bus_answer(&machine->bus, packet->key, &packet->mem);
    mutex_unlock(&vcpu->guest->lock);
}
