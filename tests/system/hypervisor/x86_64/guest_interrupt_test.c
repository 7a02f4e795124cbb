// Interrupts of guests: from the VMM, from lines and messages, between vCPUs, from the local APIC's
// timer.

#include <machina/syscalls.h>
#include <machina_user/thread.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/second_vcpu.h"
#include "tests/test.h"

#define VECTOR             0x41
#define MSI_ADDRESS        UINT64_C(0xfee00000)
#define MSI_LEVEL_ASSERTED 0xc000

static struct guest_fixture guest;
static struct mx_vcpu_packet packet;
static uint32_t value;

// Starts the guest and runs it to its first exit, where it waits for what the test does.
static bool start_and_wait(const struct guest_code *code)
{
    return guest_start(&guest, code) && guest_run(guest.vcpu, &value) && value == 1;
}

static void expect_finish(const struct guest_code *code)
{
    ASSERT_TRUE(guest_start(&guest, code));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(vmm_interrupts_a_running_guest)
{
    ASSERT_TRUE(start_and_wait(&code_wait_for_interrupt));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, VECTOR));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_results(&guest)->interrupt_count[VECTOR], 1u);
    guest_destroy(&guest);
}

static void interrupt_soon(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    (void)!mx_vcpu_interrupt(guest.vcpu, VECTOR);
}

TEST(another_thread_interrupts_a_running_guest)
{
    struct thread *thread;

    ASSERT_TRUE(start_and_wait(&code_wait_for_interrupt));
    ASSERT_OK(thread_create(&thread, "interrupt", interrupt_soon, NULL, 0));
    EXPECT_TRUE(guest_finishes(&guest));
    thread_join(thread);
    guest_destroy(&guest);
}

TEST(interrupt_ends_halt)
{
    struct thread *thread;

    ASSERT_TRUE(start_and_wait(&code_halt_until_interrupt));
    ASSERT_OK(thread_create(&thread, "interrupt", interrupt_soon, NULL, 0));
    EXPECT_TRUE(guest_finishes(&guest));
    thread_join(thread);
    guest_destroy(&guest);
}

TEST(interrupts_come_by_priority)
{
    ASSERT_TRUE(start_and_wait(&code_three_interrupts));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x31));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x51));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x41));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_log(&guest)->vectors[0], 0x51);
    EXPECT_EQ(guest_log(&guest)->vectors[1], 0x41);
    EXPECT_EQ(guest_log(&guest)->vectors[2], 0x31);
    guest_destroy(&guest);
}

TEST(nmi_comes_with_interrupts_off_and_before_others)
{
    ASSERT_TRUE(start_and_wait(&code_wait_for_nmi));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, MX_VCPU_INTERRUPT_NMI));
    ASSERT_TRUE(guest_run(guest.vcpu, &value));
    EXPECT_EQ(value, 2u);
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, VECTOR));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, MX_VCPU_INTERRUPT_NMI));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_log(&guest)->vectors[0], 2);
    EXPECT_EQ(guest_log(&guest)->vectors[1], 2);
    guest_destroy(&guest);
}

TEST(task_priority_holds_interrupts_back)
{
    ASSERT_TRUE(start_and_wait(&code_task_priority));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x51));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x61));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(one_shot_timer_fires_in_a_running_guest)
{
    expect_finish(&code_timer_one_shot);
}
TEST(one_shot_timer_ends_halt)
{
    expect_finish(&code_timer_one_shot_halted);
}
TEST(periodic_timer_fires_again_and_again)
{
    expect_finish(&code_timer_periodic);
}
TEST(deadline_timer_fires_and_clears_itself)
{
    expect_finish(&code_timer_deadline);
}
TEST(deadline_timer_ends_halt)
{
    expect_finish(&code_timer_deadline_halted);
}
TEST(self_ipis_arrive_at_once)
{
    expect_finish(&code_self_ipi);
}
TEST(paravirtual_eoi_ends_a_lone_interrupt)
{
    expect_finish(&code_paravirtual_eoi);
}
TEST(pause_goes_on)
{
    expect_finish(&code_pause);
}

TEST(armed_timer_goes_with_its_vcpu)
{
    struct machine_counts before = machine_counts();

    for (int i = 0; i < 20; i++) {
        ASSERT_TRUE(guest_start(&guest, &code_timer_armed));
        EXPECT_TRUE(guest_finishes(&guest));
        guest_destroy(&guest);
    }
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    EXPECT_TRUE(machine_counts_return_to(&before));
}

