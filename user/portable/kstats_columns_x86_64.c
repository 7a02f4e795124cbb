// The exit columns of x86-64.

#include "user/portable/kstats_format.h"

const struct kstats_column kstats_columns[] = {
    {" ints", "ints", MX_GUEST_EXIT_INTERRUPT},
    {" ints_win", "ints_win", MX_GUEST_EXIT_INTERRUPT_WINDOW},
    {" ept", "ept", MX_GUEST_EXIT_SECOND_STAGE},
    {" ctrl_reg", "ctrl_reg", MX_GUEST_EXIT_CONTROL_REGISTER},
    {" msr(rd", "msr_rd", MX_GUEST_EXIT_RDMSR},
    {" wr)", "msr_wr", MX_GUEST_EXIT_WRMSR},
    {" inst(io", "io", MX_GUEST_EXIT_IO},
    {" hlt", "hlt", MX_GUEST_EXIT_HLT},
    {" cpuid", "cpuid", MX_GUEST_EXIT_CPUID},
    {" pause", "pause", MX_GUEST_EXIT_PAUSE},
    {" vmcall", "vmcall", MX_GUEST_EXIT_VMCALL},
    {" xsetbv)", "xsetbv", MX_GUEST_EXIT_XSETBV},
};
const size_t kstats_column_count = sizeof(kstats_columns) / sizeof(kstats_columns[0]);
