// What CPUID tells a guest.
#include "kernel/arch/x86_64/hypervisor/portable/cpuid_model.h"

#include "tests/test.h"

// A host that has everything.
static struct cpuid_result all_ones(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0xd && subleaf == 2)
        return (struct cpuid_result){256, 576, 0, 0};
    return (struct cpuid_result){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}

static struct cpuid_result nothing(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_result){0, 0, 0, 0};
}

static struct cpuid_model model(struct cpuid_result (*host)(uint32_t, uint32_t))
{
    return (struct cpuid_model){.host = host,
                                .apic_id = 2,
                                .vcpu_count = 4,
                                .tsc_khz = 1000000,
                                .host_xcr0 = 7,
                                .xcr0 = 3,
                                .is_apic_enabled = true};
}

static bool bit(uint32_t word, unsigned n)
{
    return word >> n & 1;
}

TEST(cpuid_hides_what_the_guest_does_not_have)
{
    const struct cpuid_model m = model(all_ones);
    struct cpuid_result r = cpuid_model_read(&m, 1, 0);

    EXPECT_FALSE(bit(r.ecx, 3));  // MONITOR
    EXPECT_FALSE(bit(r.ecx, 5));  // VMX
    EXPECT_FALSE(bit(r.ecx, 15)); // PDCM
    EXPECT_FALSE(bit(r.ecx, 27)); // OSXSAVE: CR4's
    r = cpuid_model_read(&m, 0x80000001, 0);
    EXPECT_FALSE(bit(r.ecx, 2));  // SVM
    EXPECT_FALSE(bit(r.ecx, 22)); // TOPOEXT
    EXPECT_FALSE(bit(r.ecx, 23)); // performance counters
    r = cpuid_model_read(&m, 7, 0);
    EXPECT_FALSE(bit(r.edx, 26)); // SPEC_CTRL
    EXPECT_FALSE(bit(r.ecx, 3));  // PKU
    EXPECT_FALSE(bit(r.ecx, 16)); // LA57
    EXPECT_FALSE(bit(r.ebx, 16)); // AVX-512, which XCR0 lacks
    r = cpuid_model_read(&m, 0xd, 1);
    EXPECT_FALSE(bit(r.eax, 3)); // XSAVES
    r = cpuid_model_read(&m, 0xa, 0);
    EXPECT_EQ(r.eax | r.ebx | r.ecx | r.edx, 0u);
    r = cpuid_model_read(&m, 0x8000001f, 0);
    EXPECT_EQ(r.eax | r.ebx | r.ecx | r.edx, 0u);
    EXPECT_EQ(cpuid_model_read(&m, 0, 0).eax, 0xdu);
}

TEST(cpuid_shows_what_the_kernel_provides_on_any_host)
{
    const struct cpuid_model m = model(nothing);
    struct cpuid_result r = cpuid_model_read(&m, 1, 0);

    EXPECT_TRUE(bit(r.ecx, 21));  // x2APIC
    EXPECT_TRUE(bit(r.ecx, 24));  // TSC deadline
    EXPECT_TRUE(bit(r.ecx, 31));  // hypervisor
    EXPECT_FALSE(bit(r.ecx, 28)); // AVX is the host's
    r = cpuid_model_read(&m, 0x40000000, 0);
    EXPECT_TRUE(memcmp(&r.ebx, "KVMK", 4) == 0 && memcmp(&r.ecx, "VMKV", 4) == 0 &&
                memcmp(&r.edx, "M\0\0", 4) == 0);
    r = cpuid_model_read(&m, 0x40000001, 0);
    EXPECT_EQ(r.eax, 0x0100804bu); // clocks, no I/O delay, EOI, wide MSI destinations
    EXPECT_EQ(cpuid_model_read(&m, 0x40000010, 0).eax, 1000000u);
    EXPECT_TRUE(bit(cpuid_model_read(&m, 0x80000007, 0).edx, 8));
}

TEST(cpuid_topology_is_one_core_per_vcpu)
{
    const struct cpuid_model m = model(all_ones);
    struct cpuid_result r = cpuid_model_read(&m, 1, 0);

    EXPECT_EQ(r.ebx >> 24, 2u);
    EXPECT_EQ(r.ebx >> 16 & 0xff, 4u);
    EXPECT_TRUE(bit(r.edx, 28));
    r = cpuid_model_read(&m, 0xb, 1);
    EXPECT_EQ(r.eax, 2u);
    EXPECT_EQ(r.ebx, 4u);
    EXPECT_EQ(r.edx, 2u);
    EXPECT_EQ(cpuid_model_read(&m, 0x80000008, 0).ecx, 3u | 2u << 12);
}

TEST(cpuid_xsave_sizes_follow_xcr0)
{
    struct cpuid_model m = model(all_ones);

    EXPECT_EQ(cpuid_model_read(&m, 0xd, 0).ebx, 576u);
    EXPECT_EQ(cpuid_model_read(&m, 0xd, 0).ecx, 832u);
    m.xcr0 = 7;
    EXPECT_EQ(cpuid_model_read(&m, 0xd, 0).ebx, 832u);
    EXPECT_EQ(cpuid_model_read(&m, 0xd, 9).eax, 0u);
    EXPECT_EQ(cpuid_model_read(&m, 0xd, 1000).eax, 0u);
    m.host_xcr0 = 0;
    EXPECT_EQ(cpuid_model_read(&m, 0xd, 0).ecx, 0u);
}
