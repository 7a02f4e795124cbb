// PCI devices handed out to drivers: configuration space, registers, message-signalled interrupts,
// DMA. The devices are two of QEMU's educational ones (QEMU docs/specs/edu.txt), one of them behind
// a bridge, and a display, whose first registers are memory; this program is their device manager
// and driver in one (the machine starts with machina.devices=no).
#include <machina/syscalls.h>

#include <machina_user/startup.h>

#include "tests/system/child.h"
#include "tests/test.h"
#include "user/drivers/pci_host.h"

#define DISPLAY_DEVICE 0x1111
#define SDHCI_VENDOR   0x1b36
#define SDHCI_DEVICE   0x0007
#define SDHCI_BYTES    0x100u

#define EDU_VENDOR   0x1234
#define EDU_DEVICE   0x11e8
#define EDU_ID       0x010000edu
#define EDU_BUFFER   0x40000u
#define EDU_DMA_WAIT MX_SEC(20)
#define DMA_BYTES    2048u // the device refuses to fill its buffer to the end

enum edu_register {
    EDU_IDENTIFICATION = 0x00,
    EDU_INVERT = 0x04,
    EDU_RAISE = 0x60,
    EDU_ACKNOWLEDGE = 0x64,
    EDU_DMA_FROM = 0x80,
    EDU_DMA_TO = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_COMMAND = 0x98,
};

#define EDU_DMA_START     1u
#define EDU_DMA_TO_MEMORY 2u
#define EDU_DMA_INTERRUPT 4u

static struct pci_host host;
static struct pci_authority authority;

static bool is_known(const struct pci_header *header)
{
    return (header->vendor == EDU_VENDOR &&
            (header->device == EDU_DEVICE || header->device == DISPLAY_DEVICE)) ||
           (header->vendor == SDHCI_VENDOR && header->device == SDHCI_DEVICE);
}

static mx_handle_t make(uint32_t kind, uint64_t base, uint64_t size)
{
    mx_handle_t resource;

    return mx_resource_create(root_resource(), kind, base, size, &resource) == MX_OK
               ? resource
               : MX_HANDLE_INVALID;
}

static bool open_host(void)
{
    struct mx_info_pci_host info;

    if (authority.dma != MX_HANDLE_INVALID)
        return true;
    authority = (struct pci_authority){
        .memory = make(MX_RESOURCE_MMIO, 0, UINT64_MAX),
        .irqs = make(MX_RESOURCE_IRQ, MX_IRQ_MESSAGES, 1),
        .dma = make(MX_RESOURCE_DMA, 0, 0),
    };
    return mx_object_get_info(system_resource(), MX_INFO_PCI_HOSTS, &info, sizeof(info), NULL) ==
               MX_OK &&
           pci_host_open(&authority, &info, is_known, &host) == MX_OK;
}

// The edu at the root, or the one behind the bridge.
static const struct pci_function *find_edu(bool is_behind_bridge)
{
    for (uint32_t i = 0; i < host.scan.count; i++) {
        const struct pci_function *function = &host.scan.functions[i];
        if (function->is_wanted && function->header.device == EDU_DEVICE &&
            (function->bus != host.info.first_bus) == is_behind_bridge)
            return function;
    }
    return NULL;
}

static volatile uint32_t *reg(struct driver_device *device, enum edu_register offset)
{
    return (volatile uint32_t *)(device->bars[0].registers + offset);
}

static void set_wide(struct driver_device *device, enum edu_register offset, uint64_t value)
{
    reg(device, offset)[0] = (uint32_t)value;
    reg(device, offset)[1] = (uint32_t)(value >> 32);
}

static bool start_edu(bool is_behind_bridge, const struct pci_function **function,
                      struct pci_grant *grant)
{
    const char *what;

    if (!open_host() || !(*function = find_edu(is_behind_bridge)))
        return false;
    mx_status_t status = pci_grant_function(&authority, &host, *function, grant, &what);
    if (status != MX_OK)
        printf("# %s: %s\n", what, mx_status_string(status));
    return status == MX_OK && driver_map_bar(&grant->device, 0) != NULL;
}

