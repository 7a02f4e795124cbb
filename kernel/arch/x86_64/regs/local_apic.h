// Registers of the local APIC: offsets in the memory-mapped page (xAPIC); in x2APIC mode the MSR is
// MSR_X2APIC_BASE + offset / 16 (Intel SDM Volume 3A, "Advanced Programmable Interrupt Controller";
// AMD64 APM Volume 2, chapter 16).
#pragma once

#include <stdint.h>

#define LOCAL_APIC_PAGE_DEFAULT 0xfee00000u
#define LOCAL_APIC_VERSION_VALUE \
    0x01050014u // version 0x14, six LVT entries, EOI broadcast suppression

enum local_apic_register {
    LOCAL_APIC_ID = 0x020,
    LOCAL_APIC_VERSION = 0x030,
    LOCAL_APIC_TPR = 0x080,
    LOCAL_APIC_APR = 0x090,
    LOCAL_APIC_PPR = 0x0a0,
    LOCAL_APIC_EOI = 0x0b0,
    LOCAL_APIC_LDR = 0x0d0,
    LOCAL_APIC_DFR = 0x0e0,
    LOCAL_APIC_SVR = 0x0f0,
    LOCAL_APIC_ISR = 0x100,
    LOCAL_APIC_TMR = 0x180,
    LOCAL_APIC_IRR = 0x200,
    LOCAL_APIC_ESR = 0x280,
    LOCAL_APIC_LVT_CMCI = 0x2f0,
    LOCAL_APIC_ICR_LOW = 0x300,
    LOCAL_APIC_ICR_HIGH = 0x310,
    LOCAL_APIC_LVT_TIMER = 0x320,
    LOCAL_APIC_LVT_THERMAL = 0x330,
    LOCAL_APIC_LVT_PERFORMANCE = 0x340,
    LOCAL_APIC_LVT_LINT0 = 0x350,
    LOCAL_APIC_LVT_LINT1 = 0x360,
    LOCAL_APIC_LVT_ERROR = 0x370,
    LOCAL_APIC_TIMER_INITIAL = 0x380,
    LOCAL_APIC_TIMER_CURRENT = 0x390,
    LOCAL_APIC_TIMER_DIVIDE = 0x3e0,
    LOCAL_APIC_SELF_IPI = 0x3f0, // x2APIC only
};

#define LOCAL_APIC_SVR_ENABLE       (1u << 8)
#define LOCAL_APIC_SVR_SUPPRESS_EOI (1u << 12)
#define LOCAL_APIC_SVR_WRITABLE     0x13ffu

#define LOCAL_APIC_ESR_SEND_ILLEGAL    (1u << 5)
#define LOCAL_APIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define LOCAL_APIC_ESR_REGISTER        (1u << 7)

#define LOCAL_APIC_LVT_VECTOR          0xffu
#define LOCAL_APIC_LVT_DELIVERY_MASK   0x700u
#define LOCAL_APIC_LVT_DELIVERY_NMI    0x400u
#define LOCAL_APIC_LVT_DELIVERY_EXTINT 0x700u
#define LOCAL_APIC_LVT_MASKED          (1u << 16)
#define LOCAL_APIC_LVT_TIMER_MODE_MASK (3u << 17)
#define LOCAL_APIC_LVT_TIMER_ONE_SHOT  (0u << 17)
#define LOCAL_APIC_LVT_TIMER_PERIODIC  (1u << 17)
#define LOCAL_APIC_LVT_TIMER_DEADLINE  (2u << 17)

#define LOCAL_APIC_ICR_VECTOR          0xffu
#define LOCAL_APIC_ICR_DELIVERY_SHIFT  8
#define LOCAL_APIC_ICR_LOGICAL         (1u << 11)
#define LOCAL_APIC_ICR_BUSY            (1u << 12)
#define LOCAL_APIC_ICR_ASSERT          (1u << 14)
#define LOCAL_APIC_ICR_LEVEL           (1u << 15)
#define LOCAL_APIC_ICR_SHORTHAND_SHIFT 18

// Delivery modes of the ICR, of MSI data and of I/O APIC entries.
enum local_apic_delivery {
    LOCAL_APIC_DELIVERY_FIXED = 0,
    LOCAL_APIC_DELIVERY_LOWEST = 1,
    LOCAL_APIC_DELIVERY_SMI = 2,
    LOCAL_APIC_DELIVERY_NMI = 4,
    LOCAL_APIC_DELIVERY_INIT = 5,
    LOCAL_APIC_DELIVERY_STARTUP = 6,
    LOCAL_APIC_DELIVERY_EXTINT = 7,
};

enum local_apic_shorthand {
    LOCAL_APIC_SHORTHAND_NONE = 0,
    LOCAL_APIC_SHORTHAND_SELF = 1,
    LOCAL_APIC_SHORTHAND_ALL = 2,
    LOCAL_APIC_SHORTHAND_OTHERS = 3,
};
