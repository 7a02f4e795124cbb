// The CPUID instruction and the features this kernel looks at (AMD64 Architecture Programmer's
// Manual Volume 3, Appendix E; Intel SDM Volume 2A, "CPUID").
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid_read(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// The highest leaf of a range: 0, 0x40000000 or 0x80000000.
static inline uint32_t cpuid_max_leaf(uint32_t range)
{
    return cpuid_read(range, 0).eax;
}

// A leaf that the CPU may not have: zeros then.
static inline struct cpuid_result cpuid_read_if_present(uint32_t leaf, uint32_t subleaf)
{
    if (cpuid_max_leaf(leaf & 0xf0000000) < leaf)
        return (struct cpuid_result){0, 0, 0, 0};
    return cpuid_read(leaf, subleaf);
}

enum cpuid_register {
    CPUID_EAX,
    CPUID_EBX,
    CPUID_ECX,
    CPUID_EDX,
};

// A feature bit: where it is.
struct cpuid_feature {
    uint32_t leaf, subleaf;
    enum cpuid_register reg;
    uint32_t bit;
};

#define CPUID_FEATURE(leaf, subleaf, reg, bit) ((struct cpuid_feature){leaf, subleaf, reg, bit})

#define CPUID_X2APIC       CPUID_FEATURE(1, 0, CPUID_ECX, 21)
#define CPUID_TSC_DEADLINE CPUID_FEATURE(1, 0, CPUID_ECX, 24)
#define CPUID_XSAVE        CPUID_FEATURE(1, 0, CPUID_ECX, 26)
#define CPUID_AVX          CPUID_FEATURE(1, 0, CPUID_ECX, 28)
#define CPUID_RDRAND       CPUID_FEATURE(1, 0, CPUID_ECX, 30)
#define CPUID_HYPERVISOR   CPUID_FEATURE(1, 0, CPUID_ECX, 31)
#define CPUID_PGE          CPUID_FEATURE(1, 0, CPUID_EDX, 13)
#define CPUID_FSGSBASE     CPUID_FEATURE(7, 0, CPUID_EBX, 0)
#define CPUID_SMEP         CPUID_FEATURE(7, 0, CPUID_EBX, 7)
#define CPUID_RDSEED       CPUID_FEATURE(7, 0, CPUID_EBX, 18)
#define CPUID_SMAP         CPUID_FEATURE(7, 0, CPUID_EBX, 20)
#define CPUID_UMIP         CPUID_FEATURE(7, 0, CPUID_ECX, 2)
#define CPUID_XSAVEOPT     CPUID_FEATURE(0xd, 1, CPUID_EAX, 0)
#define CPUID_SVM          CPUID_FEATURE(0x80000001, 0, CPUID_ECX, 2)
#define CPUID_NX           CPUID_FEATURE(0x80000001, 0, CPUID_EDX, 20)
#define CPUID_PAGE_1GB     CPUID_FEATURE(0x80000001, 0, CPUID_EDX, 26)
#define CPUID_RDTSCP       CPUID_FEATURE(0x80000001, 0, CPUID_EDX, 27)
#define CPUID_SVM_NPT      CPUID_FEATURE(0x8000000a, 0, CPUID_EDX, 0)

static inline bool cpuid_has(struct cpuid_feature feature)
{
    struct cpuid_result r = cpuid_read_if_present(feature.leaf, feature.subleaf);
    const uint32_t values[] = {r.eax, r.ebx, r.ecx, r.edx};

    return values[feature.reg] >> feature.bit & 1;
}

// Whether this runs under a hypervisor or emulator of this name, 12 characters.
static inline bool cpuid_is_hypervisor(const char *name)
{
    struct cpuid_result r;

    if (!cpuid_has(CPUID_HYPERVISOR))
        return false;
    r = cpuid_read(0x40000000, 0);
    return __builtin_memcmp(&r.ebx, name, 12) == 0;
}

// Physical address bits: CPUID 0x80000008 EAX[7:0].
static inline uint32_t cpuid_physical_address_bits(void)
{
    uint32_t bits = cpuid_read_if_present(0x80000008, 0).eax & 0xff;

    return bits ? bits : 36;
}
