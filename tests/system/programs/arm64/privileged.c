// Instructions of arm64 that only the kernel may execute, and those that fault by themselves; see
// faults.h.

#include "tests/system/programs/faults.h"

#include <stddef.h>

#define INSTRUCTION(function, text)                      \
    static void function(void)                           \
    {                                                    \
        __asm__ volatile(text ::: "x0", "x1", "memory"); \
    }

INSTRUCTION(do_hvc, ".inst 0xd4000002")
INSTRUCTION(do_smc, ".inst 0xd4000003")
INSTRUCTION(do_eret, "eret")
INSTRUCTION(do_sctlr, "mrs x0, sctlr_el1; msr sctlr_el1, x0")
INSTRUCTION(do_ttbr0, "msr ttbr0_el1, xzr")
INSTRUCTION(do_vbar, "mrs x0, vbar_el1")
INSTRUCTION(do_hcr, "mrs x0, hcr_el2")
INSTRUCTION(do_daif, "msr daifset, #2")
INSTRUCTION(do_spsel, "msr spsel, #0")
INSTRUCTION(do_tlbi, "tlbi vmalle1")
INSTRUCTION(do_ic_iallu, "ic iallu")
INSTRUCTION(do_dc_isw, "dc isw, xzr")
INSTRUCTION(do_at, "at s1e1r, xzr")
INSTRUCTION(do_counter, "mrs x0, cntvct_el0")
INSTRUCTION(do_timer, "mrs x0, cntv_ctl_el0")
INSTRUCTION(do_timer_set, "msr cntp_tval_el0, xzr")
INSTRUCTION(do_pmu, "mrs x0, pmccntr_el0")
INSTRUCTION(do_gic, "msr s3_0_c12_c12_1, xzr")
INSTRUCTION(do_tpidr, "mrs x0, tpidr_el1")
INSTRUCTION(do_tpidrro, "msr tpidrro_el0, x0")
INSTRUCTION(do_brk, "brk #1")
INSTRUCTION(do_hlt, "hlt #0")
INSTRUCTION(do_undefined, "udf #0")
INSTRUCTION(do_sve, ".inst 0x04bf5020") // rdvl x0, #1
INSTRUCTION(do_pc_misaligned, "adr x0, 1f; add x0, x0, #2; br x0; 1: nop")
INSTRUCTION(do_sp_misaligned, "mov x0, sp; sub x0, x0, #24; mov sp, x0; ldr x1, [sp]")
INSTRUCTION(do_stack_noncanonical, "mov x0, #0x8000000000000000; mov sp, x0; str x0, [sp]")

const struct faults_instruction faults_instructions[] = {
    {"hvc", do_hvc},
    {"smc", do_smc},
    {"eret", do_eret},
    {"sctlr", do_sctlr},
    {"ttbr0", do_ttbr0},
    {"vbar", do_vbar},
    {"hcr", do_hcr},
    {"daif", do_daif},
    {"spsel", do_spsel},
    {"tlbi", do_tlbi},
    {"ic-iallu", do_ic_iallu},
    {"dc-isw", do_dc_isw},
    {"at", do_at},
    {"counter", do_counter},
    {"timer", do_timer},
    {"timer-set", do_timer_set},
    {"pmu", do_pmu},
    {"gic", do_gic},
    {"tpidr", do_tpidr},
    {"tpidrro-write", do_tpidrro},
    {"brk", do_brk},
    {"hlt", do_hlt},
    {"undefined", do_undefined},
    {"sve", do_sve},
    {"pc-misaligned", do_pc_misaligned},
    {"sp-misaligned", do_sp_misaligned},
    {"stack-noncanonical", do_stack_noncanonical},
    {NULL, NULL},
};
