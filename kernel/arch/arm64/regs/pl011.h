// PrimeCell UART PL011 (DDI 0183G), what the first console needs.
#pragma once

#define PL011_SIZE    0x1000
#define PL011_DR      0x00
#define PL011_FR      0x18
#define PL011_FR_TXFF 0x20
