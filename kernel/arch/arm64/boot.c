// Start-up of the boot CPU, from start.S to kernel_main(): a list of calls.
#include "kernel/arch/arm64/boot.h"

#include <string.h>

#include <arch/boot.h>
#include <arch/console.h>
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/hypervisor_cpu.h>

#include "kernel/arch/arm64/acpi.h"
#include "kernel/arch/arm64/asid.h"
#include "kernel/arch/arm64/cache.h"
#include "kernel/arch/arm64/console.h"
#include "kernel/arch/arm64/cpu_features.h"
#include "kernel/arch/arm64/image.h"
#include "kernel/arch/arm64/interrupts.h"
#include "kernel/arch/arm64/paging.h"
#include "kernel/arch/arm64/portable/machine_tree.h"
#include "kernel/arch/arm64/portable/tree_items.h"
#include "kernel/arch/arm64/regs/control.h"
#include "kernel/arch/arm64/smp.h"
#include "kernel/arch/arm64/start.h"
#include "kernel/arch/arm64/time.h"
#include "kernel/core/boot_items.h"
#include "kernel/core/cpu.h"
#include "kernel/core/log.h"
#include "kernel/memory/boot_memory.h"
#include "kernel/memory/phys.h"

// Called by start.S, and by functions that the compiler protects.
_Noreturn void arm64_boot(uint64_t address, uint64_t image_address, uint32_t mode, uint32_t start);
_Noreturn void __stack_chk_fail(void);
extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard;

uint64_t kernel_image_physical;
uint32_t boot_mode;

static struct boot_info boot_info;
static struct boot_items boot_items;
static struct machine machine;

extern const uint64_t tpidr_sites[], tpidr_sites_end[];
extern char arm64_vectors[];

void __stack_chk_fail(void)
{
    panic("stack overflow in a function's frame");
}

const struct machine *boot_machine(void)
{
    return &machine;
}

void boot_init_vectors(void)
{
    sysreg_write(vbar_el1, arm64_vectors);
    isb();
}

// --- the first steps, before anything else of the kernel can be used
// ----------------------------------------

// Between the encodings of TPIDR_EL2 and TPIDR_EL1 in MRS and MSR: op1 4 and 0, op2 2 and 4 (Arm
// ARM C5.1.3).
#define TPIDR_EL2_TO_EL1 ((4u ^ 0u) << 16 | (2u ^ 4u) << 5)

// The image is still writable.
static void use_tpidr_el1(void)
{
    for (const uint64_t *site = tpidr_sites; site < tpidr_sites_end; site++)
        *(uint32_t *)*site ^= TPIDR_EL2_TO_EL1;
    cache_sync_instructions(kernel_image_start, (size_t)(kernel_text_end - kernel_image_start));
}

// Not protected itself: it changes the guard.
__attribute__((no_stack_protector)) static void init_stack_guard(void)
{
    uint64_t random;

    if (!arch_cpu_random(&random))
        random = time_counter_read() * 0x9e3779b97f4a7c15;
    // A zero byte stops string functions that overrun.
    __stack_chk_guard = random & ~(uint64_t)0xff;
}

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

// --- what the starter left
// -------------------------------------------------------------------------------------

static struct fdt open_tree(const void *data, size_t size_bytes)
{
    const char *reason = "no device tree";
    struct fdt fdt;

    if (!data || fdt_open(&fdt, data, size_bytes, &reason) != MX_OK)
        boot_fail(reason);
    return fdt;
}

static struct fdt open_tree_at(uint64_t address)
{
    const void *header = paging_map_firmware(PADDR(address), FDT_HEADER_BYTES);
    uint32_t size_bytes = header ? fdt_total_size(header) : 0;

    if (size_bytes == 0 || size_bytes > FDT_SIZE_MAX)
        boot_fail("no device tree");
    return open_tree(paging_map_firmware(PADDR(address), size_bytes), size_bytes);
}

