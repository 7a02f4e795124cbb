// Guests as the kernel's generic part sees them: traps, bells, interrupt lines, vCPUs that are
// kicked or killed. What the CPU does is a script; see kernel/arch/host/host_guest.h.
#include "tests/unit/kernel_fixture.h"

#include "kernel/hypervisor/guest.h"
#include "kernel/object/process.h"

static mx_handle_t guest, guest_aspace;

static void make_guest(void)
{
    mx_handle_t resource;

    EXPECT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_HYPERVISOR, 0, 0, &resource));
    EXPECT_OK(HOST_SYSCALL(sys_guest_create(resource, env.job_handle, scratch(0), scratch(64))));
    get(&guest, scratch(0), sizeof(guest));
    get(&guest_aspace, scratch(64), sizeof(guest_aspace));
}

static const struct guest *guest_object(void)
{
    struct object *object = NULL;

    EXPECT_OK(handle_get(guest, MX_OBJECT_GUEST, 0, &object));
    object_release(object); // the handle keeps it
    return guest_from_object(object);
}

static mx_status_t set_trap(uint32_t kind, mx_handle_t port, uint64_t addr, uint64_t size,
                            uint64_t key)
{
    struct mx_trap trap = {kind, port, addr, size, key};
    put(scratch(0), &trap, sizeof(trap));
    return (mx_status_t)HOST_SYSCALL(sys_guest_set_trap(guest, scratch(0)));
}

static mx_handle_t make_vcpu(const struct host_guest_step *script)
{
    mx_handle_t vcpu = 0;

    host_vcpu_set_script(script);
    EXPECT_OK(HOST_SYSCALL(sys_vcpu_create(guest, 0, 0, scratch(0))));
    get(&vcpu, scratch(0), sizeof(vcpu));
    return vcpu;
}

static mx_status_t enter(mx_handle_t vcpu, struct mx_vcpu_packet *packet)
{
    put(scratch(0), packet, sizeof(*packet));
    mx_status_t status = (mx_status_t)HOST_SYSCALL(sys_vcpu_enter(vcpu, scratch(0)));
    get(packet, scratch(0), sizeof(*packet));
    return status;
}

PROCESS_TEST(guest_bell_packets_coalesce_while_they_are_queued)
{
    static const struct host_guest_step script[] = {{HOST_GUEST_MEM_WRITE, 0x1000, 1},
                                                    {HOST_GUEST_MEM_WRITE, 0x1008, 2},
                                                    {HOST_GUEST_IO_WRITE, 0x70, 3},
                                                    {HOST_GUEST_IO_READ, 0x71, 0},
                                                    {HOST_GUEST_END, 0, 0}};
    struct mx_vcpu_packet packet = {0};
    struct mx_port_packet bell;
    mx_handle_t port;

    make_guest();
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(set_trap(MX_TRAP_BELL, port, 0x1000, 0x1000, 11));
    EXPECT_OK(set_trap(MX_TRAP_IO_BELL, port, 0x70, 1, 12));
    EXPECT_OK(set_trap(MX_TRAP_IO, 0, 0x71, 1, 13));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, set_trap(MX_TRAP_MEM, 0, 0x1fff, 2, 14));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, set_trap(MX_TRAP_IO, 0, 0xffff, 2, 14));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, set_trap(MX_TRAP_MEM, 0, UINT64_MAX, 2, 14));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(MX_TRAP_MEM, port, 0x9000, 2, 14));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, set_trap(MX_TRAP_BELL, 0, 0x9000, 2, 14));
    mx_handle_t vcpu = make_vcpu(script);
    EXPECT_OK(enter(vcpu, &packet));
    EXPECT_EQ(packet.type, MX_VCPU_PACKET_IO);
    EXPECT_EQ(packet.key, 13);
    EXPECT_OK(mx_port_wait(port, 0, &bell));
    EXPECT_EQ(bell.key, 11);
    EXPECT_EQ(bell.bell.count, 2);
    EXPECT_EQ(bell.bell.addr, 0x1008);
    EXPECT_OK(mx_port_wait(port, 0, &bell));
    EXPECT_EQ(bell.key, 12);
    EXPECT_EQ(bell.bell.value, 3);
    EXPECT_OK(enter(vcpu, &packet));
    EXPECT_EQ(packet.type, MX_VCPU_PACKET_POWER);
}

