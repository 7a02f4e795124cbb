// Detection of CPU features; see cpu_features.h.
#include "kernel/arch/x86_64/cpu_features.h"

#include <string.h>

#include "kernel/arch/x86_64/regs/cpuid.h"
#include "kernel/arch/x86_64/regs/msr.h"

#define CPUID_VENDOR     0u
#define CPUID_BRAND      0x80000002u
#define CPUID_BRAND_LAST 0x80000004u

struct cpu_features cpu_features;

// A place in the text for CLAC or STAC (entry.S).
struct smap_site {
    uint8_t *at;
    uint64_t kind; // 0 CLAC, 1 STAC
};
extern const struct smap_site smap_sites[], smap_sites_end[];

static void smap_sites_patch(void)
{
    static const uint8_t instructions[2][3] = {{0x0f, 0x01, 0xca}, {0x0f, 0x01, 0xcb}};

    for (const struct smap_site *site = smap_sites; site < smap_sites_end; site++)
        memcpy(site->at, instructions[site->kind], sizeof(instructions[0]));
}

static void read_name(char *name)
{
    struct cpuid_result vendor = cpuid_read(CPUID_VENDOR, 0);
    const char *start = name;

    memcpy(name, &vendor.ebx, 4);
    memcpy(name + 4, &vendor.edx, 4);
    memcpy(name + 8, &vendor.ecx, 4);
    if (cpuid_max_leaf(0x80000000) < CPUID_BRAND_LAST)
        return;
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_result brand = cpuid_read(CPUID_BRAND + i, 0);
        memcpy(name + i * sizeof(brand), &brand, sizeof(brand));
    }
    while (*start == ' ')
        start++;
    memmove(name, start, strlen(start) + 1);
}

void cpu_features_detect(void)
{
    cpu_features.has_nx = cpuid_has(CPUID_NX);
    cpu_features.has_pge = cpuid_has(CPUID_PGE);
    cpu_features.has_page_1gb = cpuid_has(CPUID_PAGE_1GB);
    cpu_features.has_smep = cpuid_has(CPUID_SMEP);
    cpu_features.has_smap = cpuid_has(CPUID_SMAP);
    cpu_features.has_umip = cpuid_has(CPUID_UMIP);
    cpu_features.has_fsgsbase = cpuid_has(CPUID_FSGSBASE);
    cpu_features.has_xsave = cpuid_has(CPUID_XSAVE);
    cpu_features.has_xsaveopt = cpuid_has(CPUID_XSAVEOPT);
    cpu_features.has_x2apic = cpuid_has(CPUID_X2APIC);
    cpu_features.has_tsc_deadline = cpuid_has(CPUID_TSC_DEADLINE);
    cpu_features.has_rdrand = cpuid_has(CPUID_RDRAND);
    cpu_features.has_rdseed = cpuid_has(CPUID_RDSEED);
    read_name(cpu_features.name);
    if (cpu_features.has_smap)
        smap_sites_patch();
}

void cpu_features_enable(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    cr4 |= cpu_features.has_pge ? CR4_PGE : 0;
    cr4 |= cpu_features.has_smep ? CR4_SMEP : 0;
    cr4 |= cpu_features.has_smap ? CR4_SMAP : 0;
    cr4 |= cpu_features.has_umip ? CR4_UMIP : 0;
    cr4 |= cpu_features.has_fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= cpu_features.has_xsave ? CR4_OSXSAVE : 0;
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | (cpu_features.has_nx ? EFER_NXE : 0));
    cr0_write(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_TS | CR0_PE);
    cr4_write(cr4);
    // No entry of a table chose the place that changes, so no CPU remembers the old type.
    msr_write(MSR_PAT, PAT_VALUE);
}