static void registers_and_interrupt_work(bool is_behind_bridge)
{
    const struct pci_function *function;
    struct pci_grant grant;
    mx_handle_t interrupt;

    ASSERT_TRUE(start_edu(is_behind_bridge, &function, &grant));
    EXPECT_EQ(*reg(&grant.device, EDU_IDENTIFICATION), EDU_ID);
    *reg(&grant.device, EDU_INVERT) = 0x12345678;
    EXPECT_EQ(*reg(&grant.device, EDU_INVERT), ~0x12345678u);
    interrupt = grant.device.interrupt;
    for (uint32_t i = 1; i <= 3; i++) {
        EXPECT_STATUS(MX_ERR_TIMED_OUT,
                      mx_interrupt_wait(interrupt, deadline_after(MX_MSEC(5)), NULL));
        *reg(&grant.device, EDU_RAISE) = i;
        EXPECT_OK(mx_interrupt_wait(interrupt, deadline_after(MX_SEC(10)), NULL));
        *reg(&grant.device, EDU_ACKNOWLEDGE) = i;
    }
    pci_revoke_function(&host, function, &grant);
}

TEST(a_device_at_the_root_has_registers_and_an_interrupt)
{
    registers_and_interrupt_work(false);
}

TEST(a_device_behind_a_bridge_has_registers_and_an_interrupt)
{
    registers_and_interrupt_work(true);
}

// Three interrupts come as packets, whether or not each is acknowledged.
static void interrupts_give_packets(bool is_acknowledged)
{
    const struct pci_function *function;
    struct mx_port_packet packet;
    struct pci_grant grant;
    mx_handle_t port;

    ASSERT_TRUE(start_edu(false, &function, &grant));
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(mx_interrupt_bind(grant.device.interrupt, port, 77));
    for (uint32_t i = 0; i < 3; i++) {
        *reg(&grant.device, EDU_RAISE) = 1;
        ASSERT_OK(mx_port_wait(port, deadline_after(MX_SEC(10)), &packet));
        EXPECT_EQ(packet.key, 77u);
        EXPECT_EQ(packet.type, MX_PACKET_INTERRUPT);
        *reg(&grant.device, EDU_ACKNOWLEDGE) = 1;
        if (is_acknowledged)
            EXPECT_OK(mx_interrupt_ack(grant.device.interrupt));
    }
    close_handle(port);
    pci_revoke_function(&host, function, &grant);
}

TEST(an_interrupt_that_is_bound_gives_packets)
{
    interrupts_give_packets(true);
}

TEST(messages_come_without_being_acknowledged)
{
    interrupts_give_packets(false);
}

TEST(a_device_reads_and_writes_memory)
{
    const struct pci_function *function;
    struct driver_memory memory;
    struct pci_grant grant;
    uint8_t *bytes;

    ASSERT_TRUE(start_edu(false, &function, &grant));
    ASSERT_OK(driver_allocate(&grant.device, 2 * MX_PAGE_SIZE, &memory));
    bytes = memory.bytes;
    for (uint32_t i = 0; i < DMA_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + 3);
    set_wide(&grant.device, EDU_DMA_FROM, memory.address);
    set_wide(&grant.device, EDU_DMA_TO, EDU_BUFFER);
    set_wide(&grant.device, EDU_DMA_COUNT, DMA_BYTES);
    set_wide(&grant.device, EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_INTERRUPT);
    EXPECT_OK(mx_interrupt_wait(grant.device.interrupt, deadline_after(EDU_DMA_WAIT), NULL));
    *reg(&grant.device, EDU_ACKNOWLEDGE) = UINT32_MAX;
    set_wide(&grant.device, EDU_DMA_FROM, EDU_BUFFER);
    set_wide(&grant.device, EDU_DMA_TO, memory.address + MX_PAGE_SIZE);
    set_wide(&grant.device, EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_TO_MEMORY | EDU_DMA_INTERRUPT);
    EXPECT_OK(mx_interrupt_wait(grant.device.interrupt, deadline_after(EDU_DMA_WAIT), NULL));
    *reg(&grant.device, EDU_ACKNOWLEDGE) = UINT32_MAX;
    EXPECT_EQ(memcmp(bytes, bytes + MX_PAGE_SIZE, DMA_BYTES), 0);
    driver_free(&grant.device, &memory);
    pci_revoke_function(&host, function, &grant);
}

TEST(a_driver_cannot_change_configuration_space)
{
    const struct pci_function *function;
    struct pci_grant grant;
    uint64_t address = 0;

    ASSERT_TRUE(start_edu(false, &function, &grant));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE, grant.config_page, 0,
                                MX_PAGE_SIZE, &address));
    pci_revoke_function(&host, function, &grant);
}