PROCESS_TEST(guest_clear_trap_takes_back_its_packet)
{
    static const struct host_guest_step script[] = {{HOST_GUEST_MEM_WRITE, 0x1000, 1},
                                                    {HOST_GUEST_END, 0, 0}};
    struct mx_vcpu_packet packet = {0};
    struct mx_port_packet bell;
    mx_handle_t port;

    make_guest();
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(set_trap(MX_TRAP_BELL, port, 0x1000, 8, 11));
    mx_handle_t vcpu = make_vcpu(script);
    EXPECT_OK(enter(vcpu, &packet));
    EXPECT_OK(HOST_SYSCALL(sys_guest_clear_trap(guest, MX_TRAP_BELL, 0x1000)));
    EXPECT_STATUS(MX_ERR_NOT_FOUND,
                  HOST_SYSCALL(sys_guest_clear_trap(guest, MX_TRAP_BELL, 0x1000)));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &bell));
}

PROCESS_TEST(guest_dies_with_packets_queued)
{
    static const struct host_guest_step script[] = {{HOST_GUEST_MEM_WRITE, 0x1000, 1},
                                                    {HOST_GUEST_END, 0, 0}};
    struct mx_vcpu_packet packet = {0};
    struct mx_port_packet bell;
    mx_handle_t port;

    make_guest();
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(set_trap(MX_TRAP_BELL, port, 0x1000, 8, 11));
    mx_handle_t vcpu = make_vcpu(script);
    EXPECT_OK(enter(vcpu, &packet));
    EXPECT_OK(mx_handle_close(vcpu));
    EXPECT_OK(mx_handle_close(guest));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &bell));
}

static void kick_later(uint64_t vcpu, uint64_t unused)
{
    (void)unused;
    sleep_for(MX_MSEC(1));
    EXPECT_OK(HOST_SYSCALL(sys_vcpu_kick((mx_handle_t)vcpu)));
}

PROCESS_TEST(vcpu_kick_ends_halt_and_spin)
{
    static const struct host_guest_step halt[] = {{HOST_GUEST_HALT, 0, 0}, {HOST_GUEST_END, 0, 0}};
    static const struct host_guest_step spin[] = {{HOST_GUEST_SPIN, 0, MX_SEC(9)},
                                                  {HOST_GUEST_END, 0, 0}};
    struct mx_vcpu_packet packet = {0};

    make_guest();
    for (unsigned i = 0; i < 2; i++) {
        mx_handle_t vcpu = make_vcpu(i == 0 ? halt : spin);
        spawn(kick_later, vcpu, NULL);
        EXPECT_STATUS(MX_ERR_CANCELED, enter(vcpu, &packet));
        EXPECT_OK(HOST_SYSCALL(sys_vcpu_kick(vcpu)));
        EXPECT_OK(HOST_SYSCALL(sys_vcpu_kick(vcpu)));
        EXPECT_STATUS(MX_ERR_CANCELED, enter(vcpu, &packet)); // before it runs; kicks do not add up
        EXPECT_OK(HOST_SYSCALL(sys_vcpu_interrupt(vcpu, 32)));
        EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, HOST_SYSCALL(sys_vcpu_interrupt(vcpu, 1000)));
        if (i == 0)
            EXPECT_OK(enter(vcpu, &packet)); // the interrupt ends the halt
        EXPECT_OK(mx_handle_close(vcpu));
    }
}

