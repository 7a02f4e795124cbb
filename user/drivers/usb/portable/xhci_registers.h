// The controller's registers. Offsets of capability registers count from the start of the BAR; the
// others from the place that a capability register names.
//
// xHCI 1.2, 5.3 "Host Controller Capability Registers", 5.4 "Host Controller Operational
// Registers", 5.5 "Host Controller Runtime Registers", 5.6 "Doorbell Registers", 7.1 "USB Legacy
// Support Capability".
#pragma once

#include <stdint.h>

#define XHCI_CAPLENGTH        0x00 // low byte; the high half is the version
#define XHCI_HCSPARAMS1       0x04
#define XHCI_HCSPARAMS2       0x08
#define XHCI_HCCPARAMS1       0x10
#define XHCI_DBOFF            0x14
#define XHCI_RTSOFF           0x18
#define XHCI_CAPABILITY_BYTES 0x20

#define XHCI_CAPLENGTH_MASK            UINT32_C(0xff)
#define XHCI_HCSPARAMS1_SLOTS(v)       ((v)&0xff)
#define XHCI_HCSPARAMS1_PORTS(v)       ((v) >> 24)
#define XHCI_HCSPARAMS2_SCRATCHPADS(v) (((v) >> 21 & 0x1f) << 5 | (v) >> 27)
#define XHCI_HCCPARAMS1_AC64           (UINT32_C(1) << 0)
#define XHCI_HCCPARAMS1_CSZ            (UINT32_C(1) << 2)
#define XHCI_HCCPARAMS1_PPC            (UINT32_C(1) << 3)
#define XHCI_HCCPARAMS1_XECP(v)        ((v) >> 16 << 2)
#define XHCI_DBOFF_MASK                (~UINT32_C(0x3))
#define XHCI_RTSOFF_MASK               (~UINT32_C(0x1f))

// Operational registers.
#define XHCI_USBCMD                   0x00
#define XHCI_USBSTS                   0x04
#define XHCI_PAGESIZE                 0x08
#define XHCI_DNCTRL                   0x14
#define XHCI_CRCR                     0x18
#define XHCI_DCBAAP                   0x30
#define XHCI_CONFIG                   0x38
#define XHCI_PORTSC(port)             (0x400 + 0x10 * ((uint32_t)(port)-1)) // ports count from 1
#define XHCI_OPERATIONAL_BYTES(ports) (0x400 + 0x10 * (uint32_t)(ports))

#define XHCI_USBCMD_RS    (UINT32_C(1) << 0)
#define XHCI_USBCMD_HCRST (UINT32_C(1) << 1)
#define XHCI_USBCMD_INTE  (UINT32_C(1) << 2)

#define XHCI_USBSTS_HCH  (UINT32_C(1) << 0)
#define XHCI_USBSTS_HSE  (UINT32_C(1) << 2)
#define XHCI_USBSTS_EINT (UINT32_C(1) << 3)
#define XHCI_USBSTS_CNR  (UINT32_C(1) << 11)
#define XHCI_USBSTS_HCE  (UINT32_C(1) << 12)

#define XHCI_PAGESIZE_4K UINT32_C(1)

#define XHCI_PORTSC_CCS      (UINT32_C(1) << 0)
#define XHCI_PORTSC_PED      (UINT32_C(1) << 1) // writing 1 disables the port
#define XHCI_PORTSC_PR       (UINT32_C(1) << 4)
#define XHCI_PORTSC_PP       (UINT32_C(1) << 9)
#define XHCI_PORTSC_SPEED(v) ((v) >> 10 & 0xf)
#define XHCI_PORTSC_CSC      (UINT32_C(1) << 17)
#define XHCI_PORTSC_PRC      (UINT32_C(1) << 21)
#define XHCI_PORTSC_CHANGES  UINT32_C(0x00fe0000) // all of them; each is cleared by writing 1
// What a write must carry over so that it changes nothing else: power, indicators, wake-up.
#define XHCI_PORTSC_KEPT UINT32_C(0x0e00c200)

// Runtime registers: interrupter 0.
#define XHCI_IMAN          0x20
#define XHCI_IMOD          0x24
#define XHCI_ERSTSZ        0x28
#define XHCI_ERSTBA        0x30
#define XHCI_ERDP          0x38
#define XHCI_RUNTIME_BYTES 0x40

#define XHCI_IMAN_IP  (UINT32_C(1) << 0) // cleared by writing 1
#define XHCI_IMAN_IE  (UINT32_C(1) << 1)
#define XHCI_ERDP_EHB (UINT32_C(1) << 3) // cleared by writing 1

#define XHCI_DOORBELL_BYTES   4
#define XHCI_DOORBELL_COMMAND 0 // the target of doorbell 0

// Extended capabilities.
#define XHCI_EXTENDED_ID(v)      ((v)&0xff)
#define XHCI_EXTENDED_NEXT(v)    (((v) >> 8 & 0xff) << 2)
#define XHCI_EXTENDED_LEGACY     1
#define XHCI_USBLEGSUP_BIOS      (UINT32_C(1) << 16)
#define XHCI_USBLEGSUP_OS        (UINT32_C(1) << 24)
#define XHCI_USBLEGCTLSTS        4                    // behind USBLEGSUP
#define XHCI_USBLEGCTLSTS_KEPT   UINT32_C(0x000e1fee) // reserved bits; the others enable SMIs
#define XHCI_USBLEGCTLSTS_EVENTS UINT32_C(0xe0000000) // cleared by writing 1

// The device speeds that every controller has; larger numbers are faster kinds of SuperSpeed.
enum xhci_speed {
    XHCI_SPEED_FULL = 1,
    XHCI_SPEED_LOW = 2,
    XHCI_SPEED_HIGH = 3,
    XHCI_SPEED_SUPER = 4,
};
