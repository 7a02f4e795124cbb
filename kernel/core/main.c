// Start-up as a list of calls, and the first process.

#include <arch/boot.h>
#include <arch/hypervisor.h>
#include <arch/mmu.h>
#include <arch/time.h>

#include "boot/bootfs.h"
#include "boot/zbi.h"
#include "kernel/core/efi_runtime.h"
#include "kernel/core/first_process.h"
#include "kernel/core/log.h"
#include "kernel/core/machine.h"
#include "kernel/core/random.h"
#include "kernel/core/thread.h"
#include "kernel/memory/phys.h"
#include "kernel/object/process.h"

struct machine machine;

static void start_other_cpus(void)
{
    for (uint32_t i = 1; i < cpu_count; i++) {
        char *stack = arch_kernel_reserve(KERNEL_STACK_SIZE + PAGE_SIZE);
        for (size_t at = PAGE_SIZE; stack != NULL && at <= KERNEL_STACK_SIZE; at += PAGE_SIZE) {
            paddr_t page = phys_alloc(0, PHYS_USE_HEAP);
            if (paddr_is_none(page) || !arch_kernel_map_page(stack + at, page))
                panic("no memory for the stack of CPU %u", i);
        }
        cpus[i].index = i;
        thread_prepare_cpu(&cpus[i]);
        mx_status_t status = stack == NULL ? MX_ERR_NO_MEMORY
                                           : arch_cpu_start(i, stack + PAGE_SIZE + KERNEL_STACK_SIZE);
        if (status != MX_OK)
            log_print("CPU %u does not start (%d): left out", i, status);
    }
}

static void spare_cpus(uint32_t online_count)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (cpus[i].is_online && online_count > 1 && arch_hypervisor_spares_cpu(i)) {
            thread_spare_cpu(&cpus[i]);
            online_count--;
        }
    }
}

// Runs as a thread, so that it may sleep; the boot CPU's own flow becomes its idle thread.
static void start_up(void *argument)
{
    const struct boot_info *info = argument;
    uint32_t online_count = 0;

    start_other_cpus();
    for (uint32_t i = 0; i < cpu_count; i++)
        online_count += cpus[i].is_online;
    log_print("%u CPU%s: %s", online_count, online_count == 1 ? "" : "s", arch_cpu_name());
    log_print("hypervisor: %s", arch_hypervisor_description());
    spare_cpus(online_count);
    mx_status_t status = first_process_start(info);
    if (status != MX_OK)
        panic("the first process does not start: status %d", status);
}

_Noreturn void kernel_main(const struct boot_info *info)
{
    static struct boot_info info_copy;

    info_copy = *info;
    thread_prepare_cpu(&cpus[0]);
    thread_enter_cpu(&cpus[0]);
    cpus[0].is_online = true;
    log_print("Machina %s, %lu MiB of RAM free", MACHINE_VERSION, (unsigned long)(phys_free_bytes() >> 20));
    if (info->is_cmdline_cut)
        log_print("the command line is longer than %d bytes: some of it is left out", BOOT_CMDLINE_SIZE);
    arch_init_late();
    efi_runtime_init(info);
    machine.framebuffer = info->framebuffer;
    machine.kernel_size_bytes = info->kernel_size_bytes;
    machine.image_size_bytes = info->image_size_bytes;
    machine.boot_time_utc_s = arch_time_utc_seconds() - arch_time_now() / MX_SEC(1);
    random_init();
    machine.hypervisor_status = arch_hypervisor_init();
    arch_init_cpu();
    if (job_create(NULL, &root_job) != MX_OK)
        panic("no memory for the root job");
    thread_start_reaper();
    struct thread *thread = thread_create("start-up", NULL, start_up, &info_copy, thread_destroy);
    if (thread == NULL)
        panic("no memory for the start-up thread");
    thread_start(thread);
    thread_become_idle();
}

_Noreturn void start_secondary_cpu(void)
{
    struct cpu *cpu = arch_current_cpu();

    thread_enter_cpu(cpu);
    arch_init_cpu();
    // Release: whoever sees the CPU online sees it ready.
    __atomic_store_n(&cpu->is_online, true, __ATOMIC_RELEASE);
    thread_become_idle();
}
