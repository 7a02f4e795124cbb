// Start-up of the boot CPU, from start.S to kernel_main(): a list of calls.
//
// Each way of being started (boot protocol) has a row in boot_protocols and fills the same struct
// boot_info and memory ranges; another way is another row.
#include <arch/boot.h>

#include <string.h>

#include <arch/console.h>
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>
#include <arch/mmu.h>

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/console.h"
#include "kernel/arch/x86_64/cpu_features.h"
#include "kernel/arch/x86_64/image.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/multiboot.h"
#include "kernel/arch/x86_64/paging.h"
#include "kernel/arch/x86_64/regs/msr.h"
#include "kernel/arch/x86_64/regs/paging.h"
#include "kernel/arch/x86_64/smp.h"
#include "kernel/arch/x86_64/tlb.h"
#include "kernel/arch/x86_64/tsc.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"

#define LOW_MEMORY_SIZE \
    0x100000 // kept out of the allocator: firmware data, start-up code of other CPUs

// Called by start.S, and by functions that the compiler protects.
_Noreturn void x86_boot(uint32_t magic, uint32_t info_address);
_Noreturn void __stack_chk_fail(void);
extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard;

struct boot_protocol {
    uint32_t magic; // in EAX at entry
    bool (*read)(uint32_t info_address);
};

static struct boot_info boot_info;
static uint64_t rsdp_address;

void __stack_chk_fail(void)
{
    panic("stack overflow in a function's frame");
}

// --- Multiboot
// ----------------------------------------------------------------------------------------

// What the loader left at a physical address; NULL if the tables of start.S do not reach it.
static const void *loader_data(uint64_t address, uint64_t size_bytes)
{
    if (!range_is_within(address, size_bytes, BOOT_MAPPED_BYTES))
        return NULL;
    return arch_phys_to_virt(PADDR(address));
}

static void read_cmdline(uint32_t address)
{
    const char *cmdline = loader_data(address, BOOT_CMDLINE_SIZE);

    if (cmdline)
        memcpy(boot_info.cmdline, cmdline, strnlen(cmdline, BOOT_CMDLINE_SIZE - 1));
}

// RAM first, then what the map says is none: overlaps go to the safe side.
static bool read_mmap(uint32_t address, uint32_t size_bytes, bool is_ram_pass)
{
    const uint8_t *map = loader_data(address, size_bytes);
    struct multiboot_mmap_entry entry;

    if (!map)
        return false;
    for (uint64_t at = 0; at + sizeof(entry) <= size_bytes;
         at += sizeof(entry.size) + (uint64_t)entry.size) {
        memcpy(&entry, map + at, sizeof(entry));
        if (is_ram_pass && entry.type == MULTIBOOT_MEMORY_RAM)
            boot_memory_add_ram(entry.base, entry.size_bytes);
        else if (!is_ram_pass && entry.type != MULTIBOOT_MEMORY_RAM)
            boot_memory_remove_ram(entry.base, entry.size_bytes);
    }
    return true;
}

static void read_modules(uint32_t address, uint32_t count)
{
    const struct multiboot_module *module = loader_data(address, sizeof(*module));

    if (!module || count == 0 || module->end <= module->start)
        return;
    boot_info.image_base = PADDR(module->start);
    boot_info.image_size_bytes = module->end - module->start;
    boot_memory_reserve(module->start, boot_info.image_size_bytes);
}

static bool multiboot_read(uint32_t info_address)
{
    const struct multiboot_info *info = loader_data(info_address, sizeof(*info));

    if (!info || !(info->flags & MULTIBOOT_HAS_MMAP))
        return false;
    if (!read_mmap(info->mmap, info->mmap_size_bytes, true) ||
        !read_mmap(info->mmap, info->mmap_size_bytes, false))
        return false;
    if (info->flags & MULTIBOOT_HAS_CMDLINE)
        read_cmdline(info->cmdline);
    if (info->flags & MULTIBOOT_HAS_MODULES)
        read_modules(info->modules, info->module_count);
    return true;
}

static const struct boot_protocol boot_protocols[] = {
    {MULTIBOOT_LOADER_MAGIC, multiboot_read},
};

// --- start-up
// -----------------------------------------------------------------------------------------

static _Noreturn void boot_fail(const char *why)
{
    arch_console_write("Machina cannot start: ", 22);
    arch_console_write(why, strlen(why));
    arch_console_write("\n", 1);
    arch_cpu_halt();
}

static bool read_loader_info(uint32_t magic, uint32_t info_address)
{
    for (size_t i = 0; i < ARRAY_COUNT(boot_protocols); i++) {
        if (boot_protocols[i].magic == magic)
            return boot_protocols[i].read(info_address);
    }
    return false;
}

static void reserve_memory(void)
{
    uint64_t base = (uint64_t)kernel_image_start - KERNEL_IMAGE_BASE;

    boot_info.kernel_size_bytes = (uint64_t)(kernel_image_end - kernel_image_start);
    boot_memory_reserve(base, boot_info.kernel_size_bytes);
    boot_memory_reserve(0, LOW_MEMORY_SIZE);
}

static void init_memory(void)
{
    reserve_memory();
    if (!paging_init())
        boot_fail("no memory for page tables below 1 GiB");
    boot_memory_finish();
    paging_finish_early();
}

static void init_machine(void)
{
    bool has_acpi = acpi_init(rsdp_address);

    if (!apic_init(msr_read(MSR_APIC_BASE) & APIC_BASE_ADDRESS))
        boot_fail("no room to map the local APIC");
    apic_init_cpu();
    time_init(acpi_machine()->hpet_address);
    smp_count_cpus();
    tlb_join();
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

__attribute__((no_stack_protector)) void x86_boot(uint32_t magic, uint32_t info_address)
{
    console_init();
    cpu_features_detect();
    init_stack_guard();
    smp_init_boot_cpu();
    cpu_features_enable();
    fpu_init_cpu();
    if (!read_loader_info(magic, info_address))
        boot_fail("not started by a Multiboot loader with a memory map");
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
