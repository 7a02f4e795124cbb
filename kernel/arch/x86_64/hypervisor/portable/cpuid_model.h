// What CPUID says to a guest: the host's answer, filtered by a table, with the hypervisor's own
// leaves added.
//
// Hidden on purpose: SVM and VMX (no nesting yet), MONITOR/MWAIT (idle is HLT), performance
// counters and everything that counts on them, power and thermal management, memory encryption,
// speculation controls whose MSRs are not given (the host applies its own defences), extended
// topology and cache leaves that describe host cores, supervisor XSAVE state. Shown whatever the
// host has: x2APIC, TSC deadline timer, hypervisor bit, invariant TSC. The guest sees one core per
// vCPU in one package. (AMD64 APM Volume 3, Appendix E; Intel SDM Volume 2A "CPUID"; Linux
// Documentation/virt/kvm/x86/cpuid.rst.)
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/x86_64/regs/cpuid.h"

#define CPUID_LEAF_FEATURES          0x00000001u
#define CPUID_KVM_BASE               0x40000000u
#define CPUID_KVM_FEATURES           0x40000001u
#define CPUID_HYPERVISOR_TIMING      0x40000010u
#define CPUID_KVM_CLOCKSOURCE        (1u << 0)
#define CPUID_KVM_NOP_IO_DELAY       (1u << 1)
#define CPUID_KVM_CLOCKSOURCE2       (1u << 3)
#define CPUID_KVM_PV_EOI             (1u << 6)
#define CPUID_KVM_MSI_EXT_DEST_ID    (1u << 15)
#define CPUID_KVM_CLOCKSOURCE_STABLE (1u << 24)

struct cpuid_model {
    struct cpuid_result (*host)(uint32_t leaf, uint32_t subleaf);
    uint32_t apic_id;
    uint32_t vcpu_count;
    uint32_t tsc_khz;
    uint32_t apic_khz;
    uint64_t host_xcr0; // 0: no XSAVE
    uint64_t xcr0;      // the guest's, now
    bool has_osxsave;   // guest CR4.OSXSAVE
    bool has_ospke;     // guest CR4.PKE
    bool is_apic_enabled;
};

struct cpuid_result cpuid_model_read(const struct cpuid_model *model, uint32_t leaf,
                                     uint32_t subleaf);