TEST(memory_mapped_apic_works)
{
    expect_finish(&code_xapic);
}

// --- messages and lines
// ---------------------------------------------------------------------------

TEST(message_interrupts_the_guest)
{
    ASSERT_TRUE(start_and_wait(&code_wait_for_interrupt));
    EXPECT_OK(mx_guest_send_msi(guest.guest, MSI_ADDRESS, VECTOR));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(message_elsewhere_is_refused_or_lost)
{
    mx_handle_t weak;

    ASSERT_TRUE(start_and_wait(&code_wait_for_interrupt));
    weak = with_rights(guest.guest, MX_RIGHT_WRITE);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_send_msi(guest.guest, 0x12345000, VECTOR));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_send_msi(weak, MSI_ADDRESS, VECTOR));
    (void)!mx_guest_send_msi(guest.guest, MSI_ADDRESS | 9 << 12, VECTOR); // no such vCPU
    EXPECT_EQ(guest_results(&guest)->interrupt_count[VECTOR], 0u);
    close_handle(weak);
    guest_destroy(&guest);
}

TEST(level_message_reports_its_end)
{
    ASSERT_TRUE(start_and_wait(&code_level_interrupt));
    EXPECT_OK(mx_guest_send_msi(guest.guest, MSI_ADDRESS, VECTOR | MSI_LEVEL_ASSERTED));
    packet = (struct mx_vcpu_packet){0};
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_EOI);
    EXPECT_EQ(packet.eoi.vector, (uint32_t)VECTOR);
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}

TEST(interrupt_whose_delivery_faults_comes_once)
{
    ASSERT_TRUE(start_and_wait(&code_interrupt_on_untouched_stack));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, VECTOR));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_log(&guest)->count, 1u);
    guest_destroy(&guest);
}

static void expect_acknowledged_by_the_vmm(const struct guest_code *code)
{
    ASSERT_TRUE(start_and_wait(code));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, MX_VCPU_INTERRUPT_EXTINT));
    packet = (struct mx_vcpu_packet){0};
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    ASSERT_EQ(packet.type, (uint32_t)MX_VCPU_PACKET_INTACK);
    packet.intack.vector = 0x60;
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, MX_VCPU_INTERRUPT_EXTINT_CLEAR));
    ASSERT_OK(guest_enter(guest.vcpu, &packet));
    EXPECT_EQ(packet.io.data, (uint64_t)GUEST_DONE);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x60], 1u);
    guest_destroy(&guest);
}

TEST(external_interrupt_is_acknowledged_by_the_vmm)
{
    expect_acknowledged_by_the_vmm(&code_external_interrupt);
}

TEST(external_interrupt_whose_delivery_faults_comes_once)
{
    expect_acknowledged_by_the_vmm(&code_external_interrupt_on_untouched_stack);
}

static mx_status_t route(mx_handle_t irq, uint32_t kind, uint64_t addr, uint64_t data,
                         mx_handle_t port)
{
    struct mx_irq_route to = {.kind = kind, .addr = addr, .data = data, .port = port, .key = 17};

    return mx_guest_irq_route(irq, &to);
}

TEST(line_raised_before_its_route_is_delivered_by_it)
{
    mx_handle_t irq;

    ASSERT_TRUE(start_and_wait(&code_wait_for_interrupt));
    ASSERT_OK(mx_guest_irq_create(guest.guest, &irq));
    ASSERT_OK(mx_guest_irq_raise(irq));
    ASSERT_OK(route(irq, MX_IRQ_ROUTE_MSI, MSI_ADDRESS, VECTOR, MX_HANDLE_INVALID));
    EXPECT_TRUE(guest_finishes(&guest));
    EXPECT_EQ(guest_results(&guest)->interrupt_count[VECTOR], 1u);
    close_handle(irq);
    guest_destroy(&guest);
}

static mx_handle_t line;

static void raise_soon(void *argument)
{
    (void)argument;
    mx_nanosleep(deadline_after(MX_MSEC(20)));
    (void)!mx_guest_irq_raise(line);
}

TEST(line_reaches_a_halted_guest)
{
    struct thread *thread;

    ASSERT_TRUE(start_and_wait(&code_halt_until_interrupt));
    ASSERT_OK(mx_guest_irq_create(guest.guest, &line));
    ASSERT_OK(route(line, MX_IRQ_ROUTE_MSI, MSI_ADDRESS, VECTOR, MX_HANDLE_INVALID));
    ASSERT_OK(thread_create(&thread, "raise", raise_soon, NULL, 0));
    EXPECT_TRUE(guest_finishes(&guest));
    thread_join(thread);
    close_handle(line);
    guest_destroy(&guest);
}

