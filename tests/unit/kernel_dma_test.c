// Memory that devices reach: what is attached stays, whoever goes, and every allocation may fail.
#include "tests/unit/kernel_fixture.h"

static mx_handle_t resource;

#define DEVICE         0x0010u // a function of bus 0
#define OTHER_DEVICE   0x0118u // of bus 1
#define ABSENT_DEVICE  0x0020u
#define REG_COMMAND    1 // word
#define COMMAND_MASTER 4u

static mx_status_t dma_create(uint32_t requester, mx_handle_t *out)
{
    OUT1(sys_dma_create(resource, requester, scratch(0)), out);
}

static mx_status_t dma_attach(mx_handle_t dma, mx_handle_t vmo, uint32_t *id)
{
    OUT1(sys_dma_attach(dma, vmo, scratch(0)), id);
}

static mx_status_t dma_address(mx_handle_t dma, uint32_t id, uint64_t offset, uint64_t *address)
{
    OUT1(sys_dma_addresses(dma, id, offset, 1, scratch(0)), address);
}

static mx_handle_t make_dma(void)
{
    mx_handle_t dma = MX_HANDLE_INVALID;

    host_pci_config(DEVICE)[0] = host_pci_config(OTHER_DEVICE)[0] = 0x10421af4;
    host_pci_config(ABSENT_DEVICE)[0] = UINT32_MAX;
    host_pci_config(DEVICE)[REG_COMMAND] = 0x00100000; // a bit of the status
    EXPECT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_DMA, 0, 0, &resource));
    EXPECT_OK(dma_create(DEVICE, &dma));
    return dma;
}

static bool is_master(void)
{
    return (host_pci_config(DEVICE)[REG_COMMAND] & COMMAND_MASTER) != 0;
}

static mx_handle_t attach_page(mx_handle_t dma)
{
    mx_handle_t vmo = MX_HANDLE_INVALID;
    uint64_t address;
    uint32_t id;

    EXPECT_OK(mx_vmo_create(PAGE_SIZE, &vmo));
    EXPECT_OK(dma_attach(dma, vmo, &id));
    EXPECT_OK(dma_address(dma, id, 0, &address));
    return vmo;
}

PROCESS_TEST(attached_memory_outlives_its_handles)
{
    mx_handle_t dma = make_dma(), vmo;
    uint64_t address, again;
    uint32_t id, other;

    ASSERT_OK(mx_vmo_create(4 * PAGE_SIZE, &vmo));
    ASSERT_OK(dma_attach(dma, vmo, &id));
    ASSERT_OK(dma_attach(dma, vmo, &other));
    EXPECT_NE(id, other);
    EXPECT_OK(dma_address(dma, id, PAGE_SIZE, &address));
    EXPECT_OK(HOST_SYSCALL(sys_dma_detach(dma, other)));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE_SIZE));
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(dma_address(dma, id, PAGE_SIZE, &again));
    EXPECT_EQ(address, again);
    EXPECT_STATUS(MX_ERR_NOT_FOUND, dma_address(dma, other, 0, &again));
    EXPECT_OK(mx_handle_close(dma));
}

PROCESS_TEST(pages_of_a_slice_are_those_of_its_parent)
{
    mx_handle_t dma = make_dma(), vmo, slice;
    uint64_t address, again;
    uint32_t id, slice_id;

    ASSERT_OK(mx_vmo_create(4 * PAGE_SIZE, &vmo));
    ASSERT_OK(mx_vmo_create_child(vmo, MX_VMO_CHILD_SLICE, 2 * PAGE_SIZE, PAGE_SIZE, &slice));
    ASSERT_OK(dma_attach(dma, vmo, &id));
    ASSERT_OK(dma_attach(dma, slice, &slice_id));
    EXPECT_OK(dma_address(dma, id, 2 * PAGE_SIZE, &address));
    EXPECT_OK(dma_address(dma, slice_id, 0, &again));
    EXPECT_EQ(address, again);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, dma_address(dma, slice_id, PAGE_SIZE, &again));
    EXPECT_OK(HOST_SYSCALL(sys_dma_detach(dma, id)));
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE_SIZE));
    EXPECT_OK(HOST_SYSCALL(sys_dma_detach(dma, slice_id)));
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, PAGE_SIZE));
}

PROCESS_TEST(attaching_survives_failure_of_every_allocation)
{
    mx_handle_t dma = make_dma(), vmo;
    mx_status_t status = MX_ERR_NO_MEMORY;
    uint32_t id;

    ASSERT_OK(mx_vmo_create(PAGE_SIZE, &vmo));
    for (int64_t failing = 0; status != MX_OK && failing < 5; failing++) {
        heap_allocations_until_failure = failing;
        status = dma_attach(dma, vmo, &id);
        heap_allocations_until_failure = -1;
    }
    EXPECT_OK(status);
}

