// The guest's CPUID; see cpuid_model.h.
#include "kernel/arch/x86_64/hypervisor/portable/cpuid_model.h"

#include <stddef.h>

#include "kernel/arch/x86_64/regs/control.h"

#define BIT(n) ((uint32_t)1 << (n))

#define BASIC_LEAF_MAX    0x0du
#define CPUID_BASIC_BASE  0x00000000u
#define EXTENDED_BASE     0x80000000u
#define EXTENDED_LEAF_MAX 0x80000008u

// Leaf 1
#define L1_ECX_X2APIC       BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_XSAVE        BIT(26)
#define L1_ECX_OSXSAVE      BIT(27)
#define L1_ECX_AVX          BIT(28)
#define L1_ECX_FMA          BIT(12)
#define L1_ECX_F16C         BIT(29)
#define L1_ECX_HYPERVISOR   BIT(31)
// SSE3 PCLMULQDQ SSSE3 CMPXCHG16B SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE RDRAND, FMA AVX F16C
#define L1_ECX_PASSED                                                                       \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | \
     L1_ECX_XSAVE | BIT(30) | L1_ECX_AVX_FAMILY)
#define L1_ECX_AVX_FAMILY (L1_ECX_FMA | L1_ECX_AVX | L1_ECX_F16C)
#define L1_EDX_APIC       BIT(9)
#define L1_EDX_HTT        BIT(28)
// FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2
#define L1_EDX_PASSED                                                                         \
    (0x3ffu | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | \
     BIT(23) | BIT(24) | BIT(25) | BIT(26))

// Leaf 7: FSGSBASE BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; AVX2; AVX-512 F DQ IFMA
// CD BW VL
#define L7_EBX_PASSED                                                                     \
    (BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | \
     BIT(24) | BIT(29) | L7_EBX_AVX2 | L7_EBX_AVX512)
#define L7_EBX_AVX2   BIT(5)
#define L7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
// UMIP RDPID; VAES VPCLMULQDQ GFNI; AVX-512 VBMI VBMI2 VNNI BITALG VPOPCNTDQ
#define L7_ECX_PASSED (BIT(2) | BIT(22) | L7_ECX_VECTOR | L7_ECX_AVX512)
#define L7_ECX_VECTOR (BIT(9) | BIT(10))
#define L7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define L7_ECX_GFNI   BIT(8)
// FSRM
#define L7_EDX_PASSED BIT(4)

// Leaf 0xd, subleaf 1: XSAVEOPT XSAVEC XGETBV1; no XSAVES
#define LD1_EAX_PASSED (BIT(0) | BIT(1) | BIT(2))

// Leaf 0x80000001 ECX: LAHF CMPLEGACY CR8LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH, TBM
#define E1_ECX_PASSED     (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(21))
#define E1_ECX_CMP_LEGACY BIT(1)
// as leaf 1 for the shared bits; SYSCALL NX MMXEXT FXSR FFXSR PAGE1GB RDTSCP LM 3DNOWEXT 3DNOW
#define E1_EDX_PASSED                                                                         \
    (0x3ffu | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(20) | \
     BIT(22) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
#define E7_EDX_INVARIANT_TSC BIT(8)
// CLZERO XSAVEERPTR, WBNOINVD
#define E8_EBX_PASSED (BIT(0) | BIT(2) | BIT(9))

static bool has_avx(const struct cpuid_model *model)
{
    return model->host_xcr0 & XCR0_AVX;
}

static bool has_avx512(const struct cpuid_model *model)
{
    return (model->host_xcr0 & XCR0_AVX512) == XCR0_AVX512;
}

static void filter_leaf_0(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    (void)model;
    (void)subleaf;
    if (r->eax > BASIC_LEAF_MAX)
        r->eax = BASIC_LEAF_MAX;
}

static void filter_leaf_1(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    uint32_t count = model->vcpu_count > 1 ? model->vcpu_count : 1;

    (void)subleaf;
    r->ebx = model->apic_id << 24 | count << 16 | (r->ebx & 0xff00); // CLFLUSH size stays
    r->ecx = (r->ecx & L1_ECX_PASSED) | L1_ECX_X2APIC | L1_ECX_TSC_DEADLINE | L1_ECX_HYPERVISOR;
    if (!model->host_xcr0)
        r->ecx &= ~L1_ECX_XSAVE;
    if (!has_avx(model))
        r->ecx &= ~L1_ECX_AVX_FAMILY;
    if (model->has_osxsave)
        r->ecx |= L1_ECX_OSXSAVE;
    r->edx &= L1_EDX_PASSED;
    if (!model->is_apic_enabled)
        r->edx &= ~L1_EDX_APIC;
    if (count > 1)
        r->edx |= L1_EDX_HTT;
}

static void filter_leaf_7(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    if (subleaf != 0) {
        *r = (struct cpuid_result){0, 0, 0, 0};
        return;
    }
    r->eax = 0;
    r->ebx &= L7_EBX_PASSED;
    r->ecx &= L7_ECX_PASSED | L7_ECX_GFNI;
    r->edx &= L7_EDX_PASSED;
    if (!has_avx(model)) {
        r->ebx &= ~L7_EBX_AVX2;
        r->ecx &= ~L7_ECX_VECTOR;
    }
    if (!has_avx512(model)) {
        r->ebx &= ~L7_EBX_AVX512;
        r->ecx &= ~L7_ECX_AVX512;
    }
}

static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 0;

    while (((uint32_t)1 << bits) < count)
        bits++;
    return bits;
}

