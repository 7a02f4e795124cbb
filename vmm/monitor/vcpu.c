// The vCPUs' threads; see vcpu.h.
#include "vmm/monitor/vcpu.h"

#include <stdio.h>

#include <machina/syscalls.h>

#include "vmm/monitor/machine.h"

static mx_status_t create_vcpu(struct guest_vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    mx_status_t status = mx_vcpu_create(guest->handle, vcpu->id,
                                        vcpu->id == 0 ? 0 : MX_VCPU_CREATE_WAITING, &vcpu->handle);

    return status == MX_OK ? machine_start_vcpu(guest->machine, vcpu) : status;
}

static void report_created(struct guest *guest)
{
    mutex_lock(&guest->start_lock);
    guest->created_count++;
    mutex_unlock(&guest->start_lock);
    condition_wake_all(&guest->start_condition);
}

static void wait_for_start(struct guest *guest)
{
    mutex_lock(&guest->start_lock);
    while (!guest->may_run)
        condition_wait(&guest->start_condition, &guest->start_lock, MX_TIME_INFINITE);
    mutex_unlock(&guest->start_lock);
}

static void handle_shutdown(struct guest_vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    packet->shutdown.text[sizeof(packet->shutdown.text) - 1] = '\0';
    guest_end(vcpu->guest, VMM_OUTCOME_FAILED, MX_ERR_BAD_STATE, "vCPU %u: %s (0x%llx, 0x%llx)",
              vcpu->id, packet->shutdown.text, (unsigned long long)packet->shutdown.info[0],
              (unsigned long long)packet->shutdown.info[1]);
}

static void handle_power(struct guest *guest, const struct mx_vcpu_packet *packet)
{
    if (packet->power.reason == MX_POWER_REBOOT)
        guest_reboot(guest);
    else
        guest_power_off(guest);
}

static void handle_packet(struct guest_vcpu *vcpu, struct mx_vcpu_packet *packet)
{
    switch ((enum mx_vcpu_packet_type)packet->type) {
    case MX_VCPU_PACKET_NONE:
        break;
    case MX_VCPU_PACKET_IO:
    case MX_VCPU_PACKET_MEM:
    case MX_VCPU_PACKET_EOI:
    case MX_VCPU_PACKET_INTACK:
        machine_handle_packet(vcpu->guest->machine, vcpu, packet);
        break;
    case MX_VCPU_PACKET_SHUTDOWN:
        handle_shutdown(vcpu, packet);
        break;
    case MX_VCPU_PACKET_POWER:
        handle_power(vcpu->guest, packet);
        break;
    }
}

static void run(struct guest_vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    struct mx_vcpu_packet packet;

    packet.type = MX_VCPU_PACKET_NONE;
    while (!guest_is_ended(guest)) {
        const mx_status_t status = mx_vcpu_enter(vcpu->handle, &packet);
        if (status == MX_OK) {
            handle_packet(vcpu, &packet);
        } else if (status == MX_ERR_CANCELED) {
            packet.type = MX_VCPU_PACKET_NONE;
        } else {
            guest_end(guest, VMM_OUTCOME_FAILED, status, "vCPU %u cannot run: %s", vcpu->id,
                      status == MX_ERR_NO_MEMORY ? "the guest's job is out of memory"
                                                 : mx_status_string(status));
        }
    }
}

static void vcpu_thread(void *arg)
{
    struct guest_vcpu *vcpu = arg;

    vcpu->create_status = create_vcpu(vcpu);
    report_created(vcpu->guest);
    wait_for_start(vcpu->guest);
    run(vcpu);
}

static mx_status_t start_thread(struct guest *guest, uint32_t id)
{
    struct guest_vcpu *vcpu = &guest->vcpus[id];
    char name[MX_NAME_SIZE];

    vcpu->guest = guest;
    vcpu->id = id;
    snprintf(name, sizeof(name), "vcpu %u", id);
    return thread_create(&vcpu->thread, name, vcpu_thread, vcpu, 0);
}

mx_status_t vcpu_create_all(struct guest *guest)
{
    const uint32_t count = guest->config.cpu_count;
    mx_status_t status = MX_OK;
    uint32_t started = 0;

    while (status == MX_OK && started < count) {
        status = start_thread(guest, started);
        if (status == MX_OK)
            started++;
    }
    mutex_lock(&guest->start_lock);
    while (guest->created_count < started)
        condition_wait(&guest->start_condition, &guest->start_lock, MX_TIME_INFINITE);
    mutex_unlock(&guest->start_lock);
    for (uint32_t i = 0; status == MX_OK && i < count; i++)
        status = guest->vcpus[i].create_status;
    return status;
}

void vcpu_run_all(struct guest *guest)
{
    mutex_lock(&guest->start_lock);
    guest->may_run = true;
    mutex_unlock(&guest->start_lock);
    condition_wake_all(&guest->start_condition);
}
