// The guest's interrupt controller: the register models' way to the state in the kernel, interrupt
// lines, and what becomes of devices' messages.
#include "vmm/monitor/arm64/machine.h"

#include <assert.h>
#include <stdio.h>

#include <machina/gic.h>
#include <machina/syscalls.h>

#include "vmm/monitor/virtio_device.h"

// --- state --------------------------------------------------------------------------------------

static_assert((int)GIC_SGI_SOURCES == (int)MX_GIC_SGI_SOURCES &&
                  (int)GIC_CONTROL == (int)MX_GIC_CONTROL &&
                  (int)GIC_TARGET == (int)MX_GIC_TARGET &&
                  (int)GIC_PRIORITY == (int)MX_GIC_PRIORITY && (int)GIC_EDGE == (int)MX_GIC_EDGE &&
                  (int)GIC_GROUP == (int)MX_GIC_GROUP,
              "the models' fields are the kernel's");
static_assert(GIC_TARGET_NONE == MX_GIC_TARGET_NONE && GIC_LPI_COUNT == MX_GIC_LPI_COUNT,
              "as are numbers");

// The models ask for nothing that the guest does not have.
static void check(struct machine *machine, mx_status_t status)
{
    if (status != MX_OK)
        guest_end(machine->bus.guest, VMM_OUTCOME_FAILED, status,
                  "the interrupt controller's state is out of reach: %s", mx_status_string(status));
}

static uint32_t state_read(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first)
{
    struct machine *machine = context;
    uint32_t value = 0;

    check(machine,
          mx_guest_gic_read(machine->bus.guest->handle, vcpu_id, (uint32_t)field, first, &value));
    return value;
}

static void state_write(void *context, uint32_t vcpu_id, enum gic_field field, uint32_t first,
                        uint32_t value, uint32_t mask)
{
    struct machine *machine = context;

    check(machine, mx_guest_gic_write(machine->bus.guest->handle, vcpu_id, (uint32_t)field, first,
                                      value, mask));
}

static void state_set_lpi(void *context, uint32_t intid, uint32_t vcpu_id, uint8_t priority,
                          bool is_enabled)
{
    struct machine *machine = context;

    check(machine,
          mx_guest_gic_set_lpi(machine->bus.guest->handle, intid, vcpu_id, priority, is_enabled));
}

static const struct gic_state_ops state_ops = {
    .read = state_read,
    .write = state_write,
    .set_lpi = state_set_lpi,
};

// --- messages -----------------------------------------------------------------------------------

static void routes_changed(void *context, uint32_t device_id, uint32_t event_id)
{
    struct machine *machine = context;

    (void)device_id;
    (void)event_id;
    virtio_device_route_again(machine->bus.guest);
}

static uint32_t requester_id(const struct machine *machine, const struct pci_device *device)
{
    unsigned slot = 0;

    while (slot < PCI_SLOT_COUNT && machine->bus.pci.devices[slot] != device)
        slot++;
    return slot << 3; // bus 0, function 0
}

static bool translate(const struct machine *machine, const struct pci_device *device,
                      uint64_t address, uint64_t data, uint32_t *intid)
{
    if (data > UINT32_MAX)
        return false;
    if (machine->is_gicv2)
        return address - ARM64_GICV2M_BASE < ARM64_GICV2M_BYTES &&
               gicv2m_translate(&machine->frame, address - ARM64_GICV2M_BASE, (uint32_t)data,
                                intid);
    return address - ARM64_ITS_BASE < ARM64_ITS_BYTES &&
           gic_its_translate(&machine->its, address - ARM64_ITS_BASE, requester_id(machine, device),
                             (uint32_t)data, intid);
}

bool machine_route_message(const struct machine *machine, const struct pci_device *device,
                           uint64_t address, uint64_t data, struct mx_irq_route *route)
{
    uint32_t intid;

    if (!translate(machine, device, address, data, &intid))
        return false;
    *route = (struct mx_irq_route){.kind = MX_IRQ_ROUTE_MSI, .addr = 0, .data = intid};
    return true;
}

// --- lines --------------------------------------------------------------------------------------

static void line_set(void *context, unsigned intid, bool level)
{
    struct machine *machine = context;
    const mx_handle_t line = machine->lines[intid - ARM64_IRQ_SPI_BASE];

    check(machine, level ? mx_guest_irq_raise(line) : mx_guest_irq_lower(line));
}

mx_status_t machine_make_line(struct machine *machine, uint32_t intid, struct irq_line *line)
{
    const struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0, .data = intid};
    mx_handle_t *handle = &machine->lines[intid - ARM64_IRQ_SPI_BASE];

    mx_status_t status = mx_guest_irq_create(machine->bus.guest->handle, handle);
    if (status == MX_OK)
        status = mx_guest_irq_route(*handle, &route);
    *line = (struct irq_line){.set = line_set, .context = machine, .input = intid};
    return status;
}

// --- construction -------------------------------------------------------------------------------

static mx_status_t init_v2(struct machine *machine)
{
    gic_distributor_init_v2(&machine->distributor, &machine->gic_machine);
    gicv2m_init(&machine->frame, &machine->gic_machine, ARM64_IRQ_GICV2M_BASE,
                ARM64_IRQ_GICV2M_COUNT);
    return mx_guest_gic_place(machine->bus.guest->handle, ARM64_GICC_BASE);
}

static mx_status_t init_v3(struct machine *machine)
{
    const struct gic_its_host host = {.routes_changed = routes_changed, .context = machine};

    gic_lpis_init(&machine->lpis, &machine->gic_machine, &machine->bus.guest->memory);
    gic_distributor_init_v3(&machine->distributor, &machine->gic_machine, true);
    gic_redistributors_init(&machine->redistributors, &machine->gic_machine, &machine->lpis);
    gic_its_init(&machine->its, &host, &machine->lpis);
    return MX_OK;
}

mx_status_t machine_init_gic(struct machine *machine, char *reason, size_t reason_bytes)
{
    const struct guest *guest = machine->bus.guest;
    uint32_t version;

    mx_status_t status = mx_guest_gic_read(guest->handle, 0, MX_GIC_VERSION, 0, &version);
    if (status != MX_OK)
        return status;
    machine->is_gicv2 = version == 2;
    machine->gic_machine = (struct gic_machine){
        .ops = &state_ops,
        .context = machine,
        .vcpu_count = guest->config.cpu_count,
        .spi_count = machine->is_gicv2 ? ARM64_IRQ_SPI_COUNT_V2 : ARM64_IRQ_SPI_COUNT_V3};
    for (uint32_t i = 0; i < guest->config.cpu_count; i++)
        machine->gic_machine.affinities[i] = arm64_vcpu_affinity(i);
    if (!machine->is_gicv2)
        return init_v3(machine);
    if (guest->config.cpu_count <= ARM64_V2_CPUS_MAX)
        return init_v2(machine);
    snprintf(reason, reason_bytes,
             "cpus: with the GICv2 that this host has, a guest has at most %u vCPUs",
             ARM64_V2_CPUS_MAX);
    return MX_ERR_NOT_SUPPORTED;
}