TEST(nothing_is_left_of_a_device_that_was_taken_back)
{
    const struct pci_function *function;
    struct pci_grant grant;

    ASSERT_TRUE(open_host());
    struct machine_counts before = machine_counts();
    for (uint32_t i = 0; i < 3; i++) {
        ASSERT_TRUE(start_edu(i == 1, &function, &grant));
        // The mapping would keep the registers' object.
        (void)!mx_aspace_unmap(own_aspace(), (uint64_t)(uintptr_t)grant.device.bars[0].registers,
                               grant.device.bars[0].size_bytes);
        pci_revoke_function(&host, function, &grant);
    }
    EXPECT_TRUE(machine_counts_return_to(&before));
}

static uint64_t map_display(uint32_t options, uint64_t size_bytes)
{
    mx_handle_t vmo;
    uint64_t address = 0;

    for (uint32_t i = 0; i < host.scan.count; i++) {
        const struct pci_function *function = &host.scan.functions[i];
        if (!function->is_wanted || function->header.device != DISPLAY_DEVICE)
            continue;
        EXPECT_OK(mx_vmo_create_physical(authority.memory, options,
                                         pci_cpu_address(&host.info, function->bars[0].base),
                                         size_bytes, &vmo));
        EXPECT_OK(
            mx_aspace_map(own_aspace(), MX_MAP_READ | MX_MAP_WRITE, vmo, 0, size_bytes, &address));
        close_handle(vmo);
    }
    return address;
}

TEST(combined_writes_arrive_in_a_display)
{
    const uint64_t bytes = 4 << 20; // of which some are mapped by large pages
    const uint64_t words = bytes / sizeof(uint64_t);

    ASSERT_TRUE(open_host());
    uint64_t combined = map_display(MX_VMO_PHYSICAL_COMBINED, bytes);
    ASSERT_NE(combined, 0u);
    for (uint64_t i = 0; i < words; i++)
        ((volatile uint64_t *)combined)[i] = i * 0x9e3779b97f4a7c15;
    EXPECT_OK(mx_aspace_unmap(own_aspace(), combined, bytes));
    uint64_t device = map_display(0, bytes), same = 0;
    ASSERT_NE(device, 0u);
    for (uint64_t i = 0; i < words; i++)
        same += ((volatile uint64_t *)device)[i] == i * 0x9e3779b97f4a7c15;
    EXPECT_EQ(same, words);
    EXPECT_OK(mx_aspace_unmap(own_aspace(), device, bytes));
}

// As if firmware had left the registers there.
TEST(a_device_whose_registers_lie_over_memory_is_not_handed_out)
{
    static struct pci_host other;
    const struct pci_function *function;
    struct pci_grant grant;
    struct pci_config config;
    mx_handle_t vmo;
    uint64_t ram;
    const char *what = NULL;

    ASSERT_TRUE(open_host() && (function = find_edu(false)) != NULL);
    ASSERT_OK(mx_vmo_create_contiguous(authority.memory, 1 << 20, &vmo, &ram)); // its size
    ASSERT_TRUE(ram < UINT32_MAX);
    pci_host_open_config(&host, function, &config);
    config.write(config.context, 4, 0); // no answer to addresses
    config.write(config.context, 16, (uint32_t)ram);
    ASSERT_OK(pci_host_open(&authority, &host.info, is_known, &other));
    const struct pci_function *same = &other.scan.functions[function - host.scan.functions];
    EXPECT_EQ(same->bars[0].base, ram);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  pci_grant_function(&authority, &other, same, &grant, &what));
    EXPECT_STR_EQ(what, "its registers lie over memory");
    EXPECT_EQ(config.read(config.context, 4) & 7, 0u);
    config.write(config.context, 16, (uint32_t)function->bars[0].base);
    pci_show_registers(&config);
    close_handle(vmo);
}

// Which of two, by their order.
static const struct pci_function *find_sdhci(const struct pci_host *in, uint32_t which)
{
    for (uint32_t i = 0; i < in->scan.count; i++) {
        const struct pci_function *function = &in->scan.functions[i];
        if (function->header.device == SDHCI_DEVICE && which-- == 0)
            return function;
    }
    return NULL;
}

