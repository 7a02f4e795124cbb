// Detection of CPU features and errata; see cpu_features.h.
#include "kernel/arch/arm64/cpu_features.h"

#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/regs/id.h"
#include "kernel/core/log.h"
#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

struct cpu_features cpu_features;
uint32_t cpu_errata;

// --- names
// ------------------------------------------------------------------------------------------------

static const struct {
    uint32_t part; // of Arm Limited, as in MIDR_EL1
    const char *name;
} parts[] = {
    {0xd03, "Cortex-A53"},  {0xd05, "Cortex-A55"},  {0xd07, "Cortex-A57"},  {0xd08, "Cortex-A72"},
    {0xd0a, "Cortex-A75"},  {0xd0b, "Cortex-A76"},  {0xd0c, "Neoverse-N1"}, {0xd40, "Neoverse-V1"},
    {0xd41, "Cortex-A78"},  {0xd46, "Cortex-A510"}, {0xd47, "Cortex-A710"}, {0xd49, "Neoverse-N2"},
    {0xd4f, "Neoverse-V2"},
};

static const char *part_name(uint64_t midr)
{
    for (size_t i = 0; midr_is_arm(midr) && i < ARRAY_COUNT(parts); i++) {
        if (parts[i].part == midr_part(midr))
            return parts[i].name;
    }
    return "ARMv8-A CPU";
}

static void make_name(void)
{
    uint64_t midr = sysreg_read(midr_el1);
    uint32_t revision = midr_revision(midr);

    print_format(cpu_features.name, sizeof(cpu_features.name), "%s r%up%u (MIDR 0x%08x)",
                 part_name(midr), revision >> 4, revision & 0xf, (unsigned)midr);
}

// --- errata
// -----------------------------------------------------------------------------------------------

static void look_for_errata(void)
{
    const uint64_t midr = sysreg_read(midr_el1);

    for (const struct erratum *erratum = NULL; (erratum = errata_next(midr, erratum)) != NULL;) {
        if (!(__atomic_fetch_or(&cpu_errata, erratum->effect, __ATOMIC_RELAXED) & erratum->effect))
            log_print("erratum of %s", erratum->text);
    }
}

// --- features
// ---------------------------------------------------------------------------------------------

void cpu_features_detect(void)
{
    uint64_t mmfr0 = sysreg_read(id_aa64mmfr0_el1);

    cpu_features.has_pan = id_field(sysreg_read(id_aa64mmfr1_el1), ID_AA64MMFR1_PAN_SHIFT) != 0;
    cpu_features.has_rndr = id_field(sysreg_read(id_aa64isar0_el1), ID_AA64ISAR0_RNDR_SHIFT) != 0;
    cpu_features.has_asid16 =
        id_field(mmfr0, ID_AA64MMFR0_ASIDBITS_SHIFT) == ID_AA64MMFR0_ASIDBITS_16;
    make_name();
}

void cpu_features_enable(void)
{
    uint64_t sctlr = sysreg_read(sctlr_el1) | SCTLR_WXN;

    // PAN is set by every exception from now on, and here at once.
    if (cpu_features.has_pan) {
        sctlr &= ~SCTLR_SPAN;
        __asm__ volatile(".inst 0xd500419f" : : : "memory"); // msr pan, #1
    }
    sysreg_write(sctlr_el1, sctlr);
    sysreg_write(mdscr_el1, MDSCR_TDCC);
    sysreg_write(cntkctl_el1, 0); // no counters and timers for user programs
    sysreg_write(tpidrro_el0, 0);
    sysreg_write(tpidr_el0, 0);
    isb();
    look_for_errata();
}