static void run_vcpu(uint64_t argument, uint64_t unused)
{
    static const struct host_guest_step halt[] = {{HOST_GUEST_HALT, 0, 0}, {HOST_GUEST_END, 0, 0}};
    struct mx_vcpu_packet packet = {0};

    (void)argument;
    (void)unused;
    mx_handle_t vcpu = make_vcpu(halt);
    (void)!enter(vcpu, &packet);
    EXPECT_TRUE(!"the vCPU woke up");
}

PROCESS_TEST(vcpu_thread_is_killed_while_the_guest_is_idle)
{
    make_guest();
    spawn(run_vcpu, 0, NULL);
    sleep_for(MX_MSEC(1)); // and the process ends
}

PROCESS_TEST(guest_irq_waits_for_its_route)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_PORT, .key = 5};
    struct mx_port_packet packet;
    mx_handle_t irq = 0;

    make_guest();
    ASSERT_OK(mx_port_create(&route.port));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_create(guest, scratch(0))));
    get(&irq, scratch(0), sizeof(irq));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_raise(irq)));
    put(scratch(0), &route, sizeof(route));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_route(irq, scratch(0))));
    EXPECT_OK(mx_port_wait(route.port, 0, &packet));
    EXPECT_EQ(packet.type, MX_PACKET_GUEST_IRQ);
    EXPECT_EQ(packet.key, 5);
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_raise(irq)));
    struct mx_irq_route none = {.kind = MX_IRQ_ROUTE_NONE};
    put(scratch(0), &none, sizeof(none));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_route(irq, scratch(0))));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(route.port, 0, &packet));
    struct mx_irq_route message = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0x1000};
    put(scratch(0), &message, sizeof(message));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, HOST_SYSCALL(sys_guest_irq_route(irq, scratch(0))));
}

PROCESS_TEST(guest_irq_that_is_lowered_before_its_route_is_forgotten)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0xfee00000, .data = 0x40};
    mx_handle_t irq = 0;

    make_guest();
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_create(guest, scratch(0))));
    get(&irq, scratch(0), sizeof(irq));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_raise(irq)));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_lower(irq)));
    put(scratch(0), &route, sizeof(route));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_route(irq, scratch(0))));
    EXPECT_EQ(guest_object()->arch.msi_count, 0);
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_raise(irq)));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_lower(irq)));
    EXPECT_EQ(guest_object()->arch.msi_count, 1);
    EXPECT_EQ(guest_object()->arch.lower_count, 1);
    EXPECT_STATUS(MX_ERR_NOT_SUPPORTED,
                  HOST_SYSCALL(sys_guest_gic_read(guest, 0, 0, 0, scratch(0))));
}

static mx_status_t set_route(mx_handle_t irq, const struct mx_irq_route *route)
{
    put(scratch(0), route, sizeof(*route));
    return (mx_status_t)HOST_SYSCALL(sys_guest_irq_route(irq, scratch(0)));
}

static mx_handle_t make_raised_irq(uint64_t data)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0xfee00000, .data = data};
    mx_handle_t irq = 0;

    make_guest();
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_create(guest, scratch(0))));
    get(&irq, scratch(0), sizeof(irq));
    EXPECT_OK(set_route(irq, &route));
    EXPECT_OK(HOST_SYSCALL(sys_guest_irq_raise(irq)));
    return irq;
}

PROCESS_TEST(guest_irq_that_is_up_goes_along_with_its_route)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0xfee00000, .data = 0x41};
    mx_handle_t irq = make_raised_irq(HOST_GUEST_LEVEL_DATA);

    EXPECT_OK(set_route(irq, &route));
    EXPECT_EQ(guest_object()->arch.lower_count, 1);
    EXPECT_EQ(guest_object()->arch.last_lowered_data, HOST_GUEST_LEVEL_DATA);
    EXPECT_EQ(guest_object()->arch.msi_count, 2);
    EXPECT_EQ(guest_object()->arch.last_msi_data, 0x41);
}

