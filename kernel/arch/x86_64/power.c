// Power off and reset: ACPI first (ACPI Specification 6.5, sections 4.8.3.2, 4.8.3.6 and 7.4.2),
// then what PCs have had for long.
#include <arch/power.h>

#include <arch/cpu.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/regs/io.h"
#include "kernel/arch/x86_64/tsc.h"

#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     (1u << 13)

// How long a machine gets to go down before the next way is tried.
#define WAIT_US 100000

static void sleep_register_write(struct acpi_register reg, uint8_t type)
{
    uint16_t value;

    if (reg.address == 0 || reg.space != ACPI_SPACE_IO || reg.address > UINT16_MAX)
        return;
    value = (uint16_t)(io_read16((uint16_t)reg.address) & ~PM1_SLEEP_TYPE_MASK);
    value |= (uint16_t)((type & 7u) << PM1_SLEEP_TYPE_SHIFT);
    io_write16((uint16_t)reg.address, value | PM1_SLEEP_ENABLE);
}

void arch_power_off(void)
{
    const struct acpi_machine *machine = acpi_machine();

    if (!machine->has_s5)
        return;
    sleep_register_write(machine->pm1a_control, machine->s5_type_a);
    sleep_register_write(machine->pm1b_control, machine->s5_type_b);
    time_wait_us(WAIT_US);
}

void arch_reboot(void)
{
    const struct acpi_machine *machine = acpi_machine();
    volatile uint8_t *mapped;

    if (machine->reset.address == 0)
        return;
    if (machine->reset.space == ACPI_SPACE_IO) {
        io_write8((uint16_t)machine->reset.address, machine->reset_value);
    } else if (machine->reset.space == ACPI_SPACE_MEMORY) {
        mapped = arch_map_device(PADDR(machine->reset.address), 1);
        if (mapped)
            *mapped = machine->reset_value;
    }
    time_wait_us(WAIT_US);
}

static void reset_by_chipset(void)
{
    io_write8(RESET_CONTROL, RESET_CONTROL_HARD);
    io_write8(RESET_CONTROL, RESET_CONTROL_RESET);
    time_wait_us(WAIT_US);
}

static void reset_by_keyboard_controller(void)
{
    for (unsigned i = 0; i < WAIT_US && (io_read8(I8042_COMMAND) & I8042_INPUT_FULL); i++)
        arch_cpu_relax();
    io_write8(I8042_COMMAND, I8042_PULSE_RESET);
    time_wait_us(WAIT_US);
}

static void reset_by_triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) empty = {0, 0};

    __asm__ volatile("lidt %0\n\tint3" : : "m"(empty));
}

void arch_reboot_by_force(void)
{
    arch_interrupts_disable();
    reset_by_chipset();
    reset_by_keyboard_controller();
    reset_by_triple_fault();
}
