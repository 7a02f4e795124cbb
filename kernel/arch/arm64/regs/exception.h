// ESR_EL1: why an exception was taken (Arm ARM DDI 0487J.a, D19.2.37). Included by .S files too.
#pragma once

#define ESR_EC_SHIFT 26
#define ESR_EC(esr)  ((esr) >> ESR_EC_SHIFT & 0x3f)

#define ESR_EC_UNKNOWN       0x00
#define ESR_EC_WFX           0x01 // WFI, WFE
#define ESR_EC_FP_ACCESS     0x07
#define ESR_EC_ILLEGAL_STATE 0x0e
#define ESR_EC_SVC64         0x15
#define ESR_EC_HVC64         0x16
#define ESR_EC_SMC64         0x17
#define ESR_EC_SYSREG        0x18
#define ESR_EC_SVE_ACCESS    0x19
#define ESR_EC_FETCH_LOWER   0x20
#define ESR_EC_FETCH_SAME    0x21
#define ESR_EC_PC_ALIGNMENT  0x22
#define ESR_EC_DATA_LOWER    0x24
#define ESR_EC_DATA_SAME     0x25
#define ESR_EC_SP_ALIGNMENT  0x26
#define ESR_EC_FP_EXCEPTION  0x2c
#define ESR_EC_SERROR        0x2f
#define ESR_EC_BREAK_LOWER   0x30
#define ESR_EC_STEP_LOWER    0x32
#define ESR_EC_WATCH_LOWER   0x34
#define ESR_EC_BRK64         0x3c

// Of aborts.
#define ESR_WNR             (1 << 6)
#define ESR_CM              (1 << 8)
#define ESR_FSC(esr)        ((esr)&0x3f)
#define ESR_FSC_TYPE(esr)   ((esr)&0x3c)
#define ESR_FSC_TRANSLATION 0x04
#define ESR_FSC_ACCESS_FLAG 0x08
#define ESR_FSC_PERMISSION  0x0c
