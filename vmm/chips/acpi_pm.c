#include "vmm/chips/acpi_pm.h"

#include "vmm/chips/byte_port.h"
#include "vmm/chips/chip_clock.h"

#include <string.h>

#define PM1_STS_TMR           0x0001
#define PM1_STS_PWRBTN        0x0100
#define PM1_STS_MASK          0x8731 // TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK
#define PM1_EN_TMR            0x0001
#define PM1_EN_MASK           0x0721 // TMR, GBL, PWRBTN, SLPBTN, RTC
#define PM1_CNT_SCI_EN        0x0001
#define PM1_CNT_BM_RLD        0x0002
#define PM1_CNT_SLP_TYP       0x1c00
#define PM1_CNT_SLP_EN        0x2000
#define PM1_CNT_SLP_TYP_SHIFT 10

#define PM1_EN_OFFSET (ACPI_PM_PM1A_EVT + 2)

#define RESET_CONTROL_WRITABLE 0x0e // SYS_RST, RST_CPU, FULL_RST
#define RESET_CONTROL_RST_CPU  0x04

static uint64_t timer_ticks(const struct acpi_pm *pm)
{
    uint64_t now_ns = pm->timer.now_ns(pm->timer.context);

    return chip_clock_ticks(now_ns > pm->base_ns ? now_ns - pm->base_ns : 0, ACPI_PM_TIMER_HZ);
}

// "Set any time the most significant bit of the timer changes."
static void account_timer_status(struct acpi_pm *pm)
{
    uint64_t index = timer_ticks(pm) >> (pm->timer_bits - 1);

    if (index > pm->half_period_index) {
        pm->half_period_index = index;
        pm->pm1_sts |= PM1_STS_TMR;
    }
}

static void arm_timer(struct acpi_pm *pm)
{
    uint64_t ticks = (pm->half_period_index + 1) << (pm->timer_bits - 1);

    if ((pm->pm1_en & PM1_EN_TMR) && !(pm->pm1_sts & PM1_STS_TMR))
        pm->timer.arm(pm->timer.context, pm->base_ns + chip_clock_ns(ticks, ACPI_PM_TIMER_HZ));
    else
        pm->timer.disarm(pm->timer.context);
}

static void update_sci(struct acpi_pm *pm)
{
    bool level = (pm->pm1_sts & pm->pm1_en) != 0;

    if (level == pm->sci_level)
        return;
    pm->sci_level = level;
    irq_line_set(&pm->sci, level);
}

void acpi_pm_timer_expired(struct acpi_pm *pm)
{
    account_timer_status(pm);
    update_sci(pm);
    arm_timer(pm);
}

void acpi_pm_press_power_button(struct acpi_pm *pm)
{
    pm->pm1_sts |= PM1_STS_PWRBTN;
    update_sci(pm);
}

static uint8_t read_byte(void *chip, uint64_t offset)
{
    const struct acpi_pm *pm = chip;
    unsigned shift = offset % 2 * 8;

    switch (offset / 2 * 2) {
    case ACPI_PM_PM1A_EVT:
        return (uint8_t)(pm->pm1_sts >> shift);
    case PM1_EN_OFFSET:
        return (uint8_t)(pm->pm1_en >> shift);
    case ACPI_PM_PM1A_CNT:
        return (uint8_t)(pm->pm1_cnt >> shift);
    default:
        return 0xff;
    }
}

// Any part of the timer is taken from one reading of the clock.
static uint64_t read_timer(const struct acpi_pm *pm, uint64_t offset, unsigned width_bytes)
{
    uint64_t ticks = timer_ticks(pm) & ((1ULL << pm->timer_bits) - 1);
    uint64_t value = ticks >> (offset - ACPI_PM_PM_TMR) * 8;

    return width_bytes >= 8 ? value : value & ((1ULL << (width_bytes * 8)) - 1);
}