// --- the device goes before its memory
// ---------------------------------------------------------------------

PROCESS_TEST(a_device_is_switched_off_before_its_memory_goes)
{
    mx_handle_t dma = make_dma(), vmo = attach_page(dma), copy;

    host_pci_config(DEVICE)[REG_COMMAND] = 0x00100406 | COMMAND_MASTER;
    ASSERT_OK(mx_handle_duplicate(dma, MX_RIGHT_SAME, &copy));
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_handle_close(dma));
    EXPECT_TRUE(is_master());
    EXPECT_OK(mx_handle_close(copy));
    EXPECT_EQ(host_pci_config(DEVICE)[REG_COMMAND], 0x0402u); // nothing else, and no status
}

PROCESS_TEST(a_device_that_is_gone_counts_as_off)
{
    mx_handle_t dma = make_dma(), vmo = attach_page(dma);

    host_pci_config(DEVICE)[REG_COMMAND] = UINT32_MAX;
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_handle_close(dma));
    EXPECT_EQ(host_pci_config(DEVICE)[REG_COMMAND], UINT32_MAX);
}

PROCESS_TEST(memory_of_a_device_that_does_not_obey_stays_until_it_does)
{
    mx_handle_t dma = make_dma(), vmo = attach_page(dma), other;
    uint64_t used = phys_used_bytes(PHYS_USE_VMO);

    host_pci_config(DEVICE)[REG_COMMAND] = COMMAND_MASTER;
    host_pci_make_deaf(DEVICE, true);
    EXPECT_OK(mx_handle_close(vmo));
    EXPECT_OK(mx_handle_close(dma));
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used);
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, dma_create(DEVICE, &other));
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used);
    ASSERT_OK(dma_create(OTHER_DEVICE, &other));
    EXPECT_OK(mx_handle_close(other));
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used);
    host_pci_make_deaf(DEVICE, false);
    ASSERT_OK(dma_create(DEVICE, &other));
    EXPECT_EQ(phys_used_bytes(PHYS_USE_VMO), used - PAGE_SIZE);
    EXPECT_FALSE(is_master());
    EXPECT_OK(mx_handle_close(other));
}

PROCESS_TEST(a_function_has_one_object_at_a_time)
{
    mx_handle_t dma = make_dma(), other;

    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, dma_create(DEVICE, &other));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, dma_create(ABSENT_DEVICE, &other));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, dma_create(0x0210, &other));           // no such bus
    EXPECT_STATUS(MX_ERR_NOT_FOUND, dma_create(1 << 16 | DEVICE, &other)); // no such segment
    EXPECT_OK(mx_handle_close(dma));
    heap_allocations_until_failure = 0;
    EXPECT_STATUS(MX_ERR_NO_MEMORY, dma_create(DEVICE, &other));
    heap_allocations_until_failure = -1;
    ASSERT_OK(dma_create(DEVICE, &other));
    EXPECT_OK(mx_handle_close(other));
}

// --- message-signalled interrupts
// ---------------------------------------------------------------------------

static mx_status_t create_message(mx_handle_t irqs, struct mx_interrupt_message *message,
                                  mx_handle_t *out)
{
    mx_status_t status = (mx_status_t)HOST_SYSCALL(
        sys_interrupt_create_message(irqs, 0x108, scratch(0), scratch(16)));

    if (status == MX_OK) {
        get(out, scratch(0), sizeof(*out));
        get(message, scratch(16), sizeof(*message));
    }
    return status;
}

PROCESS_TEST(messages_are_given_back_and_come_as_packets)
{
    struct mx_interrupt_message message, first;
    struct mx_port_packet packet;
    mx_handle_t irqs, port, interrupts[8];
    uint32_t count = 0;

    ASSERT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1, &irqs));
    ASSERT_OK(create_message(irqs, &first, &interrupts[count++]));
    EXPECT_EQ(first.address, 0x108u);
    while (count < 8 && create_message(irqs, &message, &interrupts[count]) == MX_OK)
        count++;
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, create_message(irqs, &message, &interrupts[7]));
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(HOST_SYSCALL(sys_interrupt_bind(interrupts[0], port, 5)));
    EXPECT_TRUE(host_raise_interrupt(first.data));
    EXPECT_OK(mx_port_wait(port, MX_TIME_INFINITE, &packet));
    EXPECT_EQ(packet.key, 5u);
    while (count > 0)
        EXPECT_OK(mx_handle_close(interrupts[--count]));
    ASSERT_OK(create_message(irqs, &message, &interrupts[0]));
    EXPECT_EQ(message.data, first.data);
}
