// The High Precision Event Timer (IA-PC HPET Specification 1.0a, section 2.3).
#pragma once

#define HPET_REGISTERS_SIZE       0x400
#define HPET_CAPABILITIES         0x000
#define HPET_PERIOD_SHIFT         32 // femtoseconds
#define HPET_PERIOD_MAX_FS        100000000
#define HPET_CONFIGURATION        0x010
#define HPET_CONFIGURATION_ENABLE 0x1
#define HPET_COUNTER              0x0f0
