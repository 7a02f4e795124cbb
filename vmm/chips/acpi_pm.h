// The fixed hardware of ACPI without general-purpose events: PM1a event and control registers, the
// PM timer, the power button, the S5 power-off and the reset register.
//
// The machine is always in ACPI mode (SCI_EN reads as one; there is no SMI command port). The SCI
// is a level that stays while an enabled status bit is set.
//
// Spec: ACPI 6.4, section 4.8 "ACPI Register Model"; the reset register is the PC chipset's port
// 0xcf9 (Intel ICH data sheet, "Reset Control Register").
#pragma once

#include "vmm/device.h"

#define ACPI_PM_TIMER_HZ   3579545u
#define ACPI_PM_SLP_TYP_S5 5 // what the DSDT's \_S5 package names

// Offsets in the block of acpi_pm_ops.
#define ACPI_PM_PM1A_EVT   0x0 // status, then enable; two bytes each
#define ACPI_PM_PM1A_CNT   0x4
#define ACPI_PM_PM_TMR     0x8
#define ACPI_PM_PORT_COUNT 0xc

#define ACPI_PM_RESET_VALUE 0x06 // what the FADT tells the guest to write to the reset register

struct acpi_pm_host {
    void (*power_off)(void *context);
    void (*reset)(void *context);
    void *context;
};

struct acpi_pm {
    struct acpi_pm_host host;
    struct irq_line sci;
    struct device_timer timer;
    uint64_t base_ns;           // when the PM timer was zero
    uint64_t half_period_index; // changes of the PM timer's highest bit accounted for
    uint8_t timer_bits;         // 24 or 32
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint8_t reset_control;
    bool sci_level;
};

extern const struct device_ops acpi_pm_ops;       // ACPI_PM_PORT_COUNT ports
extern const struct device_ops acpi_pm_reset_ops; // one port, 0xcf9, byte-wide

// timer_bits is 24 or 32 (what the FADT says by TMR_VAL_EXT); anything else counts as 24.
void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_host *host, struct irq_line sci,
                  const struct device_timer *timer, unsigned timer_bits);

// Someone pressed the power button.
void acpi_pm_press_power_button(struct acpi_pm *pm);

// The timer's deadline has passed.
void acpi_pm_timer_expired(struct acpi_pm *pm);
