// PrimeCell Real Time Clock PL031 (DDI 0224C).
#pragma once

#define PL031_SIZE 0x1000
#define PL031_DR   0x00 // seconds, UTC by convention
