// From the firmware to an x64 kernel by the ZBI protocol: at 1 MiB, in long mode, the first 4 GiB
// mapped to themselves.
//
// Firmware may use memory at 1 MiB until the end of its boot services. So the kernel is copied
// there as the last thing, by code and with page tables that lie elsewhere (the scratch pages).
#include "boot/efi/arch.h"

#include "boot/efi/console.h"
#include "boot/loader/boot_plan.h"
#include "boot/zbi_items.h"
#include "kernel/lib/string.h"

#define PAGE_BYTES  ((uint64_t)4096)
#define PTE_TABLE   0x003 // present, writable
#define PTE_LARGE   0x083
#define LARGE_BYTES ((uint64_t)2 << 20)
#define CR4_LA57    (1u << 12)

enum scratch_page { PAGE_PML5, PAGE_PML4, PAGE_PDPT, PAGE_PD };

// void move_and_enter(void *to, const void *from, uint64_t bytes, uint64_t entry, void *data, void
// *tables), in enter.S
extern const char move_and_enter[], move_and_enter_end[];
typedef void move_function(void *to, const void *from, uint64_t size_bytes, uint64_t entry,
                           void *data, void *tables);

static bool is_allocated;

static UINTN place_pages(const struct hand_over *hand_over)
{
    return (UINTN)((hand_over->kernel_bytes + hand_over->reserve_bytes + PAGE_BYTES - 1) /
                   PAGE_BYTES);
}

static bool is_free_later(uint32_t type)
{
    return type == EfiConventionalMemory || type == EfiLoaderCode || type == EfiLoaderData ||
           type == EfiBootServicesCode || type == EfiBootServicesData;
}

// All of the place is memory that is free without boot services.
static bool place_will_be_free(uint64_t end)
{
    static uint8_t map[65536] __attribute__((aligned(8)));
    UINTN map_bytes = sizeof(map), key, descriptor_bytes;
    UINT32 version;
    uint64_t at = BOOT_PLAN_KERNEL_BASE;

    if (efi_boot->GetMemoryMap(&map_bytes, (EFI_MEMORY_DESCRIPTOR *)map, &key, &descriptor_bytes,
                               &version) != EFI_SUCCESS)
        return false;
    // Sorted or not: each round finds what covers `at`.
    for (bool is_found = true; is_found && at < end;) {
        is_found = false;
        for (UINTN i = 0; i + descriptor_bytes <= map_bytes; i += descriptor_bytes) {
            const EFI_MEMORY_DESCRIPTOR *entry = (const EFI_MEMORY_DESCRIPTOR *)(map + i);
            uint64_t entry_end = entry->PhysicalStart + entry->NumberOfPages * PAGE_BYTES;
            if (is_free_later(entry->Type) && entry->PhysicalStart <= at && entry_end > at) {
                at = entry_end;
                is_found = true;
            }
        }
    }
    return at >= end;
}

// What the loader still needs while it copies the kernel is of types that will be free, too.
static bool is_place_the_loaders(const struct hand_over *hand_over, uint64_t end)
{
    return boot_plan_place_touches(end, hand_over->buffer, hand_over->buffer_bytes) ||
           boot_plan_place_touches(end, (uintptr_t)hand_over->code, PAGE_BYTES) ||
           boot_plan_place_touches(end, (uintptr_t)hand_over->scratch, hand_over->scratch_bytes);
}

bool arch_place_kernel(struct hand_over *hand_over)
{
    EFI_PHYSICAL_ADDRESS place = BOOT_PLAN_KERNEL_BASE;
    uint64_t end = place + place_pages(hand_over) * PAGE_BYTES;

    // So that nothing else gets there; if something is there, it must go with the boot services.
    hand_over->kernel = BOOT_PLAN_KERNEL_BASE;
    is_allocated = efi_boot->AllocatePages(AllocateAddress, EfiLoaderData, place_pages(hand_over),
                                           &place) == EFI_SUCCESS;
    if (is_allocated || (place_will_be_free(end) && !is_place_the_loaders(hand_over, end)))
        return true;
    console_say("The memory between 1 MiB and %u MiB, where the kernel must lie, is in use.\n"
                "Give the machine more memory, or look for an update of the firmware.\n",
                (unsigned)((end >> 20) + 1));
    return false;
}

void arch_release_kernel(struct hand_over *hand_over)
{
    if (is_allocated)
        efi_boot->FreePages(hand_over->kernel, place_pages(hand_over));
}

static uint64_t *page(const struct hand_over *hand_over, unsigned index)
{
    return (uint64_t *)((uint8_t *)hand_over->scratch + index * PAGE_BYTES);
}

static uint64_t entry_of(const uint64_t *table)
{
    return (uint64_t)(uintptr_t)table | PTE_TABLE;
}

void arch_prepare(struct hand_over *hand_over)
{
    memset(hand_over->scratch, 0, ARCH_SCRATCH_PAGES * PAGE_BYTES);
    memcpy(hand_over->code, move_and_enter, (size_t)(move_and_enter_end - move_and_enter));
    page(hand_over, PAGE_PML5)[0] = entry_of(page(hand_over, PAGE_PML4));
    page(hand_over, PAGE_PML4)[0] = entry_of(page(hand_over, PAGE_PDPT));
    for (unsigned i = 0; i < 4; i++) {
        page(hand_over, PAGE_PDPT)[i] = entry_of(page(hand_over, PAGE_PD + i));
        for (unsigned j = 0; j < 512; j++)
            page(hand_over, PAGE_PD + i)[j] = (i * 512ull + j) * LARGE_BYTES | PTE_LARGE;
    }
}

_Noreturn void arch_hand_over(const struct hand_over *hand_over)
{
    move_function *move = (move_function *)(uintptr_t)hand_over->code;
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    move((void *)(uintptr_t)hand_over->kernel, hand_over->image, hand_over->kernel_bytes,
         hand_over->entry, hand_over->data,
         page(hand_over, cr4 & CR4_LA57 ? PAGE_PML5 : PAGE_PML4));
    __builtin_unreachable();
}
