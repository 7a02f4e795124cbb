// Instructions of x86-64 that only the kernel may execute, and those that fault by themselves; see
// faults.h.

#include "tests/system/programs/faults.h"

#include <stddef.h>

#define INSTRUCTION(function, text)                                      \
    static void function(void)                                           \
    {                                                                    \
        __asm__ volatile(text ::: "rax", "rcx", "rdx", "rbx", "memory"); \
    }

INSTRUCTION(do_hlt, "hlt")
INSTRUCTION(do_cli, "cli")
INSTRUCTION(do_in, "mov $0x64, %%edx; in %%dx, %%al")
INSTRUCTION(do_out, "mov $0x80, %%edx; out %%al, %%dx")
INSTRUCTION(do_rdmsr, "mov $0xc0000080, %%ecx; rdmsr")
INSTRUCTION(do_wrmsr, "mov $0xc0000082, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr")
INSTRUCTION(do_cr0, "mov %%cr0, %%rax")
INSTRUCTION(do_cr3, "mov %%cr3, %%rax; mov %%rax, %%cr3")
INSTRUCTION(do_dr7, "mov %%dr7, %%rax")
INSTRUCTION(do_lidt, "lidt (%%rsp)")
INSTRUCTION(do_lgdt, "lgdt (%%rsp)")
INSTRUCTION(do_ltr, "mov $0x28, %%eax; ltr %%ax")
INSTRUCTION(do_invlpg, "invlpg (%%rsp)")
INSTRUCTION(do_swapgs, "swapgs")
INSTRUCTION(do_sysret, "sysretq")
INSTRUCTION(do_wbinvd, "wbinvd")
INSTRUCTION(do_xsetbv, "xor %%ecx, %%ecx; mov $7, %%eax; xor %%edx, %%edx; xsetbv")
INSTRUCTION(do_vmrun, "xor %%eax, %%eax; vmrun")
INSTRUCTION(do_stgi, "stgi")
INSTRUCTION(do_clgi, "clgi")
INSTRUCTION(do_vmmcall, "vmmcall")
INSTRUCTION(do_vmcall, "vmcall")
INSTRUCTION(do_int_80, "int $0x80")
INSTRUCTION(do_int_3, "int3")
INSTRUCTION(do_int_df, "int $8")
INSTRUCTION(do_sysenter, "sysenter")
INSTRUCTION(do_ud2, "ud2")
INSTRUCTION(do_divide, "xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; div %%ecx")
INSTRUCTION(do_overflow_divide, "mov $1, %%edx; mov $1, %%ecx; xor %%eax, %%eax; div %%ecx")
INSTRUCTION(do_trap_flag, "pushfq; orq $0x100, (%%rsp); popfq; nop; nop")
INSTRUCTION(do_bad_segment, "mov $0x1238, %%eax; mov %%ax, %%ds")
INSTRUCTION(do_stack_noncanonical, "mov $0x8000000000000000, %%rsp; push %%rax")

const struct faults_instruction faults_instructions[] = {
    {"hlt", do_hlt},
    {"cli", do_cli},
    {"in", do_in},
    {"out", do_out},
    {"rdmsr", do_rdmsr},
    {"wrmsr", do_wrmsr},
    {"cr0", do_cr0},
    {"cr3", do_cr3},
    {"dr7", do_dr7},
    {"lidt", do_lidt},
    {"lgdt", do_lgdt},
    {"ltr", do_ltr},
    {"invlpg", do_invlpg},
    {"swapgs", do_swapgs},
    {"sysret", do_sysret},
    {"wbinvd", do_wbinvd},
    {"xsetbv", do_xsetbv},
    {"vmrun", do_vmrun},
    {"stgi", do_stgi},
    {"clgi", do_clgi},
    {"vmmcall", do_vmmcall},
    {"vmcall", do_vmcall},
    {"int-80", do_int_80},
    {"int-3", do_int_3},
    {"int-8", do_int_df},
    {"sysenter", do_sysenter},
    {"ud2", do_ud2},
    {"divide-by-zero", do_divide},
    {"divide-overflow", do_overflow_divide},
    {"trap-flag", do_trap_flag},
    {"bad-segment", do_bad_segment},
    {"stack-noncanonical", do_stack_noncanonical},
    {NULL, NULL},
};
