// Start-up of the boot CPU, from start.S to kernel_main(): a list of calls.
//
// Each way of being started has a row in boot_protocols, which ends in a container of items that describe the machine; what
// comes after goes by these alone.
#include <arch/boot.h>

#include <string.h>

#include <arch/console.h>
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>
#include <arch/mmu.h>

#include "boot/boot_option.h"
#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/console.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/image.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/arch/x86_64/portable/multiboot.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/smp.h"
#include "kernel/arch/x86_64/start.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/boot_items.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"

#define LOW_MEMORY_SIZE \
    0x100000 // kept out of the allocator: firmware data, start-up code of other CPUs

// Called by start.S, and by functions that the compiler protects.
_Noreturn void x86_boot(uint32_t magic, uint32_t address);
_Noreturn void __stack_chk_fail(void);
extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard;

struct boot_protocol {
    uint32_t magic; // in EBP in start.S
    // NULL, or what is wrong, for people.
    const char *(*read)(uint32_t address, struct boot_items *items);
};

static struct boot_info boot_info;
static struct boot_items boot_items;

void __stack_chk_fail(void)
{
    panic("stack overflow in a function's frame");
}

// --- ways of being started ---------------------------------------------------------------------------

// What the starter left at a physical address; NULL if the tables of start.S do not reach it.
static const void *starter_data(uint64_t address, uint64_t size_bytes)
{
    if (!range_is_within(address, size_bytes, BOOT_MAPPED_BYTES))
        return NULL;
    return arch_phys_to_virt(PADDR(address));
}

static const char *multiboot_read(uint32_t address, struct boot_items *items)
{
    static uint8_t container[16384] __attribute__((aligned(8)));
    const char *reason;

    if (multiboot_describe(starter_data, address, container, sizeof(container), &reason) != MX_OK)
        return reason;
    return boot_items_read(items, container, (struct zbi_place){0});
}

static const char *zbi_read(uint32_t address, struct boot_items *items)
{
    const void *header = starter_data(address, ZBI_HEADER_BYTES);
    uint64_t size_bytes = header ? boot_items_size(header) : 0;

    if (!header || !starter_data(address, size_bytes))
        return "the ZBI container that it was given is not below 4 GiB";
    return boot_items_read(items, header, (struct zbi_place){address, size_bytes});
}

static const struct boot_protocol boot_protocols[] = {
    {MULTIBOOT_LOADER_MAGIC, multiboot_read},
    {START_ZBI_MAGIC, zbi_read},
};

static const char *read_items(uint32_t magic, uint32_t address)
{
    for (size_t i = 0; i < ARRAY_COUNT(boot_protocols); i++) {
        if (boot_protocols[i].magic == magic)
            return boot_protocols[i].read(address, &boot_items);
    }
    return "started neither by Multiboot nor by the ZBI protocol";
}

// --- start-up ----------------------------------------------------------------------------------------

static _Noreturn void boot_fail(const char *why)
{
    arch_console_write("Machina cannot start: ", 22);
    arch_console_write(why, strlen(why));
    arch_console_write("\n", 1);
    arch_cpu_halt();
}

static void boot_check(const char *problem)
{
    if (problem)
        boot_fail(problem);
}

static void reserve_memory(void)
{
    uint64_t base = (uint64_t)kernel_image_start - KERNEL_IMAGE_BASE;

    boot_info.kernel_size_bytes = (uint64_t)(kernel_image_end - kernel_image_start);
    if (!boot_items_add_memory(&boot_items))
        boot_fail("no memory map was given");
    if (!boot_memory_is_ram(base, boot_info.kernel_size_bytes))
        boot_fail("the kernel does not lie in RAM, by the memory map that was given");
    boot_memory_reserve(base, boot_info.kernel_size_bytes);
    boot_memory_reserve(0, LOW_MEMORY_SIZE);
    boot_check(boot_items_reserve(&boot_items, (struct zbi_place){base, boot_info.kernel_size_bytes},
                                  &boot_info));
}

static void init_memory(void)
{
    reserve_memory();
    if (!paging_init())
        boot_fail("no memory for page tables below 4 GiB");
    boot_memory_finish();
    paging_finish_early();
    boot_items_finish(&boot_items, &boot_info);
}

static void choose_console(void)
{
    static char option[BOOT_CMDLINE_SIZE]; // the choice itself refuses what is too long
    bool is_told = boot_option_find(boot_info.cmdline, CONSOLE_OPTION, option, sizeof(option));

    console_choose(is_told ? option : NULL, &boot_items.machine.uart);
}

static void init_machine(void)
{
    bool has_acpi = acpi_init(boot_items.machine.acpi_rsdp);

    if (!apic_init(msr_read(MSR_APIC_BASE) & APIC_BASE_ADDRESS))
        boot_fail("no room to map the local APIC");
    apic_init_cpu();
    time_init(acpi_machine()->hpet_address);
    smp_count_cpus();
    tlb_join();
    choose_console();
    if (!has_acpi)
        log_print("no ACPI tables found: one CPU, no interrupts, no power off");
}

// Not protected itself: it changes the guard.
__attribute__((no_stack_protector)) static void init_stack_guard(void)
{
    uint64_t random;

    if (!arch_cpu_random(&random))
        random = tsc_read() * 0x9e3779b97f4a7c15;
    // A zero byte stops string functions that overrun.
    __stack_chk_guard = random & ~(uint64_t)0xff;
}

__attribute__((no_stack_protector)) void x86_boot(uint32_t magic, uint32_t address)
{
    console_init();
    cpu_features_detect();
    init_stack_guard();
    smp_init_boot_cpu();
    cpu_features_enable();
    fpu_init_cpu();
    boot_check(read_items(magic, address));
    init_memory();
    init_machine();
    kernel_main(&boot_info);
}

void arch_init_late(void)
{
    interrupts_init();
}

void arch_init_cpu(void)
{
    apic_init_cpu();
    time_init_cpu();
    hypervisor_init_cpu();
}