// As if firmware had put the second's in the page of the first's.
TEST(small_registers_have_their_page_to_themselves)
{
    static struct pci_host other;
    const struct pci_function *first, *second;
    const char *what = NULL;
    struct pci_grant grant;
    struct pci_config config;

    ASSERT_TRUE(open_host());
    first = find_sdhci(&host, 0);
    second = find_sdhci(&host, 1);
    ASSERT_TRUE(first != NULL && second != NULL);
    EXPECT_EQ(second->bars[0].size_bytes, SDHCI_BYTES);
    EXPECT_EQ(second->bars[0].base % MX_PAGE_SIZE, 0u);
    EXPECT_NE(first->bars[0].base, second->bars[0].base);
    pci_host_open_config(&host, second, &config);
    config.write(config.context, 4, 0); // no answer to addresses
    config.write(config.context, 16, (uint32_t)first->bars[0].base + SDHCI_BYTES);
    ASSERT_OK(pci_host_open(&authority, &host.info, is_known, &other));
    second = find_sdhci(&other, 1);
    if (host.info.memory32.size_bytes != 0) {
        EXPECT_TRUE(second->refusal == NULL);
        EXPECT_EQ(second->bars[0].base % MX_PAGE_SIZE, 0u);
        EXPECT_NE(second->bars[0].base, first->bars[0].base);
    } else {
        EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                      pci_grant_function(&authority, &other, second, &grant, &what));
        EXPECT_TRUE(find_sdhci(&other, 0)->refusal != NULL);
    }
    config.write(config.context, 4, 0);
    config.write(config.context, 16, (uint32_t)find_sdhci(&host, 1)->bars[0].base);
    pci_show_registers(&config);
}

TEST(messages_need_their_resource)
{
    struct mx_interrupt_message message;
    mx_handle_t lines = make(MX_RESOURCE_IRQ, 0, 5000), interrupt;

    ASSERT_TRUE(open_host());
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_interrupt_create_message(lines, 8, &interrupt, &message));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_interrupt_create_message(root_resource(), 8, &interrupt, &message));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE,
                  mx_interrupt_create_message(own_job(), 8, &interrupt, &message));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  mx_interrupt_create_message(authority.irqs, 8, &interrupt, NULL));
    close_handle(lines);
}

TEST(messages_are_taken_until_there_are_no_more_and_given_back)
{
    struct mx_interrupt_message message, first;
    static mx_handle_t interrupts[2048];
    uint32_t count = 0;
    mx_status_t status;

    ASSERT_TRUE(open_host());
    // As many functions as bus 0 has, for those controllers that have a table for each.
    do {
        status = mx_interrupt_create_message(authority.irqs, count % 32 * 8, &interrupts[count],
                                             &message);
        if (count == 0)
            first = message;
    } while (status == MX_OK && ++count < sizeof(interrupts) / sizeof(interrupts[0]));
    EXPECT_STATUS(MX_ERR_NO_RESOURCES, status);
    EXPECT_GT(count, 16u);
    while (count > 0)
        close_handle(interrupts[--count]);
    ASSERT_OK(mx_interrupt_create_message(authority.irqs, 0, &interrupts[0], &message));
    EXPECT_EQ(message.address, first.address);
    EXPECT_EQ(message.data, first.data);
    close_handle(interrupts[0]);
}

// Of a device without anybody's interest in it.
static uint32_t idle_requester(void)
{
    const struct pci_function *function = find_sdhci(&host, 0);

    return host.info.segment << 16 | (uint32_t)function->bus << 8 | function->slot;
}

// As if its driver and whoever started that had ended.
TEST(a_device_whose_last_handle_is_closed_reaches_memory_no_more)
{
    const struct pci_function *function;
    struct driver_memory memory;
    struct pci_config config;
    struct pci_grant grant;

    ASSERT_TRUE(start_edu(false, &function, &grant));
    ASSERT_OK(driver_allocate(&grant.device, MX_PAGE_SIZE, &memory));
    pci_host_open_config(&host, function, &config);
    EXPECT_EQ(pci_read16(&config, 4) & 4, 4u);
    close_handle(grant.device.dma);
    grant.device.dma = MX_HANDLE_INVALID;
    EXPECT_EQ(pci_read16(&config, 4) & 4, 4u);
    close_handle(grant.dma);
    grant.dma = MX_HANDLE_INVALID;
    EXPECT_EQ(pci_read16(&config, 4) & 4, 0u);
    EXPECT_EQ(*reg(&grant.device, EDU_IDENTIFICATION), EDU_ID);
    EXPECT_OK(mx_aspace_unmap(own_aspace(), (uint64_t)(uintptr_t)memory.bytes, memory.size_bytes));
    close_handle(memory.vmo);
    pci_revoke_function(&host, function, &grant);
}