static void filter_leaf_b(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    uint32_t count = model->vcpu_count > 1 ? model->vcpu_count : 1;

    *r = (struct cpuid_result){0, 0, subleaf & 0xff, model->apic_id};
    if (subleaf == 0) { // threads of a core
        r->ebx = 1;
        r->ecx |= 1 << 8;
    } else if (subleaf == 1) { // cores of the package
        r->eax = bits_for(count);
        r->ebx = count;
        r->ecx |= 2 << 8;
    }
}

// The size of the XSAVE area, in its standard form, for the states in `xcr0`.
static uint32_t xsave_size(const struct cpuid_model *model, uint64_t xcr0)
{
    uint32_t size = 512 + 64;

    for (uint32_t state = 2; state < 63; state++) {
        struct cpuid_result r;

        if (!(xcr0 >> state & 1))
            continue;
        r = model->host(0xd, state);
        if (r.ebx + r.eax > size)
            size = r.ebx + r.eax;
    }
    return size;
}

// The same in the compacted form, in which each state follows the one before.
static uint32_t xsave_compacted_size(const struct cpuid_model *model, uint64_t xcr0)
{
    uint32_t size = 512 + 64;

    for (uint32_t state = 2; state < 63; state++) {
        struct cpuid_result r;

        if (!(xcr0 >> state & 1))
            continue;
        r = model->host(0xd, state);
        if (r.ecx & BIT(1))
            size = (size + 63) & ~63u;
        size += r.eax;
    }
    return size;
}

static void filter_leaf_d(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    if (!model->host_xcr0 || subleaf > 62 || (subleaf > 1 && !(model->host_xcr0 >> subleaf & 1))) {
        *r = (struct cpuid_result){0, 0, 0, 0};
    } else if (subleaf == 0) {
        r->eax = (uint32_t)model->host_xcr0;
        r->edx = model->host_xcr0 >> 32;
        r->ebx = xsave_size(model, model->xcr0);
        r->ecx = xsave_size(model, model->host_xcr0);
    } else if (subleaf == 1) {
        *r = (struct cpuid_result){r->eax & LD1_EAX_PASSED,
                                   xsave_compacted_size(model, model->xcr0), 0, 0};
    }
}

static void kvm_base(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    (void)model;
    (void)subleaf;
    *r = (struct cpuid_result){CPUID_HYPERVISOR_TIMING, 0x4b4d564b, 0x564b4d56,
                               0x0000004d}; // "KVMKVMKVM"
}

static void kvm_features(const struct cpuid_model *model, uint32_t subleaf, struct cpuid_result *r)
{
    (void)model;
    (void)subleaf;
    *r = (struct cpuid_result){CPUID_KVM_CLOCKSOURCE | CPUID_KVM_NOP_IO_DELAY |
                                   CPUID_KVM_CLOCKSOURCE2 | CPUID_KVM_PV_EOI |
                                   CPUID_KVM_MSI_EXT_DEST_ID | CPUID_KVM_CLOCKSOURCE_STABLE,
                               0, 0, 0};
}

