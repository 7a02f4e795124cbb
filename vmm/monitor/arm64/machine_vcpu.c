// What an exit that the kernel hands on leads to.
#include "vmm/monitor/arm64/machine.h"

#include <machina/objects.h>

static void handle_mem(struct machine *machine, uint32_t vcpu_id, struct mx_vcpu_packet *packet)
{
    struct mx_packet_mem *mem = &packet->mem;

    mutex_lock(&machine->guest->lock);
    gic_distributor_set_accessor(&machine->distributor, vcpu_id);
    if (mem->is_write)
        machine_memory_write(machine, packet->key, mem->addr, mem->width_bytes, mem->data);
    else
        mem->data = machine_memory_read(machine, packet->key, mem->addr, mem->width_bytes);
    mutex_unlock(&machine->guest->lock);
    mem->exception = MX_VCPU_NO_EXCEPTION;
}

static void handle_shutdown(struct guest *guest, const struct guest_vcpu *vcpu,
                            struct mx_vcpu_packet *packet)
{
    packet->shutdown.text[sizeof(packet->shutdown.text) - 1] = '\0';
    guest_end(guest, VMM_OUTCOME_FAILED, MX_ERR_BAD_STATE, "vCPU %u: %s (0x%llx, 0x%llx)", vcpu->id,
              packet->shutdown.text, (unsigned long long)packet->shutdown.info[0],
              (unsigned long long)packet->shutdown.info[1]);
}

void machine_handle_packet(struct machine *machine, struct guest_vcpu *vcpu,
                           struct mx_vcpu_packet *packet)
{
    switch ((enum mx_vcpu_packet_type)packet->type) {
    case MX_VCPU_PACKET_NONE:
    case MX_VCPU_PACKET_IO: // there are no ports, no 8259 pair
    case MX_VCPU_PACKET_EOI:
    case MX_VCPU_PACKET_INTACK:
        break;
    case MX_VCPU_PACKET_MEM:
        handle_mem(machine, vcpu->id, packet);
        break;
    case MX_VCPU_PACKET_SHUTDOWN:
        handle_shutdown(machine->guest, vcpu, packet);
        break;
    case MX_VCPU_PACKET_POWER:
        if (packet->power.reason == MX_POWER_REBOOT)
            guest_end(machine->guest, VMM_OUTCOME_REBOOT, MX_OK, "rebooted");
        else
            guest_end(machine->guest, VMM_OUTCOME_POWER_OFF, MX_OK, "powered off");
        break;
    }
}
