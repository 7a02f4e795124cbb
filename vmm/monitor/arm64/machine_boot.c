// From a kernel file to the first instruction: memory map, device tree, and vCPU 0's registers.
#include "vmm/monitor/arm64/machine.h"

#include <string.h>

#include <machina/syscalls.h>

// PSTATE at the entry: EL1 with its own stack pointer; debug exceptions, SError, IRQ and FIQ
// masked.
#define PSTATE_EL1H 0x5u
#define PSTATE_DAIF 0x3c0u

static mx_status_t assign_bars(struct machine *machine)
{
    struct pci_window none = {0, 0};
    struct pci_window memory = {ARM64_PCI_MEMORY_BASE,
                                ARM64_PCI_MEMORY_BASE + ARM64_PCI_MEMORY_BYTES};

    return pci_host_assign_bars(&machine->bus.pci, &none, &memory);
}

static struct boot_range range_between(uint64_t start, uint64_t end)
{
    return (struct boot_range){start, end > start ? end - start : 0};
}

mx_status_t machine_load(struct machine *machine, struct boot_request *request)
{
    const struct guest *guest = machine->bus.guest;
    const struct boot_range tree_room = {ARM64_DEVICE_TREE_BASE, ARM64_DEVICE_TREE_BYTES};
    struct device_tree_config config = {
        .cpu_count = guest->config.cpu_count,
        .gic = machine->is_gicv2 ? DEVICE_TREE_GICV2 : DEVICE_TREE_GICV3,
        .low_ram_bytes = guest->low_bytes,
        .high_ram_bytes = guest->high_bytes,
    };

    request->low_ram = range_between(ARM64_LOAD_BASE, guest->low_bytes);
    request->high_ram = (struct boot_range){ARM64_HIGH_RAM_BASE, guest->high_bytes};
    mx_status_t status = assign_bars(machine);
    if (status == MX_OK)
        status = machine_show_registers(machine);
    if (status == MX_OK)
        status = mx_random_draw(config.rng_seed, sizeof(config.rng_seed));
    if (status == MX_OK)
        status = mx_random_draw(&config.kaslr_seed, sizeof(config.kaslr_seed));
    if (status != MX_OK)
        return boot_fail(request, status, "the machine cannot be described to the guest: %s",
                         mx_status_string(status));
    return arm64_boot_load(request, &tree_room, &config, &machine->boot);
}

mx_status_t machine_start_vcpu(struct machine *machine, struct guest_vcpu *vcpu)
{
    struct mx_vcpu_state state;

    if (vcpu->id != 0)
        return MX_OK;
    const mx_status_t status =
        mx_vcpu_read_state(vcpu->handle, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
    if (status != MX_OK)
        return status;
    memset(state.x, 0, sizeof(state.x));
    state.x[0] = machine->boot.x0;
    state.pc = machine->boot.pc;
    state.pstate = PSTATE_EL1H | PSTATE_DAIF;
    return mx_vcpu_write_state(vcpu->handle, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}