TEST(line_routed_to_a_port_sends_packets)
{
    struct mx_port_packet received;
    mx_handle_t irq, port;

    ASSERT_TRUE(guest_create(&guest));
    ASSERT_OK(mx_port_create(&port));
    ASSERT_OK(mx_guest_irq_create(guest.guest, &irq));
    ASSERT_OK(route(irq, MX_IRQ_ROUTE_PORT, 0, 0, port));
    ASSERT_OK(mx_guest_irq_raise(irq));
    ASSERT_OK(mx_guest_irq_raise(irq));
    ASSERT_OK(mx_port_wait(port, 0, &received));
    EXPECT_EQ(received.type, (uint32_t)MX_PACKET_GUEST_IRQ);
    EXPECT_EQ(received.key, 17u);
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &received));
    ASSERT_OK(mx_guest_irq_raise(irq));
    close_handle(irq); // with its packet queued
    EXPECT_STATUS(MX_ERR_TIMED_OUT, mx_port_wait(port, 0, &received));
    close_handle(port);
    guest_destroy(&guest);
}

TEST(line_calls_check_their_arguments)
{
    mx_handle_t irq, port, weak;

    ASSERT_TRUE(guest_create(&guest));
    ASSERT_OK(mx_port_create(&port));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_irq_create(port, &irq));
    EXPECT_STATUS(MX_ERR_BAD_HANDLE, mx_guest_irq_create(0, &irq));
    ASSERT_OK(mx_guest_irq_create(guest.guest, &irq));
    weak = with_rights(irq, MX_RIGHT_INSPECT);
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, route(irq, 7, 0, 0, MX_HANDLE_INVALID));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, route(irq, MX_IRQ_ROUTE_MSI, 0x1000, 0, MX_HANDLE_INVALID));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, route(irq, MX_IRQ_ROUTE_PORT, 0, 0, MX_HANDLE_INVALID));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, route(irq, MX_IRQ_ROUTE_MSI, MSI_ADDRESS, 0x41, port));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, route(weak, MX_IRQ_ROUTE_NONE, 0, 0, MX_HANDLE_INVALID));
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_guest_irq_raise(weak));
    EXPECT_STATUS(MX_ERR_WRONG_TYPE, mx_guest_irq_raise(port));
    EXPECT_STATUS(MX_ERR_INVALID_ARGS, mx_guest_irq_route(irq, NULL));
    close_handle(weak);
    close_handle(irq);
    close_handle(port);
    guest_destroy(&guest);
}

// --- two vCPUs
// ------------------------------------------------------------------------------------

TEST(second_vcpu_starts_in_real_mode)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_start(&guest, &code_start_second));
    guest_load(&guest, GUEST_REAL_MODE, &code_real_mode);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, MX_VCPU_CREATE_WAITING));
    EXPECT_TRUE(guest_finishes(&guest));
    second_vcpu_finish(&second, false);
    EXPECT_OK(second.status);
    EXPECT_EQ(second.packet.type, (uint32_t)MX_VCPU_PACKET_IO);
    EXPECT_EQ(second.packet.io.width_bytes, 2);
    EXPECT_EQ(second.packet.io.data, 0x1616u);
    guest_destroy(&guest);
}

TEST(ipis_reach_their_destinations)
{
    struct second_vcpu second;

    ASSERT_TRUE(guest_start(&guest, &code_ipi_sender));
    guest_load(&guest, GUEST_CODE_2, &code_ipi_receiver);
    ASSERT_TRUE(second_vcpu_start(&second, &guest, 1, 0));
    EXPECT_TRUE(guest_finishes(&guest));
    second_vcpu_finish(&second, false);
    EXPECT_OK(second.status);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x41], 1u);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x42], 1u);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x43], 1u);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x44], 2u);
    EXPECT_EQ(guest_results(&guest)->interrupt_count[0x48], 0u);
    guest_destroy(&guest);
}

TEST(interrupt_storm_loses_no_last_interrupt)
{
    ASSERT_TRUE(start_and_wait(&code_halt_until_interrupt));
    for (int i = 0; i < 10000; i++)
        ASSERT_OK(mx_vcpu_interrupt(guest.vcpu, VECTOR));
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}