PROCESS_TEST(guest_irq_that_is_up_without_a_route_waits_for_one)
{
    struct mx_irq_route none = {.kind = MX_IRQ_ROUTE_NONE};
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0xfee00000, .data = 0x41};
    mx_handle_t irq = make_raised_irq(HOST_GUEST_LEVEL_DATA);

    EXPECT_OK(set_route(irq, &none));
    EXPECT_EQ(guest_object()->arch.lower_count, 1);
    EXPECT_EQ(guest_object()->arch.msi_count, 1);
    EXPECT_OK(set_route(irq, &route));
    EXPECT_EQ(guest_object()->arch.msi_count, 2);
}

PROCESS_TEST(guest_irq_message_is_not_sent_again_by_another_route)
{
    struct mx_irq_route route = {.kind = MX_IRQ_ROUTE_MSI, .addr = 0xfee00000, .data = 0x41};
    mx_handle_t irq = make_raised_irq(0x40);

    EXPECT_OK(set_route(irq, &route));
    EXPECT_EQ(guest_object()->arch.msi_count, 1);
}

PROCESS_TEST(guest_irq_that_ends_while_it_is_up_goes_down)
{
    mx_handle_t irq = make_raised_irq(HOST_GUEST_LEVEL_DATA);

    EXPECT_OK(mx_handle_close(irq));
    EXPECT_EQ(guest_object()->arch.lower_count, 1);
}

PROCESS_TEST(guest_create_with_a_bad_pointer_leaves_no_handle)
{
    struct mx_info_process before, after;
    mx_handle_t resource;

    EXPECT_OK(mx_resource_create(env.root_resource, MX_RESOURCE_HYPERVISOR, 0, 0, &resource));
    EXPECT_OK(mx_object_get_info(env.self, MX_INFO_PROCESS, &before, sizeof(before), NULL));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  HOST_SYSCALL(sys_guest_create(resource, env.job_handle, 0x5000, scratch(0))));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS,
                  HOST_SYSCALL(sys_guest_create(resource, env.job_handle, scratch(0), 0x5000)));
    EXPECT_OK(mx_object_get_info(env.self, MX_INFO_PROCESS, &after, sizeof(after), NULL));
    EXPECT_EQ(after.handle_count, before.handle_count);
}

static uint32_t shown_options(const struct arch_aspace *aspace, uint64_t addr)
{
    uint32_t options = 0;
    enum memory_type memory;
    paddr_t page;

    return host_aspace_lookup(aspace, addr, &page, &options, &memory) ? options : 0;
}

PROCESS_TEST(memory_that_is_seen_alike_is_so_for_program_and_guest_and_stays_so)
{
    const uint32_t options = MX_MAP_READ | MX_MAP_POPULATE | MX_MAP_COHERENT;
    uint64_t guest_addr = 0x200000, own_addr = 0;
    uint8_t byte;
    mx_handle_t vmo;

    make_guest();
    ASSERT_OK(mx_vmo_create(4096, &vmo));
    ASSERT_OK(mx_aspace_map(guest_aspace, options | MX_MAP_SPECIFIC, vmo, 0, 4096, &guest_addr));
    ASSERT_OK(mx_aspace_map(env.aspace, options | MX_MAP_WRITE, vmo, 0, 4096, &own_addr));
    EXPECT_EQ(shown_options(&guest_object()->aspace->arch, guest_addr),
              MX_MAP_READ | MX_MAP_COHERENT);
    EXPECT_EQ(shown_options(&process_current()->aspace->arch, own_addr),
              MX_MAP_READ | MX_MAP_WRITE | MX_MAP_COHERENT);
    ASSERT_OK(mx_aspace_protect(env.aspace, MX_MAP_READ, own_addr, 4096));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_aspace_protect(env.aspace, options, own_addr, 4096));
    host_user_load(&byte, own_addr, 1);
    EXPECT_EQ(shown_options(&process_current()->aspace->arch, own_addr),
              MX_MAP_READ | MX_MAP_COHERENT);
}