static void hypervisor_timing(const struct cpuid_model *model, uint32_t subleaf,
                              struct cpuid_result *r)
{
    (void)subleaf;
    *r = (struct cpuid_result){model->tsc_khz, model->apic_khz, 0, 0};
}

static void filter_extended_0(const struct cpuid_model *model, uint32_t subleaf,
                              struct cpuid_result *r)
{
    (void)model;
    (void)subleaf;
    if (r->eax > EXTENDED_LEAF_MAX)
        r->eax = EXTENDED_LEAF_MAX;
}

static void filter_extended_1(const struct cpuid_model *model, uint32_t subleaf,
                              struct cpuid_result *r)
{
    (void)subleaf;
    r->ecx &= E1_ECX_PASSED & ~E1_ECX_CMP_LEGACY;
    if (model->vcpu_count > 1)
        r->ecx |= E1_ECX_CMP_LEGACY;
    r->edx &= E1_EDX_PASSED;
    if (!model->is_apic_enabled)
        r->edx &= ~L1_EDX_APIC;
}

static void filter_extended_7(const struct cpuid_model *model, uint32_t subleaf,
                              struct cpuid_result *r)
{
    (void)model;
    (void)subleaf;
    *r = (struct cpuid_result){0, 0, 0, E7_EDX_INVARIANT_TSC};
}

static void filter_extended_8(const struct cpuid_model *model, uint32_t subleaf,
                              struct cpuid_result *r)
{
    uint32_t count = model->vcpu_count > 1 ? model->vcpu_count : 1;

    (void)subleaf;
    r->eax &= 0xffff; // physical and linear address sizes; no guest-physical size of its own
    r->ebx &= E8_EBX_PASSED;
    r->ecx = (count - 1) | bits_for(count) << 12;
    r->edx = 0;
}

struct cpuid_filter {
    bool is_host_read;
    void (*apply)(const struct cpuid_model *model, uint32_t subleaf,
                  struct cpuid_result *r); // NULL: as it is
};

// By leaf, for each range that there is. What is not listed reads as zero; names and caches are
// passed as they are.
static const struct cpuid_filter basic_filters[] = {
    [0x00] = {true, filter_leaf_0},  [0x01] = {true, filter_leaf_1}, [0x07] = {true, filter_leaf_7},
    [0x0b] = {false, filter_leaf_b}, [0x0d] = {true, filter_leaf_d},
};
static const struct cpuid_filter hypervisor_filters[] = {
    [0x00] = {false, kvm_base},
    [0x01] = {false, kvm_features},
    [0x10] = {false, hypervisor_timing},
};
static const struct cpuid_filter extended_filters[] = {
    [0x00] = {true, filter_extended_0},
    [0x01] = {true, filter_extended_1},
    [0x02] = {true, NULL},
    [0x03] = {true, NULL},
    [0x04] = {true, NULL},
    [0x05] = {true, NULL},
    [0x06] = {true, NULL},
    [0x07] = {false, filter_extended_7},
    [0x08] = {true, filter_extended_8},
};
static const struct cpuid_range {
    const struct cpuid_filter *filters;
    uint32_t count;
} ranges[16] = {
    [CPUID_BASIC_BASE >> 28] = {basic_filters, sizeof(basic_filters) / sizeof(basic_filters[0])},
    [CPUID_KVM_BASE >> 28] = {hypervisor_filters,
                              sizeof(hypervisor_filters) / sizeof(hypervisor_filters[0])},
    [EXTENDED_BASE >> 28] = {extended_filters,
                             sizeof(extended_filters) / sizeof(extended_filters[0])},
};

struct cpuid_result cpuid_model_read(const struct cpuid_model *model, uint32_t leaf,
                                     uint32_t subleaf)
{
    struct cpuid_result r = {0, 0, 0, 0};
    const struct cpuid_range *range = &ranges[leaf >> 28];
    uint32_t index = leaf & 0x0fffffff;

    if (index >= range->count)
        return r;
    if (range->filters[index].is_host_read)
        r = model->host(leaf, subleaf);
    if (range->filters[index].apply)
        range->filters[index].apply(model, subleaf, &r);
    return r;
}