static const char *read_tree_start(uint64_t address)
{
    static uint8_t container[4096] __attribute__((aligned(8)));
    struct fdt fdt = open_tree_at(address);
    const char *reason;

    if (tree_describe(&fdt, address, container, sizeof(container), &reason) != MX_OK)
        return reason;
    return boot_items_read(&boot_items, container, (struct zbi_place){0});
}

static const char *read_zbi_start(uint64_t address)
{
    const void *header = paging_map_firmware(PADDR(address), ZBI_HEADER_BYTES);
    uint64_t size_bytes = header ? boot_items_size(header) : 0;
    const void *data = size_bytes ? paging_map_firmware(PADDR(address), size_bytes) : NULL;

    if (!data)
        return "what it was given is not a ZBI container";
    return boot_items_read(&boot_items, data, (struct zbi_place){address, size_bytes});
}

static void read_tree(void)
{
    const struct zbi_machine *items = &boot_items.machine;
    struct fdt fdt = items->device_tree_place.size_bytes
                         ? open_tree_at(items->device_tree_place.base)
                         : open_tree(items->device_tree, items->device_tree_bytes);

    machine_tree_read(&fdt, &machine);
    if (machine.pl011.size_bytes != 0 &&
        !console_init(PADDR(machine.pl011.base), machine.pl011_intid))
        boot_fail("no room to map the console");
}

// There is nowhere to print to before this. A device tree comes before ACPI's tables. Returns NULL,
// or why the machine cannot be used.
static const char *read_machine(void)
{
    const struct zbi_machine *items = &boot_items.machine;
    bool has_memory_map = boot_items_add_memory(&boot_items);

    if (items->device_tree_place.size_bytes != 0 || items->device_tree)
        read_tree();
    else if (items->acpi_rsdp == 0)
        return "there is neither a device tree nor an ACPI root pointer";
    else if (!has_memory_map)
        return "no memory map was given beside the ACPI root pointer";
    else
        return acpi_describe_machine(&boot_items, &machine);
    for (uint32_t i = 0; !has_memory_map && i < machine.memory_count; i++)
        boot_memory_add_ram(machine.memory[i].base, machine.memory[i].size_bytes);
    return NULL;
}

static void reserve_memory(void)
{
    uint64_t kernel_bytes = (uint64_t)(kernel_image_end - kernel_image_start);

    for (uint32_t i = 0; i < machine.reserved_count; i++)
        boot_memory_reserve(machine.reserved[i].base, machine.reserved[i].size_bytes);
    boot_check(boot_items_reserve(
        &boot_items, (struct zbi_place){kernel_image_physical, kernel_bytes}, &boot_info));
}

static void init_memory(void)
{
    uint64_t image_end;

    if (!paging_map_ram())
        boot_fail("no room for the page tables of all RAM");
    image_end = paging_finish_early().raw;
    boot_info.kernel_size_bytes = image_end - kernel_image_physical;
    boot_memory_reserve(kernel_image_physical, boot_info.kernel_size_bytes);
    boot_memory_finish();
    boot_items_finish(&boot_items, &boot_info);
}

// --- start-up
// ---------------------------------------------------------------------------------------------

__attribute__((no_stack_protector)) void arm64_boot(uint64_t address, uint64_t image_address,
                                                    uint32_t mode, uint32_t start)
{
    kernel_image_physical = image_address;
    boot_mode = mode;
    if (mode != BOOT_MODE_EL2)
        use_tpidr_el1();
    smp_init_boot_cpu();
    boot_init_vectors();
    cpu_features_detect();
    init_stack_guard();
    if (!paging_init())
        arch_cpu_halt();
    cpu_features_enable();
    fpu_init_cpu();
    asid_init(cpu_features.has_asid16);
    time_init();
    const char *problem = start == START_ZBI ? read_zbi_start(address) : read_tree_start(address);
    const char *other = read_machine();
    boot_check(problem);
    boot_check(other);
    reserve_memory();
    init_memory();
    smp_count_cpus();
    kernel_main(&boot_info);
}

void arch_init_late(void)
{
    interrupts_init();
    time_init_late();
}

void arch_init_cpu(void)
{
    interrupts_init_cpu();
    time_init_cpu();
    hypervisor_init_cpu();
}
