// The registers of a vCPU of x86-64, and its interrupt call's arguments.

#include <machina/syscalls.h>

#include "tests/system/child.h"
#include "tests/system/hypervisor/guest_fixture.h"
#include "tests/test.h"

static struct guest_fixture guest;
static struct mx_vcpu_state state, other;

static mx_status_t read_state(void)
{
    return mx_vcpu_read_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}

static mx_status_t write_state(void)
{
    return mx_vcpu_write_state(guest.vcpu, MX_VCPU_STATE_REGISTERS, &state, sizeof(state));
}

TEST(interrupt_checks_its_arguments)
{
    mx_handle_t weak;

    ASSERT_TRUE(guest_start(&guest, &code_done));
    weak = with_rights(guest.vcpu, MX_RIGHT_READ);
    EXPECT_STATUS(MX_ERR_ACCESS_DENIED, mx_vcpu_interrupt(weak, 0x41));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vcpu_interrupt(guest.vcpu, 256));
    EXPECT_STATUS(MX_ERR_OUT_OF_RANGE, mx_vcpu_interrupt(guest.vcpu, 3));
    EXPECT_OK(mx_vcpu_interrupt(guest.vcpu, 0x41));
    close_handle(weak);
    guest_destroy(&guest);
}

TEST(registers_read_back_as_written)
{
    ASSERT_TRUE(guest_start(&guest, &code_done));
    ASSERT_OK(read_state());
    for (unsigned i = 0; i < MX_X86_GPR_COUNT; i++)
        state.gpr[i] = 0x0101010101010101 * (i + 1);
    state.rip = 0x12345;
    state.rflags = 0x246;
    state.cr2 = 0x77777;
    state.cr3 = 0x3000;
    state.cr8 = 7;
    state.dr6 = 0xffff0ff0;
    state.dr7 = 0x400;
    state.star = 0x2b0008 | (uint64_t)0x1234 << 48;
    state.lstar = 0xffffffff81000000;
    state.cstar = 0xffffffff82000000;
    state.sfmask = 0x47700;
    state.kernel_gs_base = 0xffff888012345000;
    state.segment[MX_X86_FS].base = 0x7f0012345678;
    state.segment[MX_X86_GS].base = 0xffff888000001000;
    state.sysenter_cs = 0x10;
    state.sysenter_esp = 0xffff888000002000;
    state.sysenter_eip = 0xffffffff83000000;
    state.tsc_aux = 0x55;
    state.gdt_base = 0xfffffe0000001000;
    state.gdt_limit = 0x7f;
    state.idt_base = 0xfffffe0000000000;
    state.idt_limit = 0xfff;
    other = state;
    ASSERT_OK(write_state());
    memset(&state, 0x5a, sizeof(state));
    ASSERT_OK(read_state());
    EXPECT_BYTES_EQ(state.gpr, other.gpr, sizeof(state.gpr));
    EXPECT_EQ(state.rip, other.rip);
    EXPECT_EQ(state.rflags, other.rflags);
    EXPECT_EQ(state.cr0, other.cr0);
    EXPECT_EQ(state.cr2, other.cr2);
    EXPECT_EQ(state.cr3, other.cr3);
    EXPECT_EQ(state.cr4, other.cr4);
    EXPECT_EQ(state.cr8, other.cr8);
    EXPECT_EQ(state.efer, other.efer);
    EXPECT_EQ(state.dr6, other.dr6);
    EXPECT_EQ(state.dr7, other.dr7);
    EXPECT_EQ(state.star, other.star);
    EXPECT_EQ(state.lstar, other.lstar);
    EXPECT_EQ(state.cstar, other.cstar);
    EXPECT_EQ(state.sfmask, other.sfmask);
    EXPECT_EQ(state.kernel_gs_base, other.kernel_gs_base);
    EXPECT_EQ(state.sysenter_cs, other.sysenter_cs);
    EXPECT_EQ(state.sysenter_esp, other.sysenter_esp);
    EXPECT_EQ(state.sysenter_eip, other.sysenter_eip);
    EXPECT_EQ(state.tsc_aux, other.tsc_aux);
    EXPECT_EQ(state.gdt_base, other.gdt_base);
    EXPECT_EQ(state.gdt_limit, other.gdt_limit);
    EXPECT_EQ(state.idt_base, other.idt_base);
    EXPECT_EQ(state.idt_limit, other.idt_limit);
    EXPECT_EQ(state.pat, other.pat);
    EXPECT_BYTES_EQ(state.segment, other.segment, sizeof(state.segment));
    guest_destroy(&guest);
}

static void expect_refused(const char *what, void (*change)(void))
{
    (void)!read_state();
    change();
    mx_status_t status = write_state();
    if (status != MX_ERR_INVALID_ARGS)
        test_fail(__FILE__, __LINE__, "%s: status %d", what, status);
}

static void paging_without_protection(void)
{
    state.cr0 &= ~UINT64_C(1);
}
static void upper_bits_of_cr0(void)
{
    state.cr0 |= UINT64_C(1) << 40;
}
static void reserved_bits_of_cr4(void)
{
    state.cr4 |= UINT64_C(1) << 50;
}
static void long_mode_without_pae(void)
{
    state.cr4 &= ~UINT64_C(0x20);
}
static void svm_in_efer(void)
{
    state.efer = UINT64_C(0xffffffff00000000);
}
static void bad_page_attributes(void)
{
    state.pat = 2;
}
static void reserved_bits_of_dr7(void)
{
    state.dr7 |= UINT64_C(1) << 40;
}
static void upper_bits_of_cr8(void)
{
    state.cr8 = 16;
}
static void no_x87(void)
{
    state.xcr0 = 2;
}

TEST(impossible_states_are_refused)
{
    ASSERT_TRUE(guest_start(&guest, &code_done));
    expect_refused("paging without protection", paging_without_protection);
    expect_refused("upper bits of CR0", upper_bits_of_cr0);
    expect_refused("reserved bits of CR4", reserved_bits_of_cr4);
    expect_refused("long mode without PAE", long_mode_without_pae);
    expect_refused("reserved bits of EFER", svm_in_efer);
    expect_refused("bad PAT", bad_page_attributes);
    expect_refused("reserved bits of DR7", reserved_bits_of_dr7);
    expect_refused("upper bits of CR8", upper_bits_of_cr8);
    expect_refused("XCR0 without x87", no_x87);
    EXPECT_TRUE(guest_finishes(&guest));
    guest_destroy(&guest);
}