TEST(dma_objects_need_their_resource_and_rights)
{
    mx_handle_t dma, weak, vmo, readonly, mmio;
    uint64_t address;
    uint32_t id;

    ASSERT_TRUE(open_host());
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_dma_create(authority.memory, 0, &dma));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_dma_create(own_job(), 0, &dma));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_dma_create(authority.dma, UINT32_MAX, &dma));
    ASSERT_OK(mx_dma_create(authority.dma, idle_requester(), &dma));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, mx_dma_create(authority.dma, idle_requester(), &weak));
    ASSERT_OK(mx_vmo_create(3 * MX_PAGE_SIZE, &vmo));
    readonly = with_rights(vmo, MX_RIGHT_READ);
    weak = with_rights(dma, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_dma_attach(weak, vmo, &id));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_dma_attach(dma, readonly, &id));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_dma_attach(vmo, vmo, &id));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_dma_attach(dma, dma, &id));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_dma_attach(dma, vmo, NULL));
    ASSERT_OK(mx_dma_attach(dma, vmo, &id));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_dma_addresses(weak, id, 0, 1, &address));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_dma_detach(weak, id));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_vmo_create_contiguous(weak, MX_PAGE_SIZE, &readonly, &address));
    ASSERT_OK(
        mx_vmo_create_physical(authority.memory, 0, host.info.ecam_base, MX_PAGE_SIZE, &mmio));
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED, mx_dma_attach(dma, mmio, &id));
    close_handle(mmio);
    close_handle(weak);
    close_handle(vmo);
    close_handle(dma);
}

TEST(attached_memory_keeps_its_pages)
{
    mx_handle_t dma, vmo;
    uint64_t addresses[3], again[3];
    uint32_t id;

    ASSERT_TRUE(open_host());
    ASSERT_OK(mx_dma_create(authority.dma, idle_requester(), &dma));
    ASSERT_OK(mx_vmo_create(3 * MX_PAGE_SIZE, &vmo));
    ASSERT_OK(mx_dma_attach(dma, vmo, &id));
    EXPECT_OK(mx_dma_addresses(dma, id, 0, 3, addresses));
    EXPECT_NE(addresses[0], addresses[1]);
    EXPECT_NE(addresses[1], addresses[2]);
    EXPECT_STATUS(MX_ERR_BAD_STATE, mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, MX_PAGE_SIZE));
    EXPECT_OK(mx_dma_addresses(dma, id, MX_PAGE_SIZE, 2, again));
    EXPECT_EQ(again[0], addresses[1]);
    EXPECT_EQ(again[1], addresses[2]);
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_dma_addresses(dma, id, MX_PAGE_SIZE, 3, again));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_dma_addresses(dma, id, UINT64_MAX - MX_PAGE_SIZE + 1, 2, again));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_dma_addresses(dma, id, 0, MX_DMA_ADDRESSES_MAX + 1, again));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_dma_addresses(dma, id, 1, 1, again));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_dma_addresses(dma, id, 0, 1, NULL));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_dma_addresses(dma, id + 1, 0, 1, again));
    EXPECT_OK(mx_dma_detach(dma, id));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_dma_detach(dma, id));
    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_dma_addresses(dma, id, 0, 1, again));
    EXPECT_OK(mx_vmo_op_range(vmo, MX_VMO_OP_DECOMMIT, 0, MX_PAGE_SIZE));
    close_handle(vmo);
    close_handle(dma);
}

TEST(attached_memory_lives_until_the_last_handle_of_its_dma_object)
{
    mx_handle_t dma, kept, vmo;
    uint64_t address;
    uint32_t id;

    ASSERT_TRUE(open_host());
    ASSERT_OK(mx_dma_create(authority.dma, idle_requester(), &dma));
    struct machine_counts before = machine_counts();
    kept = with_rights(dma, MX_RIGHT_SAME);
    ASSERT_OK(mx_vmo_create_contiguous(dma, 1 << 20, &vmo, &address));
    ASSERT_OK(mx_dma_attach(dma, vmo, &id));
    close_handle(vmo);
    close_handle(dma);
    EXPECT_LE(machine_counts().free_bytes + (1 << 20), before.free_bytes);
    EXPECT_OK(mx_dma_addresses(kept, id, 0, 1, &address));
    close_handle(kept);
    EXPECT_GT(machine_counts().free_bytes + (1 << 20), before.free_bytes);
}