static uint64_t acpi_pm_read(void *device, uint64_t offset, unsigned width_bytes)
{
    struct acpi_pm *pm = device;

    if (offset >= ACPI_PM_PM_TMR && offset < ACPI_PM_PORT_COUNT)
        return read_timer(pm, offset, width_bytes);
    account_timer_status(pm);
    update_sci(pm);
    return byte_port_read(pm, read_byte, offset, width_bytes);
}

// SLP_EN reads as zero and acts once; a sleep state that the DSDT does not name does nothing.
static void write_control(struct acpi_pm *pm, uint16_t value)
{
    pm->pm1_cnt = (value & (PM1_CNT_BM_RLD | PM1_CNT_SLP_TYP)) | PM1_CNT_SCI_EN;
    if ((value & PM1_CNT_SLP_EN) &&
        (value & PM1_CNT_SLP_TYP) >> PM1_CNT_SLP_TYP_SHIFT == ACPI_PM_SLP_TYP_S5)
        pm->host.power_off(pm->host.context);
}

static void write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct acpi_pm *pm = chip;
    unsigned shift = offset % 2 * 8;
    uint16_t mask = (uint16_t)(0xffu << shift);
    uint16_t bits = (uint16_t)((unsigned)value << shift);

    switch (offset / 2 * 2) {
    case ACPI_PM_PM1A_EVT: // a one clears its status bit
        pm->pm1_sts &= (uint16_t) ~(bits & PM1_STS_MASK);
        break;
    case PM1_EN_OFFSET:
        pm->pm1_en = ((pm->pm1_en & (uint16_t)~mask) | bits) & PM1_EN_MASK;
        break;
    case ACPI_PM_PM1A_CNT:
        write_control(pm, (pm->pm1_cnt & (uint16_t)~mask) | bits);
        break;
    default: // the timer cannot be written
        break;
    }
}

static void acpi_pm_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    struct acpi_pm *pm = device;

    account_timer_status(pm);
    byte_port_write(pm, write_byte, offset, width_bytes, value);
    update_sci(pm);
    arm_timer(pm);
}

static void acpi_pm_reset(void *device)
{
    struct acpi_pm *pm = device;

    pm->pm1_sts = pm->pm1_en = 0;
    pm->pm1_cnt = PM1_CNT_SCI_EN;
    pm->reset_control = 0;
    pm->base_ns = pm->timer.now_ns(pm->timer.context);
    pm->half_period_index = 0;
    pm->timer.disarm(pm->timer.context);
    update_sci(pm);
}

static uint8_t reset_read_byte(void *chip, uint64_t offset)
{
    const struct acpi_pm *pm = chip;

    return offset == 0 ? pm->reset_control : 0xff;
}

// A reset happens when RST_CPU rises.
static void reset_write_byte(void *chip, uint64_t offset, uint8_t value)
{
    struct acpi_pm *pm = chip;
    bool is_rising;

    if (offset != 0)
        return;
    is_rising = (value & RESET_CONTROL_RST_CPU) && !(pm->reset_control & RESET_CONTROL_RST_CPU);
    pm->reset_control = value & RESET_CONTROL_WRITABLE;
    if (is_rising)
        pm->host.reset(pm->host.context);
}

static uint64_t reset_read(void *device, uint64_t offset, unsigned width_bytes)
{
    return byte_port_read(device, reset_read_byte, offset, width_bytes);
}

static void reset_write(void *device, uint64_t offset, unsigned width_bytes, uint64_t value)
{
    byte_port_write(device, reset_write_byte, offset, width_bytes, value);
}

const struct device_ops acpi_pm_ops = {
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .reset = acpi_pm_reset,
};

const struct device_ops acpi_pm_reset_ops = {
    .read = reset_read,
    .write = reset_write,
    .reset = acpi_pm_reset,
};

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_host *host, struct irq_line sci,
                  const struct device_timer *timer, unsigned timer_bits)
{
    memset(pm, 0, sizeof(*pm));
    pm->host = *host;
    pm->sci = sci;
    pm->timer = *timer;
    pm->timer_bits = timer_bits == 32 ? 32 : 24;
    acpi_pm_reset(pm);
}
