// Registers, commands and tables of the Interrupt Translation Service, and of LPIs in a
// redistributor (Arm GIC Architecture Specification, IHI 0069H.b, sections 5.3 "ITS
// commands", 12.11 and 12.19).
#pragma once

#include "kernel/arch/arm64/regs/sysreg.h"

#define GITS_SIZE                   0x20000
#define GITS_CTLR                   0x0000
#define GITS_CTLR_ENABLED           REG_BIT(0)
#define GITS_CTLR_QUIESCENT         REG_BIT(31)
#define GITS_TYPER                  0x0008
#define GITS_TYPER_ITT_SIZE(t)      ((uint32_t)((t) >> 4 & 0xf) + 1) // bytes of an entry
#define GITS_TYPER_DEVICE_BITS(t)   ((uint32_t)((t) >> 13 & 0x1f) + 1)
#define GITS_TYPER_PTA              REG_BIT(19)
#define GITS_CBASER                 0x0080
#define GITS_CWRITER                0x0088
#define GITS_CREADR                 0x0090
#define GITS_CREADR_STALLED         REG_BIT(0)
#define GITS_BASER(n)               (0x0100 + 8 * (uint64_t)(n))
#define GITS_BASER_COUNT            8
#define GITS_BASER_TYPE(b)          ((uint32_t)((b) >> 56 & 7))
#define GITS_BASER_TYPE_DEVICES     1
#define GITS_BASER_TYPE_COLLECTIONS 4
#define GITS_BASER_ENTRY_SIZE(b)    ((uint32_t)((b) >> 48 & 0x1f) + 1)
#define GITS_BASER_READ_ONLY        (UINT64_C(0x1f) << 48 | UINT64_C(7) << 56)
#define GITS_BASER_PAGE_4K          (UINT64_C(0) << 8)
#define GITS_BASER_PAGE_MASK        (UINT64_C(3) << 8)
#define GITS_BASER_PAGES_MAX        256u
#define GITS_TRANSLATER             0x10040

// GITS_CBASER and GITS_BASER alike: valid; normal memory, inner shareable, write-back.
#define GITS_TABLE_VALID      REG_BIT(63)
#define GITS_TABLE_CACHED     (UINT64_C(7) << 59)
#define GITS_TABLE_SHAREABLE  (UINT64_C(1) << 10)
#define GITS_TABLE_SHARE_MASK (UINT64_C(3) << 10)

// Commands: four words of 64 bits.
#define ITS_COMMAND_SIZE        32u
#define ITS_SYNC                0x05u
#define ITS_MAPD                0x08u
#define ITS_MAPC                0x09u
#define ITS_MAPTI               0x0au
#define ITS_DISCARD             0x0fu
#define ITS_DEVICE(id)          ((uint64_t)(id) << 32) // word 0
#define ITS_VALID               REG_BIT(63)            // word 2
#define ITS_TARGET_NUMBER_SHIFT 16                     // without GITS_TYPER.PTA

// Redistributor, first frame
#define GICR_CTLR_ENABLE_LPIS REG_BIT(0)
#define GICR_TYPER_PLPIS      REG_BIT(0)
#define GICR_TYPER_NUMBER(t)  ((uint32_t)((t) >> 8 & 0xffff))
#define GICR_PROPBASER        0x0070
#define GICR_PENDBASER        0x0078
#define GICR_PENDBASER_ZERO   REG_BIT(62)
#define GICR_TABLE_CACHED     (UINT64_C(7) << 7)
#define GICR_TABLE_SHAREABLE  (UINT64_C(1) << 10)
#define GICR_TABLE_SHARE_MASK (UINT64_C(3) << 10)

// Entry of the property table: priority in the high bits.
#define LPI_PROPERTY_ENABLED 1u
