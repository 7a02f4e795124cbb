// Registers of the IOAPIC (82093AA data sheet; AMD and Intel chipset manuals).
#pragma once

// IOAPIC: an index and a data register
#define IOAPIC_INDEX                   0x00
#define IOAPIC_DATA                    0x10
#define IOAPIC_REGISTERS_SIZE          0x20
#define IOAPIC_VERSION                 0x01
#define IOAPIC_VERSION_LAST_SHIFT      16 // number of the last entry
#define IOAPIC_VERSION_LAST_MASK       0xff
#define IOAPIC_ENTRY_LOW(pin)          (0x10 + 2 * (pin))
#define IOAPIC_ENTRY_HIGH(pin)         (0x11 + 2 * (pin))
#define IOAPIC_ENTRY_ACTIVE_LOW        0x02000
#define IOAPIC_ENTRY_LEVEL             0x08000
#define IOAPIC_ENTRY_MASKED            0x10000
#define IOAPIC_ENTRY_DESTINATION_SHIFT 24
