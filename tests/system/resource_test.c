// Resources, hardware interrupts, ports, power, and random numbers.

#include <arch_machine.h>
#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/test.h"

TEST(resource_is_derived_within_its_parent)
{
    mx_handle_t mmio, part, none;

    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_MMIO, 0x10000, 0x10000, &mmio));
    EXPECT_OK(mx_resource_create(mmio, MX_RESOURCE_MMIO, 0x18000, 0x8000, &part));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_resource_create(mmio, MX_RESOURCE_MMIO, 0x18000, 0x8001, &none));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_resource_create(mmio, MX_RESOURCE_MMIO, 0xf000, 0x1000, &none));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_resource_create(mmio, MX_RESOURCE_IOPORT, 0x10000, 1, &none));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE,
                  mx_resource_create(mmio, MX_RESOURCE_ROOT, 0x10000, 1, &none));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_resource_create(mmio, 77, 0x10000, 1, &none));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_resource_create(own_job(), MX_RESOURCE_MMIO, 0, 1, &none));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_resource_create(0, MX_RESOURCE_MMIO, 0, 1, &none));
    close_handle(part);
    part = with_rights(mmio, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_resource_create(part, MX_RESOURCE_MMIO, 0x10000, 1, &none));
    close_handle(part);
    close_handle(mmio);
}

TEST(interrupts_need_their_resource_and_exist_once)
{
    mx_handle_t irqs, interrupt, second, port;

    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_IRQ, TEST_IRQ - 1, 2, &irqs));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_interrupt_create(irqs, TEST_IRQ + 1, &interrupt));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_interrupt_create(root_resource(), TEST_IRQ, &interrupt));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_interrupt_create(own_job(), TEST_IRQ, &interrupt));
    ASSERT_OK(mx_interrupt_create(irqs, TEST_IRQ, &interrupt));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, mx_interrupt_create(irqs, TEST_IRQ, &second));
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_interrupt_wait(interrupt, deadline_after(MX_MSEC(2)), NULL));
    ASSERT_OK(mx_port_create(&port));
    EXPECT_OK(mx_interrupt_bind(interrupt, port, 1));
    EXPECT_STATUS(MX_ERR_ALREADY_BOUND, mx_interrupt_bind(interrupt, port, 1));
    EXPECT_OK(mx_interrupt_ack(interrupt));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_interrupt_bind(port, port, 1));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_interrupt_ack(port));
    close_handle(interrupt);
    ASSERT_OK(mx_interrupt_create(irqs, TEST_IRQ, &interrupt));
    close_handle(interrupt);
    close_handle(port);
    close_handle(irqs);
}

TEST(numbers_that_are_no_external_interrupts_are_refused)
{
    mx_handle_t irqs, interrupt;

    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_IRQ, 0, 5000, &irqs));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_interrupt_create(irqs, TEST_IRQ_INTERNAL, &interrupt));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_interrupt_create(irqs, 1023, &interrupt));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_interrupt_create(irqs, 4999, &interrupt));
    close_handle(irqs);
}

TEST(console_is_somewhere_and_taken)
{
    struct mx_info_console info;
    mx_handle_t irqs, interrupt;

    ASSERT_OK(
        mx_object_get_info(system_resource(), MX_INFO_CONSOLE, &info, sizeof(info), NULL));
    EXPECT_EQ(info.resource_kind, TEST_HAS_PORTS ? MX_RESOURCE_IOPORT : MX_RESOURCE_MMIO);
    EXPECT_GT(info.size_bytes, 0u);
    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_IRQ, info.irq, 1, &irqs));
    EXPECT_STATUS(MX_ERR_ALREADY_EXISTS, mx_interrupt_create(irqs, info.irq, &interrupt));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED,
                  mx_object_get_info(irqs, MX_INFO_CONSOLE, &info, sizeof(info), NULL));
    close_handle(irqs);
}

// The tests' machine is started without one.
TEST(there_is_no_screen)
{
    struct mx_info_framebuffer info;

    EXPECT_STATUS(MX_ERR_NOT_FOUND, mx_object_get_info(system_resource(), MX_INFO_FRAMEBUFFER,
                                                       &info, sizeof(info), NULL));
}

TEST(ports_need_their_resource)
{
    mx_handle_t ports;
    uint32_t value = 0;

    ASSERT_OK(mx_resource_create(root_resource(), MX_RESOURCE_IOPORT, 0x80, 2, &ports));
    // Where the CPU has no such space, nobody can reach it whatever he was given.
    EXPECT_STATUS(TEST_HAS_PORTS ? MX_OK : MX_ERR_NOT_SUPPORTED, mx_ioport_write(ports, 0x80, 1, 0));
    EXPECT_STATUS(TEST_HAS_PORTS ? MX_OK : MX_ERR_NOT_SUPPORTED, mx_ioport_read(ports, 0x80, 2, &value));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_ioport_read(ports, 0x80, 4, &value));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_ioport_read(ports, 0x81, 2, &value));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_ioport_write(ports, 0x64, 1, 0xfe));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_ioport_read(ports, 0xffffffff, 1, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_ioport_read(ports, 0x80, 3, &value));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_ioport_write(ports, 0x80, 0, 0));
    EXPECT_STATUS(TEST_HAS_PORTS ? MX_ERR_INVALID_ARGS : MX_ERR_NOT_SUPPORTED,
                  mx_ioport_read(ports, 0x80, 1, NULL));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_ioport_write(root_resource(), 0x80, 1, 0));
    close_handle(ports);
}

TEST(power_needs_its_resource)
{
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_system_power(root_resource(), MX_POWER_OFF));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_system_power(own_job(), MX_POWER_OFF));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_system_power(MX_HANDLE_INVALID, MX_POWER_OFF));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_system_power(system_resource(), 99));
}

TEST(random_bytes_differ_and_are_limited)
{
    uint8_t a[256] = {0}, b[256] = {0}, more[257];

    ASSERT_OK(mx_random_draw(a, sizeof(a)));
    ASSERT_OK(mx_random_draw(b, sizeof(b)));
    EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
    EXPECT_NE(mx_random_draw(more, sizeof(more)), MX_OK);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_random_draw((void *)16, 8));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_random_draw((void *)0xffff800000000000, 8));
}
