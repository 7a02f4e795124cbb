// From the firmware to an arm64 kernel by the ZBI protocol: anywhere in memory at a multiple of 64
// KiB, translation and data cache off.
//
// What the kernel reads with the cache off, or writes past it, is cleaned out of the caches first
// (Arm ARM DDI 0487J.a, D7.4 "Cache support"): the kernel, what is behind it, the data, and the
// last code of the loader.
#include "boot/efi/arch.h"

#include "boot/efi/console.h"
#include "kernel/lib/string.h"

#define PAGE_BYTES      ((uint64_t)4096)
#define ALIGNMENT_BYTES ((uint64_t)65536)
#define CTR_DMINLINE    16

extern const char turn_off_and_enter[], turn_off_and_enter_end[];
typedef void enter_function(void *data, uint64_t entry);

static UINTN place_pages(const struct hand_over *hand_over)
{
    return (UINTN)((hand_over->kernel_bytes + hand_over->reserve_bytes + ALIGNMENT_BYTES +
                    PAGE_BYTES - 1) /
                   PAGE_BYTES);
}

static EFI_PHYSICAL_ADDRESS allocated;

bool arch_place_kernel(struct hand_over *hand_over)
{
    EFI_STATUS status = efi_boot->AllocatePages(AllocateAnyPages, EfiLoaderData,
                                                place_pages(hand_over), &allocated);

    if (status != EFI_SUCCESS) {
        console_say("There is no memory for the kernel: %s.\n", efi_status_text(status));
        return false;
    }
    hand_over->kernel = (allocated + ALIGNMENT_BYTES - 1) & ~(ALIGNMENT_BYTES - 1);
    return true;
}

void arch_release_kernel(struct hand_over *hand_over)
{
    efi_boot->FreePages(allocated, place_pages(hand_over));
}

static void clean(uint64_t address, uint64_t size_bytes)
{
    uint64_t ctr, line;

    __asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
    line = (uint64_t)4 << (ctr >> CTR_DMINLINE & 15);
    for (uint64_t at = address & ~(line - 1); at < address + size_bytes; at += line)
        __asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

void arch_prepare(struct hand_over *hand_over)
{
    memcpy((void *)(uintptr_t)hand_over->kernel, hand_over->image, hand_over->kernel_bytes);
    memcpy(hand_over->code, turn_off_and_enter,
           (size_t)(turn_off_and_enter_end - turn_off_and_enter));
}

_Noreturn void arch_hand_over(const struct hand_over *hand_over)
{
    __asm__ volatile("msr daifset, #0xf" : : : "memory");
    clean(hand_over->kernel, hand_over->kernel_bytes + hand_over->reserve_bytes);
    clean((uint64_t)(uintptr_t)hand_over->data, hand_over->data_capacity_bytes);
    clean((uint64_t)(uintptr_t)hand_over->code, PAGE_BYTES);
    __asm__ volatile("ic iallu; dsb sy; isb" : : : "memory");
    ((enter_function *)hand_over->code)(hand_over->data, hand_over->entry);
    __builtin_unreachable();
}
