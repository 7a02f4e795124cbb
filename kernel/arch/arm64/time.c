// The clock and this CPU's timer (Arm ARM DDI 0487J.a, chapter D11, "The Generic Timer in AArch64
// state"), and the machine's own clock (PL031).
//
// At EL2 the timer is the hypervisor's physical one, which guests never see; at EL1 it is the
// virtual one, since what is below may trap the physical. The counter is the virtual one, whose
// offset counts as zero at EL2 while HCR_EL2.TGE is set.
#include "kernel/arch/arm64/time.h"

#include <arch/mmu.h>
#include <arch/time.h>

#include "kernel/arch/arm64/boot.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/regs/mmio.h"
#include "kernel/arch/arm64/regs/pl031.h"
#include "kernel/arch/arm64/regs/timer.h"
#include "kernel/arch/arm64/start.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/core/timer.h"
#include "kernel/lib/ratio.h"

#define NS_PER_S ((uint64_t)1000000000)

static uint64_t counter_hz, counter_start;
static uint64_t ns_per_tick, ticks_per_ns; // fixed point; see ratio.h
static volatile void *rtc;

uint64_t time_counter_hz(void)
{
    return counter_hz;
}

uint64_t time_counter_read(void)
{
    uint64_t counter;

    // Not read ahead of what comes before.
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(counter) : : "memory");
    return counter;
}

int64_t time_counter_to_ns(uint64_t counter)
{
    return (int64_t)ratio_scale(counter - counter_start, ns_per_tick);
}

// One more, so that it is never early.
uint64_t time_counter_from_ns(int64_t time_ns)
{
    return counter_start + ratio_scale((uint64_t)time_ns, ticks_per_ns) + 1;
}

mx_time_t arch_time_now(void)
{
    return time_counter_to_ns(time_counter_read());
}

void time_wait_us(uint32_t us)
{
    uint64_t start = time_counter_read();

    while (time_counter_read() - start < ratio_scale((uint64_t)us * 1000, ticks_per_ns))
        arch_cpu_relax();
}

void time_init(void)
{
    counter_hz = sysreg_read(cntfrq_el0);
    if (counter_hz == 0)
        panic("firmware has not set CNTFRQ_EL0, the frequency of the generic timer");
    counter_start = time_counter_read();
    ns_per_tick = ratio_make(NS_PER_S, counter_hz);
    ticks_per_ns = ratio_make(counter_hz, NS_PER_S);
}

// --- this CPU's timer
// -------------------------------------------------------------------------------------

static bool is_at_el2(void)
{
    return boot_mode == BOOT_MODE_EL2;
}

static void timer_start(uint64_t compare)
{
    if (is_at_el2()) {
        sysreg_write(cntp_cval_el0, compare);
        sysreg_write(cntp_ctl_el0, CNT_CTL_ENABLE);
    } else {
        sysreg_write(cntv_cval_el0, compare);
        sysreg_write(cntv_ctl_el0, CNT_CTL_ENABLE);
    }
    isb();
}

// The compare value stays: one that no clock reaches would be noticed by emulators that add the
// virtual offset to it without care (QEMU 7.2 stops for good).
static void timer_silence(void)
{
    if (is_at_el2())
        sysreg_write(cntp_ctl_el0, 0);
    else
        sysreg_write(cntv_ctl_el0, 0);
    isb();
}

static void handle_timer(void)
{
    arch_current_cpu()->stats.timer_interrupts++;
    timer_silence();
    timer_interrupt();
}

void time_init_late(void)
{
    const struct machine *machine = boot_machine();
    uint32_t intid =
        machine->timer_intids[is_at_el2() ? MACHINE_TIMER_HYPERVISOR : MACHINE_TIMER_VIRTUAL];

    if (intid == MACHINE_INTID_NONE)
        panic("firmware does not tell the interrupt of the %s timer",
              is_at_el2() ? "hypervisor" : "virtual");
    interrupts_set_private(intid, handle_timer);
    if (machine->pl031.size_bytes != 0)
        rtc = arch_map_device(PADDR(machine->pl031.base), PL031_SIZE);
}

void time_init_cpu(void)
{
    timer_silence();
}

void arch_time_set_timer(mx_time_t deadline)
{
    if (deadline == MX_TIME_INFINITE)
        timer_silence();
    else
        timer_start(time_counter_from_ns(deadline < 0 ? 0 : deadline));
}

int64_t arch_time_utc_seconds(void)
{
    return rtc ? mmio_read32(rtc, PL031_DR) : 0;
}
