// Selectors and descriptors (AMD64 Architecture Programmer's Manual Volume 2, "Segmented Virtual
// Memory"). Included by .S files.
#pragma once

// The order of the user's three is what SYSRET expects: base + 8 is SS, base + 16 is CS.
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_BASE   (0x18 | 3)
#define SELECTOR_USER_DATA   (0x20 | 3)
#define SELECTOR_USER_CODE   (0x28 | 3)
#define SELECTOR_TSS         0x30

#define IST_NMI           1
#define IST_DOUBLE_FAULT  2
#define IST_MACHINE_CHECK 3
#define IST_COUNT         3

#define VECTOR_DEBUG              1
#define VECTOR_NMI                2
#define VECTOR_BREAKPOINT         3
#define VECTOR_INVALID_OPCODE     6
#define VECTOR_NOT_AVAILABLE      7
#define VECTOR_DOUBLE_FAULT       8
#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_PAGE_FAULT         14
#define VECTOR_MACHINE_CHECK      18
#define VECTOR_EXCEPTION_COUNT    32
// 0x20-0x2f: where the masked 8259 pair would deliver spurious interrupts
#define VECTOR_PIC_BASE      0x20
#define VECTOR_EXTERNAL_BASE 0x30 // + global interrupt number
#define VECTOR_EXTERNAL_END  0xf0
#define VECTOR_TIMER         0xf0
#define VECTOR_RESCHEDULE    0xf1
#define VECTOR_CALL          0xf2
#define VECTOR_TLB           0xf3
#define VECTOR_APIC_ERROR    0xfe
#define VECTOR_SPURIOUS      0xff

#define PAGE_FAULT_PRESENT 0x01
#define PAGE_FAULT_WRITE   0x02
#define PAGE_FAULT_USER    0x04
#define PAGE_FAULT_FETCH   0x10
